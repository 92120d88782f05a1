/*
 * The conformance suite of RFC 7208 in openspf's YAML format: several documents, each with tests and the zone
 * they are made in. It lies beside the checkout; without it this is skipped.
 */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>

#include <arpa/inet.h>
#include <yaml.h>

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/arena.h"
#include "skein/proto/base/buf.h"
#include "skein/proto/base/check.h"
#include "skein/proto/spf/spf.h"

enum { TEST_COUNT = 203, SKIPPED = 77, ALIAS_MAX = 8, RECORDS_MAX = 32 };

static char path[1024];

static struct span get_text(const yaml_node_t *node)
{
	assert_int_equal(node->type, YAML_SCALAR_NODE);
	return span_of((const char *)node->data.scalar.value, node->data.scalar.length);
}

/* NULL: there is no such key. */
static yaml_node_t *get_value(yaml_document_t *document, const yaml_node_t *map, const char *key)
{
	assert_int_equal(map->type, YAML_MAPPING_NODE);
	for (yaml_node_pair_t *pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top;
		pair++) {
		struct span name = get_text(yaml_document_get_node(document, pair->key));

		if (span_eq_nocase(name, span_of_str(key)))
			return yaml_document_get_node(document, pair->value);
	}
	return NULL;
}

/* A scalar, or the scalars of a sequence joined; `first` says with which to begin. */
static struct span join(yaml_document_t *document, const yaml_node_t *node, size_t first, struct arena *arena)
{
	struct buf joined = { 0 };
	struct span text;

	if (node->type == YAML_SCALAR_NODE)
		return get_text(node);
	for (yaml_node_item_t *item = node->data.sequence.items.start + first;
		item < node->data.sequence.items.top; item++)
		buf_append(&joined, get_text(yaml_document_get_node(document, *item)));
	text = arena_dup(arena, buf_span(&joined));
	buf_fini(&joined);
	return text;
}

/* What the zone holds for one name and type. */
struct found {
	struct arena arena;
	struct span records[RECORDS_MAX];
	size_t count;
	bool has_type, times_out;
	struct span alias;
};

static void add_record(
	struct found *found, yaml_document_t *document, enum spf_query_type type, const yaml_node_t *value)
{
	struct span text = join(document, value, type == SPF_QUERY_MX ? 1 : 0, &found->arena);
	uint8_t address[16];

	found->has_type = true;
	/* "TXT: NONE" keeps records of the old type SPF from being TXT ones. */
	if (type == SPF_QUERY_TXT && span_eq(text, SPAN_LIT("NONE")))
		return;
	if (type == SPF_QUERY_A || type == SPF_QUERY_AAAA) {
		char *copy = arena_strdup(&found->arena, text);

		assert_int_equal(inet_pton(type == SPF_QUERY_A ? AF_INET : AF_INET6, copy, address), 1);
		text = arena_dup(&found->arena, span_of((const char *)address, type == SPF_QUERY_A ? 4 : 16));
	}
	assert_true(found->count < RECORDS_MAX);
	found->records[found->count++] = text;
}

static void find_records(struct found *found, yaml_document_t *document, const yaml_node_t *entries,
	enum spf_query_type type, const char *type_name)
{
	yaml_node_item_t *end = entries->data.sequence.items.top;

	for (yaml_node_item_t *item = entries->data.sequence.items.start; item < end; item++) {
		yaml_node_t *entry = yaml_document_get_node(document, *item), *value;

		if (entry->type == YAML_SCALAR_NODE) {
			assert_span_equal(get_text(entry), "TIMEOUT");
			found->times_out = true;
			continue;
		}
		value = get_value(document, entry, type_name);
		if (value)
			add_record(found, document, type, value);
		value = get_value(document, entry, "CNAME");
		if (value)
			found->alias = get_text(value);
	}
}

/* False: there is no such name. */
static bool find_name(struct found *found, yaml_document_t *document, const yaml_node_t *zone,
	struct span name, enum spf_query_type type)
{
	static const char *const type_names[] = { "TXT", "A", "AAAA", "MX", "PTR" };
	char *key = arena_strdup(&found->arena, name);
	yaml_node_t *entries = get_value(document, zone, key);

	found->has_type = found->times_out = false;
	found->alias = span_of(NULL, 0);
	if (!entries)
		return false;
	find_records(found, document, entries, type, type_names[type]);
	if (type == SPF_QUERY_TXT && !found->has_type)
		find_records(found, document, entries, type, "SPF");
	return true;
}

static void answer(struct spf_check *check, yaml_document_t *document, const yaml_node_t *zone)
{
	struct spf_question question;
	struct found found = { 0 };
	struct spf_answer reply = { SPF_ANSWER_NO_DATA, found.records, 0 };
	struct span name;

	assert_true(spf_check_question(check, &question));
	name = question.name;
	for (unsigned i = 0; i < ALIAS_MAX && name.len; i++) {
		if (!find_name(&found, document, zone, name, question.type))
			reply.status = SPF_ANSWER_NXDOMAIN;
		else if (found.count)
			reply.status = SPF_ANSWER_RECORDS;
		else if (found.times_out)
			reply.status = SPF_ANSWER_TEMPERROR;
		name = found.alias;
		if (name.len && name.ptr[name.len - 1] == '.')
			name.len--;
	}
	reply.count = found.count;
	spf_check_answer(check, &reply);
	arena_fini(&found.arena);
}

static struct span get_field(yaml_document_t *document, const yaml_node_t *test, const char *key)
{
	yaml_node_t *node = get_value(document, test, key);

	return node ? get_text(node) : span_of(NULL, 0);
}

static struct spf_request make_request(yaml_document_t *document, const yaml_node_t *test)
{
	struct spf_request request = {
		.helo = get_field(document, test, "helo"),
		.mail_from = get_field(document, test, "mailfrom"),
		.receiver = SPAN_LIT("mx.example.org"),
		.now = 1000000000,
	};
	char *host =
		mem_strndup(get_field(document, test, "host").ptr, get_field(document, test, "host").len);

	request.client_len = strchr(host, ':') ? 16 : 4;
	assert_int_equal(inet_pton(request.client_len == 4 ? AF_INET : AF_INET6, host, request.client), 1);
	mem_free(host);
	return request;
}

/* `wanted` is one result or a list of those that are allowed. */
static bool is_allowed(yaml_document_t *document, const yaml_node_t *wanted, enum spf_result result)
{
	struct span name = span_of_str(spf_result_name(result));

	if (wanted->type == YAML_SCALAR_NODE)
		return span_eq(get_text(wanted), name);
	for (yaml_node_item_t *item = wanted->data.sequence.items.start;
		item < wanted->data.sequence.items.top; item++) {
		if (span_eq(get_text(yaml_document_get_node(document, *item)), name))
			return true;
	}
	return false;
}

/* "DEFAULT": what a receiver says of its own when the domain says nothing. */
static bool is_explained(yaml_document_t *document, const yaml_node_t *test, struct span explanation)
{
	yaml_node_t *wanted = get_value(document, test, "explanation");

	if (!wanted)
		return true;
	if (span_eq(get_text(wanted), SPAN_LIT("DEFAULT")))
		return explanation.len == 0;
	return span_eq(get_text(wanted), explanation);
}

static bool passes(yaml_document_t *document, const yaml_node_t *zone, struct span name, yaml_node_t *test)
{
	struct spf_request request = make_request(document, test);
	struct spf_check *check = spf_check_new(&request);
	struct spf_question question;
	const struct spf_verdict *verdict;
	unsigned questions = 0;
	bool passed;

	while (spf_check_question(check, &question) && questions++ < SPF_QUESTIONS_MAX)
		answer(check, document, zone);
	verdict = spf_check_verdict(check);
	passed = is_allowed(document, get_value(document, test, "result"), verdict->result) &&
		 is_explained(document, test, verdict->explanation);
	/* Who is to mend a record must be told what is wrong with it. */
	passed = passed && (verdict->problem.len > 0) ==
				   (verdict->result == SPF_NONE || verdict->result == SPF_TEMPERROR ||
					   verdict->result == SPF_PERMERROR);
	if (!passed)
		fprintf(stderr, "%.*s: %s, \"%.*s\", problem \"%.*s\" in \"%.*s\"\n", SPAN_ARGS(name),
			spf_result_name(verdict->result), SPAN_ARGS(verdict->explanation),
			SPAN_ARGS(verdict->problem), SPAN_ARGS(verdict->where.term));
	spf_check_free(&check);
	return passed;
}

static void run_document(yaml_document_t *document, unsigned *ran, unsigned *passed)
{
	yaml_node_t *root = yaml_document_get_root_node(document);
	yaml_node_t *tests = get_value(document, root, "tests");
	yaml_node_t *zone = get_value(document, root, "zonedata");

	for (yaml_node_pair_t *pair = tests->data.mapping.pairs.start; pair < tests->data.mapping.pairs.top;
		pair++) {
		struct span name = get_text(yaml_document_get_node(document, pair->key));

		*ran += 1;
		*passed += passes(document, zone, name, yaml_document_get_node(document, pair->value));
	}
}

static void every_test_of_the_suite_passes(void **state)
{
	FILE *file = fopen(path, "rb");
	yaml_parser_t parser;
	unsigned ran = 0, passed = 0;
	bool has_more = true;

	(void)state;
	assert_non_null(file);
	assert_int_equal(yaml_parser_initialize(&parser), 1);
	yaml_parser_set_input_file(&parser, file);
	while (has_more) {
		yaml_document_t document;

		assert_int_equal(yaml_parser_load(&parser, &document), 1);
		has_more = yaml_document_get_root_node(&document) != NULL;
		if (has_more)
			run_document(&document, &ran, &passed);
		yaml_document_delete(&document);
	}
	yaml_parser_delete(&parser);
	fclose(file);
	printf("%u of %u tests of the RFC 7208 suite passed\n", passed, ran);
	assert_true(ran >= TEST_COUNT);
	assert_int_equal(passed, ran);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_test_of_the_suite_passes) };
	const char *source = getenv("SKEIN_SOURCE");
	FILE *file;

	snprintf(path, sizeof(path), "%s/../shared/data/rfc7208-tests.yml", source ? source : ".");
	file = fopen(path, "rb");
	if (!file) {
		printf("skipped: there is no %s\n", path);
		return SKIPPED;
	}
	fclose(file);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
