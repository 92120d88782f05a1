#include "hop.h"

#include "disk.h"
#include "happening.h"
#include "mail.h"
#include "outbound/delivery.h"

#include "skein/proto/base/alloc.h"

#include <stdio.h>
#include <string.h>

enum { COURIERS_MAX = 4, APPETITE = 20, LONG_MAX_READY = 30 };

/* One transaction, from MAIL to the answer to the dot. */
struct courier {
	struct worker *worker;
	struct delivery delivery;
	struct mail *mail;
	struct attempt *attempt;
	enum hop_verdict verdict;
	uint64_t hop_us;
};

static struct worker *worker_of(struct outbound *outbound)
{
	return CONTAINER_OF(outbound, struct worker, outbound);
}

static struct world *world_of(const struct worker *worker)
{
	return worker->node->world;
}

static void plan(struct worker *worker, uint64_t delay_us, event_fn *fn, void *arg)
{
	agenda_plan(&world_of(worker)->agenda, worker->life, delay_us, fn, arg, false);
}

static void dispatch(void *arg);

static void kick(struct worker *worker)
{
	if (worker->is_dispatching)
		return;
	worker->is_dispatching = true;
	plan(worker, 0, dispatch, worker);
}

/* --- the queue ------------------------------------------------------------------------------------- */

void hop_begin(struct worker *worker)
{
	list_init(&worker->ready);
}

size_t hop_appetite(const struct worker *worker)
{
	size_t busy = worker->outbound.ready_count + worker->outbound.trying;

	return busy < APPETITE ? APPETITE - busy : 0;
}

bool outbound_has_room(struct outbound *outbound, const struct message *message, uint64_t *away_ms_out)
{
	(void)message;
	*away_ms_out = 0;
	return outbound->ready_count <= LONG_MAX_READY;
}

bool outbound_takes_at_once(struct outbound *outbound, const struct envelope *envelope)
{
	(void)outbound;
	(void)envelope;
	return false;
}

struct retry_schedule outbound_retry(const struct outbound *outbound, const struct envelope *envelope)
{
	const struct settings *settings = outbound->custody->settings;

	(void)envelope;
	return (struct retry_schedule){ settings->retry.first_ms, settings->retry.max_ms,
		settings->retry.expire_ms };
}

/* There is one way out. */
bool outbound_knows_route(const struct outbound *outbound, const struct message *message)
{
	(void)outbound;
	(void)message;
	return true;
}

void outbound_find_route(struct outbound *outbound, struct message *message)
{
	(void)outbound;
	(void)message;
}

void outbound_add(struct outbound *outbound, struct message *message)
{
	message_enter(message, MESSAGE_READY);
	list_push_back(&worker_of(outbound)->ready, &message_ref(message)->queue_link);
	outbound->ready_count++;
	kick(worker_of(outbound));
}

static void on_due(void *arg);

static void plan_look(struct worker *worker)
{
	struct world *world = world_of(worker);
	struct heap_node *first = heap_peek(&worker->outbound.waiting);
	uint64_t now_ms = world_wall_us(world) / MS_US, delay_us;

	if (!first)
		return;
	delay_us = first->due > now_ms ? (first->due - now_ms) * MS_US : 10 * MS_US;
	if (worker->due_us > world->agenda.now_us && worker->due_us <= world->agenda.now_us + delay_us)
		return;
	worker->due_us = world->agenda.now_us + delay_us;
	plan(worker, delay_us, on_due, worker);
}

/* As outbound.c: what comes back at once has to wait for the next turn. */
static void on_due(void *arg)
{
	struct worker *worker = arg;
	uint64_t now_ms = world_wall_us(world_of(worker)) / MS_US;
	struct heap_node *node;

	if (worker->due_us > world_of(worker)->agenda.now_us)
		return; /* it was looked at earlier, and will be again */
	worker->due_us = 0;
	for (size_t turns = worker->outbound.waiting.count;
		turns && (node = heap_peek(&worker->outbound.waiting)) && node->due <= now_ms; turns--) {
		struct message *message = message_ref(CONTAINER_OF(node, struct message, due));

		outbound_remove(&worker->outbound, message);
		custody_due(&worker->custody, message);
		message_unref(&message);
	}
	plan_look(worker);
	conn_pump(worker->conn);
}

void outbound_add_later(struct outbound *outbound, struct message *message, uint64_t at_ms)
{
	message_enter(message, MESSAGE_WAITING);
	heap_set(&outbound->waiting, &message_ref(message)->due, at_ms);
	plan_look(worker_of(outbound));
}

void outbound_remove(struct outbound *outbound, struct message *message)
{
	if (list_is_linked(&message->queue_link)) {
		list_remove(&message->queue_link);
		outbound->ready_count--;
	} else {
		CHECK(heap_has(&message->due));
		heap_remove(&outbound->waiting, &message->due);
	}
	message_unref(&message);
}

/* --- the end of an attempt --------------------------------------------------------------------------- */

static void hand_back(struct courier *courier, enum attempt_end end)
{
	struct worker *worker = courier->worker;
	struct message *message = delivery_take_back(&courier->delivery);
	struct happening happening = {
		.kind = SAW_ANSWER, .node = worker->node, .mail = courier->mail, .attempt = courier->attempt
	};

	worker->outbound.trying--;
	if (courier->attempt)
		courier->attempt->is_in_window = false;
	happened(world_of(worker), &happening);
	custody_window(&worker->custody, message, false);
	custody_attempted(&worker->custody, message, end);
	message_unref(&message);
	mem_free(courier);
	kick(worker);
	conn_pump(worker->conn);
}

static const struct delivery_remote remote = { .label = "hop" };

static void lose(struct courier *courier, bool is_unknown)
{
	const struct smtp_client_event_data data = { .is_outcome_unknown = is_unknown };

	trace(world_of(courier->worker), "%s m%u: attempt lost, %s", courier->worker->node->name,
		courier->mail->number, is_unknown ? "outcome unknown" : "before the dot");
	delivery_lost(&courier->delivery, &data, "connection lost", &remote);
	hand_back(courier, is_unknown ? ATTEMPT_UNKNOWN : ATTEMPT_LOST);
}

static struct mail_status status_of(enum hop_verdict verdict, size_t recipient)
{
	const struct mail_status taken = { 250, { 2, 0, 0 } }, deferred = { 451, { 4, 3, 0 } },
				 refused = { 550, { 5, 1, 1 } };

	switch (verdict) {
	case HOP_DEFERS:
		return deferred;
	case HOP_REFUSES:
		return refused;
	case HOP_DEFERS_RCPT:
		return recipient ? taken : deferred;
	case HOP_REFUSES_RCPT:
		return recipient ? taken : refused;
	default:
		return taken;
	}
}

static void on_answer(void *arg)
{
	struct courier *courier = arg;
	size_t count = courier->delivery.transaction.rcpt_count;

	if (courier->verdict == HOP_LOSES_ANSWER || courier->verdict == HOP_LOSES_DOT) {
		lose(courier, true);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const struct smtp_client_event_data data = {
			.rcpt_idx = i, .status = status_of(courier->verdict, i), .text = SPAN_LIT("so it is")
		};

		delivery_result(&courier->delivery, &data, &remote);
	}
	hand_back(courier, ATTEMPT_DONE);
}

/* --- at the hop ---------------------------------------------------------------------------------------- */

struct dot {
	struct world *world;
	struct attempt *attempt;
	enum hop_verdict verdict;
};

static void take(struct dot *dot)
{
	struct world *world = dot->world;
	struct attempt *attempt = dot->attempt;
	struct mail *mail = attempt->mail;
	struct happening happening = {
		.kind = SAW_RECEIPT, .mail = mail, .attempt = attempt, .node = attempt->life->node
	};
	size_t nth = 0;

	for (unsigned i = 0; i < mail->recipient_count; i++) {
		if (!(attempt->recipients >> i & 1))
			continue;
		switch (status_of(dot->verdict, nth++).enhanced.class) {
		case 2:
			attempt->taken |= 1u << i;
			break;
		case 5:
			if (mail->about)
				mail_end_report(mail);
			break;
		default:
			break;
		}
	}
	if (!attempt->taken)
		return;
	trace(world, "hop takes m%u from %s (recipients %x)", mail->number, attempt->life->node->name,
		attempt->taken);
	happened(world, &happening);
	for (unsigned i = 0; i < mail->recipient_count; i++)
		mail->receipts[i] += attempt->taken >> i & 1;
	if (mail->about)
		mail_end_report(mail);
}

static void on_dot(void *arg)
{
	struct dot *dot = arg;

	if (dot->verdict != HOP_LOSES_DOT)
		take(dot);
}

/* --- the node's side ----------------------------------------------------------------------------------- */

static unsigned recipients_of(const struct courier *courier)
{
	unsigned set = 0;

	for (size_t i = 0; i < courier->delivery.transaction.rcpt_count; i++)
		set |= 1u << courier->delivery.rcpt_idx[i];
	return set;
}

static bool is_any_node_faulty(const struct world *world)
{
	for (unsigned i = 0; i < world->node_count; i++) {
		const struct node *node = &world->nodes[i];

		if (node->is_killed || node->cut_until_us > world->agenda.now_us ||
			(node->life && node->life->paused_until_us > world->agenda.now_us))
			return true;
	}
	return false;
}

static struct attempt *note_attempt(struct courier *courier)
{
	struct worker *worker = courier->worker;
	struct world *world = world_of(worker);
	struct attempt *attempt = mem_zalloc(sizeof(*attempt));

	*attempt = (struct attempt){
		.next = courier->mail->attempts,
		.mail = courier->mail,
		.life = worker->life,
		.worker = worker,
		.recipients = recipients_of(courier),
		.dot_us = world->agenda.now_us,
		.given_us = courier->mail->given_us,
		.is_in_window = true,
		.is_answer_lost = courier->verdict == HOP_LOSES_ANSWER || courier->verdict == HOP_LOSES_DOT,
		.was_beside_fault = is_any_node_faulty(world),
		.was_cut = worker->node->faulty_until_us + SECOND_US > world->agenda.now_us,
		.lapses = worker->lapses,
		.node_faults = worker->node->faults,
		.redis_faults = world->redis_faults,
		.faults = world->faults,
	};
	courier->mail->attempts = attempt;
	return attempt;
}

void hop_note_trust(struct worker *worker)
{
	const struct lease *lease = member_lease(worker->node->member);

	if (lease->trust_until_ms <= worker->trust_max_ms)
		return;
	if (world_now_ms(world_of(worker)) >= worker->trust_max_ms)
		worker->lapses++;
	worker->trust_max_ms = lease->trust_until_ms;
}

static void send_dot(struct courier *courier)
{
	struct worker *worker = courier->worker;
	struct world *world = world_of(worker);
	struct dot *dot = mem_alloc(sizeof(*dot));
	struct happening happening = { .kind = SAW_DOT, .node = worker->node, .mail = courier->mail };
	uint64_t there_us = world_between(world, 100, 3000), answer_us = world_between(world, 200, 20000);

	if (world_chance(world, world->odds.hop_slow))
		answer_us += world_between(world, 0, 30) * SECOND_US;
	custody_window(&worker->custody, courier->delivery.message, true);
	courier->attempt = note_attempt(courier);
	world->faults += courier->attempt->is_answer_lost;
	trace(world, "%s m%u: final dot", worker->node->name, courier->mail->number);
	happening.attempt = courier->attempt;
	happened(world, &happening);
	*dot = (struct dot){ world, courier->attempt, courier->verdict };
	agenda_plan(&world->agenda, NULL, there_us, on_dot, dot, true);
	plan(worker, there_us + answer_us + world->hop_latency_us, on_answer, courier);
}

static void on_body_end(void *arg)
{
	struct courier *courier = arg;
	struct worker *worker = courier->worker;
	struct world *world = world_of(worker);

	if (courier->verdict == HOP_BREAKS) {
		lose(courier, false);
	} else if (!custody_may_finish(&worker->custody, courier->delivery.message) &&
		   world->broken != BROKEN_WINDOW) {
		lose(courier, false);
	} else {
		send_dot(courier);
		conn_pump(worker->conn);
	}
}

static enum hop_verdict choose(struct world *world, struct mail *mail)
{
	const struct odds *odds = &world->odds;
	uint64_t dice = world_random(world, 1000);

	if (mail->plan_len) {
		mail->plan_len--;
		return *mail->plan++;
	}
	if (world->is_calm)
		return HOP_TAKES;
	if (dice < odds->hop_defers)
		return world_chance(world, 500) ? HOP_DEFERS : HOP_DEFERS_RCPT;
	dice -= odds->hop_defers;
	if (dice < odds->hop_refuses)
		return world_chance(world, 500) ? HOP_REFUSES : HOP_REFUSES_RCPT;
	dice -= odds->hop_refuses;
	if (dice < odds->hop_breaks)
		return HOP_BREAKS;
	dice -= odds->hop_breaks;
	if (dice < odds->hop_loses_dot)
		return HOP_LOSES_DOT;
	dice -= odds->hop_loses_dot;
	return dice < odds->hop_loses_answer ? HOP_LOSES_ANSWER : HOP_TAKES;
}

/* Which recipients a report is about. */
static void read_report(struct mail *report, struct span body)
{
	static const char key[] = "Final-Recipient:";

	report->covers = 0;
	while (body.len) {
		size_t len = span_find(body, '\n');
		struct span line = span_take(body, len);

		body = span_drop(body, len < body.len ? len + 1 : len);
		if (!span_starts_with(line, span_of_str(key)))
			continue;
		/* "rfc822; m7.r1@hop.example" */
		line = span_drop(line, span_find(line, '.') + 2);
		CHECK(line.len > 1 && line.ptr[0] >= '0' && line.ptr[0] < '0' + RECIPIENTS_MAX);
		report->covers |= 1u << (line.ptr[0] - '0');
	}
}

/* What the hop gets is what the client sent. */
static void a_mail_keeps_its_body(const struct courier *courier)
{
	struct mail *mail = courier->mail;
	struct span body = disk_body(courier->delivery.message->body);
	char text[64];

	if (mail->about) {
		read_report(mail, body);
		return;
	}
	snprintf(text, sizeof(text), "Subject: mail %u\r\n", mail->number);
	if (!span_starts_with(body, span_of_str(text)))
		violation(world_of(courier->worker), "a_mail_keeps_its_body", "m%u has another one",
			mail->number);
}

static void start(struct worker *worker, struct message *message)
{
	struct world *world = world_of(worker);
	struct courier *courier = mem_zalloc(sizeof(*courier));
	struct happening happening = { .kind = SAW_STARTED, .node = worker->node };

	courier->worker = worker;
	courier->mail = mail_find(world, &message->holding.id);
	CHECK(courier->mail && message->body);
	message_enter(message, MESSAGE_TRYING);
	worker->outbound.trying++;
	delivery_open(&courier->delivery, NULL, message, RECIPIENTS_MAX);
	a_mail_keeps_its_body(courier);
	courier->verdict = choose(world, courier->mail);
	happening.mail = courier->mail;
	happened(world, &happening);
	plan(worker, world_between(world, 500, 20000), on_body_end, courier);
}

static void dispatch(void *arg)
{
	struct worker *worker = arg;
	struct outbound *outbound = &worker->outbound;

	worker->is_dispatching = false;
	while (outbound->ready_count && outbound->trying < COURIERS_MAX) {
		struct message *message = message_ref(LIST_FIRST(&worker->ready, struct message, queue_link));

		outbound_remove(outbound, message);
		if (custody_may_start(&worker->custody, message))
			start(worker, message);
		else
			message_unref(&message);
	}
	conn_pump(worker->conn);
}
