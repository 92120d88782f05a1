/* The LDAP back end against a real domain: every state an account can be in, and every way a server can fail.
 */
#include "cmocka_all.h"

#include "adlab.h"
#include "auth/bind_password.h"
#include "auth/directory.h"
#include "auth/ldap_conn.h"
#include "auth/pool.h"
#include "skein/proto/base/alloc.h"
#include "skein/proto/base/span.h"
#include "tcp_relay.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A directory that is well may take its time on a machine that has other things to do. */
enum { TIMEOUT_MS = 2500, PATIENCE_MS = 10000, DEADLINE_MS = 20000 };

#define RELAY_USERS "smtp-relay-users"

struct lab {
	struct directory *directory;
	struct directory_thread *thread;
};

static const char *const wanted[] = { RELAY_USERS, "ADLAB\\send-as-any",
	"CN=Domain Users,CN=Users,DC=adlab,DC=test", "no-such-group" };

static struct bind_password *service_password;

static struct directory_options options_of(const char *const *servers, size_t count)
{
	return (struct directory_options){
		.servers = { servers, count },
		.ca = adlab_get("ADLAB_CA"),
		.bind_dn = adlab_get("ADLAB_BIND_DN"),
		.bind_password = service_password,
		.base = adlab_get("ADLAB_BASE"),
		.domain = { "ADLAB", "ADLAB.TEST" },
		.timeout_ms = PATIENCE_MS,
	};
}

static struct lab lab_start(const struct directory_options *options)
{
	struct lab lab = { .directory = directory_new(options) };

	directory_set_groups(lab.directory, (struct text_list){ wanted, ARRAY_LEN(wanted) });
	lab.thread = directory_thread_new(lab.directory, NULL);
	return lab;
}

static void lab_stop(struct lab *lab)
{
	directory_thread_free(&lab->thread);
	directory_free(&lab->directory);
}

static int set_up(void **state)
{
	static struct lab lab;
	static const char *servers[1];
	struct directory_options options;

	servers[0] = adlab_get("ADLAB_URI");
	options = options_of(servers, 1);
	lab = lab_start(&options);
	*state = &lab;
	return 0;
}

static int tear_down(void **state)
{
	lab_stop(*state);
	return 0;
}

static struct judgement check(struct lab *lab, const char *login, const char *password)
{
	struct judgement judgement = { 0 };
	struct pool_turn turn = { pool_now_ms() + DEADLINE_MS, NULL };

	directory_check_password(lab->thread, login, password, &turn, &judgement);
	return judgement;
}

static void expect(struct lab *lab, const char *login, const char *password, enum verdict verdict,
	const char *why, const char *user)
{
	struct judgement judgement = check(lab, login, password);

	if (judgement.verdict != verdict || strcmp(judgement.why, why) != 0)
		fail_msg("%s: verdict %d, %s", login, judgement.verdict, judgement.why);
	if (user && (!judgement.identity || strcmp(judgement.identity->user, user) != 0))
		fail_msg("%s: is not %s", login, user);
	if (!user && judgement.identity)
		fail_msg("%s: is %s", login, judgement.identity->user);
	if (judgement.may_have_counted)
		fail_msg("%s: may have counted", login);
	judgement_fini(&judgement);
}

static void every_state_of_an_account_has_its_verdict(void **state)
{
	static const struct {
		const char *user;
		enum verdict verdict;
		const char *why;
	} rows[] = {
		{ "alice", VERDICT_ACCEPTED, "accepted" },
		{ "bob", VERDICT_ACCEPTED, "accepted" },
		{ "carol", VERDICT_ACCEPTED, "accepted" },
		{ "dave", VERDICT_ACCEPTED, "accepted" },
		{ "jürgen", VERDICT_ACCEPTED, "accepted" },
		{ "many", VERDICT_ACCEPTED, "accepted" },
		{ "disabled", VERDICT_REFUSED_STATE, "account-disabled" },
		{ "expired", VERDICT_REFUSED_STATE, "account-expired" },
		{ "pwexpired", VERDICT_REFUSED_STATE, "password-expired" },
		{ "mustchange", VERDICT_REFUSED_STATE, "password-must-change" },
		{ "hours", VERDICT_REFUSED_STATE, "logon-hours" },
		{ "wks", VERDICT_REFUSED_STATE, "logon-workstation" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char user[64];

		snprintf(user, sizeof(user), "%s@adlab.test", rows[i].user);
		expect(*state, rows[i].user, ADLAB_PASSWORD, rows[i].verdict, rows[i].why, user);
		expect(*state, rows[i].user, "wrong", VERDICT_REFUSED_PASSWORD, "wrong-password", user);
	}
}

static void a_locked_account_is_told_from_a_wrong_password(void **state)
{
	for (unsigned i = 0; i < 3; i++)
		expect(*state, "locked", "wrong", VERDICT_REFUSED_PASSWORD, "wrong-password",
			"locked@adlab.test");
	expect(*state, "locked", ADLAB_PASSWORD, VERDICT_REFUSED_STATE, "account-locked",
		"locked@adlab.test");
	adlab_do("tool user unlock locked");
	expect(*state, "locked", ADLAB_PASSWORD, VERDICT_ACCEPTED, "accepted", "locked@adlab.test");
}

static void every_way_to_write_a_name_is_the_same_user(void **state)
{
	static const struct {
		const char *login, *user;
	} rows[] = {
		{ "alice", "alice@adlab.test" },
		{ "ALICE", "alice@adlab.test" },
		{ "ADLAB\\alice", "alice@adlab.test" },
		{ "adlab.test\\Alice", "alice@adlab.test" },
		{ "alice@adlab.test", "alice@adlab.test" },
		{ "bob@ADLAB.TEST", "bob@adlab.test" }, /* the implicit name */
		{ "b.obrien@corp.example", "bob@adlab.test" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect(*state, rows[i].login, ADLAB_PASSWORD, VERDICT_ACCEPTED, "accepted", rows[i].user);
}

static void names_of_nobody_and_tricks_in_names_are_refused(void **state)
{
	static const char *const logins[] = { "", "nobody", "*", "al*", "alice)(objectClass=*",
		"OTHER\\alice", "ADLAB\\", "\\alice", "alice@other.test", "alice\\", "relay1$", "(", "\x01",
		"@adlab.test" };

	for (size_t i = 0; i < ARRAY_LEN(logins); i++)
		expect(*state, logins[i], ADLAB_PASSWORD, VERDICT_REFUSED_PASSWORD, "no-such-user", NULL);
	expect(*state, "alice", "", VERDICT_REFUSED_PASSWORD, "no-such-user", NULL);
}

static void expect_groups(struct lab *lab, const char *login, bool relays, bool sends_as_any)
{
	struct judgement judgement = check(lab, login, ADLAB_PASSWORD);

	assert_int_equal(judgement.verdict, VERDICT_ACCEPTED);
	assert_int_equal(identity_is_member(judgement.identity, RELAY_USERS), relays);
	assert_int_equal(identity_is_member(judgement.identity, "adlab\\send-as-any"), sends_as_any);
	/* The primary group is in no memberOf. */
	assert_true(identity_is_member(judgement.identity, wanted[2]));
	assert_false(identity_is_member(judgement.identity, "no-such-group"));
	assert_int_equal(judgement.identity->groups.count, 1u + relays + sends_as_any);
	judgement_fini(&judgement);
}

static void nested_groups_count_and_changes_are_seen(void **state)
{
	expect_groups(*state, "alice", true, false);
	expect_groups(*state, "bob", true, false);
	expect_groups(*state, "carol", true, true);
	expect_groups(*state, "dave", false, false);
	expect_groups(*state, "many", true, false);
	adlab_do("tool group removemembers group-a group-b");
	expect_groups(*state, "bob", false, false);
	adlab_do("tool group addmembers group-a group-b");
	expect_groups(*state, "bob", true, false);
}

static void the_groups_asked_about_can_change(void **state)
{
	static const char *const other[] = { "group-b" };
	struct lab *lab = *state;
	struct judgement judgement = check(lab, "bob", ADLAB_PASSWORD);

	judgement_fini(&judgement);
	directory_set_groups(lab->directory, (struct text_list){ other, 1 });
	judgement = check(lab, "bob", ADLAB_PASSWORD);
	assert_int_equal(judgement.verdict, VERDICT_ACCEPTED);
	assert_true(identity_is_member(judgement.identity, "group-b"));
	assert_false(identity_is_member(judgement.identity, RELAY_USERS));
	judgement_fini(&judgement);
}

static void addresses_are_the_users_own(void **state)
{
	struct judgement alice = check(*state, "alice", ADLAB_PASSWORD);
	struct judgement dave = check(*state, "dave", ADLAB_PASSWORD);

	assert_int_equal(alice.verdict, VERDICT_ACCEPTED);
	assert_int_equal(dave.verdict, VERDICT_ACCEPTED);
	assert_int_equal(alice.identity->addresses.count, 3);
	assert_true(identity_has_address(alice.identity, "alice@adlab.test"));
	assert_true(identity_has_address(alice.identity, "Alice.Smith@ADLAB.test"));
	assert_true(identity_has_address(alice.identity, "sales@adlab.test"));
	assert_false(identity_has_address(dave.identity, "alice@adlab.test"));
	judgement_fini(&alice);
	judgement_fini(&dave);
}

static struct judgement look_up(struct lab *lab, enum directory_key key, const char *value)
{
	struct judgement judgement = { 0 };

	directory_look_up(lab->thread, key, value, pool_now_ms() + DEADLINE_MS, &judgement);
	return judgement;
}

static void who_is_known_by_other_means_is_judged_by_state(void **state)
{
	static const struct {
		const char *account, *why;
		enum verdict verdict;
	} rows[] = {
		{ "alice", "accepted", VERDICT_ACCEPTED },
		{ "disabled", "account-disabled", VERDICT_REFUSED_STATE },
		{ "expired", "account-expired", VERDICT_REFUSED_STATE },
		{ "pwexpired", "password-expired", VERDICT_REFUSED_STATE },
		{ "mustchange", "password-must-change", VERDICT_REFUSED_STATE },
		{ "nobody", "no-such-user", VERDICT_REFUSED_PASSWORD },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct judgement judgement = look_up(*state, DIRECTORY_BY_ACCOUNT, rows[i].account);
		struct judgement again;

		assert_int_equal(judgement.verdict, rows[i].verdict);
		assert_string_equal(judgement.why, rows[i].why);
		if (judgement.identity) {
			again = look_up(*state, DIRECTORY_BY_SID, judgement.identity->sid);
			assert_int_equal(again.verdict, rows[i].verdict);
			assert_string_equal(again.identity->user, judgement.identity->user);
			judgement_fini(&again);
		}
		judgement_fini(&judgement);
	}
}

static void the_domains_rule_for_wrong_passwords_is_read(void **state)
{
	struct directory_lockout lockout;
	struct lab *lab = *state;

	assert_int_equal(directory_read_lockout(lab->thread, pool_now_ms() + DEADLINE_MS, &lockout), ERR_OK);
	assert_int_equal(lockout.window_ms % 1000, 0);
	assert_true(lockout.window_ms > 0);
}

/* Takes connections and says nothing. */
static int silent_server(char *uri, size_t size)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	snprintf(uri, size, "ldaps://127.0.0.1:%u", ntohs(address.sin_port));
	return fd;
}

static void servers_that_fail_are_passed_over_and_remembered(void **state)
{
	char silent[64];
	int fd = silent_server(silent, sizeof(silent));
	const char *const servers[] = { silent, "ldaps://127.0.0.1:1", adlab_get("ADLAB_URI") };
	struct directory_options options = options_of(servers, ARRAY_LEN(servers));
	struct lab lab;
	uint64_t start_ms = pool_now_ms(), first_ms;
	bool is_quick = false;

	(void)state;
	options.timeout_ms = TIMEOUT_MS;
	lab = lab_start(&options);
	expect(&lab, "alice", ADLAB_PASSWORD, VERDICT_ACCEPTED, "accepted", "alice@adlab.test");
	first_ms = pool_now_ms() - start_ms;
	assert_true(first_ms >= TIMEOUT_MS - 100 && first_ms < 4 * TIMEOUT_MS);
	/* Left alone for a second: one of several quick questions meets that. */
	for (unsigned i = 0; i < 5 && !is_quick; i++) {
		start_ms = pool_now_ms();
		expect(&lab, "alice", ADLAB_PASSWORD, VERDICT_ACCEPTED, "accepted", "alice@adlab.test");
		is_quick = pool_now_ms() - start_ms < TIMEOUT_MS - 100;
	}
	assert_true(is_quick);
	lab_stop(&lab);
	close(fd);
}

/* The first connection searches, the second one binds. */
static void what_was_not_answered_may_have_counted_if_it_was_a_bind(void **state)
{
	static const struct {
		const char *user;
		unsigned connection;
		enum relay_fault fault;
		bool may_have_counted;
	} rows[] = {
		{ "alice", 0, RELAY_SWALLOW, false },
		{ "alice", 0, RELAY_CUT, false },
		{ "alice", 1, RELAY_SWALLOW, true },
		{ "alice", 1, RELAY_CUT, true },
		{ "nobody", 1, RELAY_CUT, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct tcp_relay *relay = tcp_relay_new(adlab_get("ADLAB_ADDR"), 636);
		char uri[64];
		const char *const servers[] = { uri };
		struct directory_options options = options_of(servers, 1);
		struct judgement judgement;
		struct lab lab;

		snprintf(uri, sizeof(uri), "ldaps://%s:%u", adlab_get("ADLAB_ADDR"), tcp_relay_port(relay));
		options.timeout_ms = TIMEOUT_MS;
		lab = lab_start(&options);
		expect(&lab, "alice", ADLAB_PASSWORD, VERDICT_ACCEPTED, "accepted", "alice@adlab.test");
		tcp_relay_set_fault(relay, rows[i].connection, rows[i].fault);
		judgement = check(&lab, rows[i].user, "wrong");
		if (judgement.verdict != VERDICT_CANNOT_SAY ||
			judgement.may_have_counted != rows[i].may_have_counted)
			fail_msg("row %zu: verdict %d, may have counted: %d", i, judgement.verdict,
				judgement.may_have_counted);
		judgement_fini(&judgement);
		lab_stop(&lab);
		tcp_relay_free(&relay);
	}
}

static void a_wrong_certificate_and_a_wrong_service_password_are_our_trouble(void **state)
{
	const char *const servers[] = { adlab_get("ADLAB_URI") };
	struct directory_options options = options_of(servers, 1);
	struct bind_password *wrong = bind_password_new("wrong");
	struct lab lab;

	(void)state;
	options.bind_password = wrong;
	lab = lab_start(&options);
	expect(&lab, "alice", ADLAB_PASSWORD, VERDICT_CANNOT_SAY, "directory-unavailable", NULL);
	lab_stop(&lab);
	bind_password_free(&wrong);
	options = options_of(servers, 1);
	options.ca = "/etc/hostname";
	lab = lab_start(&options);
	expect(&lab, "alice", ADLAB_PASSWORD, VERDICT_CANNOT_SAY, "directory-unavailable", NULL);
	lab_stop(&lab);
}

static void start_tls_works_too(void **state)
{
	char uri[64];
	const char *const servers[] = { uri };
	struct directory_options options = options_of(servers, 1);
	struct lab lab;

	(void)state;
	snprintf(uri, sizeof(uri), "ldap://%s", adlab_get("ADLAB_ADDR"));
	options.start_tls = true;
	lab = lab_start(&options);
	expect(&lab, "alice", ADLAB_PASSWORD, VERDICT_ACCEPTED, "accepted", "alice@adlab.test");
	expect(&lab, "alice", "wrong", VERDICT_REFUSED_PASSWORD, "wrong-password", "alice@adlab.test");
	lab_stop(&lab);
}

/* Until the pause after the failure is over. */
static void expect_recovery(struct lab *lab)
{
	uint64_t give_up_ms = pool_now_ms() + 10000;
	enum verdict verdict = VERDICT_CANNOT_SAY;

	while (verdict != VERDICT_ACCEPTED && pool_now_ms() < give_up_ms) {
		struct judgement judgement = check(lab, "alice", ADLAB_PASSWORD);

		verdict = judgement.verdict;
		judgement_fini(&judgement);
		usleep(20000);
	}
	assert_int_equal(verdict, VERDICT_ACCEPTED);
}

static void a_server_that_hangs_is_given_up_in_time_and_comes_back(void **state)
{
	const char *const servers[] = { adlab_get("ADLAB_URI") };
	struct directory_options options = options_of(servers, 1);
	uint64_t start_ms;
	struct lab lab;

	(void)state;
	options.timeout_ms = TIMEOUT_MS;
	lab = lab_start(&options);
	expect_recovery(&lab);
	adlab_do("hang");
	start_ms = pool_now_ms();
	expect(&lab, "alice", ADLAB_PASSWORD, VERDICT_CANNOT_SAY, "directory-unavailable", NULL);
	assert_true(pool_now_ms() - start_ms < 3 * TIMEOUT_MS);
	start_ms = pool_now_ms();
	expect(&lab, "alice", ADLAB_PASSWORD, VERDICT_CANNOT_SAY, "directory-unavailable", NULL);
	assert_true(pool_now_ms() - start_ms < TIMEOUT_MS / 2);
	adlab_do("wake");
	expect_recovery(&lab);
	lab_stop(&lab);
}

static void a_server_that_restarts_is_connected_to_again(void **state)
{
	expect(*state, "alice", ADLAB_PASSWORD, VERDICT_ACCEPTED, "accepted", "alice@adlab.test");
	adlab_do("dc-down");
	expect(*state, "alice", ADLAB_PASSWORD, VERDICT_CANNOT_SAY, "directory-unavailable", NULL);
	adlab_do("dc-up");
	expect_recovery(*state);
	/* Connections that were idle for too long: repeated at once, and nobody notices. */
	adlab_do("dc-down");
	adlab_do("dc-up");
	expect(*state, "alice", ADLAB_PASSWORD, VERDICT_ACCEPTED, "accepted", "alice@adlab.test");
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_state_of_an_account_has_its_verdict),
		cmocka_unit_test(every_way_to_write_a_name_is_the_same_user),
		cmocka_unit_test(names_of_nobody_and_tricks_in_names_are_refused),
		cmocka_unit_test(nested_groups_count_and_changes_are_seen),
		cmocka_unit_test(addresses_are_the_users_own),
		cmocka_unit_test(who_is_known_by_other_means_is_judged_by_state),
		cmocka_unit_test(the_domains_rule_for_wrong_passwords_is_read),
		cmocka_unit_test(servers_that_fail_are_passed_over_and_remembered),
		cmocka_unit_test(what_was_not_answered_may_have_counted_if_it_was_a_bind),
		cmocka_unit_test(a_wrong_certificate_and_a_wrong_service_password_are_our_trouble),
		cmocka_unit_test(start_tls_works_too),
		cmocka_unit_test(a_locked_account_is_told_from_a_wrong_password),
		cmocka_unit_test(a_server_that_hangs_is_given_up_in_time_and_comes_back),
		cmocka_unit_test(a_server_that_restarts_is_connected_to_again),
		cmocka_unit_test(the_groups_asked_about_can_change),
	};
	int failed;

	ldap_conn_global_init();
	service_password = bind_password_new(adlab_get("ADLAB_BIND_PW"));
	failed = cmocka_run_group_tests(tests, set_up, tear_down);
	bind_password_free(&service_password);
	return failed;
}

int main(int argc, char *argv[])
{
	(void)argc;
	return adlab_main(argv, run);
}
