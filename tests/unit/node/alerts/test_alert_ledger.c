#include "cmocka_all.h"

#include "alerts/alert_ledger.h"

#include <stdio.h>

static const uint64_t seed[2] = { 1, 2 };

static void expect(struct alert_ledger *ledger, enum alert_ledger_side side, const char *expected)
{
	struct arena arena = { 0 };
	struct alert_counts taken = alert_ledger_take(ledger, side, &arena);
	struct buf text = { 0 };

	for (size_t i = 0; i < taken.count; i++)
		buf_printf(&text, "%.*s=%llu;", SPAN_ARGS(taken.items[i].name),
			(unsigned long long)taken.items[i].step);
	if (!span_eq(buf_span(&text), span_of_str(expected)))
		fail_msg("%.*s; wanted %s", SPAN_ARGS(buf_span(&text)), expected);
	buf_fini(&text);
	arena_fini(&arena);
}

static void a_sender_is_a_user_or_an_address_with_its_domain(void **state)
{
	struct alert_ledger *ledger = alert_ledger_new(seed);

	(void)state;
	for (int i = 0; i < 3; i++)
		alert_ledger_sent(ledger, "Joe", "192.0.2.1", SPAN_LIT("a@Example.org"));
	alert_ledger_sent(ledger, "", "192.0.2.1", SPAN_LIT("\"x@y\"@example.org"));
	alert_ledger_sent(ledger, "", "192.0.2.1", SPAN_LIT("b@example.org"));
	expect(ledger, ALERT_LEDGER_SENDERS, "joe example.org=3;192.0.2.1 example.org=2;");
	expect(ledger, ALERT_LEDGER_SENDERS, "");
	alert_ledger_sent(ledger, "a\nb", "192.0.2.1", span_of("", 0));
	expect(ledger, ALERT_LEDGER_SENDERS, "a?b <>=1;");
	alert_ledger_free(&ledger);
	assert_null(ledger);
}

static void a_failed_login_counts_for_client_and_user(void **state)
{
	struct alert_ledger *ledger = alert_ledger_new(seed);

	(void)state;
	alert_ledger_login_failed(ledger, "joe", "192.0.2.1");
	alert_ledger_login_failed(ledger, "", "192.0.2.1");
	expect(ledger, ALERT_LEDGER_LOGINS, "client 192.0.2.1=2;user joe=1;");
	alert_ledger_login_failed(NULL, "joe", "192.0.2.1");
	alert_ledger_free(&ledger);
}

static void of_many_names_the_most_are_told(void **state)
{
	struct alert_ledger *ledger = alert_ledger_new(seed);
	struct arena arena = { 0 };
	struct alert_counts taken;
	char user[400];

	(void)state;
	for (unsigned i = 0; i < ALERT_LEDGER_NAMES_MAX + 100; i++) {
		snprintf(user, sizeof(user), "user-%u", i);
		for (unsigned k = 0; k < (i < 3 ? 5 : 1); k++)
			alert_ledger_sent(ledger, user, "", SPAN_LIT("a@b"));
	}
	taken = alert_ledger_take(ledger, ALERT_LEDGER_SENDERS, &arena);
	assert_int_equal(taken.count, ALERT_TELL_NAMES_MAX);
	assert_int_equal(taken.items[2].step, 5);
	assert_int_equal(taken.items[3].step, 1);
	memset(user, 'x', sizeof(user) - 1);
	user[sizeof(user) - 1] = '\0';
	alert_ledger_sent(ledger, user, "", SPAN_LIT("a@b"));
	taken = alert_ledger_take(ledger, ALERT_LEDGER_SENDERS, &arena);
	assert_int_equal(taken.items[0].name.len, ALERT_TELL_NAME_MAX);
	arena_fini(&arena);
	alert_ledger_free(&ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sender_is_a_user_or_an_address_with_its_domain),
		cmocka_unit_test(a_failed_login_counts_for_client_and_user),
		cmocka_unit_test(of_many_names_the_most_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
