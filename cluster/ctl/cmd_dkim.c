/* skeinctl dkim create, list */
#include "call.h"
#include "dkim_rows.h"
#include "human.h"
#include "key_file.h"
#include "screen.h"
#include "secret_write.h"
#include "skein/proto/base/alloc.h"
#include "skein/proto/dkim/signer.h"

#include <stdio.h>
#include <sys/random.h>
#include <time.h>

static json_t *row_json(const struct dkim_row *row)
{
	return json_pack("{s:o, s:o, s:s, s:I, s:s, s:o}", "domain", json_of_span(row->name.domain),
		"selector", json_of_span(row->name.selector), "algorithm", dkim_row_algorithm(row), "bits",
		(json_int_t)dkim_key_bits(row->key), "state", dkim_state_names[row->state], "since_ms",
		json_of_u64(row->since_ms));
}

/* ---- create ---- */

struct creation {
	const char *algorithm;
	uint64_t bits; /* 0: not said */
	char selector[32];
	struct secret_keys keys;
	struct dkim_row row;
};

static enum ctl_exit create(struct session *session, void *arg)
{
	struct creation *creation = arg;
	struct dkim_row *row = &creation->row;
	struct buf name = { 0 };
	struct secret_rows rows;
	enum ctl_exit exit = secret_rows_load(&rows, session, false);

	CHECK(dkim_secret_name_format(&row->name, &name));
	buf_append_byte(&name, '\0');
	if (!exit && secret_rows_find(&rows, name.base)) {
		session_complain("%s is there already: say another --selector", name.base);
		exit = CTL_NEGATIVE;
	}
	if (!exit)
		exit = secret_rows_check_key(&rows, name.base, &creation->keys);
	if (!exit)
		exit = dkim_row_write(session, &creation->keys, row, 0);
	if (!exit && session->is_json)
		screen_print_json(row_json(row));
	else if (!exit)
		printf("%s is created; its record for DNS: skeinctl dkim publish %.*s %.*s\n", name.base,
			SPAN_ARGS(row->name.domain), SPAN_ARGS(row->name.selector));
	secret_rows_fini(&rows);
	buf_fini(&name);
	return exit;
}

/* Names tell nothing but the day and the kind; a second one of a day needs a name from its maker. */
static void default_selector(struct creation *creation)
{
	time_t now = time(NULL);
	struct tm day;

	CHECK(gmtime_r(&now, &day));
	snprintf(creation->selector, sizeof(creation->selector), "%s%04d%02d%02d",
		strcmp(creation->algorithm, "rsa") == 0 ? "rsa" : "ed", day.tm_year + 1900, day.tm_mon + 1,
		day.tm_mday);
	creation->row.name.selector = span_of_str(creation->selector);
}

static struct dkim_key *make_key(const struct creation *creation)
{
	unsigned char seed[DKIM_ED25519_SEED_LEN];
	struct dkim_key *key;

	if (strcmp(creation->algorithm, "rsa") == 0)
		return dkim_key_new_rsa(creation->bits ? (unsigned)creation->bits : DKIM_RSA_BITS_GOOD);
	CHECK(getrandom(seed, sizeof(seed), 0) == (ssize_t)sizeof(seed));
	key = dkim_key_new_ed25519(seed);
	mem_wipe(seed, sizeof(seed));
	return key;
}

/* False: one line in `why`. */
static bool check_creation(struct creation *creation, struct buf *why)
{
	struct dkim_rule rule = { .domain = creation->row.name.domain,
		.selector = creation->row.name.selector };
	bool is_rsa = strcmp(creation->algorithm, "rsa") == 0;
	struct buf name = { 0 };
	bool fits;

	if (!is_rsa && strcmp(creation->algorithm, "ed25519") != 0)
		buf_append_str(why, "--algorithm is rsa or ed25519");
	else if (!is_rsa && creation->bits)
		buf_append_str(why, "--bits is for rsa");
	else if (dkim_rule_fault(&rule))
		buf_append_str(why, dkim_rule_fault(&rule));
	else if (span_find(rule.domain, '_') < rule.domain.len ||
		 span_find(rule.selector, '_') < rule.selector.len)
		buf_append_str(why, "neither domain nor selector may have a '_'");
	if (buf_len(why))
		return false;
	fits = dkim_secret_name_format(&creation->row.name, &name);
	buf_fini(&name);
	if (!fits)
		buf_printf(why,
			"SELECTOR._domainkey.DOMAIN is longer than %d characters, or does not begin with "
			"a letter or digit",
			SECRET_NAME_MAX);
	return fits;
}

enum ctl_exit cmd_dkim_create(struct ctl_options *options, const struct call *call)
{
	const char *selector = call_text(call, "selector"), *algorithm = call_text(call, "algorithm");
	struct creation creation = { .algorithm = algorithm ? algorithm : "rsa",
		.bits = call_number(call, "bits", 0),
		.row = { .name = { span_of_str(selector), span_of_str(call_word(call, 0)) } } };
	struct buf why = { 0 };
	enum ctl_exit exit;

	if (!options->key_file) {
		buf_append_str(&why,
			"which key seals it? Say --key-file FILE, or --config FILE with cluster.key_file");
		return session_usage(&why);
	}
	if (!selector)
		default_selector(&creation);
	if (!check_creation(&creation, &why) || !key_file_read(options->key_file, &creation.keys, &why))
		return session_usage(&why);
	creation.row.key = make_key(&creation);
	creation.row.since_ms = dkim_now_ms();
	exit = session_run(options, create, &creation);
	dkim_key_free(&creation.row.key);
	secret_keys_wipe(&creation.keys);
	return exit;
}

/* ---- list ---- */

static void print_rows(const struct dkim_rows *rows)
{
	static const struct grid_column columns[] = { { "DOMAIN", false }, { "SELECTOR", false },
		{ "ALGORITHM", false }, { "BITS", true }, { "STATE", false }, { "SINCE", true },
		{ "SET BY", false } };
	static const enum tint tints[DKIM_STATES] = {
		[DKIM_STATE_ACTIVE] = TINT_GOOD, [DKIM_STATE_RETIRED] = TINT_FAINT
	};
	uint64_t now_ms = dkim_now_ms();
	struct grid grid;

	grid_init(&grid, columns, ARRAY_LEN(columns));
	for (size_t i = 0; i < rows->count; i++) {
		const struct dkim_row *row = &rows->rows[i];
		struct buf age = { 0 };

		human_duration(&age, now_ms > row->since_ms ? now_ms - row->since_ms : 0);
		grid_add(&grid, row->name.domain, TINT_NONE);
		grid_add(&grid, row->name.selector, TINT_NONE);
		grid_printf(&grid, TINT_NONE, "%s", dkim_row_algorithm(row));
		grid_printf(&grid, dkim_key_is_weak(row->key) ? TINT_WARN : TINT_NONE, "%u",
			dkim_key_bits(row->key));
		grid_printf(&grid, tints[row->state], "%s", dkim_state_names[row->state]);
		grid_add(&grid, buf_span(&age), TINT_NONE);
		grid_add(&grid, row->secret->note.author, TINT_NONE);
		buf_fini(&age);
	}
	screen_print_grid(&grid);
	grid_fini(&grid);
}

static enum ctl_exit list(struct session *session, void *arg)
{
	struct dkim_rows rows;
	enum ctl_exit exit = dkim_rows_load(&rows, session, arg);
	json_t *all = json_array();

	for (size_t i = 0; i < rows.count && session->is_json; i++)
		json_array_append_new(all, row_json(&rows.rows[i]));
	if (!exit && session->is_json)
		screen_print_json(json_incref(all));
	else if (!exit)
		print_rows(&rows);
	json_decref(all);
	dkim_rows_fini(&rows);
	return exit;
}

enum ctl_exit cmd_dkim_list(struct ctl_options *options, const struct call *call)
{
	struct secret_keys keys = { .has_previous = false };
	struct buf why = { 0 };
	enum ctl_exit exit;

	(void)call;
	if (!options->key_file)
		buf_append_str(&why, "dkim list opens the keys: say --key-file FILE, or --config FILE with "
				     "cluster.key_file");
	if (buf_len(&why) || !key_file_read(options->key_file, &keys, &why))
		return session_usage(&why);
	exit = session_run(options, list, &keys);
	secret_keys_wipe(&keys);
	return exit;
}
