#include "cmocka_all.h"

#include "outbound/signing_set.h"
#include "skein/cluster/dkim_secret.h"

static const char policy_text[] =
	"sign:\n"
	"  - domain: a.example\n"
	"  - {domain: b.example, selectors: [s2], expire: 7d, headers: [From, X-Y],\n"
	"     identity: me@b.example, canonicalization: simple/relaxed}\n";

static struct {
	struct policy_slot policy;
	struct secrets *secrets;
	struct signing_slot *slot;
} world;

static void set_policy(const char *text)
{
	struct report report = { 0 };
	struct policy *policy = policy_parse(span_of_str(text), "p.yaml", &report);

	assert_non_null(policy);
	report_fini(&report);
	policy_slot_set(&world.policy, policy_snapshot_new(policy, (struct policy_version){ 0, 0 }));
	signing_slot_refresh(world.slot, &world.policy, world.secrets);
}

static void on_secrets(void *arg)
{
	(void)arg;
	signing_slot_refresh(world.slot, &world.policy, world.secrets);
}

static const struct secret_value *key_of(const char *name, enum dkim_state state)
{
	static const unsigned char seed[DKIM_ED25519_SEED_LEN] = { 7 };
	const struct dkim_secret secret = { state, 1, SPAN_LIT("") };
	struct dkim_key *key = dkim_key_new_ed25519(seed);
	const struct secret_value *value;
	struct buf text = { 0 };

	dkim_secret_format(&secret, &text);
	dkim_key_append_pem(key, &text);
	value = secret_value_new(span_of_str(name), buf_span(&text));
	buf_fini(&text);
	dkim_key_free(&key);
	return value;
}

static int set_up(void **state)
{
	(void)state;
	policy_slot_init(&world.policy);
	world.secrets = secrets_new(SECRETS_AWAITED);
	world.slot = signing_slot_new(NULL);
	set_policy("{}");
	secrets_on_change(world.secrets, on_secrets, NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	signing_slot_free(&world.slot);
	secrets_free(&world.secrets);
	policy_slot_fini(&world.policy);
	return 0;
}

static const struct signing_entry *entry_of(const struct signing_set *set, const char *domain)
{
	struct span author = span_of_str(domain);

	return signing_set_find(set, &author, 1, SPAN_LIT(""));
}

static void where_the_policy_signs_nothing_there_is_no_set(void **state)
{
	struct signing_set *set;

	(void)state;
	assert_null(signing_slot_get(world.slot));
	set_policy(policy_text);
	set = signing_slot_get(world.slot);
	assert_non_null(set);
	set_policy("{}");
	assert_null(signing_slot_get(world.slot));
	assert_non_null(entry_of(set, "a.example"));
	signing_set_unref(&set);
	assert_null(set);
}

static void only_active_keys_of_the_domain_and_its_selectors_sign(void **state)
{
	const struct secret_value *values[] = {
		key_of("s1._domainkey.a.example", DKIM_STATE_ACTIVE),
		key_of("s2._domainkey.a.example", DKIM_STATE_ACTIVE),
		key_of("s3._domainkey.a.example", DKIM_STATE_PUBLISHED),
		key_of("s4._domainkey.a.example", DKIM_STATE_CREATED),
		key_of("s5._domainkey.a.example", DKIM_STATE_RETIRED),
		key_of("s1._domainkey.b.example", DKIM_STATE_ACTIVE),
		key_of("s2._domainkey.b.example", DKIM_STATE_ACTIVE),
		secret_value_new(SPAN_LIT("s6._domainkey.a.example"), SPAN_LIT("no key")),
		secret_value_new(SPAN_LIT("s7._domainkey.a.example"), SPAN_LIT("dkim 1 active 1\nno key")),
		secret_value_new(SPAN_LIT("password"), SPAN_LIT("x")),
	};
	const struct signing_entry *entry;
	struct signing_set *set;

	(void)state;
	set_policy(policy_text);
	secrets_replace(world.secrets, values, ARRAY_LEN(values));
	set = signing_slot_get(world.slot);
	entry = entry_of(set, "a.example");
	assert_int_equal(entry->rule_count, 2);
	assert_int_equal(entry->lifetime_s, 0);
	assert_null(entry->rules[0].names);
	entry = entry_of(set, "b.example");
	assert_int_equal(entry->rule_count, 1);
	assert_span_equal(entry->rules[0].selector, "s2");
	assert_span_equal(entry->rules[0].identity, "me@b.example");
	assert_int_equal(entry->rules[0].name_count, 2);
	assert_true(entry->rules[0].names[1].is_oversigned);
	assert_int_equal(entry->rules[0].header_canon, DKIM_SIMPLE);
	assert_int_equal(entry->rules[0].body_canon, DKIM_RELAXED);
	assert_int_equal(entry->lifetime_s, 7 * 86400);
	assert_null(entry_of(set, "c.example"));
	signing_set_unref(&set);
}

static void more_than_eight_active_keys_sign_no_more(void **state)
{
	const struct secret_value *values[DKIM_RULES_MAX + 1];
	struct signing_set *set;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		char name[] = "s0._domainkey.a.example";

		name[1] = (char)('0' + i);
		values[i] = key_of(name, DKIM_STATE_ACTIVE);
	}
	set_policy(policy_text);
	secrets_replace(world.secrets, values, ARRAY_LEN(values));
	set = signing_slot_get(world.slot);
	assert_int_equal(entry_of(set, "a.example")->rule_count, DKIM_RULES_MAX);
	signing_set_unref(&set);
}

static void without_keys_it_is_told_why(void **state)
{
	struct signing_set *set;

	(void)state;
	set_policy(policy_text);
	set = signing_slot_get(world.slot);
	assert_int_equal(entry_of(set, "a.example")->rule_count, 0);
	assert_non_null(strstr(signing_set_why_none(set), "not read from Redis yet"));
	signing_set_unref(&set);
	secrets_replace(world.secrets, NULL, 0);
	set = signing_slot_get(world.slot);
	assert_non_null(strstr(signing_set_why_none(set), "no active key"));
	signing_set_unref(&set);
}

static void each_change_makes_another_set_and_who_holds_one_keeps_it(void **state)
{
	const struct secret_value *value = key_of("s1._domainkey.a.example", DKIM_STATE_ACTIVE);
	struct signing_set *old, *new;

	(void)state;
	set_policy(policy_text);
	secrets_replace(world.secrets, &value, 1);
	old = signing_slot_get(world.slot);
	secrets_replace(world.secrets, NULL, 0);
	new = signing_slot_get(world.slot);
	assert_int_not_equal(signing_set_number(old), signing_set_number(new));
	assert_int_equal(entry_of(old, "a.example")->rule_count, 1);
	assert_int_equal(entry_of(new, "a.example")->rule_count, 0);
	signing_set_unref(&old);
	signing_set_unref(&new);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			where_the_policy_signs_nothing_there_is_no_set, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			only_active_keys_of_the_domain_and_its_selectors_sign, set_up, tear_down),
		cmocka_unit_test_setup_teardown(more_than_eight_active_keys_sign_no_more, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_keys_it_is_told_why, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			each_change_makes_another_set_and_who_holds_one_keeps_it, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("signing_set", tests, NULL, NULL);
}
