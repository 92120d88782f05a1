/* Text of peers in what skeinctl trace and log tell. */
#include "cmocka_all.h"

#include "track_tell.h"

static void a_peer_steers_no_terminal(void **state)
{
	const struct track_event event = { .kind = TRACK_FAIL,
		.code = 550,
		.text = { [TRACK_NODE_NAME] = SPAN_LIT("n\x1b[2J"),
			[TRACK_HELO] = SPAN_LIT("\xc2\x9b"
						"2J"),
			[TRACK_TEXT] = SPAN_LIT("a\r\nb\xe2\x80\xae") } };
	struct track_telling telling = { .is_utc = true };
	struct buf out = { 0 };

	(void)state;
	track_tell_line(&telling, &event, &out);
	assert_span_equal(
		buf_span(&out), "1970-01-01 00:00:00.000Z  n?[2J  FAIL       550 \"a??b?\" helo=?2J\n");
	buf_fini(&out);
}

static void a_zero_byte_is_told_too(void **state)
{
	const struct track_event event = { .kind = TRACK_FAIL, .text[TRACK_TEXT] = SPAN_LIT("a\0b") };
	json_t *json = track_tell_json(&event);

	(void)state;
	assert_int_equal(json_string_length(json_object_get(json, "text")), 3);
	json_decref(json);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_peer_steers_no_terminal),
		cmocka_unit_test(a_zero_byte_is_told_too),
	};

	return cmocka_run_group_tests_name("track_tell", tests, NULL, NULL);
}
