#include "dkim_rows.h"

#include "secret_write.h"
#include "skein/proto/base/alloc.h"

#include <time.h>

static enum ctl_exit complain(const struct secret_row *secret, const char *why)
{
	session_complain("%.*s %s", SPAN_ARGS(secret->name), why);
	return CTL_NEGATIVE;
}

static enum ctl_exit read_key(const struct secret_row *secret, struct span text, struct dkim_row *row)
{
	struct dkim_secret read;
	const char *why = "is no DKIM key: it was not made by skeinctl dkim create; remove it";

	if (!dkim_secret_parse(text, &read) || dkim_key_parse(read.pem, &row->key, &why))
		return complain(secret, why);
	row->state = read.state;
	row->since_ms = read.since_ms;
	return CTL_OK;
}

static enum ctl_exit open_row(
	const struct secret_row *secret, const struct secret_keys *keys, struct dkim_row *row)
{
	struct buf text = { 0 };
	enum secret_opened opened =
		secret_open(keys, secret_store_label(secret->name), secret->sealed, &text);
	enum ctl_exit exit = opened == SECRET_OPENED ? read_key(secret, buf_span(&text), row)
						     : complain(secret, secret_opened_text(opened));

	secret_text_wipe(&text);
	row->secret = secret;
	return exit;
}

enum ctl_exit dkim_rows_load(struct dkim_rows *rows, struct session *session, const struct secret_keys *keys)
{
	enum ctl_exit exit;

	*rows = (struct dkim_rows){ .count = 0 };
	exit = secret_rows_load(&rows->secrets, session, true);
	if (exit)
		return exit;
	rows->rows = mem_zalloc((rows->secrets.count + 1) * sizeof(*rows->rows));
	for (size_t i = 0; i < rows->secrets.count && !exit; i++) {
		const struct secret_row *secret = &rows->secrets.rows[i];
		struct dkim_row *row = &rows->rows[rows->count];

		if (!dkim_secret_name_parse(secret->name, &row->name))
			continue;
		exit = open_row(secret, keys, row);
		rows->count += !exit;
	}
	return exit;
}

void dkim_rows_fini(struct dkim_rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		dkim_key_free(&rows->rows[i].key);
	mem_free(rows->rows);
	secret_rows_fini(&rows->secrets);
}

enum ctl_exit dkim_row_write(struct session *session, const struct secret_keys *keys,
	const struct dkim_row *row, uint64_t expected)
{
	const struct dkim_secret secret = { row->state, row->since_ms, SPAN_LIT("") };
	struct secret_written written;
	struct buf text = { 0 }, name = { 0 };
	enum ctl_exit exit;

	CHECK(dkim_secret_name_format(&row->name, &name));
	buf_reserve(&text, DKIM_SECRET_LINE_MAX + DKIM_KEY_TEXT_MAX);
	dkim_secret_format(&secret, &text);
	dkim_key_append_pem(row->key, &text);
	exit = secret_write(session, &keys->current, buf_span(&name), expected, buf_span(&text), &written);
	secret_text_wipe(&text);
	buf_fini(&name);
	return exit;
}

uint64_t dkim_now_ms(void)
{
	return (uint64_t)time(NULL) * 1000;
}

const char *dkim_row_algorithm(const struct dkim_row *row)
{
	return dkim_key_algorithm(row->key) == DKIM_RSA_SHA256 ? "rsa" : "ed25519";
}
