/*
 * Any bytes as a notice of the outbox: whatever Redis holds, a mail has no header field of its making and no
 * line that is too long, and a webhook's body is JSON.
 */
#include "alerts/alert_notice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_mail(const json_t *notice)
{
	static const char *const fields[] = { "From: ", "To: ", "Subject: ", "Date: ", "Message-ID: ",
		"Auto-Submitted: ", "MIME-Version: ", "Content-Type: ", "" };
	const struct alert_notice_mail mail = { "skein@example.net", "ops@example.net", "relay", 1, 0 };
	struct buf out = { 0 };
	size_t number = 0;

	alert_notice_mail(notice, &mail, &out);
	for (struct span rest = buf_span(&out); rest.len; number++) {
		size_t len = span_find(rest, '\r');
		struct span line = span_take(rest, len);

		CHECK(len + 1 < rest.len && rest.ptr[len + 1] == '\n' && len <= 998);
		for (size_t i = 0; i < len; i++)
			CHECK(line.ptr[i] >= ' ' && line.ptr[i] <= '~');
		if (number < ARRAY_LEN(fields))
			CHECK(span_starts_with(line, span_of_str(fields[number])) &&
				!*fields[number] == !line.len);
		rest = span_drop(rest, len + 2);
	}
	CHECK(number == ARRAY_LEN(fields) + 10);
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *notice = json_loadb((const char *)data, size, 0, NULL);
	struct buf out = { 0 };

	for (enum alert_form form = ALERT_FORM_JSON; json_is_object(notice) && form <= ALERT_FORM_TEAMS;
		form++) {
		json_t *again;

		buf_clear(&out);
		alert_notice_form(notice, form, &out);
		again = json_loadb(buf_span(&out).ptr, buf_len(&out), 0, NULL);
		CHECK(json_is_object(again));
		json_decref(again);
	}
	check_mail(notice);
	buf_fini(&out);
	json_decref(notice);
	return 0;
}
