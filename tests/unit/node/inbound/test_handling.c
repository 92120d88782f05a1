#include "cmocka_all.h"

#include "inbound/handling.h"

enum { NOW_S = 1700000000 };
#define NOW_MS (NOW_S * UINT64_C(1000))

static void a_hold_is_kept_unless_it_is_over(void **state)
{
	static const struct {
		struct smtp_mail_params params;
		uint64_t wanted_ms;
	} rows[] = {
		{ { .smtputf8 = true }, 0 },
		{ { .hold_for_s = 1 }, NOW_MS + 1000 },
		{ { .hold_for_s = 86400 }, NOW_MS + 86400000 },
		{ { .hold_until_s = NOW_S + 5 }, NOW_MS + 5000 },
		{ { .hold_until_s = NOW_S }, 0 },
		{ { .hold_until_s = 1 }, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct envelope envelope = { .arrival_ms = NOW_MS };

		(void)handling_take(&rows[i].params, 0, NOW_MS, &envelope);
		assert_int_equal(envelope.hold_until_ms, rows[i].wanted_ms);
	}
}

static void what_is_offered_is_what_settings_and_listener_say(void **state)
{
	const struct listener_settings plain = { .hold_max_ms = 0 }, patient = { .hold_max_ms = 60000 };
	const struct settings nothing = { .smtp = { .utf8 = true } },
			      tls = { .smtp = { .requiretls = true } },
			      priority = { .smtp = { .mt_priority = true } },
			      by = { .smtp = { .deliverby = true } };

	(void)state;
	assert_int_equal(handling_extensions(&nothing, &plain), 0);
	assert_int_equal(handling_extensions(&nothing, &patient), SMTP_EXT_FUTURERELEASE);
	assert_int_equal(handling_extensions(&tls, &plain), SMTP_EXT_REQUIRETLS);
	assert_int_equal(handling_extensions(&priority, &plain), SMTP_EXT_MT_PRIORITY);
	assert_int_equal(handling_extensions(&by, &plain), SMTP_EXT_DELIVERBY);
	assert_int_equal(handling_extensions(&tls, &patient), SMTP_EXT_REQUIRETLS | SMTP_EXT_FUTURERELEASE);
}

static void requiretls_is_kept(void **state)
{
	struct envelope envelope = { .arrival_ms = NOW_MS };

	(void)state;
	(void)handling_take(&(struct smtp_mail_params){ .size = 1 }, 0, NOW_MS, &envelope);
	assert_false(envelope.requiretls);
	(void)handling_take(&(struct smtp_mail_params){ .requiretls = true }, 0, NOW_MS, &envelope);
	assert_true(envelope.requiretls);
}

static void a_priority_is_raised_by_who_may_and_lowered_by_all(void **state)
{
	static const struct {
		int8_t asked, max, wanted;
	} rows[] = { { 9, 9, 9 }, { 9, 0, 0 }, { 1, 0, 0 }, { 0, 0, 0 }, { -1, 0, -1 }, { -9, 9, -9 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct envelope envelope = { .arrival_ms = NOW_MS };
		bool is_as_asked = handling_take(&(struct smtp_mail_params){ .priority = rows[i].asked },
			rows[i].max, NOW_MS, &envelope);

		assert_int_equal(envelope.priority, rows[i].wanted);
		assert_int_equal(is_as_asked, rows[i].asked == rows[i].wanted);
	}
}

static void a_time_to_deliver_by_counts_from_the_release(void **state)
{
	static const struct {
		struct smtp_mail_params params;
		uint64_t wanted_ms;
	} rows[] = {
		{ { .deliver_by = { DELIVER_BY_RETURN, false, 120 } }, NOW_MS + 120000 },
		{ { .deliver_by = { DELIVER_BY_NOTIFY, true, -60 } }, NOW_MS - 60000 },
		{ { .deliver_by = { DELIVER_BY_NOTIFY, false, 0 } }, NOW_MS },
		{ { .deliver_by = { DELIVER_BY_RETURN, false, 1 }, .hold_for_s = 10 }, NOW_MS + 11000 },
	};
	struct envelope nothing = { .arrival_ms = NOW_MS };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct envelope envelope = { .arrival_ms = NOW_MS };

		(void)handling_take(&rows[i].params, 0, NOW_MS, &envelope);
		assert_int_equal(envelope.deliver_by, rows[i].params.deliver_by.mode);
		assert_int_equal(envelope.deliver_by_trace, rows[i].params.deliver_by.trace);
		assert_int_equal(envelope.deliver_by_ms, rows[i].wanted_ms);
	}
	(void)handling_take(&(struct smtp_mail_params){ .size = 1 }, 0, NOW_MS, &nothing);
	assert_int_equal(nothing.deliver_by, DELIVER_BY_NONE);
	assert_int_equal(nothing.deliver_by_ms, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hold_is_kept_unless_it_is_over),
		cmocka_unit_test(what_is_offered_is_what_settings_and_listener_say),
		cmocka_unit_test(requiretls_is_kept),
		cmocka_unit_test(a_time_to_deliver_by_counts_from_the_release),
		cmocka_unit_test(a_priority_is_raised_by_who_may_and_lowered_by_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
