/*
 * courier: the messages on one connection to a next hop: pulled, prepared, sent and handed back. The second
 * one's commands travel behind the first one's body.
 */
#include "outbound/hop_conn_internal.h"

#include "custody/custody.h"
#include "outbound/hop_health.h"

#include <stdio.h>

enum { QUEUED_MAX = 256 * 1024 };

static struct delivery *delivery_in(struct hop_conn *conn, enum delivery_phase phase)
{
	for (size_t i = 0; i < CHAIN_MAX; i++) {
		if (conn->deliveries[i].phase == phase)
			return &conn->deliveries[i];
	}
	return NULL;
}

bool courier_is_busy(const struct hop_conn *conn)
{
	for (size_t i = 0; i < CHAIN_MAX; i++) {
		if (conn->deliveries[i].phase != DELIVERY_FREE)
			return true;
	}
	return false;
}

/* Those under way count: what is chained behind the last one would be one too many. */
static bool is_used_up(const struct hop_conn *conn)
{
	unsigned count = conn->completed;

	for (size_t i = 0; i < CHAIN_MAX; i++)
		count += conn->deliveries[i].phase != DELIVERY_FREE;
	return count >= conn->hop->route->messages_per_connection;
}

/* --- the body ----------------------------------------------------------------------------------- */

static void end_body(struct hop_conn *conn, struct delivery *delivery)
{
	struct outbound *outbound = conn->hop->outbound;

	outgoing_free(&delivery->outgoing);
	if (!custody_may_finish(outbound->custody, delivery->message)) {
		snprintf(conn->why, sizeof(conn->why), "the message is no longer ours to deliver");
		conn->is_our_abort = true;
		smtp_client_abort(conn->client);
		return;
	}
	delivery->phase = DELIVERY_WINDOW;
	custody_window(outbound->custody, delivery->message, true);
	smtp_client_body_end(conn->client, &outbound->scratch);
}

static void fail_body(struct hop_conn *conn, struct delivery *delivery)
{
	struct outbound *outbound = conn->hop->outbound;
	enum err err = outgoing_error(delivery->outgoing);

	log_event(outbound->log, LOG_ERROR, "body-unreadable",
		LOG_STR("id", msg_id_format(&delivery->message->holding.id).text), LOG_ERR(err), LOG_END);
	snprintf(conn->why, sizeof(conn->why), "the stored message cannot be read: %s", err_text(err));
	outgoing_free(&delivery->outgoing);
	conn->is_our_abort = true;
	smtp_client_abort(conn->client);
}

static void feed_body(struct hop_conn *conn, struct delivery *delivery)
{
	struct outbound *outbound = conn->hop->outbound;
	struct span piece;

	while (conn->stream && stream_queued_bytes(conn->stream) < QUEUED_MAX) {
		switch (outgoing_next(delivery->outgoing, &piece)) {
		case BODY_READ_PIECE:
			smtp_client_body(conn->client, piece, &outbound->scratch);
			hop_conn_flush(conn);
			break;
		case BODY_READ_WAIT:
			delivery->is_reading = true;
			return;
		case BODY_READ_END:
			end_body(conn, delivery);
			return;
		case BODY_READ_FAILED:
			fail_body(conn, delivery);
			return;
		}
	}
}

static struct delivery *delivery_in_body(struct hop_conn *conn)
{
	return delivery_in(conn, DELIVERY_BODY);
}

void courier_resume(struct hop_conn *conn)
{
	struct delivery *delivery = delivery_in_body(conn);

	if (!delivery || !delivery->outgoing || delivery->is_reading || conn->phase == CONN_OVER)
		return;
	feed_body(conn, delivery);
	hop_conn_proceed(conn);
}

static void on_body_ready(void *arg)
{
	struct delivery *delivery = delivery_in_body(arg);

	if (delivery)
		delivery->is_reading = false;
	courier_resume(arg);
}

void courier_begin_body(struct hop_conn *conn, struct delivery *delivery)
{
	delivery->phase = DELIVERY_BODY;
	smtp_client_body(conn->client, delivery_prefix(delivery), &conn->hop->outbound->scratch);
	delivery->outgoing =
		outgoing_new(delivery->message->body, &delivery->change, DELIVERY_PIECE, on_body_ready, conn);
	feed_body(conn, delivery);
}

/* --- deliveries --------------------------------------------------------------------------------- */

static void count_settled(struct destination *destination, const struct delivery *delivery)
{
	if (delivery_has(delivery, RECIPIENT_DELIVERED))
		destination_count(destination, ROUTE_RESULT_DELIVERED);
	if (delivery_has(delivery, RECIPIENT_FAILED))
		destination_count(destination, ROUTE_RESULT_FAILED);
}

static void hand_back(struct hop_conn *conn, struct delivery *delivery, enum attempt_end end)
{
	struct hop *hop = conn->hop;
	struct outbound *outbound = hop->outbound;
	bool fails_over = delivery_is_hops_trouble(delivery) && !conn->is_our_abort;
	bool is_deferred = delivery_has(delivery, RECIPIENT_PENDING);
	struct message *message;

	count_settled(hop->destination, delivery);
	if (fails_over)
		delivery_forget(delivery);
	message = delivery_take_back(delivery);
	outbound->trying--;
	hop->trying--;
	hop->destination->trying--;
	custody_window(outbound->custody, message, false);
	if (fails_over && !destination_fail_over(hop->destination, hop, message)) {
		delivery_renote(&hop->destination->part, message);
		fails_over = false;
	}
	if (!fails_over && is_deferred)
		destination_count(hop->destination, ROUTE_RESULT_DEFERRED);
	if (!fails_over)
		outbound_attempted(outbound, message, end);
	message_unref(&message);
}

static struct delivery_remote remote_of(const struct hop_conn *conn)
{
	return (struct delivery_remote){ conn->hop->label, conn->ip, conn->tls[0] ? conn->tls : NULL };
}

void courier_lost(struct hop_conn *conn, struct delivery *delivery, const struct smtp_client_event_data *data)
{
	const struct delivery_remote remote = remote_of(conn);
	char text[WHY_MAX + 80];

	hop_conn_note_why(conn, data);
	snprintf(text, sizeof(text), "%s%s",
		data->is_outcome_unknown ? "no answer to the final dot, the message may have been delivered: "
					 : "",
		conn->why);
	delivery_lost(delivery, data, text, &remote);
	if (data->status.code == MAIL_CODE_CLOSING) {
		(void)hop_pushed_back(conn->hop, data->text);
		hop_health_slow(conn->hop, conn->why);
	} else if (!conn->is_our_abort) {
		hop_troubled(conn->hop);
	}
	hand_back(conn, delivery, data->is_outcome_unknown ? ATTEMPT_UNKNOWN : ATTEMPT_LOST);
}

static void start_ready(struct hop_conn *conn)
{
	struct delivery *delivery = delivery_in(conn, DELIVERY_READY);

	if (!delivery || conn->phase != CONN_READY || !smtp_client_can_start(conn->client))
		return;
	delivery->phase = DELIVERY_STARTED;
	delivery->hop_reports = smtp_client_caps(conn->client)->flags & SMTP_CAP_DSN;
	delivery->hop_keeps_time = smtp_client_caps(conn->client)->flags & SMTP_CAP_DELIVERBY;
	smtp_client_start(conn->client, &delivery->transaction, &conn->hop->outbound->scratch);
	hop_conn_proceed(conn);
}

static void on_prepared(void *arg, bool is_ready)
{
	struct hop_conn *conn = arg;
	struct delivery *delivery = delivery_in(conn, DELIVERY_PREPARING);

	if (!is_ready)
		hand_back(conn, delivery, ATTEMPT_DONE);
	if (conn->phase == CONN_OVER)
		return;
	courier_fill(conn);
	hop_conn_proceed(conn);
}

void courier_end(struct hop_conn *conn)
{
	for (size_t i = 0; i < CHAIN_MAX; i++) {
		enum delivery_phase phase = conn->deliveries[i].phase;

		if (phase == DELIVERY_PREPARING || phase == DELIVERY_READY)
			hand_back(conn, &conn->deliveries[i], ATTEMPT_DONE);
	}
}

/* VERP names the one recipient in the sender. */
static size_t recipients_at_once(const struct route *route)
{
	return route->rewrite.return_path == ROUTE_RETURN_VERP ? 1 : route->recipients_max;
}

/* Where a rate decides nothing is chained: it would be begun now and sent when the one before is through. */
static struct delivery *free_delivery(struct hop_conn *conn)
{
	const struct route_gate *gate = conn->hop->destination->gate;

	return gate && route_gate_has_rate(gate) && courier_is_busy(conn) ? NULL
									  : delivery_in(conn, DELIVERY_FREE);
}

/* One at a time is prepared; whoever is ready starts before another is pulled. */
void courier_fill(struct hop_conn *conn)
{
	struct hop *hop = conn->hop;
	struct outbound *outbound = hop->outbound;

	start_ready(conn);
	hop_conn_yield_if_told(conn);
	while (conn->phase == CONN_READY && !conn->is_retiring && smtp_client_can_start(conn->client) &&
		!delivery_in(conn, DELIVERY_PREPARING) && !is_used_up(conn)) {
		struct delivery *delivery = free_delivery(conn);
		size_t rcpt_max = recipients_at_once(hop->route);
		uint32_t told = smtp_client_caps(conn->client)->rcpt_max;
		struct message *message = delivery ? destination_pull(hop->destination, hop) : NULL;

		if (!message)
			break;
		outbound->trying++;
		hop->trying++;
		hop->destination->trying++;
		delivery_open(delivery, &hop->destination->part, message,
			told && told < rcpt_max ? told : rcpt_max);
		delivery->preparation = preparation_begin(&outbound->preparation, delivery, hop->route,
			smtp_client_caps(conn->client), on_prepared, conn);
		start_ready(conn);
	}
}

/* --- what became of them ------------------------------------------------------------------------ */

/*
 * 530 in clear from a hop that has TLS (RFC 3207 4), but not just now: STARTTLS was refused, or the handshake
 * failed. That says nothing about the message.
 */
static bool is_for_want_of_tls(const struct hop_conn *conn, const struct smtp_client_event_data *data)
{
	return data->status.code == 530 && conn->hop->target->tls != ROUTE_TLS_NONE && conn->stream &&
	       !stream_has_tls(conn->stream) && smtp_client_caps(conn->client)->flags & SMTP_CAP_STARTTLS;
}

/* RFC 3463 4.7.0: security. */
static void put_off_until_tls(struct hop_conn *conn, struct smtp_client_event_data *data)
{
	data->status = (struct mail_status){ .enhanced = { 4, 7, 0 } };
	conn->hop->transport.clear_until_ms = 0;
	conn->is_retiring = true;
}

/* What is about our rate is about that of all of us, and they are told as of a 421. */
static void push_back(struct hop *hop, const struct smtp_client_event_data *data)
{
	char why[WHY_MAX];

	if (!hop_pushed_back(hop, data->text) || !mail_status_is_rate(data->status, data->text))
		return;
	snprintf(why, sizeof(why), "%s answered with %u %.*s", smtp_client_stage_name(data->stage),
		data->status.code, (int)(data->text.len < 120 ? data->text.len : 120), data->text.ptr);
	hop_health_slow(hop, why);
}

void courier_result(struct hop_conn *conn, struct smtp_client_event_data *data)
{
	const struct delivery_remote remote = remote_of(conn);

	if (is_for_want_of_tls(conn, data))
		put_off_until_tls(conn, data);
	if (delivery_result(data->tag, data, &remote))
		push_back(conn->hop, data);
}

void courier_done(struct hop_conn *conn, struct delivery *delivery)
{
	conn->completed++;
	if (!delivery->is_pushed_back)
		hop_served(conn->hop);
	hand_back(conn, delivery, ATTEMPT_DONE);
}
