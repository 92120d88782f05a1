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

#define KNOWN   "6d82f434-349b-4229-a55c-ed97d8a128ff"
#define UNKNOWN "2a358965-bdd7-4b31-8370-0210b8bbc2c8"

static void assert_told(const struct roster *nodes, const char *about, const char *line)
{
	const struct track_event event = { .kind = TRACK_TAKEOVER,
		.text = { [TRACK_NODE_NAME] = SPAN_LIT("b"), [TRACK_ABOUT] = span_of_str(about) } };
	struct track_telling telling = { .is_utc = true, .nodes = nodes };
	struct buf out = { 0 };

	track_tell_line(&telling, &event, &out);
	assert_span_equal(buf_span(&out), line);
	buf_fini(&out);
}

static void a_node_is_told_by_its_name_where_it_has_one(void **state)
{
	struct registry_node node = { .name = SPAN_LIT("relay1") };
	const struct roster nodes = { .nodes = &node, .count = 1 };

	(void)state;
	assert_true(node_uuid_parse(SPAN_LIT(KNOWN), &node.node));
	assert_told(&nodes, KNOWN, "1970-01-01 00:00:00.000Z  b  TAKEOVER   about=relay1\n");
	assert_told(&nodes, UNKNOWN, "1970-01-01 00:00:00.000Z  b  TAKEOVER   about=" UNKNOWN "\n");
	assert_told(NULL, KNOWN, "1970-01-01 00:00:00.000Z  b  TAKEOVER   about=" KNOWN "\n");
	assert_told(&nodes, "inspect", "1970-01-01 00:00:00.000Z  b  TAKEOVER   about=inspect\n");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_peer_steers_no_terminal),
		cmocka_unit_test(a_zero_byte_is_told_too),
		cmocka_unit_test(a_node_is_told_by_its_name_where_it_has_one),
	};

	return cmocka_run_group_tests_name("track_tell", tests, NULL, NULL);
}
