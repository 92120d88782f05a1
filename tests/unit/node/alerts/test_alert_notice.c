/* Text of peers in notices: it stays text, in each form. */
#include "cmocka_all.h"

#include "alerts/alert_notice.h"

static const struct alert_notice_mail mail = { "skein@example.net", "ops@example.net", "relay.example.net", 0,
	0 };

static json_t *notice_about(const char *subject)
{
	const struct alert_notice notice = {
		.id = "17-0-ops",
		.channel = "ops",
		.event = "fired",
		.alert = "login-failures",
		.subject = span_of_str(subject),
		.text = SPAN_LIT("50 logins failed"),
		.severity = ALERT_WARNING,
		.what = "somebody guesses",
		.cure = "look",
		.node = "relay-1",
	};

	return alert_notice_json(&notice);
}

static json_t *formed(const json_t *notice, enum alert_form form)
{
	struct buf text = { 0 };
	json_t *json;

	alert_notice_form(notice, form, &text);
	json = json_loadb(buf_span(&text).ptr, buf_len(&text), 0, NULL);
	assert_non_null(json);
	buf_fini(&text);
	return json;
}

static void slack_reads_no_mention_and_no_link(void **state)
{
	json_t *notice = notice_about("user <!channel>&<https://x.example|reset>");
	json_t *json = formed(notice, ALERT_FORM_SLACK),
	       *block = json_array_get(json_object_get(json, "blocks"), 0);

	(void)state;
	assert_string_equal(json_string_value(json_object_get(json, "text")),
		"warning: login-failures user &lt;!channel&gt;&amp;&lt;https://x.example|reset&gt;: 50 "
		"logins failed");
	assert_true(json_is_false(json_object_get(json, "mrkdwn")));
	block = json_object_get(block, "text");
	assert_string_equal(json_string_value(json_object_get(block, "type")), "plain_text");
	assert_string_equal(json_string_value(json_object_get(block, "text")),
		"warning: login-failures user <!channel>&<https://x.example|reset>: 50 logins failed");
	json_decref(json);
	json_decref(notice);
}

/* Adaptive Cards read Markdown in a TextBlock, and none in a TextRun. */
static void teams_reads_no_markdown(void **state)
{
	json_t *notice = notice_about("user [reset](https://x.example)");
	json_t *json = formed(notice, ALERT_FORM_TEAMS);
	json_t *card = json_object_get(json_array_get(json_object_get(json, "attachments"), 0), "content");
	json_t *block = json_array_get(json_object_get(card, "body"), 0);
	json_t *run = json_array_get(json_object_get(block, "inlines"), 0);

	(void)state;
	assert_string_equal(json_string_value(json_object_get(block, "type")), "RichTextBlock");
	assert_string_equal(json_string_value(json_object_get(run, "type")), "TextRun");
	assert_string_equal(json_string_value(json_object_get(run, "text")),
		"warning: login-failures user [reset](https://x.example): 50 logins failed");
	json_decref(json);
	json_decref(notice);
}

/* Each value of a notice, as Redis may hold it: none begins a line, or is longer than a line may be. */
static void no_text_of_a_notice_is_a_header_field(void **state)
{
	static const char *const keys[] = { "id", "event", "alert", "subject", "severity", "text", "what",
		"cure", "since", "node" };
	static const char start[] = "x\r\nBcc: evil@example.org\r\n\r\n<\xff>";
	char long_text[3000];

	(void)state;
	memset(long_text, 'x', sizeof(long_text) - 1);
	memcpy(long_text, start, sizeof(start) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		json_t *notice = notice_about("user x");
		struct buf out = { 0 };

		json_object_set_new(notice, keys[i], json_stringn_nocheck(long_text, sizeof(long_text) - 1));
		alert_notice_mail(notice, &mail, &out);
		for (struct span rest = buf_span(&out); rest.len;) {
			size_t len = span_find(rest, '\n');
			struct span line = span_take(rest, len);

			assert_true(len < rest.len && len > 0 && len <= 998 && line.ptr[len - 1] == '\r');
			assert_int_equal(span_find(span_take(line, len - 1), '\r'), len - 1);
			assert_false(span_starts_with(line, SPAN_LIT("Bcc")));
			for (size_t k = 0; k + 1 < len; k++)
				assert_true(line.ptr[k] >= ' ' && line.ptr[k] <= '~');
			rest = span_drop(rest, len + 1);
		}
		buf_fini(&out);
		json_decref(notice);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(slack_reads_no_mention_and_no_link),
		cmocka_unit_test(teams_reads_no_markdown),
		cmocka_unit_test(no_text_of_a_notice_is_a_header_field),
	};

	return cmocka_run_group_tests_name("alert_notice", tests, NULL, NULL);
}
