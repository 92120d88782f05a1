/* Command lines, read by the table: what is taken, what is refused, and what a mistyped word was meant to be.
 */
#include "cmocka_all.h"

#include "call.h"

#include <stdio.h>

/* `line` is split at blanks; "skeinctl" stands before it. */
static bool read_line(struct call *call, const char *line, struct buf *why)
{
	static char copy[4096], *words[128];
	char *rest;
	int count = 0;

	words[count++] = "skeinctl";
	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		words[count++] = word;
	words[count] = NULL;
	return call_read(call, count, words, why);
}

/* `expected` NULL: it is read well. */
static void expect(const char *line, const char *expected)
{
	struct call call;
	struct buf why = { 0 };
	bool is_ok = read_line(&call, line, &why);

	buf_append_byte(&why, '\0');
	if (is_ok != !expected)
		fail_msg("\"%s\": \"%s\"", line, buf_span(&why).ptr);
	if (expected && !strstr(buf_span(&why).ptr, expected))
		fail_msg("\"%s\": \"%s\" lacks \"%s\"", line, buf_span(&why).ptr, expected);
	buf_fini(&why);
	call_fini(&call);
}

static void options_may_stand_anywhere_behind_their_command(void **state)
{
	static const char *const lines[] = {
		"queue list --limit 5 --sort age --json",
		"queue list --json --limit=5 --sort=age",
		"--json queue list --sort age --limit 4 --limit 5",
		"--redis a:1 queue list --limit 5 --key-file k --sort age --json",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct call call;
		struct buf why = { 0 };

		assert_true(read_line(&call, lines[i], &why));
		assert_string_equal(call.command->words, "queue list");
		assert_string_equal(call_text(&call, "sort"), "age");
		assert_int_equal(call_number(&call, "limit", 0), 5);
		assert_false(call_has(&call, "state"));
		assert_null(call_text(&call, "state"));
		assert_int_equal(call.word_count, 0);
		call_fini(&call);
	}
}

static void words_and_options_may_be_mixed(void **state)
{
	struct call call;
	struct buf why = { 0 };
	struct call_texts rules;

	(void)state;
	assert_true(read_line(&call, "acl add --rule a -mwhy 10.0.0.0/8 --rule=b", &why));
	rules = call_texts(&call, "rule");
	assert_int_equal(rules.count, 2);
	assert_string_equal(rules.items[1], "b");
	assert_string_equal(call_text(&call, "message"), "why");
	assert_string_equal(call_word(&call, 0), "10.0.0.0/8");
	assert_null(call_word(&call, 1));
	call_fini(&call);
}

static void behind_two_dashes_are_only_words(void **state)
{
	struct call call;
	struct buf why = { 0 };

	(void)state;
	assert_true(read_line(&call, "policy apply -m why -- --file", &why));
	assert_string_equal(call_word(&call, 0), "--file");
	call_fini(&call);
	assert_true(read_line(&call, "policy apply -", &why));
	assert_string_equal(call_word(&call, 0), "-");
	call_fini(&call);
}

/* explain has a --tls of its own. */
static void an_option_of_the_command_goes_before_that_of_all(void **state)
{
	struct call call;
	struct buf why = { 0 };

	(void)state;
	assert_true(read_line(&call, "explain --client 10.0.0.1 --tls", &why));
	assert_true(call_has(&call, "tls"));
	assert_null(call_global(&call, "tls"));
	call_fini(&call);
	assert_true(read_line(&call, "--tls explain --client 10.0.0.1", &why));
	assert_false(call_has(&call, "tls"));
	assert_non_null(call_global(&call, "tls"));
	call_fini(&call);
}

static void a_value_that_may_be_left_out_is_a_number(void **state)
{
	static const struct {
		const char *line;
		uint64_t seconds;
	} rows[] = { { "status --watch", 2 }, { "status --watch 5", 5 }, { "status --watch=5", 5 },
		{ "status --watch --json", 2 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct call call;
		struct buf why = { 0 };

		assert_true(read_line(&call, rows[i].line, &why));
		assert_true(call_has(&call, "watch"));
		assert_int_equal(call_number(&call, "watch", 2), rows[i].seconds);
		call_fini(&call);
	}
}

static void what_is_wrong_is_told_with_what_is_right(void **state)
{
	static const struct {
		const char *line, *why; /* NULL: good */
	} rows[] = {
		{ "", "which command?" },
		{ "--json", "which command?" },
		{ "queue list --limit 0", "--limit: \"0\" is no number from 1 to 1000000" },
		{ "queue list --limit -1", "no number from 1" },
		{ "queue list --limit 5x", "no number from 1" },
		{ "queue list --limit", "--limit needs a value: --limit N" },
		{ "queue list --limti 5", "unknown option \"--limti\": did you mean \"--limit\"?" },
		{ "queue list --resid a:1", "did you mean \"--redis\"?" },
		{ "queue list --nonsense", "unknown option \"--nonsense\": see skeinctl queue list --help" },
		{ "queue list -x", "unknown option \"-x\": see skeinctl queue list --help" },
		{ "queue list --json=yes", "--json takes no value" },
		{ "queue list --state lost",
			"--state: \"lost\" is none of due, deferred, owned, held, quarantined" },
		{ "queue list --sort size", "--sort: only \"age\" is known, not \"size\"" },
		{ "ban add 10.0.0.1 --for 5", "--for: \"5\" is no time up to 365 days" },
		{ "ban add 10.0.0.1 --for 366d", "is no time up to 365 days" },
		{ "ban add 10.0.0.1 --for 1h", NULL },
		{ "--nonsense status", "unknown option \"--nonsense\": see skeinctl --help" },
		{ "--limit 5 queue list", "unknown option \"--limit\"" },
		{ "status now", "status takes no \"now\"" },
		{ "status --watch 0", "no number from 1" },
		{ "nodes --yes", "unknown option \"--yes\"" },
		{ "hops dwon", "hops takes no \"dwon\": did you mean \"hops down\"?" },
		{ "secret set a b",
			"secret set takes no more words: the secret itself is read, never an argument" },
		{ "queue show", "queue show: ID is missing: skeinctl queue show ID [--all]" },
		{ "queue hold", "queue hold: ID is missing: skeinctl queue hold ID... " },
		{ "dkim retire a", "dkim retire: SELECTOR is missing" },
		{ "queue show --help", NULL },
		{ "--help", NULL },
		{ "queue --help", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect(rows[i].line, rows[i].why);
}

static void a_list_of_values_has_an_end(void **state)
{
	struct buf line = { 0 };

	(void)state;
	buf_append_str(&line, "explain --client 10.0.0.1");
	for (int i = 0; i < CALL_TEXTS_MAX; i++)
		buf_append_str(&line, " --to=a@b");
	buf_append_byte(&line, '\0');
	expect(buf_span(&line).ptr, NULL);
	buf_truncate(&line, buf_len(&line) - 1);
	buf_append_str(&line, " --to=a@b");
	buf_append_byte(&line, '\0');
	expect(buf_span(&line).ptr, "--to: more than 64 of them");
	buf_fini(&line);
}

static void a_mistyped_command_is_answered_with_the_nearest(void **state)
{
	static const struct {
		const char *line, *found, *why;
	} rows[] = {
		{ "status", "status", NULL },
		{ "queue list --limit 5", "queue list", NULL },
		{ "node forget a", "node forget", NULL },
		{ "drain a", "drain", NULL },
		{ "nodes", "nodes", NULL },
		{ "hops", "hops", NULL },
		{ "hops up a", "hops up", NULL },
		{ "queue --help", "help", NULL },
		{ "staus", NULL, "did you mean \"status\"?" },
		{ "satus", NULL, "did you mean \"status\"?" },
		{ "qeueu list", NULL, "did you mean \"queue\"?" },
		{ "queue lsit", NULL, "did you mean \"queue list\"?" },
		{ "queue", NULL, "queue what? list, show, retry, hold, release, cancel" },
		{ "queue frobnicate", NULL, "queue what? list" },
		{ "frobnicate", NULL, "see skeinctl --help" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf why = { 0 };
		struct call call;

		if (rows[i].found) {
			assert_true(read_line(&call, rows[i].line, &why));
			assert_string_equal(call.command->words, rows[i].found);
			call_fini(&call);
		} else {
			expect(rows[i].line, rows[i].why);
		}
	}
}

static void a_line_is_written_so_that_a_shell_reads_it_again(void **state)
{
	static const struct {
		char *argv[6];
		const char *line;
	} rows[] = {
		{ { "skeinctl", "user", "remove", "o'neil" }, "skeinctl user remove 'o'\\''neil' --yes" },
		{ { "/bin/skeinctl", "queue", "cancel", "--", "A" }, "skeinctl queue cancel --yes -- A" },
		{ { "skeinctl", "user", "remove", "" }, "skeinctl user remove '' --yes" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *argv[6];
		struct buf why = { 0 }, line = { 0 };
		struct call call;
		int argc = 0;

		memcpy(argv, rows[i].argv, sizeof(argv));
		while (argv[argc])
			argc++;
		assert_true(call_read(&call, argc, argv, &why));
		call_append_line(&line, &call, "--yes");
		assert_span_equal(buf_span(&line), rows[i].line);
		buf_fini(&line);
		call_fini(&call);
	}
}

/* What help, man page and completion are made of. */
static void every_row_of_the_table_is_whole(void **state)
{
	const struct command *command = NULL;

	(void)state;
	while ((command = command_next(command))) {
		const struct option_row *option = NULL;
		bool is_optional = false;

		assert_non_null(command->run);
		assert_true(strlen(command->summary) > 8 && strlen(command->summary) <= 72);
		assert_int_not_equal(command->summary[strlen(command->summary) - 1], '.');
		assert_true(!command->details || command->details[strlen(command->details) - 1] == '.');
		for (const struct word_row *word = command->arguments; word->name; word++) {
			assert_true(word->is_optional || !is_optional);
			assert_true(!word->is_many || !word[1].name);
			is_optional = word->is_optional;
		}
		while ((option = command_option_next(command, option))) {
			assert_true(option->help && strlen(option->help) <= 100);
			assert_ptr_equal(command_option(command, span_of_str(option->name)), option);
			assert_true(option->value || option->kind == WORD_TEXT);
			assert_int_equal(option->kind == WORD_CHOICE, option->choices != NULL);
			assert_int_equal(option->kind == WORD_NUMBER, option->max > 0);
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_may_stand_anywhere_behind_their_command),
		cmocka_unit_test(words_and_options_may_be_mixed),
		cmocka_unit_test(behind_two_dashes_are_only_words),
		cmocka_unit_test(an_option_of_the_command_goes_before_that_of_all),
		cmocka_unit_test(a_value_that_may_be_left_out_is_a_number),
		cmocka_unit_test(what_is_wrong_is_told_with_what_is_right),
		cmocka_unit_test(a_list_of_values_has_an_end),
		cmocka_unit_test(a_mistyped_command_is_answered_with_the_nearest),
		cmocka_unit_test(a_line_is_written_so_that_a_shell_reads_it_again),
		cmocka_unit_test(every_row_of_the_table_is_whole),
	};

	return cmocka_run_group_tests_name("call", tests, NULL, NULL);
}
