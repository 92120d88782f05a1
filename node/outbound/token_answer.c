#include "outbound/token_answer.h"

#include "skein/proto/base/alloc.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	LIFETIME_UNKNOWN_S = 600, /* RFC 6749 5.1: it may be left out */
	LIFETIME_MAX_S = 24 * 3600,
	HINT_LEN = 8, /* so much of a secret in a text gives it away */
};

/* --- asking --------------------------------------------------------------------------------------- */

static void write_encoded(struct span text, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < text.len; i++) {
		unsigned char byte = (unsigned char)text.ptr[i];
		bool is_plain = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
				(byte >= 'a' && byte <= 'z') || (byte && strchr("-._~", byte));

		if (is_plain) {
			buf_append_byte(out, (char)byte);
			continue;
		}
		buf_append_byte(out, '%');
		buf_append_byte(out, digits[byte >> 4]);
		buf_append_byte(out, digits[byte & 15]);
	}
}

void token_request_write(const char *client_id, const char *scope, struct span secret, struct buf *body_out)
{
	/* It does not move while it grows, so that no copy is left behind. */
	buf_reserve(body_out, 3 * (strlen(client_id) + strlen(scope) + secret.len) + 128);
	buf_append_str(body_out, "grant_type=client_credentials&client_id=");
	write_encoded(span_of_str(client_id), body_out);
	if (*scope) {
		buf_append_str(body_out, "&scope=");
		write_encoded(span_of_str(scope), body_out);
	}
	buf_append_str(body_out, "&client_secret=");
	write_encoded(secret, body_out);
}

/* --- the answer ----------------------------------------------------------------------------------- */

static bool has_hint(struct span text, struct span secret)
{
	size_t len = secret.len < HINT_LEN ? secret.len : HINT_LEN;

	for (; len && text.len >= len; text = span_drop(text, 1)) {
		for (size_t i = 0; i + len <= secret.len; i++) {
			if (memcmp(text.ptr, secret.ptr + i, len) == 0)
				return true;
		}
	}
	return false;
}

/* The server's words, for a log: one line, printable. */
static void tell(struct token_answer *answer, const char *error, const char *description, struct span secret)
{
	snprintf(answer->why, sizeof(answer->why), "%s%s%s", error, *description ? ": " : "", description);
	for (char *byte = answer->why; *byte; byte++) {
		if ((unsigned char)*byte < ' ' || (unsigned char)*byte >= 0x7f)
			*byte = ' ';
	}
	if (has_hint(span_of_str(answer->why), secret))
		snprintf(answer->why, sizeof(answer->why),
			"the answer repeats the client's secret, and is left out");
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* Some servers write the number as a text. */
static uint64_t lifetime_of(const json_t *object)
{
	const json_t *value = json_object_get(object, "expires_in");
	double seconds = json_is_string(value)   ? strtod(json_string_value(value), NULL)
			 : json_is_number(value) ? json_number_value(value)
						 : LIFETIME_UNKNOWN_S;

	if (!(seconds >= 1))
		return 1000;
	return (uint64_t)(seconds < LIFETIME_MAX_S ? seconds : LIFETIME_MAX_S) * 1000;
}

/* RFC 6750 2.1: what a bearer token is made of; nothing that would end a SASL message early. */
static bool is_token(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
			return false;
	}
	return text.len && text.len <= TOKEN_TEXT_MAX;
}

static bool is_bearer(const char *type)
{
	return !*type || span_eq_nocase(span_of_str(type), SPAN_LIT("Bearer"));
}

static void read_token(const json_t *object, struct token_answer *answer)
{
	struct span token = span_of_str(text_of(object, "access_token"));

	if (!is_token(token)) {
		snprintf(answer->why, sizeof(answer->why), "the answer has no usable access_token");
	} else if (!is_bearer(text_of(object, "token_type"))) {
		snprintf(answer->why, sizeof(answer->why), "the token's token_type is not Bearer");
	} else {
		buf_reserve(&answer->token, token.len);
		buf_append(&answer->token, token);
		answer->lifetime_ms = lifetime_of(object);
	}
	if (token.len)
		mem_wipe((char *)(uintptr_t)token.ptr, token.len);
}

void token_answer_read(unsigned status, struct span body, struct span secret, struct token_answer *answer_out)
{
	json_t *object = json_loadb(body.ptr ? body.ptr : "", body.len, 0, NULL);
	const char *error = text_of(object, "error");

	*answer_out = (struct token_answer){ .lifetime_ms = 0 };
	if (*error)
		tell(answer_out, error, text_of(object, "error_description"), secret);
	else if (status != 200)
		snprintf(answer_out->why, sizeof(answer_out->why), "the server answered with status %u",
			status);
	else if (!json_is_object(object))
		snprintf(answer_out->why, sizeof(answer_out->why), "the answer is not JSON");
	else
		read_token(object, answer_out);
	json_decref(object);
}

void token_answer_wipe(struct token_answer *answer)
{
	if (answer->token.base)
		mem_wipe(answer->token.base, answer->token.cap);
	buf_fini(&answer->token);
}
