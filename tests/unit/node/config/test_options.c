#include "cmocka_all.h"

#include "config/options.h"
#include "config/secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ARGS_MAX = 40 };

static int parse(const char *const *args, struct options *options)
{
	static char program[] = "skeind";
	char *argv[ARGS_MAX + 2] = { program };
	int argc = 1;

	for (; args[argc - 1]; argc++) {
		assert_true(argc <= ARGS_MAX);
		argv[argc] = (char *)(uintptr_t)args[argc - 1];
	}
	options_parse(argc, argv, options);
	return argc;
}

#define ARGS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static struct settings *load(const char *const *args, struct report *report)
{
	struct options options;
	struct settings *settings;

	parse(args, &options);
	assert_int_equal(options.action, OPTIONS_RUN);
	settings = options_load(&options, report);
	options_fini(&options);
	return settings;
}

static void a_node_needs_no_file(void **state)
{
	struct report report = { 0 };
	struct settings *settings =
		load(ARGS("--listen", "127.0.0.1:2525", "--listen=[::1]:2526", "--next-hop", "mail.example",
			     "--next-hop", "10.0.0.1:2600", "--next-hop", "[2001:db8::1]:2601", "--next-hop",
			     "2001:db8::2", "--next-hop", "[2001:db8::3]", "--spool=/tmp/spool"),
			&report);

	(void)state;
	assert_span_equal(buf_span(&report.text), "");
	assert_int_equal(settings->listeners.count, 2);
	assert_string_equal(settings->listeners.items[0].address.host, "127.0.0.1");
	assert_string_equal(settings->listeners.items[1].address.host, "::1");
	assert_string_equal(settings->listeners.items[1].name, "smtp-2");
	assert_int_equal(settings->route.next_hops.count, 5);
	assert_string_equal(settings->route.next_hops.items[0].host, "mail.example");
	assert_int_equal(settings->route.next_hops.items[0].port, 25);
	assert_string_equal(settings->route.next_hops.items[1].host, "10.0.0.1");
	assert_int_equal(settings->route.next_hops.items[1].port, 2600);
	assert_string_equal(settings->route.next_hops.items[2].host, "2001:db8::1");
	assert_int_equal(settings->route.next_hops.items[2].port, 2601);
	assert_string_equal(settings->route.next_hops.items[3].host, "2001:db8::2");
	assert_int_equal(settings->route.next_hops.items[3].port, 25);
	assert_string_equal(settings->route.next_hops.items[4].host, "2001:db8::3");
	assert_string_equal(settings->node.spool, "/tmp/spool");
	assert_int_equal(settings->relay.allow.count, 0);
	assert_string_equal(settings->redis.address.host, "");
	settings_free(&settings);
	report_fini(&report);
}

static void every_option_reaches_its_setting(void **state)
{
	struct report report = { 0 };
	struct settings *settings = load(
		ARGS("--listen=127.0.0.1:1", "--next-hop=a:2", "--allow=10.0.0.0/8", "--allow=::1",
			"--redis=[::1]:6379", "--admin=127.0.0.1:3", "--name=n1", "--set=log.format=json",
			"--set", "redis.prefix=a:", "--set=limits.errors=5", "--set=limits.errors=6"),
		&report);

	(void)state;
	assert_span_equal(buf_span(&report.text), "");
	assert_int_equal(settings->relay.allow.count, 2);
	assert_string_equal(settings->redis.address.host, "::1");
	assert_int_equal(settings->redis.address.port, 6379);
	assert_int_equal(settings->admin.listen.port, 3);
	assert_string_equal(settings->node.name, "n1");
	assert_int_equal(settings->log.format, LOG_FORMAT_JSON);
	assert_string_equal(settings->redis.prefix, "a:");
	assert_int_equal(settings->limits.errors, 6);
	settings_free(&settings);
	report_fini(&report);
}

static void errors_of_options_read_like_those_of_a_file(void **state)
{
	struct report report = { 0 };

	(void)state;
	assert_null(
		load(ARGS("--listen", "localhost:25", "--listen", "127.0.0.1:it's", "--next-hop", "a b",
			     "--next-hop", "[::1]x", "--next-hop", "a:0", "--allow", "10.0.0.1/8", "--name",
			     "a/b", "--set", "log.levle=info", "--set", "limts.hops=1", "--set", "xyz=1"),
			&report));
	assert_span_equal(buf_span(&report.text),
		"--listen: $.listeners[0].address: expected an address and port such as 127.0.0.1:25 or "
		"[::]:25, got \"localhost:25\"\n"
		"--listen: $.listeners[1].address: the port in \"127.0.0.1:it's\" is not 1..65535\n"
		"--next-hop: $.route.next_hops[0].host: \"a b\" is not a domain name or an IP address\n"
		"--next-hop: $.route.next_hops[1].host: \"[::1]x\" is not a domain name or an IP address\n"
		"--next-hop: $.route.next_hops[2].port: 0 is outside 1..65535\n"
		"--allow: $.relay.allow[0]: \"10.0.0.1/8\" has bits set beyond its prefix: write the first "
		"address of the network\n"
		"--name: $.node.name: \"a/b\" may only have letters, digits, '.', '-' and '_'\n"
		"--set log.levle: unknown setting, did you mean log.level?\n"
		"--set limts.hops: unknown setting, did you mean limits.hops?\n"
		"--set xyz: unknown setting\n");
	report_fini(&report);
}

static void a_wrong_command_line_is_told_before_anything_is_done(void **state)
{
	static const struct {
		const char *args[4], *wanted;
	} rows[] = {
		{ { NULL }, "skeind: needs --listen and --next-hop, or --config; see skeind --help\n" },
		{ { "--lisen", "a:1" }, "skeind: unknown option \"--lisen\"; see skeind --help\n" },
		{ { "-x" }, "skeind: unknown option \"-x\"; see skeind --help\n" },
		{ { "node.yaml" }, "skeind: unexpected \"node.yaml\"; see skeind --help\n" },
		{ { "" }, "skeind: unexpected \"\"; see skeind --help\n" },
		{ { "--listen" }, "skeind: --listen needs a value; see skeind --help\n" },
		{ { "--check=yes" }, "skeind: --check takes no value; see skeind --help\n" },
		{ { "--set", "log.level" },
			"skeind: --set needs PATH=VALUE, got \"log.level\"; see skeind --help\n" },
		{ { "--set", "=info" },
			"skeind: --set needs PATH=VALUE, got \"=info\"; see skeind --help\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct options options;

		parse(rows[i].args, &options);
		assert_int_equal(options.action, OPTIONS_USAGE);
		assert_span_equal(buf_span(&options.usage), rows[i].wanted);
		options_fini(&options);
	}
}

static void actions_are_recognised(void **state)
{
	static const struct {
		const char *args[4];
		enum options_action action;
	} rows[] = {
		{ { "--check", "--config", "x" }, OPTIONS_CHECK },
		{ { "--print-defaults" }, OPTIONS_PRINT_DEFAULTS },
		{ { "--version" }, OPTIONS_VERSION },
		{ { "--help" }, OPTIONS_HELP },
		{ { "-h", "--check" }, OPTIONS_HELP },
		{ { "--config", "x" }, OPTIONS_RUN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct options options;

		parse(rows[i].args, &options);
		assert_int_equal(options.action, rows[i].action);
		options_fini(&options);
	}
}

static int start(const char *const *args, struct settings **settings)
{
	static char program[] = "skeind";
	char *argv[ARGS_MAX + 2] = { program };
	struct options options;
	int argc = 1, code;

	for (; args[argc - 1]; argc++)
		argv[argc] = (char *)(uintptr_t)args[argc - 1];
	code = options_start(argc, argv, &options, settings);
	options_fini(&options);
	return code;
}

static void a_start_runs_or_ends_with_the_code_that_says_why(void **state)
{
	struct settings *settings;

	(void)state;
	assert_true(start(ARGS("--listen=127.0.0.1:1", "--next-hop=a"), &settings) < 0);
	assert_non_null(settings);
	settings_free(&settings);
	assert_true(start(ARGS("--check", "--listen=127.0.0.1:1", "--next-hop=a"), &settings) < 0);
	assert_non_null(settings);
	settings_free(&settings);
	assert_int_equal(start(ARGS("--check", "--listen=127.0.0.1:1"), &settings), OPTIONS_EXIT_SETTINGS);
	assert_null(settings);
	assert_int_equal(start(ARGS("--listen=127.0.0.1:1"), &settings), OPTIONS_EXIT_SETTINGS);
	assert_null(settings);
	assert_int_equal(start(ARGS("--version"), &settings), OPTIONS_EXIT_OK);
	assert_int_equal(start(ARGS("--nonsense", "--help"), &settings), OPTIONS_EXIT_USAGE);
}

static void options_win_over_the_file_and_lists_replace_lists(void **state)
{
	char path[] = "/tmp/skein-options-XXXXXX", config[128];
	struct report report = { 0 };
	struct settings *settings;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_true(
		dprintf(fd, "listeners: [{address: '127.0.0.1:1'}, {address: '127.0.0.1:2', tls: starttls}]\n"
			    "route: {next_hops: [{host: file.example}]}\n"
			    "log: {level: debug, format: json}\n") > 0);
	snprintf(config, sizeof(config), "--config=%s", path);
	settings = load(ARGS("--listen=127.0.0.1:3", "--set=log.level=warn", config), &report);
	assert_span_equal(buf_span(&report.text), "");
	assert_int_equal(settings->listeners.count, 1);
	assert_int_equal(settings->listeners.items[0].address.port, 3);
	assert_string_equal(settings->route.next_hops.items[0].host, "file.example");
	assert_int_equal(settings->log.level, LOG_WARN);
	assert_int_equal(settings->log.format, LOG_FORMAT_JSON);
	settings_free(&settings);
	unlink(path);
	close(fd);
	assert_null(load(ARGS(config), &report));
	snprintf(config, sizeof(config), "%s: cannot read: No such file or directory\n", path);
	assert_span_equal(buf_span(&report.text), config);
	report_fini(&report);
	assert_null(load(ARGS("--config=/"), &report));
	assert_span_equal(buf_span(&report.text), "/: cannot read: Is a directory\n");
	report_fini(&report);
}

static void a_secret_is_the_one_line_of_its_file(void **state)
{
	static const struct {
		const char *content;
		size_t len;
		const char *secret; /* NULL: refused */
	} rows[] = {
		{ "s3cret", 6, "s3cret" },
		{ "s3cret\n", 7, "s3cret" },
		{ "s3cret\r\n", 8, "s3cret" },
		{ " with spaces \n", 14, " with spaces " },
		{ "", 0, NULL },
		{ "\n", 1, NULL },
		{ "two\nlines\n", 10, NULL },
		{ "one\n\n", 5, NULL },
		{ "nul\0\n", 5, NULL },
	};
	char path[] = "/tmp/skein-secret-XXXXXX", large[1100];
	int fd = mkstemp(path);
	char *secret = NULL;

	(void)state;
	assert_true(fd >= 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, rows[i].content, rows[i].len, 0), rows[i].len);
		assert_int_equal(secret_read(path, &secret), rows[i].secret ? ERR_OK : ERR_INVALID);
		if (rows[i].secret)
			assert_string_equal(secret, rows[i].secret);
		secret_free(&secret);
		assert_null(secret);
	}
	memset(large, 'a', sizeof(large));
	assert_int_equal(pwrite(fd, large, 1024, 0), 1024);
	assert_int_equal(secret_read(path, &secret), ERR_OK);
	secret_free(&secret);
	assert_int_equal(pwrite(fd, large, 1025, 0), 1025);
	assert_int_equal(secret_read(path, &secret), ERR_INVALID);
	assert_int_equal(pwrite(fd, large, 1100, 0), 1100);
	assert_int_equal(secret_read(path, &secret), ERR_INVALID);
	close(fd);
	unlink(path);
	assert_int_equal(secret_read(path, &secret), ERR_IO);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(secret_read("/tmp", &secret), ERR_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_node_needs_no_file),
		cmocka_unit_test(every_option_reaches_its_setting),
		cmocka_unit_test(errors_of_options_read_like_those_of_a_file),
		cmocka_unit_test(a_wrong_command_line_is_told_before_anything_is_done),
		cmocka_unit_test(actions_are_recognised),
		cmocka_unit_test(a_start_runs_or_ends_with_the_code_that_says_why),
		cmocka_unit_test(options_win_over_the_file_and_lists_replace_lists),
		cmocka_unit_test(a_secret_is_the_one_line_of_its_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
