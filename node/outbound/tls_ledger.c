#include "outbound/tls_ledger.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/buf.h"
#include "skein/proto/base/table.h"

#include <pthread.h>
#include <string.h>

enum { NAME_MAX_LEN = 253 };

struct tls_ledger {
	pthread_mutex_t lock;
	struct table rows; /* by domain, NUL, field */
	struct list all;
	size_t bytes;
	uint64_t seed[2];
};

const char *tls_result_type(enum tls_result result)
{
	static const char *const types[] = {
		[TLS_RESULT_SUCCESS] = "success",
		[TLS_RESULT_STARTTLS_NOT_SUPPORTED] = "starttls-not-supported",
		[TLS_RESULT_HOST_MISMATCH] = "certificate-host-mismatch",
		[TLS_RESULT_EXPIRED] = "certificate-expired",
		[TLS_RESULT_NOT_TRUSTED] = "certificate-not-trusted",
		[TLS_RESULT_VALIDATION_FAILURE] = "validation-failure",
		[TLS_RESULT_TLSA_INVALID] = "tlsa-invalid",
		[TLS_RESULT_DNSSEC_INVALID] = "dnssec-invalid",
		[TLS_RESULT_DANE_REQUIRED] = "dane-required",
		[TLS_RESULT_STS_FETCH_ERROR] = "sts-policy-fetch-error",
		[TLS_RESULT_STS_POLICY_INVALID] = "sts-policy-invalid",
		[TLS_RESULT_STS_WEBPKI_INVALID] = "sts-webpki-invalid",
	};

	return types[result];
}

struct tls_ledger *tls_ledger_new(const uint64_t seed[2])
{
	struct tls_ledger *ledger = mem_zalloc(sizeof(*ledger));

	CHECK(pthread_mutex_init(&ledger->lock, NULL) == 0);
	memcpy(ledger->seed, seed, sizeof(ledger->seed));
	table_init(&ledger->rows, seed);
	list_init(&ledger->all);
	return ledger;
}

void tls_ledger_row_free(struct tls_ledger_row *row)
{
	mem_free((void *)(uintptr_t)row->key.ptr);
	mem_free((void *)(uintptr_t)row->count.text.ptr);
	mem_free(row);
}

void tls_ledger_free(struct tls_ledger **pointer)
{
	struct tls_ledger *ledger = *pointer;

	*pointer = NULL;
	if (!ledger)
		return;
	LIST_EACH_SAFE(it, &ledger->all)
	tls_ledger_row_free(LIST_ENTRY(it, struct tls_ledger_row, link));
	table_fini(&ledger->rows);
	pthread_mutex_destroy(&ledger->lock);
	mem_free(ledger);
}

void tls_ledger_take(struct tls_ledger *ledger, struct list *rows_out)
{
	pthread_mutex_lock(&ledger->lock);
	LIST_EACH_SAFE(it, &ledger->all)
	{
		list_remove(it);
		list_push_back(rows_out, it);
	}
	table_fini(&ledger->rows);
	table_init(&ledger->rows, ledger->seed);
	ledger->bytes = 0;
	pthread_mutex_unlock(&ledger->lock);
}

/* --- counting ------------------------------------------------------------------------------------ */

/* Printable, without blanks, in small letters. "": '-'. */
static bool append_name(struct buf *out, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++) {
		if (name[i] <= ' ' || name[i] > '~')
			return false;
		buf_append_byte(out, ascii_lower(name[i]));
	}
	if (!len)
		buf_append_byte(out, '-');
	return len <= NAME_MAX_LEN;
}

static bool append_policy(struct buf *out, char sign, const struct tls_session *session)
{
	static const char *const words[] = {
		[TLS_POLICY_NONE] = "none", [TLS_POLICY_STS] = "sts", [TLS_POLICY_TLSA] = "tlsa/"
	};

	buf_append_byte(out, sign);
	buf_append_str(out, words[session->kind]);
	return session->kind != TLS_POLICY_TLSA || append_name(out, session->host);
}

/* Locked. NULL: there is no room. */
static struct tls_ledger_row *find_or_make(
	struct tls_ledger *ledger, struct span domain, struct span field, size_t more)
{
	struct buf key = { 0 };
	struct tls_ledger_row *row;

	buf_append(&key, domain);
	buf_append_byte(&key, '\0');
	buf_append(&key, field);
	row = table_get(&ledger->rows, buf_span(&key));
	if (!row && ledger->rows.count < TLS_LEDGER_ROWS_MAX &&
		ledger->bytes + buf_len(&key) + more <= TLS_LEDGER_BYTES_MAX) {
		row = mem_zalloc(sizeof(*row));
		row->key = span_of(mem_dup(buf_span(&key).ptr, buf_len(&key)), buf_len(&key));
		row->count.domain = span_take(row->key, domain.len);
		row->count.field = span_drop(row->key, domain.len + 1);
		list_init(&row->link);
		list_push_back(&ledger->all, &row->link);
		table_put(&ledger->rows, row->key, row);
		ledger->bytes += buf_len(&key) + more;
	}
	buf_fini(&key);
	return row;
}

/* Whole lines. */
static struct span cut(struct span text)
{
	size_t end = TLS_LEDGER_TEXT_MAX;

	if (text.len <= end)
		return text;
	while (end > 0 && text.ptr[end - 1] != '\n')
		end--;
	return span_take(text, end);
}

static void note(struct tls_ledger *ledger, struct span domain, struct span count, struct span policy_field,
	struct span policy)
{
	struct tls_ledger_row *row;

	pthread_mutex_lock(&ledger->lock);
	row = find_or_make(ledger, domain, count, 0);
	if (row)
		row->count.step++;
	row = policy.len ? find_or_make(ledger, domain, policy_field, policy.len) : NULL;
	if (row && !row->count.text.len)
		row->count.text = span_of(mem_dup(policy.ptr, policy.len), policy.len);
	pthread_mutex_unlock(&ledger->lock);
}

void tls_ledger_note(struct tls_ledger *ledger, const struct tls_session *session)
{
	struct buf domain = { 0 }, count = { 0 }, policy = { 0 };
	bool is_good;

	if (!ledger || !*session->domain)
		return;
	is_good = append_name(&domain, session->domain) && append_policy(&count, '+', session) &&
		  append_policy(&policy, '=', session);
	buf_printf(&count, " %s", tls_result_type(session->result));
	if (session->result != TLS_RESULT_SUCCESS) {
		const char *const parts[] = { session->host, session->sending_ip, session->receiving_ip };

		for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
			buf_append_byte(&count, ' ');
			is_good = is_good && append_name(&count, parts[i]);
		}
	}
	if (is_good)
		note(ledger, buf_span(&domain), buf_span(&count), buf_span(&policy), cut(session->policy));
	buf_fini(&domain);
	buf_fini(&count);
	buf_fini(&policy);
}
