#include "cmocka_all.h"

#include "skein/proto/base/buf.h"
#include "skein/proto/base/check.h"
#include "skein/proto/dns/mx.h"

#include <stdio.h>

enum { RECORDS = 8, SEEDS = 4000 };

static const char *const own_names[] = { "relay.example", "Me.Example." };
static const struct mx_self self = { own_names, ARRAY_LEN(own_names) };
static const struct mx_self nobody;

static void describe(const struct mx_choice *choice, struct buf *text)
{
	static const char *const verdicts[] = { "hosts", "null", "unusable", "loop" };

	buf_append_str(text, verdicts[choice->verdict]);
	for (size_t i = 0; i < choice->count; i++) {
		buf_printf(text, " %s", choice->hosts[i].name);
		if (choice->hosts[i].port)
			buf_printf(text, ":%u", choice->hosts[i].port);
	}
}

static void assert_choice(size_t row, const struct mx_choice *choice, const char *wanted)
{
	struct buf text = { 0 };

	describe(choice, &text);
	if (!span_eq(buf_span(&text), span_of_str(wanted)))
		fail_msg("row %zu: got \"%.*s\"", row, SPAN_ARGS(buf_span(&text)));
	buf_fini(&text);
}

static void hosts_are_chosen_by_preference(void **state)
{
	static const struct {
		struct dns_mx records[RECORDS];
		const char *text;
	} rows[] = {
		{ { { 10, "a" } }, "hosts a" },
		{ { { 20, "b" }, { 10, "a" }, { 30, "c" } }, "hosts a b c" },
		{ { { 0, "." } }, "null" },
		{ { { 10, "." } }, "null" },
		{ { { 0, "." }, { 10, "a" } }, "hosts a" },
		{ { { 10, "not\\ a\\ host" } }, "unusable" },
		{ { { 0, "." }, { 10, "." } }, "unusable" },
		/* The best place of a name counts. */
		{ { { 30, "A" }, { 10, "a" }, { 20, "b" } }, "hosts a b" },
		{ { { 10, "a" }, { 20, "relay.EXAMPLE" }, { 30, "b" } }, "hosts a" },
		{ { { 10, "a" }, { 20, "me.example" }, { 20, "b" } }, "hosts a" },
		{ { { 10, "relay.example" }, { 20, "b" } }, "loop" },
		{ { { 10, "bad\\ name" }, { 20, "relay.example" }, { 30, "b" } }, "loop" },
		{ { { 65535, "a" }, { 0, "b" } }, "hosts b a" },
		{ { { 65535, "relay.example" }, { 65535, "b" } }, "loop" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (uint64_t seed = 0; seed < 8; seed++) {
			struct dns_mx records[RECORDS];
			struct mx_choice choice;
			size_t count = 0;

			while (count < RECORDS && rows[i].records[count].host)
				count++;
			memcpy(records, rows[i].records, sizeof(records));
			mx_choose(records, count, &self, seed, &choice);
			assert_choice(i, &choice, rows[i].text);
		}
	}
}

static void hosts_of_one_preference_share_the_load(void **state)
{
	unsigned first[3] = { 0 };

	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct dns_mx records[] = { { 5, "0" }, { 5, "1" }, { 5, "2" }, { 9, "x" } };
		struct mx_choice choice;

		mx_choose(records, ARRAY_LEN(records), &nobody, seed, &choice);
		assert_int_equal(choice.count, 4);
		assert_string_equal(choice.hosts[3].name, "x");
		first[choice.hosts[0].name[0] - '0']++;
	}
	for (size_t i = 0; i < ARRAY_LEN(first); i++)
		assert_in_range(first[i], SEEDS / 3 - SEEDS / 20, SEEDS / 3 + SEEDS / 20);
}

static void the_best_hosts_are_kept_when_there_are_many(void **state)
{
	struct dns_mx records[MX_HOSTS_MAX * 4];
	char names[ARRAY_LEN(records)][8];
	struct mx_choice choice;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(records); i++) {
		(void)snprintf(names[i], sizeof(names[i]), "h%zu", i);
		records[i] = (struct dns_mx){ (uint16_t)(1000 - i), names[i] };
	}
	mx_choose(records, ARRAY_LEN(records), &nobody, 1, &choice);
	assert_int_equal(choice.count, MX_HOSTS_MAX);
	assert_string_equal(choice.hosts[0].name, "h63");
	assert_string_equal(choice.hosts[MX_HOSTS_MAX - 1].name, "h48");
}

static void a_domain_without_records_is_its_own_host(void **state)
{
	struct mx_choice choice;

	(void)state;
	mx_choose_implicit("example.com", &self, &choice);
	assert_choice(0, &choice, "hosts example.com");
	mx_choose_implicit("relay.example", &self, &choice);
	assert_choice(1, &choice, "loop");
}

static void a_host_that_is_ourselves_takes_the_worse_ones_along(void **state)
{
	static const struct {
		size_t index;
		const char *text;
	} rows[] = { { 0, "loop" }, { 1, "hosts a" }, { 2, "hosts a" }, { 3, "hosts a b c" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct mx_choice choice = { .verdict = MX_HOSTS,
			.count = 4,
			.hosts = { { "a", 1, 0 }, { "b", 2, 0 }, { "c", 2, 0 }, { "d", 3, 0 } } };

		mx_cut(&choice, rows[i].index);
		assert_choice(i, &choice, rows[i].text);
	}
}

static void services_are_chosen_by_priority(void **state)
{
	static const struct {
		struct dns_srv records[RECORDS];
		const char *text;
	} rows[] = {
		{ { { 2, 9, 587, "b" }, { 1, 0, 465, "a" } }, "hosts a:465 b:587" },
		{ { { 0, 0, 0, "." } }, "null" },
		{ { { 1, 0, 0, "a" }, { 2, 0, 25, "relay.example" } }, "hosts relay.example:25" },
		{ { { 1, 0, 25, "a" }, { 2, 0, 26, "a" }, { 3, 0, 25, "A" } }, "hosts a:25 a:26" },
		{ { { 1, 0, 25, "a\\.b" } }, "unusable" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dns_srv records[RECORDS];
		struct mx_choice choice;
		size_t count = 0;

		while (count < RECORDS && rows[i].records[count].host)
			count++;
		memcpy(records, rows[i].records, sizeof(records));
		mx_choose_srv(records, count, i, &choice);
		assert_choice(i, &choice, rows[i].text);
	}
}

static void weights_are_shares(void **state)
{
	unsigned first[3] = { 0 };

	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct dns_srv records[] = { { 1, 300, 25, "0" }, { 1, 100, 25, "1" }, { 1, 0, 25, "2" } };
		struct mx_choice choice;

		mx_choose_srv(records, ARRAY_LEN(records), seed, &choice);
		assert_int_equal(choice.count, 3);
		first[choice.hosts[0].name[0] - '0']++;
	}
	assert_in_range(first[0], SEEDS * 3 / 4 - SEEDS / 20, SEEDS * 3 / 4 + SEEDS / 20);
	assert_in_range(first[1], SEEDS / 4 - SEEDS / 20, SEEDS / 4 + SEEDS / 20);
	assert_in_range(first[2], 1, SEEDS / 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_are_chosen_by_preference),
		cmocka_unit_test(hosts_of_one_preference_share_the_load),
		cmocka_unit_test(the_best_hosts_are_kept_when_there_are_many),
		cmocka_unit_test(a_domain_without_records_is_its_own_host),
		cmocka_unit_test(a_host_that_is_ourselves_takes_the_worse_ones_along),
		cmocka_unit_test(services_are_chosen_by_priority),
		cmocka_unit_test(weights_are_shares),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
