/* Tickets of a real domain: who they are for, what they say, and what is wrong with those that are refused.
 */
#include "cmocka_all.h"

#include "adlab.h"
#include "auth/bind_password.h"
#include "auth/directory.h"
#include "auth/kerberos.h"
#include "auth/ldap_conn.h"
#include "auth/pool.h"
#include "gss_client.h"
#include "scratch_dir.h"
#include "skein/proto/base/alloc.h"

#define TARGET "smtp@relay1.adlab.test"

enum { DEADLINE_MS = 8000 };

/* What all tests share; caches of tickets are files in the folder. */
static struct {
	struct scratch_dir dir;
	struct kerberos *kerberos;
} lab;

/* In the folder; `arg` is "$ARG". */
static void shell(const char *command, const char *arg)
{
	char line[1024];

	setenv("ARG", arg, 1);
	snprintf(line, sizeof(line), "cd '%s' && %s", lab.dir.path, command);
	if (system(line) != 0)
		fail_msg("failed for %s: %s", arg, line);
}

/* A new cache named like the user, with a ticket for us in it. */
static void get_ticket(const char *user)
{
	shell("rm -f \"$ARG\" && echo " ADLAB_PASSWORD
	      " | kinit -c \"FILE:$ARG\" \"$ARG\" >/dev/null 2>&1 && "
	      "kvno -q -c \"FILE:$ARG\" smtp/relay1.adlab.test",
		user);
}

static struct kerberos *new_kerberos(const char *keytab)
{
	static const char *const realms[] = { "CORP.EXAMPLE", "adlab.test" };

	return kerberos_new(&(struct kerberos_options){ keytab, { realms, ARRAY_LEN(realms) } });
}

static int set_up(void **state)
{
	(void)state;
	lab.dir = scratch_make();
	setenv("KRB5RCACHEDIR", lab.dir.path, 1);
	lab.kerberos = new_kerberos(adlab_get("ADLAB_KEYTAB"));
	assert_int_equal(kerberos_refresh(lab.kerberos, NULL), ERR_OK);
	get_ticket("alice");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	kerberos_free(&lab.kerberos);
	scratch_remove(&lab.dir);
	return 0;
}

static struct gss_client *new_client(const char *user, bool is_spnego, struct span binding)
{
	char cache[512];
	const struct gss_client_options options = { cache, TARGET, is_spnego, binding };

	snprintf(cache, sizeof(cache), "FILE:%s/%s", lab.dir.path, user);
	return gss_client_new(&options);
}

/* The first token of a client that is not needed any more. */
static struct buf token_of(const char *user, bool is_spnego, struct span binding)
{
	struct gss_client *client = new_client(user, is_spnego, binding);
	struct buf copy = { 0 };
	struct span token;

	assert_true(gss_client_step(client, span_of("", 0), &token));
	buf_append(&copy, token);
	gss_client_free(&client);
	return copy;
}

static struct kerberos_result step(
	struct kerberos_context *context, bool is_spnego, struct span token, struct span binding)
{
	const struct kerberos_ask ask = { is_spnego ? SASL_PROOF_SPNEGO : SASL_PROOF_KERBEROS, true, token,
		binding };
	struct kerberos_result result;

	kerberos_step(context, &ask, NULL, &result);
	return result;
}

static void expect_of(struct kerberos *kerberos, bool is_spnego, struct span token, struct span binding,
	enum sasl_verdict verdict, const char *why)
{
	struct kerberos_context *context = kerberos_context_new(kerberos);
	struct kerberos_result result = step(context, is_spnego, token, binding);

	if (result.verdict != verdict || strcmp(result.why, why) != 0)
		fail_msg("verdict %d, %s; wanted %d, %s", result.verdict, result.why, verdict, why);
	assert_int_equal(result.gss.complete, verdict == SASL_YES);
	kerberos_context_free(&context);
}

/* With a fresh token, bare and inside SPNEGO. */
static void expect(struct kerberos *kerberos, const char *user, enum sasl_verdict verdict, const char *why)
{
	for (unsigned is_spnego = 0; is_spnego < 2; is_spnego++) {
		struct buf token = token_of(user, is_spnego, span_of("", 0));

		expect_of(kerberos, is_spnego, buf_span(&token), span_of("", 0), verdict, why);
		buf_fini(&token);
	}
}

/* Who has this SID, and may he log in? */
static void expect_account(const char *sid, const char *user, const char *why)
{
	const char *const servers[] = { adlab_get("ADLAB_URI") };
	struct bind_password *password = bind_password_new(adlab_get("ADLAB_BIND_PW"));
	struct directory *directory = directory_new(&(struct directory_options){
		.servers = { servers, 1 },
		.ca = adlab_get("ADLAB_CA"),
		.bind_dn = adlab_get("ADLAB_BIND_DN"),
		.bind_password = password,
		.base = adlab_get("ADLAB_BASE"),
		.domain = { "ADLAB", "ADLAB.TEST" },
		.timeout_ms = 2000,
	});
	struct directory_thread *thread = directory_thread_new(directory, NULL);
	struct judgement judgement = { 0 };

	directory_look_up(thread, DIRECTORY_BY_SID, sid, pool_now_ms() + DEADLINE_MS, &judgement);
	assert_string_equal(judgement.why, why);
	assert_string_equal(judgement.identity->user, user);
	judgement_fini(&judgement);
	directory_thread_free(&thread);
	directory_free(&directory);
	bind_password_free(&password);
}

static void expect_user(const char *user, const char *why)
{
	struct kerberos_context *context = kerberos_context_new(lab.kerberos);
	struct buf token = token_of(user, true, span_of("", 0));
	struct kerberos_result result = step(context, true, buf_span(&token), span_of("", 0));
	char principal[128], name[128];

	snprintf(principal, sizeof(principal), "%s@ADLAB.TEST", user);
	snprintf(name, sizeof(name), "%s@adlab.test", user);
	assert_int_equal(result.verdict, SASL_YES);
	assert_true(result.gss.complete);
	assert_true(span_eq(result.gss.name, span_of_str(principal)));
	expect_account(result.sid, name, why);
	buf_fini(&token);
	kerberos_context_free(&context);
}

static void a_ticket_names_its_user_by_name_and_sid(void **state)
{
	static const char *const users[] = { "alice", "bob", "jürgen", "many" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(users); i++) {
		get_ticket(users[i]);
		expect_user(users[i], "accepted");
		expect(lab.kerberos, users[i], SASL_YES, "accepted");
	}
}

static void a_ticket_outlives_its_account_and_the_look_up_refuses(void **state)
{
	(void)state;
	get_ticket("dave");
	adlab_do("tool user disable dave");
	expect_user("dave", "account-disabled");
	adlab_do("tool user enable dave");
	expect_user("dave", "accepted");
}

/* RFC 4752 */
static void text_is_wrapped_both_ways(void **state)
{
	struct gss_client *client = new_client("alice", false, span_of("", 0));
	struct kerberos_context *context = kerberos_context_new(lab.kerberos);
	struct span token, wrapped, plain;
	struct buf tampered = { 0 };

	(void)state;
	assert_true(gss_client_step(client, span_of("", 0), &token));
	assert_int_equal(step(context, false, token, span_of("", 0)).verdict, SASL_YES);
	assert_int_equal(kerberos_wrap(context, SPAN_LIT("\1\0\0\0"), &wrapped), SASL_YES);
	assert_true(span_eq(gss_client_unwrap(client, wrapped), SPAN_LIT("\1\0\0\0")));
	wrapped = gss_client_wrap(client, SPAN_LIT("\1\0\0\0alice"));
	buf_append(&tampered, wrapped);
	assert_int_equal(kerberos_unwrap(context, wrapped, &plain), SASL_YES);
	assert_true(span_eq(plain, SPAN_LIT("\1\0\0\0alice")));
	buf_tail(&tampered)[-1] ^= 1;
	assert_int_equal(kerberos_unwrap(context, buf_span(&tampered), &plain), SASL_NO);
	assert_int_equal(kerberos_unwrap(context, span_of("", 0), &plain), SASL_NO);
	buf_fini(&tampered);
	kerberos_context_free(&context);
	gss_client_free(&client);
}

static void a_binding_to_another_channel_is_refused(void **state)
{
	static const struct {
		struct span clients, ours;
		enum sasl_verdict verdict;
		const char *why;
		bool is_bound;
	} rows[] = {
		{ SPAN_LIT("tls-server-end-point:A"), SPAN_LIT("tls-server-end-point:A"), SASL_YES,
			"accepted", true },
		{ SPAN_LIT("tls-server-end-point:A"), SPAN_LIT("tls-server-end-point:B"), SASL_NO,
			"other-channel", false },
		{ { "", 0 }, SPAN_LIT("tls-server-end-point:A"), SASL_YES, "accepted", false },
		{ SPAN_LIT("tls-server-end-point:A"), { "", 0 }, SASL_YES, "accepted", false },
	};

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(rows); i++) {
		bool is_spnego = i % 2;
		struct kerberos_context *context = kerberos_context_new(lab.kerberos);
		struct buf token = token_of("alice", is_spnego, rows[i / 2].clients);
		struct kerberos_result result = step(context, is_spnego, buf_span(&token), rows[i / 2].ours);

		assert_int_equal(result.verdict, rows[i / 2].verdict);
		assert_string_equal(result.why, rows[i / 2].why);
		assert_int_equal(result.gss.bound, rows[i / 2].is_bound);
		buf_fini(&token);
		kerberos_context_free(&context);
	}
}

static void a_token_serves_once(void **state)
{
	(void)state;
	for (unsigned is_spnego = 0; is_spnego < 2; is_spnego++) {
		struct buf token = token_of("alice", is_spnego, span_of("", 0));
		struct span bytes = buf_span(&token), none = span_of("", 0);

		expect_of(lab.kerberos, is_spnego, bytes, none, SASL_YES, "accepted");
		expect_of(lab.kerberos, is_spnego, bytes, none, SASL_NO, "replay");
		buf_fini(&token);
	}
}

static void other_realms_are_refused(void **state)
{
	static const char *const realms[] = { "OTHER.TEST", "ADLAB.TES", "ADLAB.TEST.X" };
	struct kerberos *kerberos = kerberos_new(
		&(struct kerberos_options){ adlab_get("ADLAB_KEYTAB"), { realms, ARRAY_LEN(realms) } });

	(void)state;
	assert_int_equal(kerberos_refresh(kerberos, NULL), ERR_OK);
	expect(kerberos, "alice", SASL_NO, "other-realm");
	kerberos_free(&kerberos);
}

/* The time in a client's tokens is its clock plus what its cache says of the domain's. */
static void set_clock_of_cache(const char *user, int32_t offset_s)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", lab.dir.path, user);
	file = fopen(path, "r+");
	assert_non_null(file);
	assert_int_equal(fseek(file, 8, SEEK_SET), 0);
	for (int shift = 24; shift >= 0; shift -= 8)
		fputc((int)((uint32_t)offset_s >> shift & 255), file);
	assert_int_equal(fclose(file), 0);
}

static void clocks_that_differ_are_told(void **state)
{
	(void)state;
	get_ticket("carol");
	set_clock_of_cache("carol", 400);
	expect(lab.kerberos, "carol", SASL_NO, "clock-differs");
	set_clock_of_cache("carol", 0);
	expect(lab.kerberos, "carol", SASL_YES, "accepted");
}

static void what_is_no_ticket_is_refused(void **state)
{
	static const struct span rows[] = { SPAN_LIT("x"), SPAN_LIT("NTLMSSP\0\1\0\0\0"),
		SPAN_LIT("\x60\x84\xff\xff\xff\xff"), SPAN_LIT("\x60\x08\x06\x06\x2b\x06\x01\x05\x05\x02"),
		SPAN_LIT("\x60\x0b\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02") };
	const struct span none = span_of("", 0);

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(rows); i++)
		expect_of(lab.kerberos, i % 2, rows[i / 2], none, SASL_NO, "ticket-bad");
	for (unsigned is_spnego = 0; is_spnego < 2; is_spnego++) {
		struct buf token = token_of("alice", is_spnego, none);

		/* Of the other mechanism. */
		expect_of(lab.kerberos, !is_spnego, buf_span(&token), none, SASL_NO, "ticket-bad");
		buf_fini(&token);
	}
}

/* Some bytes of a ticket are protected by nothing and mean nothing; whoever is let in is alice. */
static void damaged_tokens_make_nobody_else(void **state)
{
	enum { STRIDE = 7 };

	struct kerberos_context *context = kerberos_context_new(lab.kerberos);

	(void)state;
	for (unsigned is_spnego = 0; is_spnego < 2; is_spnego++) {
		struct buf token = token_of("alice", is_spnego, span_of("", 0));
		char *bytes = token.base + token.head;
		size_t len = buf_len(&token);

		for (size_t at = 0; at < len; at += STRIDE) {
			struct kerberos_result result;

			bytes[at] ^= 0x15;
			result = step(context, is_spnego, span_of(bytes, len), span_of("", 0));
			if (result.verdict == SASL_YES && result.gss.complete)
				assert_true(span_eq(result.gss.name, SPAN_LIT("alice@ADLAB.TEST")));
			bytes[at] ^= 0x15;
			result = step(context, is_spnego, span_of(bytes, at), span_of("", 0));
			assert_false(result.verdict == SASL_YES && result.gss.complete);
		}
		buf_fini(&token);
	}
	kerberos_context_free(&context);
}

static void without_a_replay_cache_nobody_can_say(void **state)
{
	(void)state;
	setenv("KRB5RCACHEDIR", "/nonexistent", 1);
	expect(lab.kerberos, "alice", SASL_CANNOT_SAY, "system-error");
	setenv("KRB5RCACHEDIR", lab.dir.path, 1);
	expect(lab.kerberos, "alice", SASL_YES, "accepted");
}

/* ---- keytabs ---- */

static void write_keytab(const char *entry)
{
	shell("rm -f keytab && printf 'addent -password -p %s\\nwrong\\nwkt keytab\\n' \"$ARG\" | ktutil "
	      ">/dev/null",
		entry);
}

static void keys_are_read_when_the_keytab_changes(void **state)
{
	char path[512];
	struct kerberos *kerberos;

	(void)state;
	snprintf(path, sizeof(path), "%s/keytab", lab.dir.path);
	kerberos = new_kerberos(path);
	assert_int_equal(kerberos_refresh(kerberos, NULL), ERR_NOT_FOUND);
	assert_false(kerberos_is_ready(kerberos));
	expect(kerberos, "alice", SASL_CANNOT_SAY, "no-keytab");
	shell(": >keytab", "");
	assert_int_equal(kerberos_refresh(kerberos, NULL), ERR_INVALID);
	shell("echo \"$ARG\" >keytab", "no keytab");
	assert_int_equal(kerberos_refresh(kerberos, NULL), ERR_INVALID);
	assert_false(kerberos_is_ready(kerberos));

	write_keytab("smtp/relay1.adlab.test@ADLAB.TEST -k 1 -e aes256-cts");
	assert_int_equal(kerberos_refresh(kerberos, NULL), ERR_OK);
	assert_true(kerberos_is_ready(kerberos));
	expect(kerberos, "alice", SASL_CANNOT_SAY, "keytab-old");
	write_keytab("http/relay1.adlab.test@ADLAB.TEST -k 1 -e aes256-cts");
	assert_int_equal(kerberos_refresh(kerberos, NULL), ERR_OK);
	expect(kerberos, "alice", SASL_NO, "ticket-for-another");

	shell("cp \"$ARG\" new && mv new keytab", adlab_get("ADLAB_KEYTAB"));
	expect(kerberos, "alice", SASL_NO, "ticket-for-another");
	assert_int_equal(kerberos_refresh(kerberos, NULL), ERR_OK);
	expect(kerberos, "alice", SASL_YES, "accepted");
	shell("rm keytab", "");
	assert_int_equal(kerberos_refresh(kerberos, NULL), ERR_NOT_FOUND);
	expect(kerberos, "alice", SASL_YES, "accepted");
	kerberos_free(&kerberos);
}

static void an_exchange_keeps_the_keys_it_began_with(void **state)
{
	struct gss_client *client = new_client("alice", false, span_of("", 0));
	struct kerberos_context *context;
	struct kerberos *kerberos;
	struct span token, wrapped;
	char path[512];

	(void)state;
	snprintf(path, sizeof(path), "%s/keytab", lab.dir.path);
	shell("cp \"$ARG\" keytab", adlab_get("ADLAB_KEYTAB"));
	kerberos = new_kerberos(path);
	context = kerberos_context_new(kerberos);
	assert_int_equal(kerberos_refresh(kerberos, NULL), ERR_OK);
	assert_true(gss_client_step(client, span_of("", 0), &token));
	assert_int_equal(step(context, false, token, span_of("", 0)).verdict, SASL_YES);
	write_keytab("http/relay1.adlab.test@ADLAB.TEST -k 1 -e aes256-cts");
	assert_int_equal(kerberos_refresh(kerberos, NULL), ERR_OK);
	assert_int_equal(kerberos_wrap(context, SPAN_LIT("\1\0\0\0"), &wrapped), SASL_YES);
	assert_true(span_eq(gss_client_unwrap(client, wrapped), SPAN_LIT("\1\0\0\0")));
	kerberos_context_free(&context);
	gss_client_free(&client);
	kerberos_free(&kerberos);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ticket_names_its_user_by_name_and_sid),
		cmocka_unit_test(a_ticket_outlives_its_account_and_the_look_up_refuses),
		cmocka_unit_test(text_is_wrapped_both_ways),
		cmocka_unit_test(a_binding_to_another_channel_is_refused),
		cmocka_unit_test(a_token_serves_once),
		cmocka_unit_test(other_realms_are_refused),
		cmocka_unit_test(clocks_that_differ_are_told),
		cmocka_unit_test(what_is_no_ticket_is_refused),
		cmocka_unit_test(damaged_tokens_make_nobody_else),
		cmocka_unit_test(without_a_replay_cache_nobody_can_say),
		cmocka_unit_test(keys_are_read_when_the_keytab_changes),
		cmocka_unit_test(an_exchange_keeps_the_keys_it_began_with),
	};

	ldap_conn_global_init();
	return cmocka_run_group_tests(tests, set_up, tear_down);
}

int main(int argc, char *argv[])
{
	(void)argc;
	return adlab_main(argv, run);
}
