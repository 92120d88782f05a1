/*
 * AUTH as a client (RFC 4954): which mechanism, what is said, and that nothing of it is told further. A
 * mechanism is a row of responses: the first goes with AUTH where it may and fits, each other one answers a
 * 334. What a 334 asks is not looked at: the words of LOGIN's prompts differ from hop to hop, and XOAUTH2's
 * are the reason of a refusal, which the reply behind it tells too.
 */
#include "smtp/client_internal.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/base64.h"

enum {
	COMMAND_LINE_MAX = 512, /* RFC 4954 4: with its initial response and CRLF */
	RESPONSES_MAX = 2,
	HINT_LEN = 8, /* so much of a secret in a reply gives it away */
};

typedef void write_response_fn(const struct smtp_client_credentials *credentials, struct buf *out);

static void write_plain(const struct smtp_client_credentials *credentials, struct buf *out)
{
	buf_append_byte(out, '\0');
	buf_append_str(out, credentials->user);
	buf_append_byte(out, '\0');
	buf_append_str(out, credentials->password);
}

static void write_user(const struct smtp_client_credentials *credentials, struct buf *out)
{
	buf_append_str(out, credentials->user);
}

static void write_password(const struct smtp_client_credentials *credentials, struct buf *out)
{
	buf_append_str(out, credentials->password);
}

static void write_bearer(const struct smtp_client_credentials *credentials, struct buf *out)
{
	buf_append_str(out, "user=");
	buf_append_str(out, credentials->user);
	buf_append_str(out, "\001auth=Bearer ");
	buf_append_str(out, credentials->token);
	buf_append_str(out, "\001\001");
}

/* The hop has told why it refuses, and wants to hear that we heard. */
static void write_nothing(const struct smtp_client_credentials *credentials, struct buf *out)
{
	(void)credentials;
	(void)out;
}

static const struct {
	const char *name;
	bool has_initial; /* the first response may go with AUTH */
	write_response_fn *responses[RESPONSES_MAX];
} mechanisms[] = {
	[SMTP_MECHANISM_PLAIN] = { "PLAIN", true, { write_plain } },
	[SMTP_MECHANISM_LOGIN] = { "LOGIN", false, { write_user, write_password } },
	[SMTP_MECHANISM_XOAUTH2] = { "XOAUTH2", true, { write_bearer, write_nothing } },
};

/* Holds one response in clear, and never moves it. */
static struct buf response_of(
	const struct smtp_client_credentials *credentials, write_response_fn *write_response)
{
	struct buf response = { 0 };

	buf_reserve(&response,
		strlen(credentials->user) + strlen(credentials->password) + strlen(credentials->token) + 64);
	write_response(credentials, &response);
	return response;
}

static void wipe(struct buf *buf)
{
	mem_wipe(buf->base, buf->cap);
	buf_fini(buf);
}

static bool is_offered(const struct smtp_client_caps *caps, enum smtp_client_mechanism mechanism)
{
	struct span offered = span_of_str(caps->auth);

	while (offered.len) {
		size_t len = span_find(offered, ' ');

		if (span_eq(span_take(offered, len), span_of_str(mechanisms[mechanism].name)))
			return true;
		offered = span_drop(offered, len < offered.len ? len + 1 : len);
	}
	return false;
}

static bool has_secret_for(
	const struct smtp_client_credentials *credentials, enum smtp_client_mechanism mechanism)
{
	const char *secret = mechanism == SMTP_MECHANISM_XOAUTH2 ? credentials->token : credentials->password;

	return *secret;
}

static bool choose(struct client_login *login, const struct smtp_client_caps *caps)
{
	static const enum smtp_client_mechanism by_preference[] = {
		SMTP_MECHANISM_XOAUTH2,
		SMTP_MECHANISM_PLAIN,
		SMTP_MECHANISM_LOGIN,
	};
	const struct smtp_client_credentials *credentials = login->credentials;
	bool is_free = credentials->mechanism == SMTP_MECHANISM_AUTO;

	for (size_t i = 0; i < ARRAY_LEN(by_preference); i++) {
		login->mechanism = by_preference[i];
		if (is_free ? has_secret_for(credentials, login->mechanism)
			    : credentials->mechanism == login->mechanism) {
			if (is_offered(caps, login->mechanism))
				return true;
		}
	}
	return false;
}

static void write_encoded(struct span response, struct buf *out)
{
	base64_encode(out, response);
	buf_append_str(out, "\r\n");
}

/* AUTH alone, or with the first response. */
static void write_command(struct client_login *login, struct span response, struct buf *out)
{
	const char *name = mechanisms[login->mechanism].name;
	size_t len = strlen("AUTH ") + strlen(name) + 1 + base64_encoded_len(response.len) + 2;

	/* What is written does not move while it grows, so that no copy is left behind. */
	buf_reserve(out, len);
	buf_append_str(out, "AUTH ");
	buf_append_str(out, name);
	if (!mechanisms[login->mechanism].has_initial || len > COMMAND_LINE_MAX) {
		buf_append_str(out, "\r\n");
		return;
	}
	buf_append_byte(out, ' ');
	write_encoded(response, out);
	login->said++;
}

bool client_login_begin(struct client_login *login, const struct smtp_client_credentials *credentials,
	const struct smtp_client_caps *caps, struct buf *out)
{
	struct buf response;

	*login = (struct client_login){ .credentials = credentials };
	if (!choose(login, caps))
		return false;
	response = response_of(credentials, mechanisms[login->mechanism].responses[0]);
	write_command(login, buf_span(&response), out);
	wipe(&response);
	return true;
}

static void write_response_line(
	const struct smtp_client_credentials *credentials, write_response_fn *write_response, struct buf *out)
{
	struct buf response = response_of(credentials, write_response);

	buf_reserve(out, base64_encoded_len(buf_len(&response)) + 2);
	write_encoded(buf_span(&response), out);
	wipe(&response);
}

bool client_login_on_challenge(struct client_login *login, struct buf *out)
{
	write_response_fn *write_response =
		login->said < RESPONSES_MAX ? mechanisms[login->mechanism].responses[login->said] : NULL;

	if (login->is_cancelled)
		return false;
	if (!write_response) {
		/* RFC 4954 4: asked for more than there is to say, the client cancels. */
		login->is_cancelled = true;
		buf_append_str(out, "*\r\n");
		return true;
	}
	write_response_line(login->credentials, write_response, out);
	login->said++;
	return true;
}

static bool has_hint(struct span text, struct span secret)
{
	size_t len = secret.len < HINT_LEN ? secret.len : HINT_LEN;

	for (; len && text.len >= len; text = span_drop(text, 1)) {
		if (memcmp(text.ptr, secret.ptr, len) == 0)
			return true;
	}
	return false;
}

static bool repeats_response(const struct smtp_client_credentials *credentials, struct span text,
	write_response_fn *write_response)
{
	struct buf line = { 0 };
	bool repeats;

	write_response_line(credentials, write_response, &line);
	repeats = has_hint(text, span_take(buf_span(&line), buf_len(&line) - 2));
	wipe(&line);
	return repeats;
}

static bool repeats_secret(const struct smtp_client_credentials *credentials, struct span text)
{
	if (has_hint(text, span_of_str(credentials->password)) ||
		has_hint(text, span_of_str(credentials->token)))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++) {
		for (size_t k = 0; k < RESPONSES_MAX; k++) {
			write_response_fn *write_response = mechanisms[i].responses[k];

			if (write_response && repeats_response(credentials, text, write_response))
				return true;
		}
	}
	return false;
}

struct span client_login_safe_text(const struct smtp_client_credentials *credentials, struct span text)
{
	return repeats_secret(credentials, text)
		       ? SPAN_LIT("The reply repeats what we logged in with, and is left out")
		       : text;
}
