#include "cmocka_all.h"

#include "skein/cluster/track_event.h"

static void an_event_is_pairs(void **state)
{
	struct track_event event = {
		.kind = TRACK_FAIL,
		.time_us = 1606233600123456,
		.session = 0x1234,
		.code = 550,
		.latency_us = 17,
		.text = {
			[TRACK_NODE_NAME] = SPAN_LIT("a"),
			[TRACK_ID] = SPAN_LIT("0001"),
			[TRACK_SENDER] = SPAN_LIT("jane@example.net"),
			[TRACK_STATUS] = SPAN_LIT("a=b"),
			[TRACK_TEXT] = SPAN_LIT("J\xc3\xb6rg said \"no\\\"\n"),
		},
	};
	struct buf out = { 0 };

	(void)state;
	track_event_pairs(&event, &out);
	assert_span_equal(buf_span(&out),
		"time=2020-11-24T16:00:00.123456Z node=a event=FAIL session=0000000000001234 id=0001 "
		"sender=jane@example.net code=550 status=\"a=b\" text=\"J\xc3\xb6rg said \\\"no\\\\\\\"?\" "
		"latency_us=17");
	buf_clear(&out);
	event = (struct track_event){ .kind = TRACK_CONNECT, .text[TRACK_RULE] = SPAN_LIT("ends in blank ") };
	event.text[TRACK_ABOUT] = SPAN_LIT("x");
	track_event_pairs(&event, &out);
	assert_span_equal(buf_span(&out),
		"time=1970-01-01T00:00:00.000000Z event=CONNECT rule=\"ends in blank \" about=x");
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_is_pairs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
