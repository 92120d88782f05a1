/* Whole logins against a real domain, winbindd, a keytab and a file of users: what the client hears, and
 * when. */
#include "cmocka_all.h"

#include "adlab.h"
#include "auth/authenticator_internal.h"
#include "auth/login.h"
#include "auth/pool.h"
#include "config/load.h"
#include "gss_client.h"
#include "loop_until.h"
#include "ntlm_client.h"
#include "scratch_dir.h"
#include "skein/proto/base/alloc.h"
#include "skein/proto/base/codec.h"
#include "tcp_relay.h"
#include "user_store.h"

#include <sys/random.h>

enum { TIMEOUT_MS = 10000, STEP_MS = 4000, SHORT_MS = 500 };

struct lab {
	struct loop loop;
	struct loop_timer tick;
	uint64_t ticked_at_ms, longest_gap_ms;
	struct scratch_dir dir, users, secret;
	struct authenticator *authenticator;
	struct login *login;
	/* Before the domain controller, for a single thread; NULL: not there. */
	struct tcp_relay *relay;
	/* Of the last event; spans and texts are copies. */
	struct login_event event;
	struct buf challenge;
	char user[128], account[128];
	unsigned events, confirms;
	struct directory_lockout lockout; /* as the upkeep told it */
	bool refuse_confirm, is_member, is_dc_stopped;
};

/* ---- the lab ---- */

static void on_tick(void *arg)
{
	struct lab *lab = arg;
	uint64_t now_ms = uv_hrtime() / 1000000;

	if (lab->ticked_at_ms && now_ms - lab->ticked_at_ms > lab->longest_gap_ms)
		lab->longest_gap_ms = now_ms - lab->ticked_at_ms;
	lab->ticked_at_ms = now_ms;
	loop_timer_set(&lab->loop, &lab->tick, 10);
}

static void append_setting(struct buf *out, const char *path, const char *value)
{
	buf_printf(out, "  %s: '%s'\n", path, value);
}

static struct settings *load_settings(struct lab *lab, const char *backends)
{
	struct report report = { 0 };
	struct buf text = { 0 };
	struct settings *settings;
	char uri[64];

	snprintf(uri, sizeof(uri), "ldaps://%s:%u", adlab_get("ADLAB_ADDR"),
		lab->relay ? tcp_relay_port(lab->relay) : 636);
	buf_printf(&text,
		"listeners: [{address: '127.0.0.1:2525', tls: starttls}]\ntls: {certificate: /c, key: /k}\n"
		"route: {next_hops: [{host: mail.example}]}\nauth:\n  backends: %s\n  timeout: %dms\n"
		"  file: {path: '%s', threads: 2}\n  kerberos: {keytab: '%s'}\n"
		"  ldap:\n  %s: ['%s']\n",
		backends, TIMEOUT_MS, lab->users.path, adlab_get("ADLAB_KEYTAB"), "  servers", uri);
	append_setting(&text, "  ca", adlab_get("ADLAB_CA"));
	append_setting(&text, "  bind_dn", adlab_get("ADLAB_BIND_DN"));
	append_setting(&text, "  password_file", lab->secret.path);
	append_setting(&text, "  base", adlab_get("ADLAB_BASE"));
	append_setting(&text, "  domain", "ADLAB");
	append_setting(&text, "  realm", "adlab.test");
	buf_printf(&text, "    timeout: %dms\n    threads: %d\n", STEP_MS, lab->relay ? 1 : 4);
	settings =
		settings_load(&(struct load_input){ .file = "lab.yaml", .text = buf_span(&text) }, &report);
	if (!settings)
		fail_msg("%.*s", SPAN_ARGS(buf_span(&report.text)));
	report_fini(&report);
	buf_fini(&text);
	return settings;
}

static void add_user(struct lab *lab, const char *name, const char *password)
{
	struct buf why = { 0 };

	assert_int_equal(
		user_store_add(lab->users.path, name,
			&(struct user_change){ .password = password, .scram = USER_SCRAM_YES }, &why),
		ERR_OK);
	buf_fini(&why);
}

static void on_lockout(void *arg, const struct directory_lockout *lockout)
{
	((struct lab *)arg)->lockout = *lockout;
}

static void start(struct lab *lab, const char *backends)
{
	static const char *const groups[] = { "smtp-relay-users" };
	struct settings *settings = load_settings(lab, backends);

	lab->authenticator = authenticator_new(&(struct authenticator_options){
		.settings = settings,
		.ldap_password = adlab_get("ADLAB_BIND_PW"),
		.scram_salt_key = SPAN_LIT("0123456789abcdef"),
		.on_lockout = on_lockout,
		.arg = lab,
	});
	settings_free(&settings);
	authenticator_set_groups(lab->authenticator, (struct text_list){ groups, 1 });
	authenticator_start(lab->authenticator, &lab->loop);
}

static int set_up(void **state)
{
	static struct lab lab;

	lab = (struct lab){ .dir = scratch_make() };
	lab.users = scratch_path(&lab.dir, "users");
	lab.secret = scratch_path(&lab.dir, "secret");
	add_user(&lab, "printer", "printer-secret");
	add_user(&lab, "dave", "local-dave");
	assert_int_equal(loop_init(&lab.loop), ERR_OK);
	loop_timer_init(&lab.tick, on_tick, &lab);
	loop_timer_set(&lab.loop, &lab.tick, 10);
	*state = &lab;
	return 0;
}

static void stop_dc(struct lab *lab, bool is_stopped)
{
	lab->is_dc_stopped = is_stopped;
	adlab_do(is_stopped ? "hang" : "wake");
}

static int tear_down(void **state)
{
	struct lab *lab = *state;

	if (lab->is_dc_stopped)
		stop_dc(lab, false);
	login_free(&lab->login);
	authenticator_free(&lab->authenticator);
	tcp_relay_free(&lab->relay);
	settle(&lab->loop);
	loop_fini(&lab->loop);
	buf_fini(&lab->challenge);
	scratch_remove(&lab->dir);
	return 0;
}

static void wait_for(struct lab *lab, enum sasl_mechanism mechanism)
{
	RUN_UNTIL(&lab->loop, authenticator_mechanisms(lab->authenticator) & SASL_BIT(mechanism));
}

/* ---- a client ---- */

static void on_event(void *arg, const struct login_event *event)
{
	struct lab *lab = arg;

	lab->event = *event;
	lab->events++;
	lab->confirms += event->step == LOGIN_CONFIRM;
	buf_clear(&lab->challenge);
	buf_append(&lab->challenge, event->challenge);
	snprintf(lab->user, sizeof(lab->user), "%s", event->user ? event->user : "");
	snprintf(lab->account, sizeof(lab->account), "%s", event->identity ? event->identity->user : "");
	lab->is_member = event->identity && identity_is_member(event->identity, "smtp-relay-users");
}

/* The next event but LOGIN_CONFIRM, which is answered. */
static void await(struct lab *lab)
{
	do {
		unsigned before = lab->events;

		if (lab->event.step == LOGIN_CONFIRM && before)
			login_confirm(lab->login, !lab->refuse_confirm);
		assert_int_equal(lab->events, before);
		RUN_UNTIL(&lab->loop, lab->events > before);
	} while (lab->event.step == LOGIN_CONFIRM);
}

static void begin(struct lab *lab, enum sasl_mechanism mechanism, struct span initial)
{
	struct sasl_channel channel = { .offered = authenticator_mechanisms(lab->authenticator) };
	struct timespec now;

	assert_true(channel.offered & SASL_BIT(mechanism));
	assert_int_equal(getrandom(channel.random, sizeof(channel.random), 0), sizeof(channel.random));
	clock_gettime(CLOCK_REALTIME, &now);
	channel.filetime = (uint64_t)now.tv_sec * 10000000 + 116444736000000000u;
	login_free(&lab->login);
	lab->event = (struct login_event){ 0 };
	lab->events = lab->confirms = 0;
	uv_update_time(&lab->loop.uv);
	lab->login = login_new(&(struct login_options){
		lab->authenticator, &lab->loop, mechanism, &channel, on_event, lab });
	login_begin(lab->login, initial.len > 0, initial);
}

static void plain(struct lab *lab, const char *authzid, const char *login, const char *password)
{
	struct buf text = { 0 };

	buf_append_str(&text, authzid);
	buf_append_byte(&text, '\0');
	buf_append_str(&text, login);
	buf_append_byte(&text, '\0');
	buf_append_str(&text, password);
	begin(lab, SASL_PLAIN, buf_span(&text));
	buf_fini(&text);
	await(lab);
}

static void expect(struct lab *lab, enum login_step step, const char *why, bool counts)
{
	if (lab->event.step != step || strcmp(lab->event.why, why) != 0 || lab->event.counts != counts)
		fail_msg("%s: step %d, %s, counts %d", lab->user, lab->event.step, lab->event.why,
			lab->event.counts);
}

static const struct {
	const char *name, *why;
	bool is_accepted;
} accounts[] = {
	{ "alice", "accepted", true },
	{ "bob", "accepted", true },
	{ "carol", "accepted", true },
	{ "dave", "accepted", true },
	{ "jürgen", "accepted", true },
	{ "many", "accepted", true },
	{ "disabled", "account-disabled", false },
	{ "expired", "account-expired", false },
	{ "pwexpired", "password-expired", false },
	{ "mustchange", "password-must-change", false },
	{ "hours", "logon-hours", false },
	{ "wks", "logon-workstation", false },
};

static void expect_account(struct lab *lab, size_t i)
{
	char user[64];

	snprintf(user, sizeof(user), "%s@adlab.test", accounts[i].name);
	expect(lab, accounts[i].is_accepted ? LOGIN_ACCEPTED : LOGIN_REFUSED, accounts[i].why, false);
	if (accounts[i].is_accepted) {
		assert_string_equal(lab->account, user);
		assert_int_equal(lab->is_member, strcmp(accounts[i].name, "dave") != 0);
	}
}

/* ---- passwords ---- */

static void passwords_of_all_accounts_by_plain(void **state)
{
	struct lab *lab = *state;

	start(lab, "[ldap, winbind]");
	for (size_t i = 0; i < ARRAY_LEN(accounts); i++) {
		plain(lab, "", accounts[i].name, ADLAB_PASSWORD);
		expect_account(lab, i);
		plain(lab, "", accounts[i].name, "wrong");
		expect(lab, LOGIN_REFUSED, "wrong-password", true);
	}
	plain(lab, "", "nobody", "wrong");
	expect(lab, LOGIN_REFUSED, "no-such-user", true);
	assert_string_equal(lab->user, "nobody");
}

static void what_the_cache_knows_asks_nobody(void **state)
{
	struct lab *lab = *state;

	start(lab, "[ldap]");
	plain(lab, "", "ADLAB\\Alice", ADLAB_PASSWORD);
	assert_int_equal(lab->confirms, 1);
	plain(lab, "", "adlab\\alice", "wrong");
	expect(lab, LOGIN_REFUSED, "wrong-password", true);
	assert_string_equal(lab->user, "alice@adlab.test");
	stop_dc(lab, true);
	plain(lab, "", "ADLAB\\alice", ADLAB_PASSWORD);
	expect(lab, LOGIN_ACCEPTED, "accepted", false);
	assert_int_equal(lab->confirms, 0);
	plain(lab, "", "ADLAB\\alice", "wrong");
	expect(lab, LOGIN_REFUSED, "same-wrong-password", false);
	assert_int_equal(lab->confirms, 0);
	stop_dc(lab, false);
	/* A change of the groups makes it ask again. */
	authenticator_set_groups(lab->authenticator, (struct text_list){ NULL, 0 });
	plain(lab, "", "ADLAB\\alice", ADLAB_PASSWORD);
	expect(lab, LOGIN_ACCEPTED, "accepted", false);
	assert_int_equal(lab->confirms, 1);
	assert_false(lab->is_member);
}

static void a_directory_that_hangs_is_told_in_time_and_stops_no_loop(void **state)
{
	struct lab *lab = *state;
	uint64_t start_ms;

	start(lab, "[ldap, file]");
	plain(lab, "", "bob", ADLAB_PASSWORD);
	expect(lab, LOGIN_ACCEPTED, "accepted", false);
	stop_dc(lab, true);
	lab->ticked_at_ms = lab->longest_gap_ms = 0;
	start_ms = uv_hrtime() / 1000000;
	plain(lab, "", "carol", ADLAB_PASSWORD);
	assert_int_equal(lab->event.step, LOGIN_UNAVAILABLE);
	assert_true(uv_hrtime() / 1000000 - start_ms < TIMEOUT_MS + 500);
	assert_false(lab->event.may_have_counted);
	/* Another back end still accepts its own, and refuses nobody in the directory's name. */
	plain(lab, "", "printer", "printer-secret");
	expect(lab, LOGIN_ACCEPTED, "accepted", false);
	plain(lab, "", "dave", ADLAB_PASSWORD);
	assert_int_equal(lab->event.step, LOGIN_UNAVAILABLE);
	if (lab->longest_gap_ms > STEP_MS / 2)
		fail_msg("the loop stood still for %llu ms", (unsigned long long)lab->longest_gap_ms);
	stop_dc(lab, false);
	do
		plain(lab, "", "carol", ADLAB_PASSWORD);
	while (lab->event.step == LOGIN_UNAVAILABLE && uv_hrtime() / 1000000 - start_ms < 30000);
	expect(lab, LOGIN_ACCEPTED, "accepted", false);
}

/* The first connection searches, the second one binds. */
static void who_waits_in_vain_hears_whether_it_may_have_counted(void **state)
{
	struct lab *lab = *state;

	lab->relay = tcp_relay_new(adlab_get("ADLAB_ADDR"), 636);
	start(lab, "[ldap]");
	plain(lab, "", "bob", ADLAB_PASSWORD);
	expect(lab, LOGIN_ACCEPTED, "accepted", false);
	/* The settings do not allow that a single step takes longer than everything. */
	lab->authenticator->timeout_ms = SHORT_MS;
	tcp_relay_set_fault(lab->relay, 1, RELAY_SWALLOW);
	plain(lab, "", "alice", "wrong");
	expect(lab, LOGIN_UNAVAILABLE, "backend-slow", false);
	assert_true(lab->event.may_have_counted);
	/* The only thread hangs, and nobody is asked; who comes in the same millisecond still waits. */
	do {
		plain(lab, "", "alice", "wrong");
		assert_int_equal(lab->event.step, LOGIN_UNAVAILABLE);
		assert_false(lab->event.may_have_counted);
	} while (strcmp(lab->event.why, "backend-slow") == 0);
	assert_string_equal(lab->event.why, "backend-hangs");
	tcp_relay_set_fault(lab->relay, 0, RELAY_SWALLOW);
	do
		plain(lab, "", "alice", "wrong");
	while (strcmp(lab->event.why, "backend-hangs") == 0);
	assert_int_equal(lab->event.step, LOGIN_UNAVAILABLE);
	assert_false(lab->event.may_have_counted);
}

static void what_one_back_end_counted_is_told_though_another_cannot_say(void **state)
{
	struct lab *lab = *state;
	FILE *file = fopen(lab->users.path, "w");

	assert_non_null(file);
	fputs("no: [users\n", file);
	fclose(file);
	start(lab, "[file, ldap]");
	plain(lab, "", "bob", "wrong");
	expect(lab, LOGIN_UNAVAILABLE, "users-file-bad", false);
	assert_true(lab->event.may_have_counted);
	plain(lab, "", "nobody", "wrong");
	expect(lab, LOGIN_UNAVAILABLE, "users-file-bad", false);
	assert_false(lab->event.may_have_counted);
	plain(lab, "", "bob", ADLAB_PASSWORD);
	expect(lab, LOGIN_ACCEPTED, "accepted", false);
}

static void local_users_come_in_the_order_of_the_settings(void **state)
{
	struct lab *lab = *state;

	start(lab, "[ldap, file]");
	plain(lab, "", "printer", "printer-secret");
	expect(lab, LOGIN_ACCEPTED, "accepted", false);
	assert_string_equal(lab->account, "printer");
	/* The directory's dave hides the local one. */
	plain(lab, "", "dave", "local-dave");
	expect(lab, LOGIN_REFUSED, "wrong-password", true);
	plain(lab, "", "dave", ADLAB_PASSWORD);
	assert_string_equal(lab->account, "dave@adlab.test");
}

static void who_had_too_many_wrong_passwords_is_not_asked_about(void **state)
{
	struct lab *lab = *state;

	start(lab, "[ldap]");
	lab->refuse_confirm = true;
	plain(lab, "", "Nobody", ADLAB_PASSWORD);
	expect(lab, LOGIN_REFUSED, "too-many-wrong-passwords", false);
	assert_string_equal(lab->user, "nobody");
	assert_int_equal(lab->confirms, 1);
}

static void ntlm(struct lab *lab, const char *user, const char *password);

static void a_name_is_the_same_user_however_it_is_written(void **state)
{
	static const char *const names[] = { "bob", "BOB", "ADLAB\\bob", "adlab.test\\Bob", "bob@adlab.test",
		"b.obrien@corp.example" };
	struct lab *lab = *state;

	start(lab, "[ldap, winbind]");
	wait_for(lab, SASL_NTLM);
	lab->refuse_confirm = true;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		plain(lab, "", names[i], "wrong");
		expect(lab, LOGIN_REFUSED, "too-many-wrong-passwords", false);
		assert_string_equal(lab->user, "bob@adlab.test");
	}
	ntlm(lab, "bob", "wrong");
	expect(lab, LOGIN_REFUSED, "too-many-wrong-passwords", false);
	assert_string_equal(lab->user, "bob@adlab.test");
	/* As nobody knows this one, nobody's failures are counted by another spelling of it. */
	lab->refuse_confirm = false;
	ntlm(lab, "bob@adlab.test", "wrong");
	expect(lab, LOGIN_REFUSED, "no-such-user", true);
	assert_int_equal(lab->event.code, 0);
}

static void without_its_directory_nobody_is_asked_about(void **state)
{
	struct lab *lab = *state;

	lab->relay = tcp_relay_new(adlab_get("ADLAB_ADDR"), 636);
	tcp_relay_set_fault(lab->relay, 0, RELAY_CUT);
	start(lab, "[ldap, file]");
	plain(lab, "", "alice", "wrong");
	assert_int_equal(lab->event.step, LOGIN_UNAVAILABLE);
	/* The file might have known it. */
	assert_int_equal(lab->confirms, 1);
	assert_string_equal(lab->user, "alice");
	plain(lab, "", "printer", "printer-secret");
	expect(lab, LOGIN_ACCEPTED, "accepted", false);
	login_free(&lab->login);
	authenticator_free(&lab->authenticator);
	start(lab, "[ldap, winbind]");
	wait_for(lab, SASL_NTLM);
	plain(lab, "", "alice", "wrong");
	assert_int_equal(lab->event.step, LOGIN_UNAVAILABLE);
	assert_int_equal(lab->confirms, 0);
	ntlm(lab, "alice", "wrong");
	assert_int_equal(lab->event.step, LOGIN_UNAVAILABLE);
	assert_int_equal(lab->confirms, 0);
}

static void whom_the_file_knows_waits_for_no_directory(void **state)
{
	struct lab *lab = *state;
	uint64_t start_ms;

	start(lab, "[file, ldap]");
	stop_dc(lab, true);
	start_ms = uv_hrtime() / 1000000;
	plain(lab, "", "printer", "printer-secret");
	expect(lab, LOGIN_ACCEPTED, "accepted", false);
	plain(lab, "", "printer", "wrong");
	expect(lab, LOGIN_REFUSED, "wrong-password", true);
	assert_string_equal(lab->user, "printer");
	assert_true(uv_hrtime() / 1000000 - start_ms < STEP_MS);
	stop_dc(lab, false);
}

static void acting_as_another_is_refused_and_as_oneself_is_fine(void **state)
{
	struct lab *lab = *state;

	start(lab, "[ldap, file]");
	plain(lab, "b.obrien@corp.example", "bob", ADLAB_PASSWORD);
	expect(lab, LOGIN_ACCEPTED, "accepted", false);
	plain(lab, "alice", "bob", ADLAB_PASSWORD);
	expect(lab, LOGIN_REFUSED, "other-authzid", false);
	plain(lab, "nobody", "bob", ADLAB_PASSWORD);
	expect(lab, LOGIN_REFUSED, "other-authzid", false);
}

static void a_login_that_is_freed_says_nothing_more(void **state)
{
	struct lab *lab = *state;

	start(lab, "[ldap]");
	begin(lab, SASL_PLAIN, SPAN_LIT("\0alice\0secret"));
	RUN_UNTIL(&lab->loop, lab->events == 1);
	assert_int_equal(lab->event.step, LOGIN_CONFIRM);
	login_free(&lab->login);
	begin(lab, SASL_PLAIN, SPAN_LIT("\0alice\0secret"));
	login_free(&lab->login);
	begin(lab, SASL_PLAIN, SPAN_LIT("\0alice\0secret"));
	RUN_UNTIL(&lab->loop, lab->events == 1);
	login_confirm(lab->login, true);
	login_free(&lab->login);
	/* By the end of another one they would have spoken: it heard its own two events alone. */
	plain(lab, "", "bob", ADLAB_PASSWORD);
	expect(lab, LOGIN_ACCEPTED, "accepted", false);
	assert_int_equal(lab->events, 2);
}

static void the_domains_lockout_rule_comes_in(void **state)
{
	struct lab *lab = *state;

	start(lab, "[ldap]");
	RUN_UNTIL(&lab->loop, lab->lockout.window_ms > 0);
}

static void scram_is_offered_where_all_passwords_are_ours(void **state)
{
	struct lab *lab = *state;

	start(lab, "[file]");
	assert_true(authenticator_mechanisms(lab->authenticator) & SASL_BIT(SASL_SCRAM_SHA_256));
	begin(lab, SASL_SCRAM_SHA_256, SPAN_LIT("n,,n=printer,r=abcdefgh"));
	await(lab);
	assert_int_equal(lab->event.step, LOGIN_CHALLENGE);
	assert_int_equal(lab->confirms, 1);
	/* A proof of nothing. */
	buf_printf(&lab->challenge, "%c", '\0');
	{
		struct buf response = { 0 };
		const char *nonce = buf_span(&lab->challenge).ptr;

		buf_printf(&response, "c=biws,%.*s,p=%s", (int)strcspn(nonce, ","), nonce,
			"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
		login_respond(lab->login, buf_span(&response));
		buf_fini(&response);
	}
	await(lab);
	expect(lab, LOGIN_REFUSED, "wrong-password", true);
	assert_string_equal(lab->user, "printer");
	plain(lab, "", "PRINTER", "printer-secret");
	expect(lab, LOGIN_ACCEPTED, "accepted", false);
	plain(lab, "", "nobody", "printer-secret");
	expect(lab, LOGIN_REFUSED, "no-such-user", true);
}

/* ---- NTLM and Kerberos ---- */

static void put_utf16(struct buf *out, const char *text)
{
	for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
		uint16_t unit = *at;

		if (unit >= 0xc0)
			unit = (uint16_t)((unit & 0x1f) << 6 | (*++at & 0x3f));
		put_u16(out, unit);
	}
}

static void put_field(struct buf *head, size_t offset, size_t len)
{
	put_u16(head, (uint16_t)len);
	put_u16(head, (uint16_t)len);
	put_u32(head, (uint32_t)offset);
}

/* [MS-NLMP] 2.2.1.3, without session key, version and MIC. */
static struct buf ntlm_authenticate(const struct ntlm_client *client)
{
	enum { HEAD_LEN = 64, UNICODE_NTLM = 0x00080201 };
	struct buf domain = { 0 }, user = { 0 }, nt = { 0 }, message = { 0 };
	uint8_t key[NTLM_CLIENT_KEY_LEN];

	put_utf16(&domain, client->domain);
	put_utf16(&user, client->user);
	ntlm_client_respond(client, &nt, key);
	buf_append(&message, span_of("NTLMSSP\0\3\0\0\0", 12));
	put_field(&message, HEAD_LEN, 0);
	put_field(&message, HEAD_LEN + buf_len(&domain) + buf_len(&user), buf_len(&nt));
	put_field(&message, HEAD_LEN, buf_len(&domain));
	put_field(&message, HEAD_LEN + buf_len(&domain), buf_len(&user));
	put_field(&message, HEAD_LEN, 0);
	put_field(&message, HEAD_LEN, 0);
	put_u32(&message, UNICODE_NTLM);
	buf_append(&message, buf_span(&domain));
	buf_append(&message, buf_span(&user));
	buf_append(&message, buf_span(&nt));
	buf_fini(&domain);
	buf_fini(&user);
	buf_fini(&nt);
	return message;
}

static void ntlm(struct lab *lab, const char *user, const char *password)
{
	static const char negotiate[32] = "NTLMSSP\0\1\0\0\0\1\2\x08";
	struct ntlm_client client = {
		.domain = "ADLAB", .user = user, .password = password, .server_domain = "ADLAB"
	};
	struct buf message;
	struct timespec now;

	begin(lab, SASL_NTLM, span_of(negotiate, sizeof(negotiate)));
	await(lab);
	assert_int_equal(lab->event.step, LOGIN_CHALLENGE);
	memcpy(client.challenge, buf_span(&lab->challenge).ptr + 24, sizeof(client.challenge));
	clock_gettime(CLOCK_REALTIME, &now);
	client.filetime = (uint64_t)now.tv_sec * 10000000 + 116444736000000000u;
	message = ntlm_authenticate(&client);
	login_respond(lab->login, buf_span(&message));
	buf_fini(&message);
	await(lab);
}

static void ntlm_of_all_accounts(void **state)
{
	struct lab *lab = *state;

	start(lab, "[ldap, winbind]");
	wait_for(lab, SASL_NTLM);
	for (size_t i = 0; i < ARRAY_LEN(accounts); i++) {
		ntlm(lab, accounts[i].name, ADLAB_PASSWORD);
		expect_account(lab, i);
		ntlm(lab, accounts[i].name, "wrong");
		expect(lab, LOGIN_REFUSED, "wrong-password", true);
	}
}

static void kinit(const char *user)
{
	char command[256];

	snprintf(command, sizeof(command), "echo '%s' | kinit '%s@ADLAB.TEST' >/dev/null", ADLAB_PASSWORD,
		user);
	assert_int_equal(system(command), 0);
}

/* RFC 4752: token, layer offer, choice. */
static void gssapi(struct lab *lab, const char *cache)
{
	struct gss_client *client = gss_client_new(
		&(struct gss_client_options){ .cache = cache, .target = "smtp@relay1.adlab.test" });
	struct span token;

	assert_true(gss_client_step(client, (struct span){ 0 }, &token));
	begin(lab, SASL_GSSAPI, token);
	await(lab);
	assert_int_equal(lab->event.step, LOGIN_CHALLENGE);
	assert_int_equal(gss_client_unwrap(client, buf_span(&lab->challenge)).len, 4);
	login_respond(lab->login, gss_client_wrap(client, SPAN_LIT("\1\0\0\0")));
	await(lab);
	gss_client_free(&client);
}

static void a_ticket_lets_in_whom_the_directory_lets_in(void **state)
{
	static const char *const users[] = { "alice", "bob", "many", "dave" };
	struct lab *lab = *state;
	struct scratch_dir cache = scratch_path(&lab->dir, "ccache");
	char variable[300];

	snprintf(variable, sizeof(variable), "FILE:%s", cache.path);
	setenv("KRB5CCNAME", variable, 1);
	setenv("KRB5RCACHENAME", "none:", 1);
	start(lab, "[ldap, kerberos]");
	wait_for(lab, SASL_GSSAPI);
	for (size_t i = 0; i < ARRAY_LEN(users); i++) {
		char account[64];

		kinit(users[i]);
		gssapi(lab, variable);
		expect(lab, LOGIN_ACCEPTED, "accepted", false);
		snprintf(account, sizeof(account), "%s@adlab.test", users[i]);
		assert_string_equal(lab->account, account);
		assert_int_equal(lab->is_member, strcmp(users[i], "dave") != 0);
		assert_int_equal(lab->event.proof, SASL_PROOF_KERBEROS);
	}
	/* The ticket lives on when the account is disabled. */
	kinit("carol");
	assert_int_equal(system("kvno -q smtp/relay1.adlab.test"), 0);
	adlab_do("tool user disable carol");
	gssapi(lab, variable);
	adlab_do("tool user enable carol");
	expect(lab, LOGIN_REFUSED, "account-disabled", false);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(passwords_of_all_accounts_by_plain, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_the_cache_knows_asks_nobody, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			local_users_come_in_the_order_of_the_settings, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			who_waits_in_vain_hears_whether_it_may_have_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_one_back_end_counted_is_told_though_another_cannot_say, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			who_had_too_many_wrong_passwords_is_not_asked_about, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_name_is_the_same_user_however_it_is_written, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			without_its_directory_nobody_is_asked_about, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			whom_the_file_knows_waits_for_no_directory, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			acting_as_another_is_refused_and_as_oneself_is_fine, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_login_that_is_freed_says_nothing_more, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_domains_lockout_rule_comes_in, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			scram_is_offered_where_all_passwords_are_ours, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ntlm_of_all_accounts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_ticket_lets_in_whom_the_directory_lets_in, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_directory_that_hangs_is_told_in_time_and_stops_no_loop, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char *argv[])
{
	(void)argc;
	return adlab_main(argv, run);
}
