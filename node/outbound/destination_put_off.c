/* What becomes of what waits at a destination that nobody can take it for. */
#include "custody/custody.h"
#include "outbound/destination_internal.h"

enum { PUT_OFF_PER_TURN = 200, NO_HOP_MS = 60000 };

static bool goes_elsewhere_too(const struct destination *destination, const struct envelope *envelope)
{
	for (size_t i = 0; i < envelope->recipient_count; i++) {
		const struct envelope_recipient *recipient = &envelope->recipients[i];

		if (recipient->state == RECIPIENT_PENDING && recipient->attempts <= envelope->attempts &&
			!destination_takes(destination, envelope, i))
			return true;
	}
	return false;
}

/* A verdict of our own on the recipients that go here; those of other destinations go on. */
static void judge(
	struct destination *destination, struct message *message, struct mail_status status, const char *why)
{
	if (!custody_may_start(destination->outbound->custody, message))
		return;
	message_enter(message, MESSAGE_TRYING);
	delivery_verdict(&destination->part, message, status, why);
	destination_count(destination,
		mail_status_classify(status) == MAIL_PERMANENT ? ROUTE_RESULT_FAILED : ROUTE_RESULT_DEFERRED);
	custody_attempted(destination->outbound->custody, message, ATTEMPT_DONE);
}

/*
 * Whose failure tells what becomes of the mail. Where the sender asks for TLS a hop may be out of the
 * question for good: as long as another is only down, it may still be the one (RFC 8689 4.2.1).
 */
static const struct hop *telling_hop(const struct destination *destination)
{
	for (size_t i = 0; i < destination->hop_count; i++) {
		if (destination->hops[i]->last_code.class != 5)
			return destination->hops[i];
	}
	return destination->hops[0];
}

static struct lookup_failure find_failure(const struct destination *destination)
{
	struct lookup_failure failure = {
		.enhanced = { 4, 4, 1 }, /* RFC 3463: no answer from host */
		.again_ms = NO_HOP_MS,
		.why = "no route of the policy matches, and route.next_hops is not set",
	};

	if (destination->hop_count) {
		const struct hop *hop = telling_hop(destination);

		failure.why = hop->last_error;
		failure.enhanced = hop->last_code;
		failure.is_permanent = hop->last_code.class == 5;
		failure.again_ms = hop_put_off_ms(hop, destination_shortest_wait_ms(destination));
	} else if (destination->route->target_count) {
		(void)lookup_has_failed(&destination->lookup, &failure);
	}
	return failure;
}

void destination_put_off_ready(struct destination *destination)
{
	struct outbound *outbound = destination->outbound;
	const struct lookup_failure failure = find_failure(destination);
	const struct mail_status status = { .enhanced = failure.enhanced };
	struct message *message;

	for (int i = 0; i < PUT_OFF_PER_TURN && (message = fair_queue_next(&destination->ready)); i++) {
		uint64_t jitter_ms = random_u32(outbound->random) % (failure.again_ms / 2 + 1000);

		message_ref(message);
		destination_remove(message);
		message_unpack(message);
		if (failure.is_permanent || goes_elsewhere_too(destination, &message->envelope)) {
			judge(destination, message, status, failure.why);
		} else {
			if (!message->intake)
				destination_count(destination, ROUTE_RESULT_PUT_OFF);
			custody_put_off(outbound->custody, message, failure.again_ms + jitter_ms, status,
				failure.why);
		}
		message_unref(&message);
	}
	destination_kick(destination);
}
