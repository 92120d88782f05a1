#include "cmocka_all.h"

#include "notify/target.h"
#include "skein/proto/base/buf.h"

static void urls_are_taken_apart(void **state)
{
	static const struct {
		const char *url, *kind, *host;
		unsigned port;
	} rows[] = {
		{ "https://hooks.example.com/a/b?c#d", "https", "hooks.example.com", 443 },
		{ "HTTP://collector", "http", "collector", 80 },
		{ "http://10.0.0.1:8080/x", "http", "10.0.0.1", 8080 },
		{ "https://[2001:db8::1]:8443/", "https", "2001:db8::1", 8443 },
		{ "https://host?x=y", "https", "host", 443 },
		{ "udp://log.example.com", "udp", "log.example.com", 514 },
		{ "tcp://log.example.com/", "tcp", "log.example.com", 601 },
		{ "tls://[::1]", "tls", "::1", 6514 },
		{ "tls://log_1.example.com:65535", "tls", "log_1.example.com", 65535 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct target target;
		const char *wrong = target_parse(rows[i].url, &target);

		if (wrong)
			fail_msg("%s: %s", rows[i].url, wrong);
		assert_string_equal(target_kind_name(target.kind), rows[i].kind);
		assert_string_equal(target.host, rows[i].host);
		assert_int_equal(target.port, rows[i].port);
		assert_int_equal(target_is_web(&target), rows[i].kind[0] == 'h');
	}
}

static void what_is_no_target_is_told(void **state)
{
	static const struct {
		const char *url, *wrong;
	} rows[] = {
		{ "", "begins with none" },
		{ "hooks.example.com", "begins with none" },
		{ "ftp://host/", "begins with none" },
		{ "https:/host", "begins with none" },
		{ "https:host", "begins with none" },
		{ "https://", "no host" },
		{ "https:///path", "no host" },
		{ "https://ho st/", "character" },
		{ "https://h\xc3\xb6st/", "character" },
		{ "https://ho,st/", "no host" },
		{ "https://me:secret@host/", "user or password" },
		{ "https://host:/", "port" },
		{ "https://host:0/", "port" },
		{ "https://host:65536/", "port" },
		{ "https://host:80x/", "port" },
		{ "https://[::1/", "no host" },
		{ "https://[host]/", "no host" },
		{ "https://[::1]x/", "port" },
		{ "https://::1/", "no host" },
		{ "udp://host/path", "no path" },
		{ "tls://host?x", "no path" },
	};
	struct buf longest = { 0 };
	struct target target;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *wrong = target_parse(rows[i].url, &target);

		if (!wrong || !strstr(wrong, rows[i].wrong))
			fail_msg("%s: %s", rows[i].url, wrong ? wrong : "good");
	}
	buf_append_str(&longest, "https://");
	for (size_t i = 0; i < TARGET_HOST_MAX; i++)
		buf_append_byte(&longest, 'h');
	buf_append_byte(&longest, '\0');
	assert_null(target_parse(longest.base, &target));
	buf_truncate(&longest, buf_len(&longest) - 1);
	buf_append(&longest, span_of("h", 2));
	assert_non_null(target_parse(longest.base, &target));
	buf_fini(&longest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls_are_taken_apart),
		cmocka_unit_test(what_is_no_target_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
