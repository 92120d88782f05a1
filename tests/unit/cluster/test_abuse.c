/* The arithmetic of abuse, addresses as keys, and the list of bans. */
#include "cmocka_all.h"

#include "skein/cluster/abuse.h"
#include "skein/cluster/ban_list.h"

#include <limits.h>

static void the_stop_is_below_what_locks(void **state)
{
	static const struct {
		unsigned configured, threshold, stop;
	} rows[] = {
		{ 0, 0, UINT_MAX },
		{ 5, 0, 5 },
		{ 0, 10, 5 },
		{ 3, 10, 3 },
		{ 9, 10, 5 },
		{ 0, 5, 2 },
		{ 0, 4, 2 },
		{ 0, 3, 1 },
		{ 0, 2, 1 },
		{ 0, 1, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct abuse_rules rules = { .account_failures = rows[i].configured,
			.directory_threshold = rows[i].threshold };

		if (abuse_account_stop(&rules) != rows[i].stop)
			fail_msg("row %zu: %u", i, abuse_account_stop(&rules));
	}
}

static void the_window_is_never_shorter_than_the_directorys(void **state)
{
	struct abuse_rules rules = { .account_window_ms = 1000, .directory_window_ms = 10000 };

	(void)state;
	assert_int_equal(abuse_account_window_ms(&rules), 1000);
	rules.directory_threshold = 5;
	assert_int_equal(abuse_account_window_ms(&rules), 11000);
	rules.account_window_ms = 60000;
	assert_int_equal(abuse_account_window_ms(&rules), 60000);
}

static void delays_and_bans_double_up_to_their_ends(void **state)
{
	static const struct {
		uint64_t count, delay_ms, ban_ms; /* ban: with `count` before it */
	} rows[] = { { 0, 500, 60000 }, { 1, 500, 120000 }, { 2, 1000, 240000 }, { 3, 2000, 300000 },
		{ 4, 3000, 300000 }, { 1000000, 3000, 300000 } };
	const struct abuse_rules rules = {
		.delay_first_ms = 500, .delay_max_ms = 3000, .ban_first_ms = 60000, .ban_max_ms = 300000
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(abuse_delay_ms(&rules, rows[i].count, 0), rows[i].delay_ms);
		for (uint32_t random = 1; random < 5000; random += 7)
			assert_in_range(abuse_delay_ms(&rules, rows[i].count, random),
				rows[i].delay_ms - rows[i].delay_ms / 4, rows[i].delay_ms);
		assert_int_equal(abuse_ban_ms(&rules, rows[i].count), rows[i].ban_ms);
	}
}

static void attempts_under_way_cannot_pass_the_stop(void **state)
{
	struct abuse_account account = { .failures = 0 };

	(void)state;
	assert_int_equal(abuse_account_ask(&account, 2, 0), ABUSE_ASK);
	assert_int_equal(abuse_account_ask(&account, 2, 0), ABUSE_ASK);
	assert_int_equal(abuse_account_ask(&account, 2, 0), ABUSE_BUSY);
	account.pending--;
	account.failures++;
	assert_int_equal(abuse_account_ask(&account, 2, 0), ABUSE_BUSY);
	account.pending--;
	account.failures++;
	assert_int_equal(abuse_account_ask(&account, 2, 0), ABUSE_STOP);
	account.failed_ms = 500;
	abuse_account_age(&account, 1000, 100, 1499);
	assert_int_equal(abuse_account_ask(&account, 2, 1499), ABUSE_STOP);
	abuse_account_age(&account, 1000, 100, 1500);
	assert_int_equal(abuse_account_ask(&account, 2, 1500), ABUSE_ASK);
	abuse_account_age(&account, 1000, 100, 1600); /* nobody told its end */
	assert_int_equal(account.pending, 0);
	assert_int_equal(account.failures, 1);
}

static struct network of(const char *text)
{
	struct network network;

	if (!network_parse(span_of_str(text), &network))
		fail_msg("%s is none", text);
	return network;
}

static void networks_are_read_and_written(void **state)
{
	static const struct {
		const char *text, *written; /* NULL: refused */
	} rows[] = {
		{ "10.1.2.3", "10.1.2.3" },
		{ "10.0.0.0/8", "10.0.0.0/8" },
		{ "10.1.2.3/32", "10.1.2.3" },
		{ "0.0.0.0/0", "0.0.0.0/0" },
		{ "2001:db8::/32", "2001:db8::/32" },
		{ "2001:DB8::1", "2001:db8::1" },
		{ "::ffff:10.1.2.3", "10.1.2.3" },
		{ "::ffff:10.0.0.0/104", "10.0.0.0/8" },
		{ "::/0", "::/0" },
		{ "10.1.2.3/8", NULL },
		{ "2001:db8::1/32", NULL },
		{ "10.0.0.0/33", NULL },
		{ "10.0.0.0/", NULL },
		{ "10.0.0", NULL },
		{ "", NULL },
		{ "/8", NULL },
		{ "mail.example", NULL },
		{ "fe80::1%eth0", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct network network, same;
		struct cidr cidr;
		char text[NETWORK_TEXT_LEN + 1];

		if (network_parse(span_of_str(rows[i].text), &network) != (rows[i].written != NULL))
			fail_msg("%s", rows[i].text);
		if (!rows[i].written)
			continue;
		network_format(&network, text);
		assert_string_equal(text, rows[i].written);
		assert_null(cidr_parse(span_of_str(rows[i].text), &cidr));
		same = network_of_cidr(&cidr);
		assert_memory_equal(&same, &network, sizeof(same));
	}
}

static void networks_contain_what_is_in_them(void **state)
{
	static const struct {
		const char *wide, *narrow;
		bool contains;
	} rows[] = {
		{ "10.0.0.0/8", "10.255.0.1", true },
		{ "10.0.0.0/8", "11.0.0.1", false },
		{ "10.0.0.0/8", "10.128.0.0/9", true },
		{ "10.128.0.0/9", "10.0.0.0/8", false },
		{ "2001:db8::/33", "2001:db8:7fff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "10.1.2.3", "10.1.2.3", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct network wide = of(rows[i].wide), narrow = of(rows[i].narrow);

		if (network_contains(&wide, &narrow) != rows[i].contains)
			fail_msg("%s in %s", rows[i].narrow, rows[i].wide);
	}
}

static void neighbours_are_a_24_or_a_64(void **state)
{
	struct network four = of("10.1.2.3"), six = of("2001:db8:1:2:3::4"), near;
	char text[NETWORK_TEXT_LEN + 1];

	(void)state;
	near = network_neighbours(&four);
	network_format(&near, text);
	assert_string_equal(text, "10.1.2.0/24");
	near = network_neighbours(&six);
	network_format(&near, text);
	assert_string_equal(text, "2001:db8:1:2::/64");
}

static void set(struct ban_list *list, const char *text, uint64_t until_ms)
{
	struct network network = of(text);

	ban_list_set(list, &network, until_ms);
}

static uint64_t find(struct ban_list *list, const char *text, uint64_t now_ms)
{
	struct network network = of(text);

	return ban_list_find(list, &network, now_ms);
}

static void bans_cover_their_networks_and_end(void **state)
{
	const uint64_t seed[2] = { 1, 2 };
	struct ban_list list;

	(void)state;
	ban_list_init(&list, 10, seed);
	assert_int_equal(find(&list, "10.1.2.3", 0), 0);
	set(&list, "10.1.2.3", 100);
	set(&list, "10.0.0.0/8", 200);
	set(&list, "2001:db8::/32", 300);
	assert_int_equal(find(&list, "10.1.2.3", 0), 200);
	assert_int_equal(find(&list, "10.9.9.9", 199), 200);
	assert_int_equal(find(&list, "10.9.9.9", 200), 0);
	assert_int_equal(list.by_network.count, 1);
	assert_int_equal(find(&list, "2001:db8:9::9", 200), 300);
	assert_int_equal(find(&list, "::1", 200), 0);
	set(&list, "2001:db8::/32", 0);
	set(&list, "2001:db8::/32", 0);
	assert_int_equal(find(&list, "2001:db8:9::9", 200), 0);
	ban_list_fini(&list);
}

static void a_full_list_forgets_what_ends_first(void **state)
{
	const uint64_t seed[2] = { 1, 2 };
	struct ban_list list;

	(void)state;
	ban_list_init(&list, 2, seed);
	set(&list, "10.0.0.1", 300);
	set(&list, "10.0.0.2", 100);
	set(&list, "10.0.0.3", 200);
	assert_int_equal(find(&list, "10.0.0.1", 0), 300);
	assert_int_equal(find(&list, "10.0.0.2", 0), 0);
	assert_int_equal(find(&list, "10.0.0.3", 0), 200);
	ban_list_clear(&list);
	assert_int_equal(find(&list, "10.0.0.3", 0), 0);
	ban_list_fini(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_stop_is_below_what_locks),
		cmocka_unit_test(the_window_is_never_shorter_than_the_directorys),
		cmocka_unit_test(delays_and_bans_double_up_to_their_ends),
		cmocka_unit_test(attempts_under_way_cannot_pass_the_stop),
		cmocka_unit_test(networks_are_read_and_written),
		cmocka_unit_test(networks_contain_what_is_in_them),
		cmocka_unit_test(neighbours_are_a_24_or_a_64),
		cmocka_unit_test(bans_cover_their_networks_and_end),
		cmocka_unit_test(a_full_list_forgets_what_ends_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
