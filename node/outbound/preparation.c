#include "outbound/preparation.h"

#include "access/srs_secret.h"
#include "skein/proto/base/alloc.h"
#include "skein/proto/mail/return_path.h"

#include <stdio.h>
#include <xxhash.h>

enum { WHY_MAX = 300 };

struct preparation {
	const struct preparation_desk *desk;
	struct delivery *delivery;
	const struct smtp_client_caps *caps;
	struct loop_task refusal;
	struct outgoing_surveyor *surveyor;
	struct signing_job *signing;
	preparation_fn *fn;
	void *arg;
	struct mail_status status; /* of the refusal */
	char why[WHY_MAX];
};

static void end(struct preparation *preparation, bool is_ready)
{
	preparation_fn *fn = preparation->fn;
	void *arg = preparation->arg;

	preparation->delivery->preparation = NULL;
	if (is_ready)
		delivery_ready(preparation->delivery);
	else
		delivery_hold_back(preparation->delivery, preparation->status, preparation->why);
	mem_free(preparation);
	fn(arg, is_ready);
}

/* --- the sender --------------------------------------------------------------------------------- */

static bool wrap(struct preparation *preparation, const struct route_rewrite *rules, struct span sender,
	struct buf *out)
{
	enum srs_outcome outcome = srs_secret_wrap(preparation->desk->secrets, rules, sender, out);

	if (outcome == SRS_NO_SECRET) {
		/* RFC 3463 4.3.5: not correctly configured. */
		preparation->status = (struct mail_status){ .enhanced = { 4, 3, 5 } };
		snprintf(preparation->why, sizeof(preparation->why),
			"its sender cannot be rewritten: there is no secret %s", rules->return_secret);
	}
	return outcome == SRS_DONE;
}

static bool make_sender(struct preparation *preparation, const struct route_rewrite *rules,
	struct span sender, struct buf *out)
{
	struct delivery *delivery = preparation->delivery;
	struct buf moved = { 0 };
	bool is_done;

	if (rules->return_path == ROUTE_RETURN_SRS)
		return wrap(preparation, rules, sender, out);
	if (*rules->sender_domain) {
		if (!return_path_domain(&moved, sender, span_of_str(rules->sender_domain)))
			return false;
		sender = buf_span(&moved);
	}
	if (rules->return_path == ROUTE_RETURN_VERP) {
		is_done = return_path_verp(
			out, sender, delivery->transaction.rcpts[0].addr, span_of_str(rules->return_domain));
	} else {
		buf_append(out, sender);
		is_done = true;
	}
	buf_fini(&moved);
	return is_done;
}

/* False: it has no form that the route wants. */
static bool change_sender(struct preparation *preparation, const struct route_rewrite *rules)
{
	struct delivery *delivery = preparation->delivery;
	struct buf sender = { 0 };
	bool is_done;

	if (!delivery->transaction.sender.len ||
		(rules->return_path == ROUTE_RETURN_KEEP && !*rules->sender_domain))
		return true;
	/* RFC 3463 5.1.7: bad sender's mailbox address syntax. */
	preparation->status = (struct mail_status){ .enhanced = { 5, 1, 7 } };
	snprintf(preparation->why, sizeof(preparation->why),
		"its sender cannot be rewritten: it is no address, or becomes too long");
	is_done = make_sender(preparation, rules, delivery->transaction.sender, &sender);
	if (is_done)
		delivery->transaction.sender = arena_dup(&delivery->arena, buf_span(&sender));
	buf_fini(&sender);
	return is_done;
}

/* --- the header --------------------------------------------------------------------------------- */

static void make_rules(struct delivery *delivery, const struct route_rewrite *route)
{
	const struct header_edits *edits = &delivery->message->envelope.edits;
	struct rewrite_rules *rules = &delivery->rules;
	struct buf front = { 0 };

	if (!route->remove_count && !route->add_count && !*route->from_domain && header_edits_are_none(edits))
		return;
	for (size_t i = 0; i < route->add_count; i++)
		rewrite_append_field(&front, route->add[i].name, route->add[i].value);
	*rules = (struct rewrite_rules){ arena_dup(&delivery->arena, buf_span(&front)), route->remove,
		route->remove_count, span_of_str(route->from_domain), edits };
	buf_fini(&front);
	delivery->change.rules = rules;
	/* An estimate, as RFC 1870 6.1 allows it: what is left out, and longer domains, are not counted. */
	delivery->transaction.body_size += rules->front.len + header_edits_size(edits);
}

/* --- the signature ------------------------------------------------------------------------------ */

static void mix(uint64_t *hash, struct span text)
{
	*hash = XXH3_64bits_withSeed(text.ptr, text.len, *hash) + 1;
}

/* What was signed in another form has another signature. The message's own edits are the same in all. */
static uint64_t form_of(const struct delivery *delivery)
{
	const struct rewrite_rules *rules = delivery->change.rules;
	uint64_t form = delivery->change.downgrades;

	if (!span_eq(delivery->transaction.sender, delivery->message->envelope.sender))
		mix(&form, delivery->transaction.sender);
	if (!rules)
		return form;
	mix(&form, rules->front);
	mix(&form, rules->from_domain);
	for (size_t i = 0; i < rules->remove_count; i++)
		mix(&form, span_of_str(rules->remove[i]));
	return form;
}

static void on_signed(void *arg, const char *why)
{
	struct preparation *preparation = arg;

	preparation->signing = NULL;
	if (why) {
		/* RFC 3463 4.8: cryptographic failure. */
		preparation->status = (struct mail_status){ .enhanced = { 4, 7, 5 } };
		snprintf(preparation->why, sizeof(preparation->why), "it cannot be signed: %s", why);
	}
	end(preparation, !why);
}

/* True: there is nothing to wait for. */
static bool sign(struct preparation *preparation)
{
	struct delivery *delivery = preparation->delivery;
	const struct signing_form form = { delivery->change, delivery->transaction.sender,
		form_of(delivery) };

	preparation->signing =
		signing_begin(preparation->desk->signing, delivery->message, &form, on_signed, preparation);
	return !preparation->signing;
}

/* --- the look at the message -------------------------------------------------------------------- */

static bool is_ascii(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.ptr[i] > 0x7f)
			return false;
	}
	return true;
}

static bool are_addresses_ascii(const struct smtp_client_transaction *transaction)
{
	for (size_t i = 0; i < transaction->rcpt_count; i++) {
		if (!is_ascii(transaction->rcpts[i].addr))
			return false;
	}
	return is_ascii(transaction->sender);
}

/* The hop lacks what the message seems to need. */
static bool needs_survey(
	const struct smtp_client_transaction *transaction, const struct smtp_client_caps *caps)
{
	if (transaction->needs_smtputf8 && !(caps->flags & SMTP_CAP_SMTPUTF8))
		return are_addresses_ascii(transaction);
	return transaction->needs_8bit && !(caps->flags & SMTP_CAP_8BITMIME);
}

static void apply_survey(struct preparation *preparation, const struct outgoing_survey *survey)
{
	struct delivery *delivery = preparation->delivery;
	struct smtp_client_transaction *transaction = &delivery->transaction;

	if (!survey->has_8bit_header && are_addresses_ascii(transaction))
		transaction->needs_smtputf8 = false;
	if (preparation->caps->flags & SMTP_CAP_8BITMIME)
		return;
	switch (survey->verdict) {
	case DOWNGRADE_NEEDLESS:
		transaction->needs_8bit = false;
		break;
	case DOWNGRADE_OK:
		transaction->needs_8bit = false;
		transaction->body_size = survey->size;
		delivery->change.downgrades = true;
		break;
	default: /* the client refuses it, and says so in our words */
		delivery->obstacle = downgrade_verdict_text(survey->verdict);
	}
}

static void on_surveyed(void *arg, const struct outgoing_survey *survey)
{
	struct preparation *preparation = arg;

	preparation->surveyor = NULL;
	if (!survey) {
		preparation->status = (struct mail_status){ .enhanced = { 4, 3, 0 } };
		snprintf(preparation->why, sizeof(preparation->why), "the stored message cannot be read");
		end(preparation, false);
		return;
	}
	apply_survey(preparation, survey);
	if (sign(preparation))
		end(preparation, true);
}

/* --- in order ----------------------------------------------------------------------------------- */

static void on_refusal(void *arg)
{
	end(arg, false);
}

/* True: there is nothing to wait for. */
static bool begin(struct preparation *preparation, const struct route_rewrite *rules)
{
	struct delivery *delivery = preparation->delivery;

	make_rules(delivery, rules);
	if (!change_sender(preparation, rules)) {
		loop_defer(preparation->desk->loop, &preparation->refusal);
		return false;
	}
	if (!needs_survey(&delivery->transaction, preparation->caps))
		return sign(preparation);
	preparation->surveyor = outgoing_survey_begin(preparation->desk->loop, delivery->message->body,
		&delivery->change, on_surveyed, preparation);
	return false;
}

struct preparation *preparation_begin(const struct preparation_desk *desk, struct delivery *delivery,
	const struct route *route, const struct smtp_client_caps *caps, preparation_fn *fn, void *arg)
{
	struct preparation *preparation = mem_zalloc(sizeof(*preparation));

	preparation->desk = desk;
	preparation->delivery = delivery;
	preparation->caps = caps;
	preparation->fn = fn;
	preparation->arg = arg;
	loop_task_init(&preparation->refusal, on_refusal, preparation);
	if (!begin(preparation, &route->rewrite))
		return preparation;
	mem_free(preparation);
	delivery_ready(delivery);
	return NULL;
}

void preparation_cancel(struct preparation **preparation_ptr)
{
	struct preparation *preparation = *preparation_ptr;

	*preparation_ptr = NULL;
	if (!preparation)
		return;
	loop_task_cancel(&preparation->refusal);
	outgoing_survey_cancel(&preparation->surveyor);
	signing_cancel(&preparation->signing);
	mem_free(preparation);
}
