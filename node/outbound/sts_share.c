#include "outbound/sts_share.h"

#include "io/loop.h"
#include "skein/cluster/shelf_store.h"
#include "skein/proto/base/alloc.h"

/* A web server that takes longer is asked by one more worker after each of these. */
enum { CLAIM_MS = 10000 };

/* What is longer than a name can be is nobody's: each goes on alone. */
static bool is_name(struct span domain)
{
	return domain.len > 0 && domain.len <= SHELF_NAME_MAX;
}

/* Lives until Redis has answered. */
struct sts_question {
	sts_shared_fn *fn; /* NULL: nobody wants to know any more */
	void *arg;
};

/* On the shelf: the record's id, a line end, the policy. */
static void read_item(const struct shelf_item *item, struct sts_shared *shared)
{
	size_t end = span_find(item->text, '\n');

	*shared = (struct sts_shared){
		.is_answer = true,
		.serial = item->serial,
		.age_ms = item->age_ms,
		.left_ms = item->left_ms,
		.is_granted = item->is_granted,
		.has_failed = item->failed.len > 0,
		.wait_ms = item->wait_ms,
	};
	if (end < item->text.len && end <= MTA_STS_ID_LEN_MAX) {
		shared->id = span_take(item->text, end);
		shared->text = span_drop(item->text, end + 1);
	}
}

static void on_item(void *arg, const struct outcome *outcome, const struct shelf_item *item)
{
	struct sts_shared shared = { .is_answer = false };
	struct sts_question *question = arg;
	sts_shared_fn *fn = question->fn;

	arg = question->arg;
	mem_free(question);
	if (!fn)
		return;
	if (outcome_is_ok(outcome))
		read_item(item, &shared);
	fn(arg, &shared);
}

static struct sts_question *question_new(sts_shared_fn *fn, void *arg)
{
	struct sts_question *question = mem_alloc(sizeof(*question));

	*question = (struct sts_question){ fn, arg };
	return question;
}

static struct sts_question *sent_or_freed(struct sts_question *question, bool is_sent)
{
	if (is_sent)
		return question;
	mem_free(question);
	return NULL;
}

struct sts_question *sts_share_read(
	const struct sts_share *share, struct span domain, sts_shared_fn *fn, void *arg)
{
	const struct shelf_place place = { SHELF_STS, domain };
	struct sts_question *question;

	if (!is_name(domain))
		return NULL;
	question = question_new(fn, arg);
	return sent_or_freed(
		question, shelf_store_read(share->link, place, 0, loop_boottime_ms(), on_item, question));
}

struct sts_question *sts_share_claim(
	const struct sts_share *share, struct span domain, uint64_t known, sts_shared_fn *fn, void *arg)
{
	struct sts_question *question;
	const struct shelf_claim claim = {
		.place = { SHELF_STS, domain },
		.known = known,
		.holder = span_of_str(share->holder),
		.claim_ms = CLAIM_MS,
	};

	if (!is_name(domain))
		return NULL;
	question = question_new(fn, arg);
	return sent_or_freed(
		question, shelf_store_claim(share->link, &claim, loop_boottime_ms(), on_item, question));
}

void sts_question_cancel(struct sts_question **question)
{
	if (*question)
		(*question)->fn = NULL;
	*question = NULL;
}

static void on_put(void *arg, const struct outcome *outcome, uint64_t serial)
{
	(void)arg, (void)outcome, (void)serial;
}

void sts_share_put(const struct sts_share *share, struct span domain, const struct sts_kept_policy *policy,
	uint64_t now_s)
{
	uint64_t end_s = policy->kept.fetched_at_s + policy->kept.max_age_s;
	struct shelf_put put = { .place = { SHELF_STS, domain } };
	struct buf text = { 0 };

	/* A clock that was set back makes nothing last longer. */
	if (end_s <= now_s || now_s < policy->kept.fetched_at_s || !is_name(domain))
		return;
	buf_append(&text, policy->kept.id);
	buf_append_byte(&text, '\n');
	buf_append(&text, policy->text);
	put.text = buf_span(&text);
	put.left_ms = (end_s - now_s) * 1000;
	(void)shelf_store_put(share->link, &put, loop_boottime_ms(), on_put, NULL);
	buf_fini(&text);
}

void sts_share_failed(const struct sts_share *share, struct span domain, struct span why)
{
	const struct shelf_failure failure = {
		.place = { SHELF_STS, domain },
		.holder = span_of_str(share->holder),
		.pause_ms = (uint64_t)STS_AGAIN_S * 1000,
		.why = why.len ? span_take(why, why.len < SHELF_WHY_MAX ? why.len : SHELF_WHY_MAX)
			       : SPAN_LIT("it failed"),
	};

	if (is_name(domain))
		(void)shelf_store_failed(share->link, &failure, loop_boottime_ms());
}
