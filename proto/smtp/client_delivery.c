/*
 * One transaction. The happy path, with PIPELINING:
 *
 *	MAIL -> RCPT (for each) -> DATA -> 354, BODY -> DOT -> END
 *
 * Without it each step writes its command when the one before was answered, and a transaction with nobody
 *left to deliver to turns to RSET before DATA. With it DATA is under way when that is found out: a 354 is
 *then answered by the bare dot, so that nothing is delivered (RFC 2920 3.1).
 *
 * With CHUNKING (RFC 3030) as well there is no DATA: chunks follow the RCPTs' replies, each has its own
 *reply, and that to the last one is what else answers the dot. What comes after a refused chunk is not
 *defined well enough to go on with: each recipient has the verdict, and the connection ends.
 */
#include "smtp/client_internal.h"

#include "skein/proto/base/alloc.h"

#define TO(step) (1u << DELIVERY_##step)

static const struct {
	enum smtp_client_stage stage;
	bool awaits_reply;
	unsigned next; /* steps allowed from here */
} step_rules[DELIVERY_STEP_COUNT] = {
	[DELIVERY_MAIL] = { SMTP_STAGE_MAIL, true, TO(RCPT) | TO(END) },
	[DELIVERY_RCPT] = { SMTP_STAGE_RCPT, true, TO(RCPT) | TO(DATA) | TO(BODY) | TO(RSET) | TO(END) },
	[DELIVERY_DATA] = { SMTP_STAGE_DATA, true, TO(BODY) | TO(DOT) | TO(RSET) | TO(END) },
	[DELIVERY_BODY] = { SMTP_STAGE_BODY, false, TO(DOT) | TO(END) },
	[DELIVERY_DOT] = { SMTP_STAGE_DOT, true, TO(END) },
	[DELIVERY_RSET] = { SMTP_STAGE_RSET, true, TO(END) },
	[DELIVERY_END] = { SMTP_STAGE_IDLE, false, 0 },
};

void delivery_fini(struct delivery *delivery)
{
	mem_free(delivery->reported);
	*delivery = (struct delivery){ 0 };
}

static void enter_step(struct delivery *delivery, enum delivery_step next)
{
	CHECK(step_rules[delivery->step].next & (1u << next));
	delivery->step = next;
}

/* The recipients of [from, end) that have no RESULT yet get this one. */
static void report(struct delivery *delivery, size_t from, size_t end, const struct verdict *verdict)
{
	delivery->verdict = *verdict;
	delivery->report_next = from;
	delivery->report_end = end;
}

static void report_rest(struct delivery *delivery, const struct verdict *verdict)
{
	report(delivery, 0, delivery->transaction->rcpt_count, verdict);
}

bool delivery_next_report(struct delivery *delivery, size_t *rcpt_idx_out)
{
	while (delivery->report_next < delivery->report_end) {
		size_t idx = delivery->report_next++;

		if (delivery->reported[idx])
			continue;
		delivery->reported[idx] = 1;
		delivery->unreported_count--;
		*rcpt_idx_out = idx;
		return true;
	}
	return false;
}

/* Our own verdict on a message that the hop has already said it cannot take. */
static struct verdict own_verdict(uint16_t code, uint16_t subject, uint16_t detail, const char *text)
{
	return (struct verdict){ SMTP_STAGE_NONE, { code, { 5, subject, detail } }, span_of_str(text) };
}

/* RFC 2852 4.1: who wants it back in time may not be handed to a hop that does not know of it. */
static bool find_late_obstacle(
	const struct smtp_client_caps *caps, const struct deliver_by *deliver_by, struct verdict *verdict_out)
{
	if (deliver_by->mode != DELIVER_BY_RETURN)
		return false;
	if (deliver_by->seconds <= 0)
		*verdict_out = own_verdict(554, 4, 7, "5.4.7 The time that was given for delivery is over");
	else if (!(caps->flags & SMTP_CAP_DELIVERBY))
		*verdict_out =
			own_verdict(554, 3, 3, "5.3.3 The next hop knows no time to deliver by (DELIVERBY)");
	else if ((uint32_t)deliver_by->seconds < caps->deliver_by_min_s)
		*verdict_out = own_verdict(
			554, 4, 7, "5.4.7 The next hop does not promise delivery that soon (DELIVERBY)");
	else
		return false;
	return true;
}

static bool find_obstacle(const struct smtp_client_caps *caps,
	const struct smtp_client_transaction *transaction, struct verdict *verdict_out)
{
	if (transaction->needs_smtputf8 && !(caps->flags & SMTP_CAP_SMTPUTF8))
		*verdict_out = own_verdict(
			550, 6, 7, "5.6.7 The next hop does not take internationalized mail (SMTPUTF8)");
	else if (transaction->needs_8bit && !(caps->flags & SMTP_CAP_8BITMIME))
		*verdict_out =
			own_verdict(554, 6, 3, "5.6.3 The next hop does not take 8-bit mail (8BITMIME)");
	else if (caps->size_max && transaction->body_size > caps->size_max)
		*verdict_out =
			own_verdict(552, 3, 4, "5.3.4 The message is larger than the next hop takes (SIZE)");
	else if (transaction->needs_requiretls && !(caps->flags & SMTP_CAP_REQUIRETLS))
		*verdict_out = own_verdict(
			550, 7, 30, "5.7.30 The next hop does not promise TLS all the way (REQUIRETLS)");
	else
		return find_late_obstacle(caps, &transaction->deliver_by, verdict_out);
	return true;
}

static void reset(struct delivery *delivery, const struct smtp_client_transaction *transaction)
{
	size_t count = transaction->rcpt_count;

	if (delivery->reported_cap < count) {
		delivery->reported = mem_realloc(delivery->reported, count);
		delivery->reported_cap = count;
	}
	memset(delivery->reported, 0, count);
	*delivery = (struct delivery){
		.transaction = transaction,
		.step = DELIVERY_MAIL,
		.reported = delivery->reported,
		.reported_cap = delivery->reported_cap,
		.unreported_count = count,
	};
}

void delivery_begin(struct delivery *delivery, const struct smtp_client_caps *caps, bool may_chunk,
	const struct smtp_client_transaction *transaction, struct buf *out)
{
	struct verdict verdict;

	CHECK(transaction->rcpt_count > 0);
	reset(delivery, transaction);
	if (find_obstacle(caps, transaction, &verdict)) {
		report_rest(delivery, &verdict);
		enter_step(delivery, DELIVERY_END);
		return;
	}
	smtp_client_write_mail(caps, transaction, out);
	delivery->is_pipelined = caps->flags & SMTP_CAP_PIPELINING;
	/* RFC 3030 4.2: else each chunk would have to wait for the reply to the one before. */
	delivery->is_chunked = may_chunk && delivery->is_pipelined && caps->flags & SMTP_CAP_CHUNKING;
	if (!delivery->is_pipelined)
		return;
	for (size_t i = 0; i < transaction->rcpt_count; i++)
		smtp_client_write_rcpt(caps, &transaction->rcpts[i], out);
	if (!delivery->is_chunked)
		buf_append_str(out, "DATA\r\n");
}

bool delivery_awaits_reply(const struct delivery *delivery)
{
	return step_rules[delivery->step].awaits_reply || delivery->chunks_unanswered;
}

enum smtp_client_stage delivery_stage(const struct delivery *delivery)
{
	return step_rules[delivery->step].stage;
}

static void enter_rcpt(struct delivery *delivery, const struct smtp_client_caps *caps, struct buf *out)
{
	enter_step(delivery, DELIVERY_RCPT);
	if (!delivery->is_pipelined)
		smtp_client_write_rcpt(caps, &delivery->transaction->rcpts[delivery->rcpt_answered], out);
}

static void enter_rset(struct delivery *delivery, struct buf *out)
{
	enter_step(delivery, DELIVERY_RSET);
	buf_append_str(out, "RSET\r\n");
}

static void on_mail_reply(struct delivery *delivery, const struct smtp_client_caps *caps,
	const struct verdict *reply, struct buf *out)
{
	delivery->is_mail_accepted = reply->status.code < 300;
	if (!delivery->is_mail_accepted)
		report_rest(delivery, reply);
	if (delivery->is_mail_accepted || delivery->is_pipelined)
		enter_rcpt(delivery, caps, out);
	else
		enter_step(delivery, DELIVERY_END);
}

/* Each recipient is answered, and no DATA is under way. */
static enum delivery_reaction begin_chunks(struct delivery *delivery, struct buf *out)
{
	if (delivery->rcpt_accepted) {
		enter_step(delivery, DELIVERY_BODY);
		return REACTION_BODY_WANTED;
	}
	if (delivery->is_mail_accepted)
		enter_rset(delivery, out);
	else
		enter_step(delivery, DELIVERY_END);
	return REACTION_NONE;
}

static enum delivery_reaction on_rcpt_reply(struct delivery *delivery, const struct smtp_client_caps *caps,
	const struct verdict *reply, struct buf *out)
{
	size_t idx = delivery->rcpt_answered++;

	if (reply->status.code >= 300)
		report(delivery, idx, idx + 1, reply);
	else if (delivery->is_mail_accepted)
		delivery->rcpt_accepted++;
	if (delivery->rcpt_answered < delivery->transaction->rcpt_count) {
		enter_rcpt(delivery, caps, out);
		return REACTION_NONE;
	}
	if (delivery->is_chunked)
		return begin_chunks(delivery, out);
	if (!delivery->is_pipelined && !delivery->rcpt_accepted) {
		enter_rset(delivery, out);
		return REACTION_NONE;
	}
	enter_step(delivery, DELIVERY_DATA);
	if (!delivery->is_pipelined)
		buf_append_str(out, "DATA\r\n");
	return REACTION_NONE;
}

static enum delivery_reaction on_data_reply(
	struct delivery *delivery, const struct verdict *reply, struct buf *out)
{
	if (reply->status.code < 400 && delivery->rcpt_accepted) {
		enter_step(delivery, DELIVERY_BODY);
		return REACTION_BODY_WANTED;
	}
	if (reply->status.code < 400) {
		buf_append_str(out, ".\r\n");
		enter_step(delivery, DELIVERY_DOT);
		return REACTION_NONE;
	}
	report_rest(delivery, reply);
	/* What was begun by MAIL is not over by a refused DATA. */
	if (delivery->is_mail_accepted)
		enter_rset(delivery, out);
	else
		enter_step(delivery, DELIVERY_END);
	return REACTION_NONE;
}

static enum delivery_reaction on_chunk_reply(struct delivery *delivery, const struct verdict *reply)
{
	delivery->chunks_unanswered--;
	if (reply->status.code < 300)
		return REACTION_NONE;
	report_rest(delivery, reply);
	delivery->chunks_unanswered = 0;
	enter_step(delivery, DELIVERY_END);
	return REACTION_CHUNK_REFUSED;
}

/* 3xx answers DATA, and nothing else does; 2xx never does. */
static bool makes_sense(const struct delivery *delivery, const struct verdict *reply)
{
	unsigned class = reply->status.code / 100;

	return class >= 4 || class == (delivery->step == DELIVERY_DATA ? 3 : 2);
}

enum delivery_reaction delivery_on_reply(struct delivery *delivery, const struct smtp_client_caps *caps,
	const struct verdict *reply, struct buf *out)
{
	CHECK(delivery_awaits_reply(delivery));
	if (!makes_sense(delivery, reply))
		return REACTION_GARBAGE;
	if (delivery->chunks_unanswered)
		return on_chunk_reply(delivery, reply);
	switch (delivery->step) {
	case DELIVERY_MAIL:
		on_mail_reply(delivery, caps, reply, out);
		return REACTION_NONE;
	case DELIVERY_RCPT:
		return on_rcpt_reply(delivery, caps, reply, out);
	case DELIVERY_DATA:
		return on_data_reply(delivery, reply, out);
	case DELIVERY_DOT:
		report_rest(delivery, reply);
		enter_step(delivery, DELIVERY_END);
		return REACTION_NONE;
	case DELIVERY_RSET:
		enter_step(delivery, DELIVERY_END);
		return reply->status.code < 300 ? REACTION_NONE : REACTION_REFUSED;
	case DELIVERY_BODY:
	case DELIVERY_END:
	case DELIVERY_STEP_COUNT:
		break;
	}
	return REACTION_GARBAGE;
}

void delivery_on_chunk(struct delivery *delivery)
{
	delivery->chunks_unanswered++;
}

void delivery_on_dot(struct delivery *delivery)
{
	enter_step(delivery, DELIVERY_DOT);
}
