#include "queue_driver.h"

#include "skein/cluster/secret_store.h"

#include <stdio.h>

struct told {
	enum outcome_kind kind;
	enum outcome_error error;
	struct secret_version version;
	char author[64], key_id[64];
	size_t count;
	char names[256], texts[256]; /* of a list: "name " each; opened texts likewise */
};

static struct secret_keys keys_of(unsigned char first)
{
	struct secret_keys keys = { .has_previous = false };

	memset(keys.current.bytes, first, SECRET_KEY_LEN);
	secret_key_id(keys.current.bytes, keys.current.id);
	return keys;
}

static void on_change(void *arg, const struct outcome *outcome, const struct secret_note *note)
{
	struct told *told = arg;

	told->kind = outcome->kind;
	told->error = outcome->error;
	told->version = note->version;
	snprintf(told->author, sizeof(told->author), "%.*s", SPAN_ARGS(note->author));
	snprintf(told->key_id, sizeof(told->key_id), "%.*s", SPAN_ARGS(note->key_id));
}

static void append(char out[256], struct span text)
{
	size_t len = strlen(out);

	snprintf(out + len, 256 - len, "%.*s ", SPAN_ARGS(text));
}

static void on_list(void *arg, const struct outcome *outcome, const struct secret_list *list)
{
	struct secret_keys keys = keys_of('k');
	struct told *told = arg;

	told->kind = outcome->kind;
	told->error = outcome->error;
	told->version = list->version;
	told->count = list->count;
	for (size_t i = 0; i < list->count && i < 8; i++) {
		const struct secret_row *row = &list->rows[i];
		struct buf text = { 0 };

		append(told->names, row->name);
		if (row->sealed.len && secret_open(&keys, secret_store_label(row->name), row->sealed,
					       &text) == SECRET_OPENED)
			append(told->texts, buf_span(&text));
		secret_text_wipe(&text);
	}
}

static void on_version(void *arg, const struct outcome *outcome, const struct secret_version *version)
{
	struct told *told = arg;

	told->kind = outcome->kind;
	told->version = *version;
}

static struct told put(struct queue_driver *q, const char *name, uint64_t expected, const char *text)
{
	static const unsigned char nonce[SECRET_NONCE_LEN] = "nonce";
	struct secret_keys keys = keys_of('k');
	struct told told = { .kind = OUTCOME_UNKNOWN };
	struct buf sealed = { 0 };
	struct secret_put args = { span_of_str(name), expected, SPAN_LIT("ann@\"host\""), { 0 } };

	secret_seal(&keys.current, nonce, secret_store_label(args.name), span_of_str(text), &sealed);
	args.sealed = buf_span(&sealed);
	assert_true(secret_put(q->link, &args, q->driver->now_ms, on_change, &told));
	link_driver_settle(q->driver);
	buf_fini(&sealed);
	return told;
}

static struct told remove_secret(struct queue_driver *q, const char *name, uint64_t expected)
{
	struct told told = { .kind = OUTCOME_UNKNOWN };

	assert_true(secret_remove(q->link, span_of_str(name), expected, q->driver->now_ms, on_change, &told));
	link_driver_settle(q->driver);
	return told;
}

static struct told list(struct queue_driver *q, bool with_sealed)
{
	struct told told = { .kind = OUTCOME_UNKNOWN };

	assert_true(secret_list(q->link, with_sealed, q->driver->now_ms, on_list, &told));
	link_driver_settle(q->driver);
	return told;
}

static struct told current(struct queue_driver *q)
{
	struct told told = { .kind = OUTCOME_UNKNOWN };

	assert_true(secret_current(q->link, q->driver->now_ms, on_version, &told));
	link_driver_settle(q->driver);
	return told;
}

static void before_the_first_there_is_none(void **state)
{
	struct queue_driver *q = *state;

	assert_int_equal(current(q).kind, OUTCOME_OK);
	assert_int_equal(current(q).version.number, 0);
	assert_int_equal(list(q, true).kind, OUTCOME_OK);
	assert_int_equal(list(q, true).count, 0);
	assert_int_equal(remove_secret(q, "a", 0).kind, OUTCOME_GONE);
}

static void what_is_put_is_listed_by_name(void **state)
{
	struct queue_driver *q = *state;
	struct told told = put(q, "hop", 0, "one");
	struct secret_keys keys = keys_of('k');

	assert_int_equal(told.kind, OUTCOME_OK);
	assert_int_equal(told.version.number, 1);
	assert_int_equal(told.version.at_ms, q->now_ms);
	assert_string_equal(told.author, "ann@\"host\"");
	assert_string_equal(told.key_id, secret_key_id_text(keys.current.id).text);
	assert_int_equal(put(q, "dir", 0, "two").version.number, 2);
	told = list(q, true);
	assert_int_equal(told.version.number, 2);
	assert_string_equal(told.names, "dir hop ");
	assert_string_equal(told.texts, "two one ");
	assert_string_equal(list(q, false).names, "dir hop ");
	assert_string_equal(list(q, false).texts, "");
}

static void nobody_overwrites_what_he_has_not_seen(void **state)
{
	struct queue_driver *q = *state;
	struct told told;

	assert_int_equal(put(q, "hop", 0, "one").kind, OUTCOME_OK);
	told = put(q, "hop", 0, "two");
	assert_int_equal(told.kind, OUTCOME_NOT);
	assert_int_equal(told.version.number, 1);
	assert_string_equal(told.author, "ann@\"host\"");
	assert_int_equal(put(q, "hop", 7, "two").kind, OUTCOME_NOT);
	assert_int_equal(put(q, "new", 1, "two").kind, OUTCOME_NOT);
	assert_int_equal(remove_secret(q, "hop", 7).kind, OUTCOME_NOT);
	assert_int_equal(current(q).version.number, 1);
	assert_string_equal(list(q, true).texts, "one ");
	assert_int_equal(put(q, "hop", 1, "two").kind, OUTCOME_OK);
	assert_string_equal(list(q, true).texts, "two ");
}

static void each_change_is_a_new_version_the_last_removal_too(void **state)
{
	struct queue_driver *q = *state;
	struct secret_version before;

	assert_int_equal(put(q, "hop", 0, "one").kind, OUTCOME_OK);
	before = current(q).version;
	assert_int_equal(remove_secret(q, "hop", 1).kind, OUTCOME_OK);
	assert_int_equal(current(q).version.number, before.number + 1);
	assert_true(current(q).version.at_ms > before.at_ms);
	assert_int_equal(list(q, true).count, 0);
	assert_int_equal(remove_secret(q, "hop", 1).kind, OUTCOME_GONE);
	assert_int_equal(put(q, "hop", 0, "one").version.number, before.number + 2);
}

static void there_is_a_bound(void **state)
{
	struct queue_driver *q = *state;
	struct told told;

	for (unsigned i = 0; i < SECRETS_MAX; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%u", i);
		assert_int_equal(put(q, name, 0, "x").kind, OUTCOME_OK);
	}
	told = put(q, "more", 0, "x");
	assert_int_equal(told.kind, OUTCOME_ERROR);
	assert_int_equal(told.error, ERROR_FULL);
	assert_int_equal(list(q, true).count, SECRETS_MAX);
	assert_int_equal(put(q, "n0", 1, "y").kind, OUTCOME_OK);
	assert_int_equal(remove_secret(q, "n1", 2).kind, OUTCOME_OK);
	assert_int_equal(put(q, "more", 0, "x").kind, OUTCOME_OK);
}

static void a_name_that_a_hand_wrote_is_an_error_and_nothing_else(void **state)
{
	struct queue_driver *q = *state;

	redis_client_command(&q->redis, "HSET skein:{secrets}:notes ../x "
					"{\"version\":\"1\",\"at\":\"1\",\"author\":\"\",\"key\":\"\"}");
	assert_int_equal(list(q, true).error, ERROR_REPLY);
	assert_int_equal(list(q, true).count, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, queue_driver_reset)
	const struct CMUnitTest tests[] = {
		TEST(before_the_first_there_is_none),
		TEST(what_is_put_is_listed_by_name),
		TEST(nobody_overwrites_what_he_has_not_seen),
		TEST(each_change_is_a_new_version_the_last_removal_too),
		TEST(there_is_a_bound),
		TEST(a_name_that_a_hand_wrote_is_an_error_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, queue_driver_setup, queue_driver_teardown);
}
