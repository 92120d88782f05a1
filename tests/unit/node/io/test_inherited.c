#include "cmocka_all.h"

#include "io/inherited.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { FIRST = 100 }; /* far from what the test itself has open */

static int bound(int family, int type, bool is_v6only, bool listens, struct address *address_out)
{
	int fd = socket(family, type | SOCK_CLOEXEC, 0), only = is_v6only;
	struct sockaddr_storage name = { .ss_family = (sa_family_t)family };
	socklen_t len = family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);

	assert_true(fd >= 0);
	if (family == AF_INET6)
		assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, len), 0);
	if (listens)
		assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &len), 0);
	assert_true(address_from_sockaddr((struct sockaddr *)&name, address_out));
	return fd;
}

static void hand_over(int fd, int number)
{
	assert_int_equal(dup2(fd, number), number);
	close(fd);
}

static void assert_says(struct buf *why, const char *text)
{
	assert_non_null(memmem(buf_span(why).ptr, buf_len(why), text, strlen(text)));
	buf_fini(why);
}

static void a_listener_finds_its_socket_by_address_or_else_by_name(void **state)
{
	struct inherited *inherited;
	struct address first, second, other;
	struct buf why = { 0 };
	int fd;

	(void)state;
	hand_over(bound(AF_INET, SOCK_STREAM, false, true, &first), FIRST);
	hand_over(bound(AF_INET, SOCK_STREAM, false, true, &second), FIRST + 1);
	assert_int_equal(address_parse(SPAN_LIT("192.0.2.1:25"), 0, &other), ERR_OK);
	assert_int_equal(inherited_new(FIRST, 2, "smtp:submission", &inherited, &why), ERR_OK);

	fd = inherited_dup(inherited, &first, "submission");
	assert_true(fd >= 0 && fd != FIRST);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	close(fd);
	assert_int_equal(inherited_dup(inherited, &other, "smtp-1"), -1);
	assert_int_equal(inherited_dup(inherited, &other, ""), -1);
	assert_int_equal(inherited_check_used(inherited, &why), ERR_INVALID);
	assert_says(&why, "called submission");

	fd = inherited_dup(inherited, &other, "submission");
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(inherited_check_used(inherited, &why), ERR_OK);
	inherited_free(&inherited);
	assert_int_equal(fcntl(FIRST, F_GETFD), -1);
	assert_int_equal(fcntl(FIRST + 1, F_GETFD), -1);
}

static void names_may_be_missing_or_too_few(void **state)
{
	static const char *const names[] = { NULL, "", "a", ":" };
	struct inherited *inherited;
	struct address address;
	struct buf why = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		hand_over(bound(AF_INET, SOCK_STREAM, false, true, &address), FIRST);
		hand_over(bound(AF_INET, SOCK_STREAM, false, true, &address), FIRST + 1);
		assert_int_equal(inherited_new(FIRST, 2, names[i], &inherited, &why), ERR_OK);
		inherited_free(&inherited);
	}
}

static void what_cannot_be_used_is_refused_with_the_cure(void **state)
{
	static const struct {
		int family, type;
		bool is_v6only, listens;
		const char *text;
	} rows[] = {
		{ AF_INET, SOCK_STREAM, false, false, "Accept=no" },
		{ AF_INET, SOCK_DGRAM, false, false, "ListenStream=" },
		{ AF_INET6, SOCK_STREAM, false, true, "BindIPv6Only=ipv6-only" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct inherited *inherited;
		struct address address;
		struct buf why = { 0 };

		hand_over(bound(rows[i].family, rows[i].type, rows[i].is_v6only, rows[i].listens, &address),
			FIRST);
		assert_int_equal(inherited_new(FIRST, 1, NULL, &inherited, &why), ERR_INVALID);
		assert_says(&why, rows[i].text);
		inherited_free(&inherited);
		assert_int_equal(fcntl(FIRST, F_GETFD), -1);
	}
}

static void more_sockets_than_there_may_be_are_refused(void **state)
{
	struct inherited *inherited;
	struct buf why = { 0 };

	(void)state;
	assert_int_equal(inherited_new(FIRST, INHERITED_MAX + 1, NULL, &inherited, &why), ERR_FULL);
	assert_says(&why, "at most 64");
	inherited_free(&inherited);
}

static void nothing_handed_over_is_well(void **state)
{
	struct inherited *none = NULL;
	struct address address;
	struct buf why = { 0 };

	(void)state;
	assert_int_equal(address_parse(SPAN_LIT("192.0.2.1:25"), 0, &address), ERR_OK);
	assert_int_equal(inherited_dup(none, &address, "smtp"), -1);
	assert_int_equal(inherited_check_used(none, &why), ERR_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_listener_finds_its_socket_by_address_or_else_by_name),
		cmocka_unit_test(names_may_be_missing_or_too_few),
		cmocka_unit_test(what_cannot_be_used_is_refused_with_the_cure),
		cmocka_unit_test(more_sockets_than_there_may_be_are_refused),
		cmocka_unit_test(nothing_handed_over_is_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
