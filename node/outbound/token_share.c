#include "outbound/token_share.h"

#include "io/loop.h"
#include "skein/cluster/shelf_store.h"
#include "skein/proto/base/alloc.h"

#include <openssl/rand.h>

enum {
	/* A server that takes longer is asked by one more node after each of these. */
	CLAIM_MS = 10000,
	NAME_LEN = 2 * CREDENTIALS_MARK_LEN,
};

struct name {
	char text[NAME_LEN];
};

static struct name name_of(const struct login_mark *mark)
{
	static const char digits[] = "0123456789abcdef";
	struct name name;

	for (size_t i = 0; i < CREDENTIALS_MARK_LEN; i++) {
		name.text[2 * i] = digits[mark->bytes[i] >> 4];
		name.text[2 * i + 1] = digits[mark->bytes[i] & 15];
	}
	return name;
}

static struct shelf_place place_of(const struct name *name)
{
	return (struct shelf_place){ SHELF_TOKENS, span_of(name->text, NAME_LEN) };
}

static struct secret_label label_of(const struct name *name)
{
	return (struct secret_label){ SPAN_LIT("token"), span_of(name->text, NAME_LEN) };
}

/* One call under way. */
struct asking {
	const struct secret_keys *keys;
	struct name name;
	token_shared_fn *fn;
	token_put_fn *put_fn;
	void *arg;
};

static struct asking *asking_new(
	const struct token_share *share, const struct name *name, token_shared_fn *fn, void *arg)
{
	struct asking *asking = mem_alloc(sizeof(*asking));

	*asking = (struct asking){ .keys = share->keys, .name = *name, .fn = fn, .arg = arg };
	return asking;
}

/* `is_sent`, for the caller. */
static bool freed_unless(bool is_sent, struct asking *asking)
{
	if (!is_sent)
		mem_free(asking);
	return is_sent;
}

static void on_item(void *arg, const struct outcome *outcome, const struct shelf_item *item)
{
	struct token_shared shared = { .is_answer = outcome_is_ok(outcome) };
	struct asking *asking = arg;
	struct buf text = { 0 };

	if (shared.is_answer) {
		shared.offer = (struct token_offer){ { NULL, 0 }, item->serial, item->age_ms, item->left_ms };
		shared.gone = item->gone;
		shared.is_granted = item->is_granted;
		shared.wait_ms = item->wait_ms;
		shared.failed = item->failed;
	}
	/* One that another key has sealed is of no use, as one that is too old. */
	if (item->text.len &&
		secret_open(asking->keys, label_of(&asking->name), item->text, &text) == SECRET_OPENED)
		shared.offer.text = buf_span(&text);
	asking->fn(asking->arg, &shared);
	secret_text_wipe(&text);
	mem_free(asking);
}

bool token_share_read(const struct token_share *share, const struct login_mark *mark, uint64_t known,
	token_shared_fn *fn, void *arg)
{
	const struct name name = name_of(mark);
	struct asking *asking = asking_new(share, &name, fn, arg);

	return freed_unless(
		shelf_store_read(share->link, place_of(&name), known, loop_boottime_ms(), on_item, asking),
		asking);
}

bool token_share_claim(
	const struct token_share *share, const struct token_request *request, token_shared_fn *fn, void *arg)
{
	const struct name name = name_of(&request->mark);
	struct asking *asking = asking_new(share, &name, fn, arg);
	const struct shelf_claim claim = {
		.place = place_of(&name),
		.known = request->known,
		.is_bad = request->is_bad,
		.holder = span_of_str(share->holder),
		.claim_ms = CLAIM_MS,
	};

	return freed_unless(
		shelf_store_claim(share->link, &claim, loop_boottime_ms(), on_item, asking), asking);
}

static void on_put(void *arg, const struct outcome *outcome, uint64_t serial)
{
	struct asking *asking = arg;

	asking->put_fn(asking->arg, outcome_is_ok(outcome) ? serial : 0);
	mem_free(asking);
}

bool token_share_put(const struct token_share *share, const struct login_mark *mark, struct span text,
	uint64_t left_ms, token_put_fn *fn, void *arg)
{
	const struct name name = name_of(mark);
	struct asking *asking = asking_new(share, &name, NULL, arg);
	struct shelf_put put = { .place = place_of(&name), .left_ms = left_ms };
	unsigned char nonce[SECRET_NONCE_LEN];
	struct buf sealed = { 0 };
	bool is_sent;

	asking->put_fn = fn;
	CHECK(RAND_bytes(nonce, sizeof(nonce)) == 1);
	secret_seal(&share->keys->current, nonce, label_of(&name), text, &sealed);
	put.text = buf_span(&sealed);
	is_sent = shelf_store_put(share->link, &put, loop_boottime_ms(), on_put, asking);
	buf_fini(&sealed);
	return freed_unless(is_sent, asking);
}

void token_share_failed(
	const struct token_share *share, const struct login_mark *mark, uint64_t pause_ms, const char *why)
{
	const struct name name = name_of(mark);
	const struct shelf_failure failure = {
		.place = place_of(&name),
		.holder = span_of_str(share->holder),
		.pause_ms = pause_ms,
		.why = *why ? span_of(why, strnlen(why, SHELF_WHY_MAX)) : SPAN_LIT("it failed"),
	};

	(void)shelf_store_failed(share->link, &failure, loop_boottime_ms());
}
