/* What an inspection leaves in the envelope: the edits of the header section, and whether the message is
 * taken. */
#include "cmocka_all.h"

#include "body_lab.h"
#include "fake_dns.h"

#include "config/settings.h"
#include "inspect/inspector.h"
#include "skein/proto/mail/header_list.h"

static const struct fake_record records[] = {
	{ "a.example", DNS_TXT, DNS_OK, "v=spf1 -all" },
};

static struct {
	struct body_lab lab;
	struct settings *settings;
	struct random random;
	struct inspector_desk desk;
	struct message *message; /* the last */
	unsigned answers;
	unsigned code; /* of the refusal; 0: taken */
} world;

static int set_up(void **state)
{
	(void)state;
	memset(&world, 0, sizeof(world));
	body_lab_open(&world.lab);
	random_seed(&world.random);
	world.settings = settings_new();
	world.settings->node.hostname = "mx.test";
	world.desk.budget = &world.lab.budget;
	world.desk.authentication = (struct authentication_desk){
		.loop = &world.lab.loop, .settings = world.settings, .random = &world.random
	};
	world.desk.filters = (struct milter_desk){ .loop = &world.lab.loop, .hostname = "mx.test" };
	fake_dns.records = records;
	fake_dns.count = ARRAY_LEN(records);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	message_unref(&world.message);
	RUN_UNTIL(&world.lab.loop,
		world.desk.authentication.under_way == 0 && world.desk.filters.under_way == 0);
	assert_int_equal(fake_dns.open, 0);
	settings_free(&world.settings);
	body_lab_close(&world.lab);
	return 0;
}

#define OWN "Received: x\r\nDate: y\r\n"

static void make_message(const char *sender, struct span text)
{
	static unsigned number;
	struct msg_id id = msg_id_make(1700000000000, 3, ++number);
	struct buf stored = { 0 };

	message_unref(&world.message);
	world.message = message_new(&id);
	buf_append_str(&stored, OWN);
	buf_append(&stored, text);
	world.message->envelope.sender = span_of_str(sender);
	world.message->envelope.client_ip = SPAN_LIT("192.0.2.7");
	world.message->body = body_lab_body(&world.lab, &id, buf_span(&stored));
	buf_fini(&stored);
}

static void on_inspected(void *arg, enum inspector_end end, const struct smtp_reply *refusal)
{
	(void)arg;
	assert_int_equal(end == INSPECTOR_REFUSED, refusal != NULL);
	assert_int_not_equal(end, INSPECTOR_DISCARDED);
	world.answers++;
	world.code = refusal ? refusal->code : 0;
}

static struct inspector *begin(const struct inspection *inspection)
{
	const struct inspector_request request = { .inspection = inspection,
		.message = world.message,
		.own_fields = 2,
		.own_size = sizeof(OWN) - 1 };

	return inspector_begin(&world.desk, &request, on_inspected, NULL);
}

static void inspect(const struct inspection *inspection)
{
	unsigned before = world.answers;

	assert_non_null(begin(inspection));
	assert_int_equal(world.answers, before);
	RUN_UNTIL(&world.lab.loop, world.answers > before);
}

static const struct inspection spf = { .actions = { INSPECTION_REJECT, INSPECTION_OFF, INSPECTION_OFF } };
static const struct inspection nothing = { .actions = { INSPECTION_OFF, INSPECTION_OFF, INSPECTION_OFF } };

static void what_is_forged_goes_and_ours_comes_in_front(void **state)
{
	const struct header_edits *edits;

	(void)state;
	make_message("x@none.example", SPAN_LIT("Authentication-Results: other.test; spf=pass\r\n"
						"authentication-results : (x) MX.test; spf=pass\r\n"
						"Authentication-Results:\r\n \"mx.test\" 1; spf=pass\r\n\r\n"
						"Authentication-Results: mx.test; spf=pass\r\n"));
	inspect(&spf);
	assert_int_equal(world.code, 0);
	assert_true(world.message->is_inspected);
	edits = &world.message->envelope.edits;
	assert_span_equal(edits->front,
		"Authentication-Results: mx.test;\r\n"
		" spf=none reason=\"none.example does not exist\" smtp.mailfrom=x@none.example\r\n");
	assert_int_equal(edits->back.len, 0);
	assert_int_equal(edits->change_count, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(edits->changes[i].nth, i + 2);
		assert_int_equal(edits->changes[i].value.len, 0);
	}
	assert_true(header_edits_are_valid(edits));
}

static void what_is_refused_is_told_and_keeps_no_edits(void **state)
{
	(void)state;
	make_message("x@a.example", SPAN_LIT("From: x@a.example\r\n\r\nx\r\n"));
	inspect(&spf);
	assert_int_equal(world.code, 550);
	assert_true(header_edits_are_none(&world.message->envelope.edits));
	assert_false(world.message->is_inspected);
}

/* More than edits can say: it does not get in with some of them. */
static void too_many_forged_fields_are_refused(void **state)
{
	struct buf text = { 0 };

	(void)state;
	for (size_t i = 0; i < HEADER_EDITS_CHANGES_MAX + 1; i++)
		buf_append_str(&text, "Authentication-Results: mx.test; spf=pass\r\n");
	make_message("x@none.example", buf_span(&text));
	inspect(&spf);
	assert_int_equal(world.code, 554);
	buf_clear(&text);
	for (size_t i = 0; i < HEADER_LIST_FIELDS_MAX + 1; i++)
		buf_append_str(&text, "X: y\r\n");
	make_message("x@none.example", buf_span(&text));
	inspect(&spf);
	assert_int_equal(world.code, 554);
	buf_fini(&text);
}

static void an_inspection_without_anything_is_a_way_out(void **state)
{
	(void)state;
	assert_false(inspector_is_due(NULL));
	assert_false(inspector_is_due(&nothing));
	assert_true(inspector_is_due(&spf));
}

static void a_filter_that_is_not_there_is_as_its_entry_says(void **state)
{
	static const unsigned codes[] = {
		[INSPECTION_TROUBLE_ACCEPT] = 0,
		[INSPECTION_TROUBLE_DEFER] = 451,
		[INSPECTION_TROUBLE_REJECT] = 554,
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(codes); i++) {
		const struct inspection_filter gone = { "gone", "", 0, "/no/such/socket", 1000, 1000, 1000,
			(enum inspection_trouble)i };
		const struct inspection_filter *filters[] = { &gone, &gone };
		const struct inspection filtered = { .filters = filters, .filter_count = 2 };

		assert_true(inspector_is_due(&filtered));
		make_message("x@none.example", SPAN_LIT("From: x@a.example\r\n\r\nx\r\n"));
		inspect(&filtered);
		assert_int_equal(world.code, codes[i]);
		assert_int_equal(world.message->is_inspected, codes[i] == 0);
	}
}

static void it_can_be_cancelled_at_any_time(void **state)
{
	static const struct inspection_filter gone = { "gone", "", 0, "/no/such/socket", 1000, 1000, 1000,
		INSPECTION_TROUBLE_ACCEPT };
	static const struct inspection_filter *const filters[] = { &gone, &gone };
	static const struct inspection both = {
		.actions = { INSPECTION_TAG, INSPECTION_OFF, INSPECTION_OFF },
		.filters = filters,
		.filter_count = 2,
	};

	(void)state;
	make_message("x@a.example", SPAN_LIT("From: x@a.example\r\n\r\nx\r\n"));
	for (unsigned turns = 0; turns < 30; turns++) {
		struct inspector *inspector = begin(&both);
		unsigned before = world.answers;

		for (unsigned i = 0; i < turns && world.answers == before; i++)
			uv_run(&world.lab.loop.uv, UV_RUN_NOWAIT);
		if (world.answers == before)
			inspector_cancel(&inspector);
	}
	settle(&world.lab.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			what_is_forged_goes_and_ours_comes_in_front, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_is_refused_is_told_and_keeps_no_edits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(too_many_forged_fields_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			an_inspection_without_anything_is_a_way_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_filter_that_is_not_there_is_as_its_entry_says, set_up, tear_down),
		cmocka_unit_test_setup_teardown(it_can_be_cancelled_at_any_time, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
