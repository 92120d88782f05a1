/* How a command line may go on, as far as the table knows. */
#include "cmocka_all.h"

#include "completion.h"

#include <stdio.h>

/* `line` is split at blanks; its last word is the one to complete, and is empty where the line ends with a
 * blank. */
static void complete(const char *line, struct completion *completion, struct buf *out)
{
	static char copy[1024];
	static const char *words[32];
	size_t count = 0, len = strlen(line);
	char *rest;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		words[count++] = word;
	if (len == 0 || line[len - 1] == ' ')
		words[count++] = "";
	completion_look(completion, count, words);
	completion_append(out, completion);
	buf_append_byte(out, '\0');
}

/* "a b c": the candidates, in order. */
static void candidates_of(const char *text, char *names, size_t size)
{
	size_t len = 0;

	names[0] = '\0';
	for (; *text; text += strcspn(text, "\n") + 1)
		len += (size_t)snprintf(
			names + len, size - len, "%s%.*s", len ? " " : "", (int)strcspn(text, "\t\n"), text);
}

static void lines_go_on_as_the_table_has_it(void **state)
{
	static const struct {
		const char *line, *names;
	} rows[] = {
		{ "pol", "policy" },
		{ "queue ", "list show retry hold release cancel" },
		{ "queue re", "retry release" },
		{ "--redis a:1 queue re", "retry release" },
		{ "hops ", "down up" },
		{ "help queue s", "show" },
		{ "help h", "hops help" },
		{ "queue list --s", "--state --sort" },
		{ "queue list --state due --s", "--sort" },
		{ "queue list --state ", "due deferred owned held quarantined" },
		{ "queue list --state d", "due deferred" },
		{ "queue list --state=d", "--state=due --state=deferred" },
		{ "queue list --limit ", "" },
		{ "queue list ", "" },
		{ "queue cancel --y", "--yes" },
		{ "status --w", "--watch" },
		{ "acl add --rule a --r", "--rule" },
		{ "--tls-c", "--tls-ca --tls-cert" },
		{ "--tls-ca ", ":file" },
		{ "--tls-ca=", ":file" },
		{ "policy apply ", ":file" },
		{ "policy apply -m ", "" },
		{ "policy apply -m why ", ":file" },
		{ "policy apply -- --", ":file" },
		{ "completion ", "bash zsh" },
		{ "completion zsh ", "" },
		{ "alerts silence q", "queue-age queue-size" },
		{ "log --kind DEF", "DEFER" },
		{ "user list --w", "--watch" },
		{ "dns check --w", "--watch" },
		{ "__", "" },
		{ "nonsense ", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct completion completion;
		struct buf out = { 0 };
		char names[1024];

		complete(rows[i].line, &completion, &out);
		candidates_of(buf_span(&out).ptr, names, sizeof(names));
		if (strcmp(names, rows[i].names) != 0)
			fail_msg("\"%s\": \"%s\", not \"%s\"", rows[i].line, names, rows[i].names);
		buf_fini(&out);
		completion_fini(&completion);
	}
}

static void what_only_the_cluster_knows_is_named_by_its_kind(void **state)
{
	static const struct {
		const char *line;
		enum word_kind kind;
	} rows[] = {
		{ "drain ", WORD_NODE },
		{ "drain --wait rel", WORD_NODE },
		{ "node forget rel", WORD_NODE },
		{ "queue hold a b ", WORD_MESSAGE },
		{ "policy rollback ", WORD_VERSION },
		{ "policy diff 1 ", WORD_VERSION },
		{ "acl remove --rule=", WORD_RULE },
		{ "hops up ", WORD_HOP },
		{ "secret remove a ", WORD_SECRET },
		{ "dkim publish ", WORD_DOMAIN },
		{ "user set ", WORD_USER },
		{ "user add --group ", WORD_GROUP },
		{ "dkim retire example.org ", WORD_SELECTOR },
		{ "dkim publish example.org a ", WORD_SELECTOR },
		{ "dns check --dkim ", WORD_SELECTOR },
		{ "alerts test ", WORD_CHANNEL },
		{ "ban remove ", WORD_BAN },
		{ "acl remove ", WORD_NETWORK },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct completion completion;
		struct buf out = { 0 };

		complete(rows[i].line, &completion, &out);
		assert_int_equal(completion.what, COMPLETE_VALUE);
		assert_int_equal(completion.kind, rows[i].kind);
		assert_non_null(completion.call.command);
		buf_fini(&out);
		completion_fini(&completion);
	}
}

static void a_word_that_a_shell_would_take_apart_is_not_offered(void **state)
{
	static const struct {
		const char *word;
		bool is_offered;
	} rows[] = {
		{ "relay-1.example.net", true },
		{ "[2001:db8::1]:25", true },
		{ "token/mail_1,2=x+y@a%b", true },
		{ "", false },
		{ "a$(id)", false },
		{ "a`id`", false },
		{ "a;id", false },
		{ "a b", false },
		{ "a\nid", false },
		{ "a\tb", false },
		{ "a'b", false },
		{ "a\"b", false },
		{ "a\\b", false },
		{ "a|b", false },
		{ "a&b", false },
		{ "a>b", false },
		{ "a*", false },
		{ "a!b", false },
		{ "~b", false },
		{ "a\x1b[2J", false },
		{ "a\xc2\x9b", false },
		{ ":file", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct completion completion = { .word = "", .value = "" };
		struct buf out = { 0 };

		completion_offer(&out, &completion, span_of_str(rows[i].word), "");
		assert_int_equal(buf_len(&out) > 0, rows[i].is_offered);
		buf_fini(&out);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_go_on_as_the_table_has_it),
		cmocka_unit_test(what_only_the_cluster_knows_is_named_by_its_kind),
		cmocka_unit_test(a_word_that_a_shell_would_take_apart_is_not_offered),
	};

	return cmocka_run_group_tests_name("completion", tests, NULL, NULL);
}
