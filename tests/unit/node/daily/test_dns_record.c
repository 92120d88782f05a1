#include "cmocka_all.h"

#include "daily/dns_record.h"
#include "skein/cluster/daily_store.h"
#include "skein/proto/base/alloc.h"

enum { CHANGES_MAX = 20 };

struct told {
	struct dns_change changes[CHANGES_MAX];
	size_t count;
};

static void on_change(void *arg, const struct dns_change *change)
{
	struct told *told = arg;

	assert_in_range(told->count, 0, CHANGES_MAX - 1);
	told->changes[told->count++] = *change;
}

static void put(struct dns_report *report, enum dns_topic topic, enum dns_severity severity, const char *what)
{
	report->findings[report->count++] = (struct dns_finding){
		.topic = topic,
		.severity = severity,
		.where = SPAN_LIT("example.org"),
		.what = span_of_str(what),
		.found = SPAN_LIT("one\ntwo"),
		.publish = SPAN_LIT("example.org. IN TXT \"v=spf1 -all\"\nsecond line"),
	};
}

/* The next record of a domain whose SPF is as said. */
static struct dns_record *next(const struct dns_record *before, enum dns_severity spf, struct told *told)
{
	struct dns_report *report = mem_zalloc(sizeof(*report));
	struct dns_record *record = mem_zalloc(sizeof(*record));

	*told = (struct told){ .count = 0 };
	put(report, DNS_TOPIC_SPF, DNS_CHECK_OK, "it is there");
	put(report, DNS_TOPIC_SPF, spf, "as the row says");
	dns_record_add(record, "example.org", report, before, on_change, told);
	mem_free(report);
	return record;
}

static void drop(struct dns_record **record)
{
	if (*record)
		dns_record_fini(*record);
	mem_free(*record);
	*record = NULL;
}

static enum dns_severity severity_of(char letter)
{
	for (enum dns_severity it = DNS_CHECK_OK; it <= DNS_CHECK_UNKNOWN; it++)
		if (dns_severity_name(it)[0] == letter)
			return it;
	fail_msg("no severity: %c", letter);
	return DNS_CHECK_OK;
}

static void what_changed_is_told_once(void **state)
{
	static const struct {
		char found, told; /* '-': nothing */
		char counts;
	} days[] = {
		{ 'o', '-', 'o' },
		{ 'f', 'f', 'f' },
		{ 'f', '-', 'f' },
		{ 'w', 'w', 'w' },
		{ 'u', '-', 'w' },
		{ 'w', '-', 'w' },
		{ 'u', '-', 'w' },
		{ 'u', 'u', 'u' },
		{ 'u', '-', 'u' },
		{ 'o', 'o', 'o' },
		{ 'u', '-', 'o' },
		{ 'f', 'f', 'f' },
		{ 'o', 'o', 'o' },
	};
	struct dns_record *before = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(days); i++) {
		struct told told;
		struct dns_record *now = next(before, severity_of(days[i].found), &told);

		assert_int_equal(told.count, days[i].told == '-' ? 0 : 1);
		if (told.count) {
			assert_int_equal(told.changes[0].topic, DNS_TOPIC_SPF);
			assert_int_equal(told.changes[0].to, severity_of(days[i].told));
			assert_int_equal(
				told.changes[0].from, before->domains[0].checks[DNS_TOPIC_SPF].state);
		}
		assert_int_equal(dns_record_worst(&now->domains[0]), severity_of(days[i].counts));
		assert_int_equal(dns_record_has_unknown(now), days[i].found == 'u');
		drop(&before);
		before = now;
	}
	drop(&before);
}

static void a_domain_that_is_new_counts_as_ok_before(void **state)
{
	struct dns_record *record;
	struct told told;

	(void)state;
	record = next(NULL, DNS_CHECK_WARN, &told);
	assert_int_equal(told.count, 1);
	assert_int_equal(told.changes[0].from, DNS_CHECK_OK);
	drop(&record);
	record = next(NULL, DNS_CHECK_UNKNOWN, &told);
	assert_int_equal(told.count, 0);
	drop(&record);
}

static void a_record_is_read_as_it_was_written(void **state)
{
	struct dns_record *record, *back = mem_zalloc(sizeof(*back));
	struct buf text = { 0 }, again = { 0 };
	struct told told;

	(void)state;
	record = next(NULL, DNS_CHECK_FAIL, &told);
	dns_record_write(record, &text);
	assert_true(dns_record_read(back, buf_span(&text)));
	assert_int_equal(back->count, 1);
	assert_memory_equal(
		back->domains[0].checks, record->domains[0].checks, sizeof(record->domains[0].checks));
	dns_record_write(back, &again);
	assert_true(span_eq(buf_span(&text), buf_span(&again)));
	drop(&record);
	drop(&back);
	buf_fini(&text);
	buf_fini(&again);
}

static void what_is_no_record_is_refused_whole(void **state)
{
	static const char *const texts[] = { "", "{", "[]", "{}", "{\"domains\":{}}", "{\"domains\":[7]}",
		"{\"domains\":[{\"domain\":\"a.example\"}]}",
		"{\"domains\":[{\"domain\":\"a.example\",\"checks\":{},\"findings\":[]}]}",
		"{\"domains\":[{\"domain\":\"a.example\",\"checks\":{\"spf\":{\"state\":\"good\"}},"
		"\"findings\":[]}"
		"]}" };
	struct dns_record *record = mem_zalloc(sizeof(*record));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_false(dns_record_read(record, span_of_str(texts[i])));
		assert_int_equal(record->count, 0);
	}
	drop(&record);
}

/* Long findings with bytes of any kind, of as many domains as there may be. */
static void the_text_has_a_bound_and_names_every_domain(void **state)
{
	struct dns_record *record = mem_zalloc(sizeof(*record)), *back = mem_zalloc(sizeof(*back));
	struct dns_report *report = mem_zalloc(sizeof(*report));
	char *rubbish = mem_alloc(5000), name[64];
	struct buf text = { 0 };
	struct told told = { .count = 0 };

	(void)state;
	for (size_t i = 0; i < 5000; i++)
		rubbish[i] = (char)(i % 97 ? i : '\n');
	for (size_t i = 0; i < DNS_FINDINGS_MAX; i++) {
		put(report, DNS_TOPIC_MX, DNS_CHECK_OK, "x");
		report->findings[i].what = report->findings[i].found = report->findings[i].publish =
			span_of(rubbish, 5000);
		report->findings[i].severity = i % 2 ? DNS_CHECK_OK : DNS_CHECK_WARN;
	}
	for (unsigned i = 0; i < DNS_RECORD_DOMAINS_MAX + 3; i++) {
		told.count = 0;
		snprintf(name, sizeof(name), "domain-%u.example", i);
		dns_record_add(record, name, report, NULL, on_change, &told);
	}
	assert_int_equal(record->count, DNS_RECORD_DOMAINS_MAX);
	assert_int_equal(json_array_size(record->domains[0].findings), 40);
	dns_record_write(record, &text);
	assert_in_range(buf_len(&text), DNS_RECORD_DOMAINS_MAX, DAILY_TEXT_MAX);
	assert_true(dns_record_read(back, buf_span(&text)));
	assert_int_equal(back->count, DNS_RECORD_DOMAINS_MAX);
	assert_int_equal(json_array_size(back->domains[0].findings), 40);
	assert_int_equal(json_array_size(back->domains[DNS_RECORD_DOMAINS_MAX - 1].findings), 0);
	assert_int_equal(dns_record_worst(&back->domains[DNS_RECORD_DOMAINS_MAX - 1]), DNS_CHECK_WARN);
	drop(&record);
	drop(&back);
	mem_free(report);
	mem_free(rubbish);
	buf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_changed_is_told_once),
		cmocka_unit_test(a_domain_that_is_new_counts_as_ok_before),
		cmocka_unit_test(a_record_is_read_as_it_was_written),
		cmocka_unit_test(what_is_no_record_is_refused_whole),
		cmocka_unit_test(the_text_has_a_bound_and_names_every_domain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
