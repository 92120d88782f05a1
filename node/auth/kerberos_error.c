#include "auth/kerberos_error.h"

#include "skein/proto/base/check.h"

#include <stdio.h>

enum { ERRNO_MAX = 133 };

/*
 * By the library's words, as SPNEGO hides the numbers of what it carries: its minor codes are made up when
 * they are first seen. All words are from krb5 1.20; `ends` tells apart what begins alike, with names of the
 * client's between.
 */
static const struct word_row {
	const char *begins, *ends;
	enum sasl_verdict verdict;
	const char *why;
	enum log_level level;
} word_rows[] = {
	/* Ours or the client's: who runs the relay has to look at both. */
	{ "Clock skew too great", "", SASL_NO, "clock-differs", LOG_ERROR },
	{ "Ticket not yet valid", "", SASL_NO, "clock-differs", LOG_ERROR },
	{ "Ticket expired", "", SASL_NO, "ticket-expired", LOG_INFO },
	{ "Request is a replay", "", SASL_NO, "replay", LOG_WARN },
	{ "Request ticket server ", "keytab is likely out of date", SASL_CANNOT_SAY, "keytab-old",
		LOG_ERROR },
	{ "Request ticket server ", "", SASL_NO, "ticket-for-another", LOG_WARN },
};

static struct span text_of(OM_uint32 status, int type, char text[KERBEROS_ERROR_SIZE])
{
	OM_uint32 minor, more = 0;
	gss_buffer_desc words = GSS_C_EMPTY_BUFFER;
	size_t len = 0;

	if (!GSS_ERROR(gss_display_status(&minor, status, type, GSS_C_NO_OID, &more, &words)) &&
		words.length) {
		len = words.length < KERBEROS_ERROR_SIZE ? words.length : KERBEROS_ERROR_SIZE - 1;
		memcpy(text, words.value, len);
	}
	text[len] = '\0';
	gss_release_buffer(&minor, &words);
	return span_of(text, len);
}

/* "No such file or directory (filename: ...)": the replay cache, memory. */
static bool is_of_system(struct span text)
{
	for (int number = 1; number <= ERRNO_MAX; number++) {
		const char *words = strerrordesc_np(number);

		if (words && span_starts_with(text, span_of_str(words)))
			return true;
	}
	return false;
}

static bool ends_with(struct span text, struct span end)
{
	return text.len >= end.len && span_eq(span_drop(text, text.len - end.len), end);
}

struct kerberos_error kerberos_error_read(OM_uint32 major, OM_uint32 minor)
{
	struct kerberos_error error = { SASL_NO, "ticket-bad", LOG_INFO, "" };
	struct span text = text_of(minor, GSS_C_MECH_CODE, error.text);

	if (GSS_ROUTINE_ERROR(major) == GSS_S_BAD_BINDINGS) {
		error.why = "other-channel";
		error.level = LOG_WARN;
		text_of(major, GSS_C_GSS_CODE, error.text);
		return error;
	}
	if (GSS_ROUTINE_ERROR(major) != GSS_S_FAILURE) {
		text_of(major, GSS_C_GSS_CODE, error.text);
		return error;
	}
	for (size_t i = 0; i < ARRAY_LEN(word_rows); i++) {
		const struct word_row *row = &word_rows[i];

		if (!span_starts_with(text, span_of_str(row->begins)) ||
			!ends_with(text, span_of_str(row->ends)))
			continue;
		error.verdict = row->verdict;
		error.why = row->why;
		error.level = row->level;
		return error;
	}
	if (is_of_system(text)) {
		error.verdict = SASL_CANNOT_SAY;
		error.why = "system-error";
		error.level = LOG_ERROR;
	}
	return error;
}
