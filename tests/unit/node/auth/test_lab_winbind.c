/* NTLM through winbindd against a real domain: every state of an account, and everything that may be down. */
#include "cmocka_all.h"

#include "adlab.h"
#include "auth/pool.h"
#include "auth/winbind.h"
#include "io/wall_clock.h"
#include "ntlm_client.h"

#include <pthread.h>
#include <unistd.h>

enum { RECOVERY_MS = 20000, HANG_MAX_MS = 25000, THREADS = 4, ROUNDS = 20 };

#define FILETIME_1970 116444736000000000ull

static int set_up(void **state)
{
	*state = winbind_thread_new(NULL);
	return 0;
}

static int tear_down(void **state)
{
	struct winbind_thread *thread = *state;

	winbind_thread_free(&thread);
	return 0;
}

/* `key_out`: what the client has; may be NULL. */
static struct winbind_result check(struct winbind_thread *thread, const char *domain, const char *user,
	const char *password, uint8_t *key_out)
{
	struct ntlm_client client = { domain, user, password, { 1, 2, 3, 4, 5, 6, 7, 8 }, "ADLAB",
		FILETIME_1970 + wall_clock_ms() * 10000 };
	struct winbind_ntlm ntlm = { .domain = domain, .user = user, .workstation = "PC7" };
	struct winbind_result result;
	struct buf response = { 0 };
	uint8_t key[NTLM_CLIENT_KEY_LEN];

	ntlm_client_respond(&client, &response, key_out ? key_out : key);
	memcpy(ntlm.challenge, client.challenge, sizeof(ntlm.challenge));
	ntlm.nt = buf_span(&response);
	memset(&result, 0x5a, sizeof(result));
	winbind_check_ntlm(thread, &ntlm, &(struct pool_turn){ 0, NULL }, &result);
	buf_fini(&response);
	return result;
}

static void expect(struct winbind_thread *thread, const char *domain, const char *user, const char *password,
	const char *why, uint32_t code)
{
	struct winbind_result result = check(thread, domain, user, password, NULL);
	bool is_accepted = result.judgement.verdict == VERDICT_ACCEPTED;

	if (strcmp(result.judgement.why, why) != 0 || result.judgement.code != code)
		fail_msg("%s\\%s: %s, %08x", domain, user, result.judgement.why, result.judgement.code);
	assert_int_equal(is_accepted, strcmp(why, "accepted") == 0);
	assert_int_equal(result.sid[0] != '\0', is_accepted);
	assert_int_equal(result.token_count > 0, is_accepted);
	assert_null(result.judgement.identity);
	assert_false(result.judgement.may_have_counted);
	winbind_result_fini(&result);
}

static void every_state_of_an_account_has_its_verdict(void **state)
{
	static const struct {
		const char *user, *why;
		uint32_t code;
		enum verdict verdict;
	} rows[] = {
		{ "alice", "accepted", 0, VERDICT_ACCEPTED },
		{ "bob", "accepted", 0, VERDICT_ACCEPTED },
		{ "carol", "accepted", 0, VERDICT_ACCEPTED },
		{ "dave", "accepted", 0, VERDICT_ACCEPTED },
		{ "jürgen", "accepted", 0, VERDICT_ACCEPTED },
		{ "many", "accepted", 0, VERDICT_ACCEPTED },
		{ "disabled", "account-disabled", 0xc0000072, VERDICT_REFUSED_STATE },
		{ "expired", "account-expired", 0xc0000193, VERDICT_REFUSED_STATE },
		{ "pwexpired", "password-expired", 0xc0000071, VERDICT_REFUSED_STATE },
		{ "mustchange", "password-must-change", 0xc0000224, VERDICT_REFUSED_STATE },
		{ "hours", "logon-hours", 0xc000006f, VERDICT_REFUSED_STATE },
		{ "wks", "logon-workstation", 0xc0000070, VERDICT_REFUSED_STATE },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct winbind_result result = check(*state, "ADLAB", rows[i].user, ADLAB_PASSWORD, NULL);

		assert_int_equal(result.judgement.verdict, rows[i].verdict);
		winbind_result_fini(&result);
		expect(*state, "ADLAB", rows[i].user, ADLAB_PASSWORD, rows[i].why, rows[i].code);
		result = check(*state, "ADLAB", rows[i].user, "wrong", NULL);
		assert_int_equal(result.judgement.verdict, VERDICT_REFUSED_PASSWORD);
		winbind_result_fini(&result);
		expect(*state, "ADLAB", rows[i].user, "wrong", "wrong-password", 0xc000006a);
	}
}

static void a_locked_account_is_told_from_a_wrong_password(void **state)
{
	for (unsigned i = 0; i < 3; i++)
		expect(*state, "ADLAB", "locked", "wrong", "wrong-password", 0xc000006a);
	expect(*state, "ADLAB", "locked", ADLAB_PASSWORD, "account-locked", 0xc0000234);
	adlab_do("tool user unlock locked");
	expect(*state, "ADLAB", "locked", ADLAB_PASSWORD, "accepted", 0);
}

static void every_way_to_write_a_name_that_the_domain_knows_works(void **state)
{
	static const struct {
		const char *domain, *user, *why;
		uint32_t code;
	} rows[] = {
		{ "", "alice", "accepted", 0 },
		{ "adlab", "ALICE", "accepted", 0 },
		{ "adlab.test", "alice", "accepted", 0 },
		{ "", "alice@adlab.test", "accepted", 0 },
		{ "", "bob@ADLAB.TEST", "accepted", 0 },
		{ "ADLAB", "nobody", "no-such-user", 0xc0000064 },
		{ "OTHER", "alice", "no-such-user", 0xc0000064 },
		{ "", "b.obrien@corp.example", "no-such-user", 0xc0000064 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect(*state, rows[i].domain, rows[i].user, ADLAB_PASSWORD, rows[i].why, rows[i].code);
}

/* winbindd would take its first 255 bytes. */
static void a_name_that_would_be_cut_is_nobodys(void **state)
{
	char user[WINBIND_NAME_SIZE + 1];

	memset(user, 'a', sizeof(user));
	user[WINBIND_NAME_SIZE] = '\0';
	expect(*state, "ADLAB", user, ADLAB_PASSWORD, "no-such-user", 0);
}

static void the_session_key_is_the_clients(void **state)
{
	uint8_t key[NTLM_CLIENT_KEY_LEN];
	const uint8_t wiped[WINBIND_KEY_LEN] = { 0 };
	struct winbind_result result = check(*state, "ADLAB", "alice", ADLAB_PASSWORD, key);

	assert_memory_equal(result.session_key, key, sizeof(key));
	winbind_result_fini(&result);
	assert_memory_equal(result.session_key, wiped, sizeof(wiped));
	result = check(*state, "ADLAB", "disabled", ADLAB_PASSWORD, key);
	assert_memory_equal(result.session_key, wiped, sizeof(wiped));
	winbind_result_fini(&result);
}

/* The domain's own look-up of a name. */
static void sid_of_name(const char *name, char sid_out[SID_TEXT_SIZE])
{
	char command[256];
	FILE *pipe;
	size_t len;

	snprintf(command, sizeof(command), "wbinfo -n '%s' | cut -d ' ' -f 1", name);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	len = fread(sid_out, 1, SID_TEXT_SIZE - 1, pipe);
	assert_int_equal(pclose(pipe), 0);
	while (len && sid_out[len - 1] == '\n')
		len--;
	sid_out[len] = '\0';
	assert_true(len > 0);
}

static bool has_sid(const struct winbind_result *result, const char *name)
{
	char wanted[SID_TEXT_SIZE], text[SID_TEXT_SIZE];

	sid_of_name(name, wanted);
	for (size_t i = 0; i < result->token_count; i++) {
		sid_format(&result->token[i], text);
		if (strcmp(text, wanted) == 0)
			return true;
	}
	return false;
}

static void the_token_has_the_user_and_nested_groups(void **state)
{
	struct winbind_result bob = check(*state, "ADLAB", "bob", ADLAB_PASSWORD, NULL);
	struct winbind_result many = check(*state, "ADLAB", "many", ADLAB_PASSWORD, NULL);
	char sid[SID_TEXT_SIZE];

	sid_of_name("ADLAB\\bob", sid);
	assert_string_equal(bob.sid, sid);
	assert_true(has_sid(&bob, "ADLAB\\bob"));
	assert_true(has_sid(&bob, "ADLAB\\group-b"));
	assert_true(has_sid(&bob, "ADLAB\\smtp-relay-users"));
	assert_true(has_sid(&bob, "ADLAB\\Domain Users"));
	assert_false(has_sid(&bob, "ADLAB\\send-as-any"));
	assert_true(many.token_count > 300);
	winbind_result_fini(&bob);
	winbind_result_fini(&many);
}

static void the_machines_names_are_known(void **state)
{
	struct winbind_names names;

	assert_true(winbind_is_there(*state));
	assert_int_equal(winbind_read_names(*state, &names), ERR_OK);
	assert_string_equal(names.netbios_domain, "ADLAB");
	assert_string_equal(names.netbios_computer, "RELAY1");
	assert_string_equal(names.dns_domain, "adlab.test");
	assert_string_equal(names.dns_computer, "relay1.adlab.test");
}

static void *run_thread(void *arg)
{
	struct winbind_thread *thread = winbind_thread_new(NULL);
	unsigned *accepted = arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct winbind_result result = check(thread, "ADLAB", "alice", ADLAB_PASSWORD, NULL);

		*accepted += result.judgement.verdict == VERDICT_ACCEPTED;
		winbind_result_fini(&result);
	}
	winbind_thread_free(&thread);
	return NULL;
}

static void threads_do_not_disturb_each_other(void **state)
{
	pthread_t threads[THREADS];
	unsigned accepted[THREADS] = { 0 };

	(void)state;
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_thread, &accepted[i]), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(accepted[i], ROUNDS);
	}
}

static void expect_recovery(struct winbind_thread *thread)
{
	uint64_t give_up_ms = pool_now_ms() + RECOVERY_MS;
	enum verdict verdict = VERDICT_CANNOT_SAY;

	while (verdict == VERDICT_CANNOT_SAY && pool_now_ms() < give_up_ms) {
		struct winbind_result result = check(thread, "ADLAB", "alice", ADLAB_PASSWORD, NULL);

		verdict = result.judgement.verdict;
		winbind_result_fini(&result);
		usleep(20000);
	}
	assert_int_equal(verdict, VERDICT_ACCEPTED);
}

static void without_winbindd_nobody_can_say(void **state)
{
	struct winbind_names names;

	expect(*state, "ADLAB", "alice", ADLAB_PASSWORD, "accepted", 0);
	adlab_do("member-down");
	assert_false(winbind_is_there(*state));
	assert_int_equal(winbind_read_names(*state, &names), ERR_CLOSED);
	expect(*state, "ADLAB", "alice", ADLAB_PASSWORD, "winbind-unavailable", 0);
	adlab_do("member-up");
	assert_true(winbind_is_there(*state));
	expect_recovery(*state);
}

static void who_may_not_ask_winbindd_has_asked_nothing(void **state)
{
	struct winbind_thread *thread = winbind_thread_new(NULL);

	(void)state;
	assert_int_equal(setegid(65534), 0);
	assert_int_equal(seteuid(65534), 0);
	assert_true(winbind_is_there(thread));
	expect(thread, "ADLAB", "alice", "wrong", "winbind-unavailable", 0);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(setegid(0), 0);
	winbind_thread_free(&thread);
}

static void without_a_domain_controller_nobody_can_say(void **state)
{
	struct winbind_result result;

	expect(*state, "ADLAB", "alice", ADLAB_PASSWORD, "accepted", 0);
	adlab_do("dc-down");
	result = check(*state, "ADLAB", "alice", ADLAB_PASSWORD, NULL);
	assert_int_equal(result.judgement.verdict, VERDICT_CANNOT_SAY);
	assert_string_equal(result.judgement.why, "domain-unavailable");
	winbind_result_fini(&result);
	expect(*state, "ADLAB", "alice", ADLAB_PASSWORD, "domain-unavailable", 0xc000005e);
	assert_true(winbind_is_there(*state));
	adlab_do("dc-up");
	expect_recovery(*state);
}

static void a_domain_controller_that_hangs_is_given_up(void **state)
{
	uint64_t start_ms;
	struct winbind_result result;

	expect(*state, "ADLAB", "alice", ADLAB_PASSWORD, "accepted", 0);
	adlab_do("hang");
	start_ms = pool_now_ms();
	result = check(*state, "ADLAB", "alice", ADLAB_PASSWORD, NULL);
	adlab_do("wake");
	assert_int_equal(result.judgement.verdict, VERDICT_CANNOT_SAY);
	assert_true(result.judgement.may_have_counted);
	assert_true(pool_now_ms() - start_ms < HANG_MAX_MS);
	winbind_result_fini(&result);
	expect_recovery(*state);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_state_of_an_account_has_its_verdict),
		cmocka_unit_test(every_way_to_write_a_name_that_the_domain_knows_works),
		cmocka_unit_test(a_name_that_would_be_cut_is_nobodys),
		cmocka_unit_test(the_session_key_is_the_clients),
		cmocka_unit_test(the_token_has_the_user_and_nested_groups),
		cmocka_unit_test(the_machines_names_are_known),
		cmocka_unit_test(threads_do_not_disturb_each_other),
		cmocka_unit_test(a_locked_account_is_told_from_a_wrong_password),
		cmocka_unit_test(without_winbindd_nobody_can_say),
		cmocka_unit_test(who_may_not_ask_winbindd_has_asked_nothing),
		cmocka_unit_test(without_a_domain_controller_nobody_can_say),
		cmocka_unit_test(a_domain_controller_that_hangs_is_given_up),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

int main(int argc, char *argv[])
{
	(void)argc;
	return adlab_main(argv, run);
}
