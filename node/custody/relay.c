/*
 * Cut-through: where a route says so, a new message is not taken into custody but passed on while its client
 * waits for the answer to its final dot. What the next hop answers with 250 for every recipient is answered
 * with 250, and nothing was written anywhere.
 *
 * Whatever else happens, custody is made before the client hears anything (intake.c):
 *
 *	it was inspected                       custody: its client has waited enough
 *	no attempt is begun in time            custody, then it is queued like any other
 *	the attempt takes too long             custody meanwhile; its result is recorded when both are there
 *	refused, lost, mixed, in doubt         custody, then the result is recorded as that of a first attempt
 *	the client is gone                     not begun, or before its final dot: dropped, nobody was
 *promised anything
 */
#include "custody/custody_internal.h"

enum { WAIT_MS = 500 };

static void on_timer(void *arg);

void relay_init(struct custody *custody)
{
	list_init(&custody->relays);
	loop_timer_init(&custody->relay_timer, on_timer, custody);
}

void relay_fini(struct custody *custody)
{
	CHECK(list_is_empty(&custody->relays));
	loop_timer_cancel(custody->loop, &custody->relay_timer);
}

static void arm_timer(struct custody *custody)
{
	uint64_t now_ms = loop_now_ms(custody->loop), due_ms;

	if (list_is_empty(&custody->relays))
		return;
	due_ms = LIST_FIRST(&custody->relays, struct intake, relay_link)->relay_due_ms;
	loop_timer_set(custody->loop, &custody->relay_timer, due_ms > now_ms ? due_ms - now_ms : 0);
}

bool relay_begin(struct intake *intake)
{
	struct custody *custody = intake->custody;

	if (custody->is_leaving || intake->message->is_inspected ||
		!outbound_takes_at_once(custody->outbound, &intake->message->envelope))
		return false;
	intake->is_relaying = true;
	intake->relay_due_ms = loop_now_ms(custody->loop) + WAIT_MS;
	list_push_back(&custody->relays, &intake->relay_link);
	if (!loop_timer_is_set(&custody->relay_timer))
		arm_timer(custody);
	outbound_add(custody->outbound, intake->message);
	return true;
}

/* Nothing of it stays. */
static void drop(struct intake *intake)
{
	struct message *message = intake->message;

	list_remove(&intake->relay_link);
	message->intake = NULL;
	body_mark_done(message->body);
	message_enter(message, MESSAGE_ENDED);
	intake_free(intake);
}

void relay_fall_back(struct intake *intake)
{
	struct message *message = intake->message;

	if (message->flow)
		outbound_remove(intake->custody->outbound, message);
	if (message->stage == MESSAGE_READY)
		message_enter(message, MESSAGE_ARRIVING);
	list_remove(&intake->relay_link);
	intake->is_relaying = false;
	meter_add(intake->custody->meter, METRIC_CUT_THROUGH_FELL_BACK, 1);
	intake_begin(intake);
}

static void on_timer(void *arg)
{
	struct custody *custody = arg;
	uint64_t now_ms = loop_now_ms(custody->loop);

	while (!list_is_empty(&custody->relays)) {
		struct intake *intake = LIST_FIRST(&custody->relays, struct intake, relay_link);

		if (intake->relay_due_ms > now_ms)
			break;
		relay_fall_back(intake);
	}
	arm_timer(custody);
}

void relay_cancel(struct intake *intake)
{
	if (intake->message->stage != MESSAGE_READY)
		return; /* the attempt will see */
	outbound_remove(intake->custody->outbound, intake->message);
	drop(intake);
}

bool relay_may_finish(const struct intake *intake)
{
	return intake->fn != NULL;
}

bool relay_is_delivered(const struct intake *intake)
{
	const struct envelope *envelope = &intake->message->envelope;

	for (size_t i = 0; i < envelope->recipient_count; i++) {
		if (envelope->recipients[i].state != RECIPIENT_DELIVERED)
			return false;
	}
	return true;
}

static void end(struct intake *intake)
{
	struct custody *custody = intake->custody;

	intake->message->is_cut_through = true;
	result_tell(custody, intake->message);
	meter_add(custody->meter, METRIC_CUT_THROUGH, 1);
	intake_answer(intake, CUSTODY_TAKEN);
	drop(intake);
}

void relay_attempted(struct intake *intake, enum attempt_end attempt_end)
{
	intake->is_attempted = true;
	intake->attempt_end = attempt_end;
	if (!intake->is_relaying)
		intake_go_on(intake);
	else if (relay_is_delivered(intake))
		end(intake);
	else if (!intake->fn && attempt_end == ATTEMPT_LOST)
		drop(intake);
	else
		relay_fall_back(intake);
}
