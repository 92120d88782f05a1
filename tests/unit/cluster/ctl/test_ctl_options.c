/* What is said before and after a command, and what a mistyped one was meant to be. */
#include "cmocka_all.h"

#include "arguments.h"
#include "command.h"
#include "options.h"
#include "scratch_dir.h"

struct parsed {
	struct ctl_options options;
	int next;
	bool is_ok;
	struct buf why;
};

/* `line` is split at blanks. */
static char **split_line(const char *line, int *argc_out)
{
	static char copy[1024], *words[32];
	char *rest;
	int count = 0;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		words[count++] = word;
	words[count] = NULL;
	*argc_out = count;
	return words;
}

static struct parsed parse(const char *line)
{
	struct parsed parsed = { .next = 0 };
	int argc;
	char **argv = split_line(line, &argc);

	parsed.is_ok = options_parse(&parsed.options, argc, argv, &parsed.next, &parsed.why) &&
		       (parsed.options.wants_help || options_finish(&parsed.options, &parsed.why));
	return parsed;
}

static void parsed_fini(struct parsed *parsed)
{
	options_fini(&parsed->options);
	buf_fini(&parsed->why);
}

static void addresses_are_split_at_the_ports_colon(void **state)
{
	static const struct {
		const char *redis, *host, *port; /* host NULL: refused */
	} rows[] = {
		{ "db:6380", "db", "6380" },
		{ "db", "db", "6379" },
		{ "10.0.0.1:1", "10.0.0.1", "1" },
		{ "[2001:db8::1]:6379", "2001:db8::1", "6379" },
		{ "[::1]", "::1", "6379" },
		{ "2001:db8::1", NULL, NULL },
		{ "db:", NULL, NULL },
		{ "db:0", NULL, NULL },
		{ "db:65536", NULL, NULL },
		{ "db:redis", NULL, NULL },
		{ ":6379", NULL, NULL },
		{ "[]:6379", NULL, NULL },
	};
	char line[128];

	(void)state;
	unsetenv("SKEIN_REDIS");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct parsed parsed;

		snprintf(line, sizeof(line), "skeinctl --redis %s status", rows[i].redis);
		parsed = parse(line);
		assert_int_equal(parsed.is_ok, rows[i].host != NULL);
		if (rows[i].host) {
			assert_string_equal(parsed.options.host, rows[i].host);
			assert_string_equal(parsed.options.port, rows[i].port);
			assert_int_equal(parsed.next, 3);
		} else {
			assert_true(buf_len(&parsed.why) > 0);
		}
		parsed_fini(&parsed);
	}
}

static void the_command_line_goes_before_the_environment(void **state)
{
	struct parsed parsed;

	(void)state;
	setenv("SKEIN_REDIS", "env:1", 1);
	parsed = parse("skeinctl status");
	assert_true(parsed.is_ok);
	assert_string_equal(parsed.options.host, "env");
	parsed_fini(&parsed);
	parsed = parse("skeinctl --redis line:2 status");
	assert_string_equal(parsed.options.host, "line");
	parsed_fini(&parsed);
	unsetenv("SKEIN_REDIS");
	parsed = parse("skeinctl status");
	assert_false(parsed.is_ok);
	assert_true(strstr(buf_span(&parsed.why).ptr, "where is Redis?"));
	parsed_fini(&parsed);
}

static void sentinels_are_in_place_of_redis(void **state)
{
	struct parsed parsed = parse("skeinctl --sentinel a:1,[::1],c --master-name mail status");

	(void)state;
	assert_true(parsed.is_ok);
	assert_null(parsed.options.host);
	assert_int_equal(parsed.options.sentinel_count, 3);
	assert_string_equal(parsed.options.sentinel[0].port, "1");
	assert_string_equal(parsed.options.sentinel[1].host, "::1");
	assert_string_equal(parsed.options.sentinel[2].port, "26379");
	assert_string_equal(parsed.options.master_name, "mail");
	parsed_fini(&parsed);
	parsed = parse("skeinctl --sentinel a:1,b: status");
	assert_false(parsed.is_ok);
	assert_true(strstr(buf_span(&parsed.why).ptr, "\"b:\" is no address"));
	parsed_fini(&parsed);
	parsed = parse("skeinctl --sentinel a:1 --redis b:1 status");
	assert_false(parsed.is_ok);
	assert_true(strstr(buf_span(&parsed.why).ptr, "--redis (SKEIN_REDIS, redis.address) and --sentinel"));
	parsed_fini(&parsed);
	setenv("SKEIN_SENTINELS", "env:1", 1);
	parsed = parse("skeinctl status");
	assert_true(parsed.is_ok);
	assert_string_equal(parsed.options.sentinel[0].host, "env");
	parsed_fini(&parsed);
	parsed = parse("skeinctl --redis line:2 status");
	assert_true(parsed.is_ok);
	assert_int_equal(parsed.options.sentinel_count, 0);
	parsed_fini(&parsed);
	unsetenv("SKEIN_SENTINELS");
}

static void sentinels_come_from_a_settings_file_too(void **state)
{
	static const char settings[] = "redis:\n"
				       "  sentinels: ['s1:26379', 's2:26380']\n"
				       "  master_name: mail\n"
				       "  sentinel_user: skein\n"
				       "  sentinel_tls: none\n"
				       "  tls: {enabled: true}\n";
	struct scratch_dir dir = scratch_make(), file = scratch_path(&dir, "node.yaml");
	struct parsed parsed;
	char line[512];

	(void)state;
	scratch_write(file.path, settings, strlen(settings));
	snprintf(line, sizeof(line), "skeinctl --config %s status", file.path);
	parsed = parse(line);
	assert_true(parsed.is_ok);
	assert_int_equal(parsed.options.sentinel_count, 2);
	assert_string_equal(parsed.options.sentinel[1].host, "s2");
	assert_string_equal(parsed.options.sentinel[1].port, "26380");
	assert_string_equal(parsed.options.master_name, "mail");
	assert_string_equal(parsed.options.sentinel_user, "skein");
	assert_true(parsed.options.sentinel_in_clear);
	parsed_fini(&parsed);
	snprintf(line, sizeof(line), "skeinctl --config %s --redis r:1 status", file.path);
	parsed = parse(line);
	assert_true(parsed.is_ok);
	assert_string_equal(parsed.options.host, "r");
	assert_int_equal(parsed.options.sentinel_count, 0);
	parsed_fini(&parsed);
	scratch_remove(&dir);
}

static void options_end_at_the_command(void **state)
{
	struct parsed parsed = parse("skeinctl --json --redis a:1 queue list --json --limit 5");

	(void)state;
	assert_true(parsed.is_ok);
	assert_true(parsed.options.is_json);
	assert_int_equal(parsed.next, 4);
	assert_string_equal(parsed.options.prefix, "skein:");
	parsed_fini(&parsed);
}

static void tls_options_imply_tls(void **state)
{
	static const struct {
		const char *words;
		bool is_ok, has_tls;
	} rows[] = {
		{ "", true, false },
		{ "--tls", true, true },
		{ "--tls-ca ca.pem", true, true },
		{ "--tls-name db", true, true },
		{ "--tls-cert c --tls-key k", true, true },
		{ "--tls-cert c", false, false },
		{ "--tls-key k", false, false },
	};
	char line[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct parsed parsed;

		snprintf(line, sizeof(line), "skeinctl --redis a:1 %s status", rows[i].words);
		parsed = parse(line);
		assert_int_equal(parsed.is_ok, rows[i].is_ok);
		if (rows[i].is_ok)
			assert_int_equal(parsed.options.tls.on, rows[i].has_tls);
		parsed_fini(&parsed);
	}
}

static void a_settings_file_fills_in_what_was_not_said(void **state)
{
	static const char settings[] = "node: {name: a}\n"
				       "redis:\n"
				       "  address: db.example:6390\n"
				       "  user: skein\n"
				       "  prefix: 'mail:'\n"
				       "  tls:\n"
				       "    enabled: true\n"
				       "    ca: /etc/ca.pem\n"
				       "    server_name: db\n";
	struct scratch_dir dir = scratch_make(), file = scratch_path(&dir, "node.yaml");
	struct parsed parsed;
	char line[512];

	(void)state;
	scratch_write(file.path, settings, strlen(settings));
	snprintf(line, sizeof(line), "skeinctl --config %s --prefix own: status", file.path);
	parsed = parse(line);
	assert_true(parsed.is_ok);
	assert_string_equal(parsed.options.host, "db.example");
	assert_string_equal(parsed.options.port, "6390");
	assert_string_equal(parsed.options.user, "skein");
	assert_string_equal(parsed.options.prefix, "own:");
	assert_true(parsed.options.tls.on);
	assert_string_equal(parsed.options.tls.ca_file, "/etc/ca.pem");
	assert_string_equal(parsed.options.tls.server_name, "db");
	assert_null(parsed.options.tls.cert_file);
	parsed_fini(&parsed);
	scratch_remove(&dir);
}

static void a_settings_file_that_cannot_be_read_is_named(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = { { "redis: [1\n", "node.yaml:2:" }, { "redis: {address: a:1}\n\tx", "node.yaml:2:" },
		{ NULL, "cannot read" } };
	struct scratch_dir dir = scratch_make(), file = scratch_path(&dir, "node.yaml");
	char line[512], why[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct parsed parsed;

		if (rows[i].text)
			scratch_write(file.path, rows[i].text, strlen(rows[i].text));
		else
			unlink(file.path);
		snprintf(line, sizeof(line), "skeinctl --config %s status", file.path);
		parsed = parse(line);
		assert_false(parsed.is_ok);
		snprintf(why, sizeof(why), "%.*s", SPAN_ARGS(buf_span(&parsed.why)));
		if (!strstr(why, rows[i].why))
			fail_msg("\"%s\" lacks \"%s\"", why, rows[i].why);
		parsed_fini(&parsed);
	}
	scratch_remove(&dir);
}

static void the_password_is_the_files_only_line(void **state)
{
	static const struct {
		const char *text, *password; /* NULL: refused */
	} rows[] = { { "secret\n", "secret" }, { "se cret\r\n", "se cret" }, { "secret", "secret" },
		{ "\n", NULL }, { "", NULL } };
	struct scratch_dir dir = scratch_make(), file = scratch_path(&dir, "password");
	char line[512];

	(void)state;
	snprintf(line, sizeof(line), "skeinctl --redis a:1 --redis-password-file %s status", file.path);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct parsed parsed;

		scratch_write(file.path, rows[i].text, strlen(rows[i].text));
		parsed = parse(line);
		assert_int_equal(parsed.is_ok, rows[i].password != NULL);
		if (rows[i].password)
			assert_string_equal(parsed.options.password, rows[i].password);
		parsed_fini(&parsed);
	}
	scratch_remove(&dir);
}

static void a_command_takes_its_options_anywhere(void **state)
{
	static const struct {
		const char *line, *why; /* NULL: good */
	} rows[] = {
		{ "list x --limit 5 --sort age --json", NULL },
		{ "list --json --limit=5 --sort=age x", NULL },
		{ "list x --limit 0", "no number from 1 to 9" },
		{ "list x --limit 10", "no number from 1 to 9" },
		{ "list x --limit -1", "no number from 1 to 9" },
		{ "list x --limit 5x", "no number from 1 to 9" },
		{ "list x --limit", "argument is missing" },
		{ "list x --nothing", "unknown option" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool is_json = false;
		const char *sort = NULL;
		uint64_t limit = 0;
		struct argument arguments[] = {
			{ .name = "json", .kind = ARGUMENT_FLAG, .to.flag = &is_json },
			{ .name = "sort", .kind = ARGUMENT_TEXT, .to.text = &sort },
			{ .name = "limit", .kind = ARGUMENT_NUMBER, .to.number = &limit, .min = 1, .max = 9 },
		};
		struct buf why = { 0 };
		int argc, first = 0;
		char **argv = split_line(rows[i].line, &argc);
		bool is_ok = arguments_parse(argc, argv, arguments, ARRAY_LEN(arguments), &first, &why);

		assert_int_equal(is_ok, rows[i].why == NULL);
		buf_append_byte(&why, '\0');
		if (is_ok) {
			assert_true(is_json);
			assert_string_equal(sort, "age");
			assert_int_equal(limit, 5);
			assert_string_equal(argv[first], "x");
		} else if (!strstr(buf_span(&why).ptr, rows[i].why)) {
			fail_msg("\"%s\" lacks \"%s\"", buf_span(&why).ptr, rows[i].why);
		}
		buf_fini(&why);
	}
}

static void words_that_a_command_does_not_take_are_refused(void **state)
{
	struct buf why = { 0 };
	int argc;
	char **argv = split_line("status now", &argc);

	(void)state;
	assert_false(arguments_parse(argc, argv, NULL, 0, NULL, &why));
	assert_span_equal(buf_span(&why), "status takes no \"now\"");
	buf_fini(&why);
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
		int argc, words = 0;
		char **argv = split_line(rows[i].line, &argc);
		const struct command *command = command_find(argc, argv, &words, &why);

		assert_int_equal(command != NULL, rows[i].found != NULL);
		buf_append_byte(&why, '\0');
		if (command)
			assert_string_equal(command->words, rows[i].found);
		else if (!strstr(buf_span(&why).ptr, rows[i].why))
			fail_msg("\"%s\" lacks \"%s\"", buf_span(&why).ptr, rows[i].why);
		buf_fini(&why);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_split_at_the_ports_colon),
		cmocka_unit_test(the_command_line_goes_before_the_environment),
		cmocka_unit_test(sentinels_are_in_place_of_redis),
		cmocka_unit_test(sentinels_come_from_a_settings_file_too),
		cmocka_unit_test(options_end_at_the_command),
		cmocka_unit_test(tls_options_imply_tls),
		cmocka_unit_test(a_settings_file_fills_in_what_was_not_said),
		cmocka_unit_test(a_settings_file_that_cannot_be_read_is_named),
		cmocka_unit_test(the_password_is_the_files_only_line),
		cmocka_unit_test(a_command_takes_its_options_anywhere),
		cmocka_unit_test(words_that_a_command_does_not_take_are_refused),
		cmocka_unit_test(a_mistyped_command_is_answered_with_the_nearest),
	};

	return cmocka_run_group_tests_name("ctl_options", tests, NULL, NULL);
}
