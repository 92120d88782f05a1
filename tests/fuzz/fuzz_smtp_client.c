/*
 * Any hop against an owner that starts a transaction whenever it may. The first byte chooses the policy of
 * TLS, the login and BDAT, the second how the rest, what the hop sends, is cut. Checked: each recipient has
 * one RESULT by TRANSACTION_DONE, none has by TRANSACTION_LOST who is lost, nothing follows the last event,
 * no body is open to smuggling, nothing secret is written in clear or told in an event, and no mail goes out
 * before the login that it needs.
 */
#include "skein/proto/smtp/client.h"

enum { RCPT_COUNT = 3, TRANSACTION_COUNT = 64 };

struct owner {
	struct smtp_client *client;
	struct buf out;
	size_t started;
	unsigned results[TRANSACTION_COUNT]; /* a bit for each recipient */
	bool has_ended;
	bool has_tls;
};

#define PASSWORD        "pa55word" /* as PLAIN and LOGIN, in base64: */
#define PASSWORD_BASE64 "cGE1NXdvcmQ="
#define PLAIN_BASE64    "AHUAcGE1NXdvcmQ="
#define TOKEN           "t0kent0k"
#define BEARER_BASE64   "dXNlcj11AWF1dGg9QmVhcmVyIHQwa2VudDBrAQE="

static bool contains(struct span text, const char *word)
{
	struct span wanted = span_of_str(word);

	for (; text.len >= wanted.len; text = span_drop(text, 1)) {
		if (span_starts_with(text, wanted))
			return true;
	}
	return false;
}

static bool gives_away(struct span text)
{
	return contains(text, PASSWORD) || contains(text, TOKEN) || contains(text, PASSWORD_BASE64) ||
	       contains(text, PLAIN_BASE64) || contains(text, BEARER_BASE64);
}

static const struct smtp_client_rcpt rcpts[RCPT_COUNT] = {
	{ .addr = SPAN_LIT("a@b.example") },
	{ .addr = SPAN_LIT("b@b.example"), .notify = DSN_NOTIFY_SUCCESS },
	{ .addr = SPAN_LIT("c@b.example"), .orcpt = SPAN_LIT("rfc822;x") },
};

static void start_if_possible(struct owner *owner, struct smtp_client_transaction *transactions)
{
	struct smtp_client_transaction *transaction = &transactions[owner->started];

	if (owner->started == TRANSACTION_COUNT || !smtp_client_can_start(owner->client))
		return;
	*transaction = (struct smtp_client_transaction){
		.tag = &owner->results[owner->started],
		.sender = SPAN_LIT("s@a.example"),
		.rcpts = rcpts,
		.rcpt_count = 1 + owner->started % RCPT_COUNT,
		.body_size = 1000,
		.needs_8bit = owner->started % 5 == 4,
		.needs_requiretls = owner->started % 7 == 6,
		.priority = (int8_t)(owner->started % 19) - 9,
		.deliver_by = { (enum deliver_by_mode)(owner->started % 3), false, 60 },
	};
	owner->started++;
	smtp_client_start(owner->client, transaction, &owner->out);
}

static unsigned all_results(const struct owner *owner, const unsigned *results)
{
	size_t idx = (size_t)(results - owner->results);

	return (1u << (1 + idx % RCPT_COUNT)) - 1;
}

static void send_body(struct owner *owner)
{
	static char large[40000];

	smtp_client_body(owner->client, SPAN_LIT(".\r\nx\r\n."), &owner->out);
	if (owner->started % 3 == 2) /* more than a chunk */
		smtp_client_body(owner->client, span_of(large, sizeof(large)), &owner->out);
	smtp_client_body_end(owner->client, &owner->out);
}

static void act(struct owner *owner, enum smtp_client_event event, const struct smtp_client_event_data *data)
{
	unsigned *results = data->tag;

	if (data->stage == SMTP_STAGE_AUTH)
		CHECK(!gives_away(data->text));
	CHECK(!owner->has_ended || event == SMTP_CLIENT_MORE);
	switch (event) {
	case SMTP_CLIENT_STARTTLS:
		owner->has_tls = true;
		smtp_client_tls_started(owner->client, &owner->out);
		break;
	case SMTP_CLIENT_BODY_WANTED:
		CHECK(*results != all_results(owner, results));
		CHECK(owner->has_tls || (size_t)(results - owner->results) % 7 != 6);
		send_body(owner);
		break;
	case SMTP_CLIENT_RESULT:
		CHECK(data->rcpt_idx < RCPT_COUNT && !(*results & 1u << data->rcpt_idx));
		CHECK(data->status.code >= 200 && data->status.code <= 599);
		*results |= 1u << data->rcpt_idx;
		break;
	case SMTP_CLIENT_TRANSACTION_DONE:
		CHECK(*results == all_results(owner, results));
		break;
	case SMTP_CLIENT_TRANSACTION_LOST:
		CHECK(*results != all_results(owner, results) && data->failure != SMTP_FAILURE_NONE);
		break;
	case SMTP_CLIENT_FAILED:
		owner->has_ended = true;
		break;
	case SMTP_CLIENT_READY:
	case SMTP_CLIENT_QUIT_DONE:
	case SMTP_CLIENT_MORE:
		break;
	}
}

static void feed(struct owner *owner, struct span piece, struct smtp_client_transaction *transactions)
{
	enum smtp_client_event event;
	struct smtp_client_event_data data;

	do {
		event = smtp_client_next(owner->client, &piece, &owner->out, &data);
		act(owner, event, &data);
		start_if_possible(owner, transactions);
	} while (event != SMTP_CLIENT_MORE);
	CHECK(piece.len == 0);
	CHECK(owner->has_tls || !gives_away(buf_span(&owner->out)));
	buf_clear(&owner->out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct smtp_client_options options = smtp_client_default_options("me.example");
	struct smtp_client_transaction transactions[TRANSACTION_COUNT];
	struct owner owner = { 0 };
	struct span rest = span_of((const char *)data, size);

	if (size < 2)
		return 0;
	options.tls = (enum smtp_client_tls)(data[0] % 3);
	/* '0', '1', '2' in a corpus: no login. */
	options.credentials = (struct smtp_client_credentials){
		.mechanism = (enum smtp_client_mechanism)((data[0] / 3 + 4) % 5),
		.user = "u",
		.password = PASSWORD,
		.token = TOKEN,
	};
	owner.has_tls = options.is_secure_from_start = data[0] / 15 % 2 == 0;
	options.uses_chunking = data[0] / 30 % 2;
	owner.client = smtp_client_new(&options);
	for (rest = span_drop(rest, 2); rest.len;) {
		size_t len = (size_t)data[1] + 1 < rest.len ? (size_t)data[1] + 1 : rest.len;

		feed(&owner, span_take(rest, len), transactions);
		if (owner.has_ended)
			break;
		rest = span_drop(rest, len);
	}
	if (!owner.has_ended) {
		smtp_client_abort(owner.client);
		feed(&owner, SPAN_LIT(""), transactions);
		CHECK(owner.has_ended);
	}
	smtp_client_free(&owner.client);
	buf_fini(&owner.out);
	return 0;
}
