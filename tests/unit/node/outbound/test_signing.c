#include "cmocka_all.h"

#include "body_lab.h"

#include "outbound/signing.h"
#include "outbound/signing_set.h"
#include "skein/cluster/dkim_secret.h"
#include "skein/proto/base/alloc.h"
#include "skein/proto/dkim/verifier.h"

#include <stdio.h>
#include <time.h>

static struct {
	struct body_lab lab;
	struct policy_slot policy;
	struct secrets *secrets;
	struct signing_slot *slot;
	struct signing_desk desk;
	struct buf record; /* of the key */
	unsigned answers;
	char why[SIGNING_WHY_MAX];
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

static void set_key_as(const char *name, enum dkim_state state)
{
	static const unsigned char seed[DKIM_ED25519_SEED_LEN] = { 7 };
	const struct dkim_secret secret = { state, 1, SPAN_LIT("") };
	struct dkim_key *key = dkim_key_new_ed25519(seed);
	const struct secret_value *value;
	struct buf text = { 0 };

	dkim_secret_format(&secret, &text);
	dkim_key_append_pem(key, &text);
	value = secret_value_new(span_of_str(name), buf_span(&text));
	secrets_replace(world.secrets, &value, 1);
	signing_slot_refresh(world.slot, &world.policy, world.secrets);
	buf_clear(&world.record);
	dkim_key_append_record(key, &world.record);
	buf_fini(&text);
	dkim_key_free(&key);
}

static void set_key(enum dkim_state state)
{
	set_key_as("s1._domainkey.a.example", state);
}

static int set_up(void **state)
{
	(void)state;
	memset(&world, 0, sizeof(world));
	body_lab_open(&world.lab);
	policy_slot_init(&world.policy);
	world.secrets = secrets_new(SECRETS_AWAITED);
	world.slot = signing_slot_new(NULL);
	set_policy("sign: [{domain: a.example}]\n");
	set_key(DKIM_STATE_ACTIVE);
	world.desk = (struct signing_desk){ &world.lab.loop, world.slot, NULL, NULL, 0 };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	RUN_UNTIL(&world.lab.loop, world.desk.under_way == 0);
	signing_slot_free(&world.slot);
	secrets_free(&world.secrets);
	policy_slot_fini(&world.policy);
	buf_fini(&world.record);
	body_lab_close(&world.lab);
	return 0;
}

static struct message *new_message(const char *sender, struct span text)
{
	static unsigned number;
	struct msg_id id = msg_id_make(1700000000000, 3, ++number);
	struct message *message = message_new(&id);
	struct envelope_recipient *recipient = arena_zalloc(&message->arena, sizeof(*recipient));

	recipient->addr = SPAN_LIT("b@b.example");
	message->envelope.recipients = recipient;
	message->envelope.recipient_count = 1;
	message->envelope.sender = span_of_str(sender);
	message->body = body_lab_body(&world.lab, &id, text);
	return message;
}

static struct message *new_text(const char *text)
{
	return new_message("me@a.example", span_of_str(text));
}

static void on_signed(void *arg, const char *why)
{
	struct message *message = arg;

	(void)message;
	world.answers++;
	snprintf(world.why, sizeof(world.why), "%s", why ? why : "");
}

/* False: there was nothing to do. */
static bool sign(struct message *message)
{
	const struct signing_form form = { .sender = message->envelope.sender };
	unsigned before = world.answers;

	if (!signing_begin(&world.desk, message, &form, on_signed, message))
		return false;
	assert_int_equal(world.answers, before);
	RUN_UNTIL(&world.lab.loop, world.answers > before);
	assert_int_equal(world.answers, before + 1);
	assert_int_equal(world.desk.under_way, 0);
	return true;
}

static bool verifies(const struct message *message, struct span text)
{
	struct dkim_verifier *verifier = dkim_verifier_new(128 * 1024, 1000);
	const char *why = NULL;
	bool is_good;

	dkim_verifier_feed(verifier, buf_span(&message->signature.fields));
	dkim_verifier_feed(verifier, text);
	assert_int_equal(dkim_verifier_end(verifier, &why), ERR_OK);
	is_good = dkim_verifier_count(verifier) == 1 &&
		  dkim_verifier_check(verifier, 0, buf_span(&world.record), (int64_t)time(NULL), &why) ==
			  DKIM_PASS;
	dkim_verifier_free(&verifier);
	return is_good;
}

#define HEADER "Received: x\r\nFrom: Me <me@a.example>\r\nSubject: Hi\r\n\r\n"

static void a_body_is_signed_wherever_it_is(void **state)
{
	static const size_t sizes[] = { 0, 1, 100, BODY_LAB_MEMORY_MAX - 1000, BODY_LAB_MEMORY_MAX,
		BODY_LAB_MEMORY_MAX + 1, 200 << 10, 1 << 20 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct buf text = { 0 };
		struct message *message;

		buf_append_str(&text, HEADER);
		for (size_t k = 0; k < sizes[i]; k++)
			buf_append_byte(&text, k % 71 == 69   ? '\r'
					       : k % 71 == 70 ? '\n'
							      : (char)('a' + k % 26));
		message = new_message("me@a.example", buf_span(&text));
		assert_true(sign(message));
		assert_string_equal(world.why, "");
		assert_true(verifies(message, buf_span(&text)));
		message_unref(&message);
		buf_fini(&text);
	}
}

/* Longer than one piece of the body. */
static void a_long_header_is_signed(void **state)
{
	struct buf text = { 0 };
	struct message *message;

	(void)state;
	buf_append_str(&text, "X-Long: ");
	for (size_t i = 0; i < 1000; i++)
		buf_printf(&text, "%099u\r\n ", (unsigned)i);
	buf_append_str(&text, "\r\n" HEADER "Hello.\r\n");
	message = new_message("me@a.example", buf_span(&text));
	assert_true(sign(message));
	assert_string_equal(world.why, "");
	assert_true(verifies(message, buf_span(&text)));
	message_unref(&message);
	buf_fini(&text);
}

static void a_message_without_a_body_is_signed(void **state)
{
	struct message *message = new_text("From: me@a.example\r\n");

	(void)state;
	assert_true(sign(message));
	assert_string_equal(world.why, "");
	assert_true(verifies(message, SPAN_LIT("From: me@a.example\r\n")));
	message_unref(&message);
}

static void who_has_no_entry_is_left_as_he_is(void **state)
{
	struct message *message = new_text("From: me@b.example\r\n\r\nHello.\r\n");

	(void)state;
	assert_true(sign(message));
	assert_string_equal(world.why, "");
	assert_int_equal(buf_len(&message->signature.fields), 0);
	assert_false(sign(message));
	message_unref(&message);
	message = new_text(HEADER);
	set_policy("{}");
	assert_false(sign(message));
	assert_int_equal(buf_len(&message->signature.fields), 0);
	message_unref(&message);
}

static void a_domain_in_u_labels_is_that_in_a_labels(void **state)
{
	static const char *const texts[] = {
		"From: me@m\xc3\xbcnchen.example\r\n\r\nHello.\r\n",
		"From: Me <me@M\xc3\x9cNCHEN.example>\r\n\r\nHello.\r\n",
		"From: me@xn--mnchen-3ya.example\r\n\r\nHello.\r\n",
	};

	(void)state;
	set_policy("sign: [{domain: xn--mnchen-3ya.example}]\n");
	set_key_as("s1._domainkey.xn--mnchen-3ya.example", DKIM_STATE_ACTIVE);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct message *message = new_text(texts[i]);

		assert_true(sign(message));
		assert_string_equal(world.why, "");
		assert_true(verifies(message, span_of_str(texts[i])));
		message_unref(&message);
	}
}

static void what_cannot_be_signed_is_told(void **state)
{
	static const struct {
		const char *sender, *text, *why; /* why "": it may leave */
	} rows[] = {
		{ "me@b.example", "From: me@a.example\r\nno field\r\n\r\nx\r\n", "a line that is no field" },
		{ "me@b.example", "From: me@a.example\r\nA: bare\rCR\r\n\r\nx\r\n",
			"a line that is no field" },
		{ "me@a.example", "no field\r\nFrom: me@b.example\r\n\r\nx\r\n", "a line that is no field" },
		{ "me@b.example", "no field\r\nFrom: me@b.example\r\n\r\nx\r\n", "" },
		{ "me@a.example", "From: me@b.example\r\nno field\r\n\r\nx\r\n", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct message *message = new_message(rows[i].sender, span_of_str(rows[i].text));

		assert_true(sign(message));
		if (!rows[i].why[0] ? world.why[0] != '\0' : !strstr(world.why, rows[i].why))
			fail_msg("row %zu: %s", i, world.why);
		assert_int_equal(buf_len(&message->signature.fields), 0);
		message_unref(&message);
	}
}

static void without_an_active_key_it_does_not_leave(void **state)
{
	struct message *message = new_text(HEADER);

	(void)state;
	set_key(DKIM_STATE_RETIRED);
	for (int i = 0; i < 2; i++) {
		assert_true(sign(message));
		assert_non_null(strstr(world.why, "no active key"));
		assert_int_equal(buf_len(&message->signature.fields), 0);
	}
	set_key(DKIM_STATE_ACTIVE);
	assert_true(sign(message));
	assert_true(verifies(message, SPAN_LIT(HEADER)));
	message_unref(&message);
}

static void a_signature_is_kept_until_keys_or_rules_change(void **state)
{
	struct message *message = new_text(HEADER);

	(void)state;
	assert_true(sign(message));
	assert_false(sign(message));
	assert_true(verifies(message, SPAN_LIT(HEADER)));
	set_key(DKIM_STATE_ACTIVE);
	assert_true(sign(message));
	assert_false(sign(message));
	set_policy("sign: [{domain: a.example, expire: 1h}]\n");
	assert_true(sign(message));
	assert_false(sign(message));
	/* Half of its time is over. */
	message->signature.good_until_s -= 1800;
	assert_true(sign(message));
	message_pack(message);
	assert_int_equal(buf_len(&message->signature.fields), 0);
	message_unpack(message);
	assert_true(sign(message));
	assert_true(verifies(message, SPAN_LIT(HEADER)));
	message_unref(&message);
}

/* Right after the start, and at each turn of the loop until it is over. */
static void who_cancels_hears_nothing(void **state)
{
	struct buf text = { 0 };

	(void)state;
	buf_append_str(&text, HEADER);
	for (size_t i = 0; i < 300 << 10; i++)
		buf_append_byte(&text, 'x');
	for (unsigned turns = 0; turns < 20; turns++) {
		struct message *message = new_message("me@a.example", buf_span(&text));
		const struct signing_form form = { .sender = message->envelope.sender };
		struct signing_job *job = signing_begin(&world.desk, message, &form, on_signed, message);
		unsigned before = world.answers;

		for (unsigned i = 0; i < turns && world.answers == before; i++)
			uv_run(&world.lab.loop.uv, UV_RUN_ONCE);
		if (world.answers == before) {
			signing_cancel(&job);
			assert_null(job);
			message_unref(&message);
			RUN_UNTIL(&world.lab.loop, world.desk.under_way == 0);
			assert_int_equal(world.answers, before);
		} else {
			message_unref(&message);
		}
	}
	buf_fini(&text);
}

static void a_file_that_was_changed_is_not_signed(void **state)
{
	struct buf text = { 0 };
	struct message *message;
	struct scratch_dir path;
	FILE *file;

	(void)state;
	buf_append_str(&text, HEADER);
	for (size_t i = 0; i < 100 << 10; i++)
		buf_append_byte(&text, 'x');
	message = new_message("me@a.example", buf_span(&text));
	path = scratch_path(&world.lab.dir, msg_id_format(&message->holding.id).text);
	file = fopen(path.path, "r+b");
	assert_non_null(file);
	assert_int_equal(fseek(file, 90 << 10, SEEK_SET), 0);
	assert_int_equal(fputc('y', file), 'y');
	assert_int_equal(fclose(file), 0);
	assert_true(sign(message));
	assert_non_null(strstr(world.why, "cannot be read"));
	assert_int_equal(buf_len(&message->signature.fields), 0);
	message_unref(&message);
	buf_fini(&text);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_body_is_signed_wherever_it_is),
		TEST(a_long_header_is_signed),
		TEST(a_message_without_a_body_is_signed),
		TEST(who_has_no_entry_is_left_as_he_is),
		TEST(a_domain_in_u_labels_is_that_in_a_labels),

		TEST(what_cannot_be_signed_is_told),
		TEST(without_an_active_key_it_does_not_leave),
		TEST(a_signature_is_kept_until_keys_or_rules_change),
		TEST(who_cancels_hears_nothing),
		TEST(a_file_that_was_changed_is_not_signed),
	};

	return cmocka_run_group_tests_name("signing", tests, NULL, NULL);
}
