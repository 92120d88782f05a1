/* Which counters a message has, and what it takes of each. */
#include "cmocka_all.h"

#include "skein/cluster/limit_subject.h"

#include <stdio.h>

enum { ALL = (1u << LIMIT_UNITS) - 1, MANY = 1000 };

static const struct limit_rule rules[] = {
	{ .name = "client", .key = LIMIT_PER_CLIENT, .unit = LIMIT_MESSAGES },
	{ .name = "user", .key = LIMIT_PER_USER, .unit = LIMIT_RECIPIENTS },
	{ .name = "sender", .key = LIMIT_PER_SENDER, .unit = LIMIT_BYTES },
	{ .name = "from", .key = LIMIT_PER_SENDER_DOMAIN, .unit = LIMIT_MESSAGES },
	{ .name = "to", .key = LIMIT_PER_RECIPIENT_DOMAIN, .unit = LIMIT_RECIPIENTS },
	{ .name = "to-once", .key = LIMIT_PER_RECIPIENT_DOMAIN, .unit = LIMIT_MESSAGES },
	{ .name = "route", .key = LIMIT_PER_ROUTE, .unit = LIMIT_MESSAGES },
	{ .name = "all", .key = LIMIT_PER_CLUSTER, .unit = LIMIT_AUTH_FAILURES },
};

static struct limit_subject subject_from(const char *client)
{
	struct limit_subject subject = { .bytes = 4711 };

	assert_true(network_parse(span_of_str(client), &subject.client));
	return subject;
}

/* "client:10.0.0.1=1 ..." */
static const char *takes_of(const struct limit_subject *subject, unsigned units)
{
	static char text[1024];
	const struct limit_rule *limits[ARRAY_LEN(rules)];
	const struct limit_take *takes;
	struct arena arena = { 0 };
	size_t count, len = 0;

	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		limits[i] = &rules[i];
	count = limit_subject_takes(subject, limits, ARRAY_LEN(limits), units, &arena, &takes);
	text[0] = '\0';
	for (size_t i = 0; i < count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s:%.*s=%llu", i ? " " : "",
			takes[i].rule->name, SPAN_ARGS(takes[i].value), (unsigned long long)takes[i].cost);
	arena_fini(&arena);
	return text;
}

static void each_key_has_its_counter(void **state)
{
	const struct span recipients[] = { SPAN_LIT("a@x.example"), SPAN_LIT("b@Y.example"),
		SPAN_LIT("\"c@d\"@X.example"), SPAN_LIT("d@[192.0.2.1]") };
	struct limit_subject subject = subject_from("10.0.0.1");

	(void)state;
	subject.user = SPAN_LIT("ann@example.org");
	subject.sender = SPAN_LIT("ann@example.org");
	subject.recipients = recipients;
	subject.recipient_count = ARRAY_LEN(recipients);
	assert_string_equal(takes_of(&subject, ALL),
		"client:10.0.0.1=1 user:ann@example.org=4 sender:ann@example.org=4711 from:example.org=1 "
		"to:[192.0.2.1]=1 to:x.example=2 to:Y.example=1 "
		"to-once:[192.0.2.1]=1 to-once:x.example=1 to-once:Y.example=1 route:default=1 all:all=1");
	assert_string_equal(takes_of(&subject, 1u << LIMIT_BYTES), "sender:ann@example.org=4711");
	assert_string_equal(takes_of(&subject, 0), "");
}

static void what_is_not_there_is_not_counted(void **state)
{
	struct limit_subject subject = subject_from("2001:db8:1:2:3:4:5:6");

	(void)state;
	assert_string_equal(takes_of(&subject, ALL),
		"client:2001:db8:1:2::/64=1 sender:<>=4711 from:<>=1 route:default=1 all:all=1");
}

/* A counter's name has room for so many bytes, and a longer one would be a broken invariant. */
static void a_long_value_is_cut(void **state)
{
	static char user[LIMIT_VALUE_MAX * 2];
	const struct limit_rule *limits[] = { &rules[1] };
	struct limit_subject subject = subject_from("10.0.0.1");
	const struct limit_take *takes;
	struct arena arena = { 0 };

	(void)state;
	memset(user, 'u', sizeof(user));
	subject.user = span_of(user, sizeof(user));
	assert_int_equal(limit_subject_takes(&subject, limits, 1, ALL, &arena, &takes), 1);
	assert_int_equal(takes->value.len, LIMIT_VALUE_MAX);
	arena_fini(&arena);
}

/* Each domain is one take, however the recipients are mixed. */
static void many_domains_are_many_takes(void **state)
{
	static char names[MANY][24];
	static struct span recipients[MANY];
	const struct limit_rule *limits[] = { &rules[4] };
	struct limit_subject subject = subject_from("10.0.0.1");
	const struct limit_take *takes;
	struct arena arena = { 0 };
	uint64_t sum = 0;
	size_t count;

	(void)state;
	for (size_t i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof(names[i]), "u%zu@%c%zu.example", i, i % 2 ? 'd' : 'D', i % 250);
		recipients[i] = span_of_str(names[i]);
	}
	subject.recipients = recipients;
	subject.recipient_count = MANY;
	count = limit_subject_takes(&subject, limits, 1, ALL, &arena, &takes);
	assert_int_equal(count, 250);
	for (size_t i = 0; i < count; i++)
		sum += takes[i].cost;
	assert_int_equal(sum, MANY);
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_key_has_its_counter),
		cmocka_unit_test(what_is_not_there_is_not_counted),
		cmocka_unit_test(a_long_value_is_cut),
		cmocka_unit_test(many_domains_are_many_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
