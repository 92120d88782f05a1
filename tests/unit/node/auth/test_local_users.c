/* Users of the file, as skeinctl's functions write it and a node reads it. */
#include "cmocka_all.h"

#include "auth/local_users.h"
#include "auth/pool.h"
#include "scratch_dir.h"
#include "skein/proto/auth/scram.h"
#include "skein/proto/base/alloc.h"
#include "user_store.h"

#include <crypt.h>
#include <string.h>

enum { COST_SIZE = 16 };

/* The calls of crypt_r(), which this program takes from libcrypt. */
static struct {
	unsigned calls;
	char cost[COST_SIZE]; /* of the last: "$y$j9T$" */
} crypts;

char *crypt_r(const char *phrase, const char *setting, struct crypt_data *data)
{
	size_t len = 0;

	for (unsigned dollars = 0; setting[len] && dollars < 3 && len + 1 < COST_SIZE; len++)
		dollars += setting[len] == '$';
	crypts.calls++;
	memcpy(crypts.cost, setting, len);
	crypts.cost[len] = '\0';
	return crypt_rn(phrase, setting, data, sizeof(*data));
}

struct place {
	struct scratch_dir dir, file;
	struct local_users *users;
};

static int set_up(void **state)
{
	static struct place place;

	place.dir = scratch_make();
	place.file = scratch_path(&place.dir, "users");
	place.users = local_users_new(place.file.path);
	*state = &place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	local_users_free(&place->users);
	scratch_remove(&place->dir);
	return 0;
}

static void expect_store(enum err seen, enum err wanted, struct buf *why)
{
	if (seen != wanted)
		fail_msg("%s: %.*s", err_text(seen), SPAN_ARGS(buf_span(why)));
	assert_int_equal(buf_len(why) > 0, wanted != ERR_OK);
	buf_clear(why);
}

static void add(struct place *place, const char *name, const char *password, bool with_scram)
{
	static const char *const groups[] = { "devices" };
	static const char *const addresses[] = { "Printer@x.example" };
	const struct user_list group_list = { groups, 1 }, address_list = { addresses, 1 };
	struct buf why = { 0 };

	expect_store(user_store_add(place->file.path, name,
			     &(struct user_change){ password, with_scram ? USER_SCRAM_YES : USER_SCRAM_NO,
				     &group_list, &address_list, NULL },
			     &why),
		ERR_OK, &why);
	buf_fini(&why);
}

static void expect(
	struct place *place, const char *login, const char *password, enum verdict verdict, const char *why)
{
	struct judgement judgement = { 0 };

	local_users_check_password(place->users, NULL, login, password, &judgement);
	if (judgement.verdict != verdict || strcmp(judgement.why, why) != 0)
		fail_msg("%s: verdict %d, %s", login, judgement.verdict, judgement.why);
	judgement_fini(&judgement);
}

static void a_user_logs_in_with_its_password(void **state)
{
	struct place *place = *state;
	struct judgement judgement = { 0 };

	add(place, "Printer", "secret", false);
	local_users_check_password(place->users, NULL, "PRINTER", "secret", &judgement);
	assert_int_equal(judgement.verdict, VERDICT_ACCEPTED);
	assert_string_equal(judgement.identity->user, "printer");
	assert_string_equal(judgement.identity->backend, "file");
	assert_true(identity_is_member(judgement.identity, "devices"));
	assert_true(identity_has_address(judgement.identity, "printer@X.example"));
	judgement_fini(&judgement);
	expect(place, "printer", "Secret", VERDICT_REFUSED_PASSWORD, "wrong-password");
	expect(place, "printer", "", VERDICT_REFUSED_PASSWORD, "no-such-user");
	expect(place, "scanner", "secret", VERDICT_REFUSED_PASSWORD, "no-such-user");
}

static void changes_are_seen_at_once(void **state)
{
	static const bool yes = true, no = false;
	struct place *place = *state;
	const char *path = place->file.path;
	struct buf why = { 0 };

	add(place, "a", "one", true);
	add(place, "b", "two", false);
	expect(place, "a", "one", VERDICT_ACCEPTED, "accepted");
	expect_store(user_store_change(path, "A", &(struct user_change){ .password = "three" }, &why), ERR_OK,
		&why);
	expect(place, "a", "one", VERDICT_REFUSED_PASSWORD, "wrong-password");
	expect(place, "a", "three", VERDICT_ACCEPTED, "accepted");
	expect_store(user_store_change(path, "a", &(struct user_change){ .is_disabled = &yes }, &why), ERR_OK,
		&why);
	expect(place, "a", "three", VERDICT_REFUSED_STATE, "account-disabled");
	expect(place, "a", "one", VERDICT_REFUSED_PASSWORD, "wrong-password");
	expect_store(user_store_change(path, "a", &(struct user_change){ .is_disabled = &no }, &why), ERR_OK,
		&why);
	expect(place, "a", "three", VERDICT_ACCEPTED, "accepted");
	expect_store(user_store_remove(path, "a", &why), ERR_OK, &why);
	expect(place, "a", "three", VERDICT_REFUSED_PASSWORD, "no-such-user");
	expect(place, "b", "two", VERDICT_ACCEPTED, "accepted");
	buf_fini(&why);
}

static void each_other_file_is_another_generation(void **state)
{
	struct place *place = *state;
	unsigned first;

	add(place, "a", "one", false);
	local_users_refresh(place->users, NULL);
	first = local_users_generation(place->users);
	local_users_refresh(place->users, NULL);
	expect(place, "a", "one", VERDICT_ACCEPTED, "accepted");
	assert_int_equal(local_users_generation(place->users), first);
	add(place, "b", "two", false);
	expect(place, "b", "two", VERDICT_ACCEPTED, "accepted");
	assert_int_equal(local_users_generation(place->users), first + 1);
	scratch_write(place->file.path, "nonsense", 8);
	local_users_refresh(place->users, NULL);
	assert_int_equal(local_users_generation(place->users), first + 1);
}

static void what_cannot_be_done_is_told_and_changes_nothing(void **state)
{
	static const char *const bad_groups[] = { "two words" };
	const struct user_list groups = { bad_groups, 1 };
	struct place *place = *state;
	const char *path = place->file.path;
	struct buf why = { 0 };

	add(place, "a", "one", false);
	expect_store(
		user_store_add(path, "A", &(struct user_change){ .password = "x" }, &why), ERR_BUSY, &why);
	expect_store(user_store_add(path, "b", &(struct user_change){ 0 }, &why), ERR_INVALID, &why);
	expect_store(user_store_add(path, "b c", &(struct user_change){ .password = "x" }, &why), ERR_INVALID,
		&why);
	expect_store(user_store_change(path, "b", &(struct user_change){ .password = "x" }, &why),
		ERR_NOT_FOUND, &why);
	expect_store(user_store_remove(path, "b", &why), ERR_NOT_FOUND, &why);
	expect_store(user_store_change(path, "a", &(struct user_change){ .groups = &groups }, &why),
		ERR_INVALID, &why);
	expect_store(user_store_add(path, "b",
			     &(struct user_change){ .password = "\xff", .scram = USER_SCRAM_YES }, &why),
		ERR_INVALID, &why);
	expect_store(user_store_remove("/nowhere/users", "b", &why), ERR_IO, &why);
	expect(place, "a", "one", VERDICT_ACCEPTED, "accepted");
	assert_int_equal(scratch_count(place->dir.path, ".new"), 0);
	buf_fini(&why);
}

static void the_file_is_for_its_owner_alone_and_keeps_its_mode(void **state)
{
	struct place *place = *state;
	struct stat stat_now;

	add(place, "a", "one", false);
	assert_int_equal(stat(place->file.path, &stat_now), 0);
	assert_int_equal(stat_now.st_mode & 0777, 0600);
	assert_int_equal(chmod(place->file.path, 0640), 0);
	add(place, "b", "two", false);
	assert_int_equal(stat(place->file.path, &stat_now), 0);
	assert_int_equal(stat_now.st_mode & 0777, 0640);
}

static void a_bad_file_leaves_the_users_as_they_were(void **state)
{
	struct place *place = *state;

	expect(place, "a", "one", VERDICT_CANNOT_SAY, "users-file-bad");
	add(place, "a", "one", false);
	expect(place, "a", "one", VERDICT_ACCEPTED, "accepted");
	scratch_write(place->file.path, "nonsense", 8);
	expect(place, "a", "one", VERDICT_ACCEPTED, "accepted");
	assert_int_equal(local_users_load(place->users, NULL), ERR_INVALID);
	assert_int_equal(unlink(place->file.path), 0);
	expect(place, "a", "one", VERDICT_ACCEPTED, "accepted");
}

static void a_verifier_serves_scram_and_plain(void **state)
{
	struct place *place = *state;
	struct judgement judgement = { 0 };
	struct local_scram scram;

	add(place, "a", "one", true);
	add(place, "b", "two", false);
	local_users_find_scram(place->users, NULL, "A", &judgement, &scram);
	assert_int_equal(judgement.verdict, VERDICT_ACCEPTED);
	assert_true(scram_verifier_fits(&scram.verifier, SPAN_LIT("one")));
	assert_false(scram_verifier_fits(&scram.verifier, SPAN_LIT("two")));
	local_users_find_scram(place->users, NULL, "b", &judgement, &scram);
	assert_int_equal(judgement.verdict, VERDICT_REFUSED_PASSWORD);
	local_users_look_up(place->users, NULL, "b", &judgement);
	assert_int_equal(judgement.verdict, VERDICT_ACCEPTED);
	local_users_look_up(place->users, NULL, "c", &judgement);
	assert_string_equal(judgement.why, "no-such-user");
	judgement_fini(&judgement);
}

/* What a login was compared with: as many hashes, made with the same method and cost. */
static void expect_one_hash(struct place *place, const char *login, const char *why, char cost[COST_SIZE])
{
	crypts.calls = 0;
	expect(place, login, "wrong", VERDICT_REFUSED_PASSWORD, why);
	assert_int_equal(crypts.calls, 1);
	memcpy(cost, crypts.cost, COST_SIZE);
}

static void a_name_that_is_not_there_costs_as_much(void **state)
{
	struct place *place = *state;
	char known[COST_SIZE], unknown[COST_SIZE];

	add(place, "a", "one", false);
	expect_one_hash(place, "a", "wrong-password", known);
	expect_one_hash(place, "nobody", "no-such-user", unknown);
	assert_string_equal(known, unknown);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_user_logs_in_with_its_password, set_up, tear_down),
		cmocka_unit_test_setup_teardown(changes_are_seen_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(each_other_file_is_another_generation, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_cannot_be_done_is_told_and_changes_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_file_is_for_its_owner_alone_and_keeps_its_mode, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_bad_file_leaves_the_users_as_they_were, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_verifier_serves_scram_and_plain, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_name_that_is_not_there_costs_as_much, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
