/* What is said before and after a command: where Redis is, how to log in. */
#include "cmocka_all.h"

#include "call.h"
#include "scratch_dir.h"
#include "skein/proto/base/alloc.h"

struct parsed {
	struct call call;
	struct ctl_options options;
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

/* The options point into the call. */
static struct parsed *parse(const char *line)
{
	struct parsed *parsed = mem_zalloc(sizeof(*parsed));
	int argc;
	char **argv = split_line(line, &argc);

	parsed->is_ok = call_read(&parsed->call, argc, argv, &parsed->why) &&
			options_take(&parsed->options, &parsed->call, &parsed->why) &&
			options_finish(&parsed->options, &parsed->why);
	return parsed;
}

static void parsed_fini(struct parsed *parsed)
{
	options_fini(&parsed->options);
	call_fini(&parsed->call);
	buf_fini(&parsed->why);
	mem_free(parsed);
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
		struct parsed *parsed;

		snprintf(line, sizeof(line), "skeinctl --redis %s status", rows[i].redis);
		parsed = parse(line);
		assert_int_equal(parsed->is_ok, rows[i].host != NULL);
		if (rows[i].host) {
			assert_string_equal(parsed->options.host, rows[i].host);
			assert_string_equal(parsed->options.port, rows[i].port);
		} else {
			assert_true(buf_len(&parsed->why) > 0);
		}
		parsed_fini(parsed);
	}
}

static void the_command_line_goes_before_the_environment(void **state)
{
	struct parsed *parsed;

	(void)state;
	setenv("SKEIN_REDIS", "env:1", 1);
	parsed = parse("skeinctl status");
	assert_true(parsed->is_ok);
	assert_string_equal(parsed->options.host, "env");
	parsed_fini(parsed);
	parsed = parse("skeinctl --redis line:2 status");
	assert_string_equal(parsed->options.host, "line");
	parsed_fini(parsed);
	unsetenv("SKEIN_REDIS");
	parsed = parse("skeinctl status");
	assert_false(parsed->is_ok);
	assert_true(strstr(buf_span(&parsed->why).ptr, "where is Redis?"));
	parsed_fini(parsed);
}

static void sentinels_are_in_place_of_redis(void **state)
{
	struct parsed *parsed = parse("skeinctl --sentinel a:1,[::1],c --master-name mail status");

	(void)state;
	assert_true(parsed->is_ok);
	assert_null(parsed->options.host);
	assert_int_equal(parsed->options.sentinel_count, 3);
	assert_string_equal(parsed->options.sentinel[0].port, "1");
	assert_string_equal(parsed->options.sentinel[1].host, "::1");
	assert_string_equal(parsed->options.sentinel[2].port, "26379");
	assert_string_equal(parsed->options.master_name, "mail");
	parsed_fini(parsed);
	parsed = parse("skeinctl --sentinel a:1,b: status");
	assert_false(parsed->is_ok);
	assert_true(strstr(buf_span(&parsed->why).ptr, "\"b:\" is no address"));
	parsed_fini(parsed);
	parsed = parse("skeinctl --sentinel a:1 --redis b:1 status");
	assert_false(parsed->is_ok);
	assert_true(
		strstr(buf_span(&parsed->why).ptr, "--redis (SKEIN_REDIS, redis.address) and --sentinel"));
	parsed_fini(parsed);
	setenv("SKEIN_SENTINELS", "env:1", 1);
	parsed = parse("skeinctl status");
	assert_true(parsed->is_ok);
	assert_string_equal(parsed->options.sentinel[0].host, "env");
	parsed_fini(parsed);
	parsed = parse("skeinctl --redis line:2 status");
	assert_true(parsed->is_ok);
	assert_int_equal(parsed->options.sentinel_count, 0);
	parsed_fini(parsed);
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
	struct parsed *parsed;
	char line[512];

	(void)state;
	scratch_write(file.path, settings, strlen(settings));
	snprintf(line, sizeof(line), "skeinctl --config %s status", file.path);
	parsed = parse(line);
	assert_true(parsed->is_ok);
	assert_int_equal(parsed->options.sentinel_count, 2);
	assert_string_equal(parsed->options.sentinel[1].host, "s2");
	assert_string_equal(parsed->options.sentinel[1].port, "26380");
	assert_string_equal(parsed->options.master_name, "mail");
	assert_string_equal(parsed->options.sentinel_user, "skein");
	assert_true(parsed->options.sentinel_in_clear);
	parsed_fini(parsed);
	snprintf(line, sizeof(line), "skeinctl --config %s --redis r:1 status", file.path);
	parsed = parse(line);
	assert_true(parsed->is_ok);
	assert_string_equal(parsed->options.host, "r");
	assert_int_equal(parsed->options.sentinel_count, 0);
	parsed_fini(parsed);
	scratch_remove(&dir);
}

static void options_stand_before_and_behind_the_command(void **state)
{
	struct parsed *parsed = parse("skeinctl --json queue list --redis a:1 --limit 5");

	(void)state;
	assert_true(parsed->is_ok);
	assert_true(parsed->options.is_json);
	assert_string_equal(parsed->call.command->words, "queue list");
	assert_int_equal(call_number(&parsed->call, "limit", 0), 5);
	assert_string_equal(parsed->options.prefix, "skein:");
	parsed_fini(parsed);
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
		struct parsed *parsed;

		snprintf(line, sizeof(line), "skeinctl --redis a:1 %s status", rows[i].words);
		parsed = parse(line);
		assert_int_equal(parsed->is_ok, rows[i].is_ok);
		if (rows[i].is_ok)
			assert_int_equal(parsed->options.tls.on, rows[i].has_tls);
		parsed_fini(parsed);
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
	struct parsed *parsed;
	char line[512];

	(void)state;
	scratch_write(file.path, settings, strlen(settings));
	snprintf(line, sizeof(line), "skeinctl --config %s --prefix own: status", file.path);
	parsed = parse(line);
	assert_true(parsed->is_ok);
	assert_string_equal(parsed->options.host, "db.example");
	assert_string_equal(parsed->options.port, "6390");
	assert_string_equal(parsed->options.user, "skein");
	assert_string_equal(parsed->options.prefix, "own:");
	assert_true(parsed->options.tls.on);
	assert_string_equal(parsed->options.tls.ca_file, "/etc/ca.pem");
	assert_string_equal(parsed->options.tls.server_name, "db");
	assert_null(parsed->options.tls.cert_file);
	parsed_fini(parsed);
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
		struct parsed *parsed;

		if (rows[i].text)
			scratch_write(file.path, rows[i].text, strlen(rows[i].text));
		else
			unlink(file.path);
		snprintf(line, sizeof(line), "skeinctl --config %s status", file.path);
		parsed = parse(line);
		assert_false(parsed->is_ok);
		snprintf(why, sizeof(why), "%.*s", SPAN_ARGS(buf_span(&parsed->why)));
		if (!strstr(why, rows[i].why))
			fail_msg("\"%s\" lacks \"%s\"", why, rows[i].why);
		parsed_fini(parsed);
	}
	scratch_remove(&dir);
}

/* Where nothing says where Redis is: the host's own node's. What cannot be read is told only where it is
 * missed. */
static void a_hosts_own_settings_are_for_who_says_nothing(void **state)
{
	static const char settings[] = "redis:\n  address: own:1\ncluster:\n  key_file: /own.key\n";
	struct scratch_dir dir = scratch_make(), file = scratch_path(&dir, "skein.yaml");
	struct parsed *parsed;

	(void)state;
	scratch_write(file.path, settings, strlen(settings));
	setenv("SKEIN_CONFIG", file.path, 1);
	parsed = parse("skeinctl status");
	assert_true(parsed->is_ok);
	assert_string_equal(parsed->options.host, "own");
	assert_string_equal(parsed->options.key_file, "/own.key");
	assert_string_equal(parsed->options.config, file.path);
	parsed_fini(parsed);

	/* Another cluster's Redis, and this one's key: never together. */
	parsed = parse("skeinctl --redis other:2 status");
	assert_string_equal(parsed->options.host, "other");
	assert_null(parsed->options.key_file);
	assert_null(parsed->options.config);
	parsed_fini(parsed);

	scratch_write(file.path, "node: {}\n", 9);
	parsed = parse("skeinctl status");
	assert_false(parsed->is_ok);
	assert_true(strstr(buf_span(&parsed->why).ptr, "where is Redis?"));
	assert_true(strstr(buf_span(&parsed->why).ptr, "skein.yaml names none: its node stands alone)"));
	parsed_fini(parsed);

	setenv("SKEIN_CONFIG", "/nowhere/skein.yaml", 1);
	parsed = parse("skeinctl --key-file /other.key status");
	assert_false(parsed->is_ok);
	assert_true(strstr(buf_span(&parsed->why).ptr, "(cannot read /nowhere/skein.yaml: No such file"));
	assert_string_equal(parsed->options.key_file, "/other.key");
	parsed_fini(parsed);
	unsetenv("SKEIN_CONFIG");
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
		struct parsed *parsed;

		scratch_write(file.path, rows[i].text, strlen(rows[i].text));
		parsed = parse(line);
		assert_int_equal(parsed->is_ok, rows[i].password != NULL);
		if (rows[i].password)
			assert_string_equal(parsed->options.password, rows[i].password);
		parsed_fini(parsed);
	}
	scratch_remove(&dir);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_split_at_the_ports_colon),
		cmocka_unit_test(the_command_line_goes_before_the_environment),
		cmocka_unit_test(sentinels_are_in_place_of_redis),
		cmocka_unit_test(sentinels_come_from_a_settings_file_too),
		cmocka_unit_test(options_stand_before_and_behind_the_command),
		cmocka_unit_test(tls_options_imply_tls),
		cmocka_unit_test(a_settings_file_fills_in_what_was_not_said),
		cmocka_unit_test(a_settings_file_that_cannot_be_read_is_named),
		cmocka_unit_test(a_hosts_own_settings_are_for_who_says_nothing),
		cmocka_unit_test(the_password_is_the_files_only_line),
	};

	return cmocka_run_group_tests_name("ctl_options", tests, NULL, NULL);
}
