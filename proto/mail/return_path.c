#include "skein/proto/mail/return_path.h"

#include "skein/proto/mail/envelope.h"

enum { HASH_LEN = 8, DAY_LEN = 2, DAYS = 1024 /* after that, days repeat */ };

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

struct address {
	struct span local; /* without its quotes */
	struct span domain;
	bool is_quoted;
};

static bool split(struct span text, struct address *address_out)
{
	size_t at = text.len;

	while (at > 0 && text.ptr[at - 1] != '@')
		at--;
	if (at < 2 || at == text.len)
		return false;
	*address_out = (struct address){ span_take(text, at - 1), span_drop(text, at), false };
	if (text.ptr[0] != '"')
		return true;
	if (at < 4 || text.ptr[at - 2] != '"')
		return false;
	address_out->local = span_of(text.ptr + 1, at - 3);
	address_out->is_quoted = true;
	return true;
}

/* A local part under way: quoted when one of its parts was. */
static void begin_local(struct buf *text, bool is_quoted)
{
	if (is_quoted)
		buf_append_byte(text, '"');
}

static void end_local(struct buf *text, bool is_quoted, struct span domain)
{
	if (is_quoted)
		buf_append_byte(text, '"');
	buf_append_byte(text, '@');
	buf_append(text, domain);
}

static bool hand_over(struct buf *text, struct buf *out)
{
	bool fits = buf_len(text) <= ENVELOPE_ADDR_MAX;

	if (fits)
		buf_append(out, buf_span(text));
	buf_fini(text);
	return fits;
}

bool return_path_domain(struct buf *out, struct span sender, struct span domain)
{
	struct address address;
	struct buf text = { 0 };

	if (!split(sender, &address))
		return false;
	begin_local(&text, address.is_quoted);
	buf_append(&text, address.local);
	end_local(&text, address.is_quoted, domain);
	return hand_over(&text, out);
}

bool return_path_verp(struct buf *out, struct span sender, struct span recipient, struct span domain)
{
	struct address from, to;
	struct buf text = { 0 };
	bool is_quoted;

	if (!split(sender, &from) || !split(recipient, &to))
		return false;
	is_quoted = from.is_quoted || to.is_quoted || to.domain.ptr[0] == '[';
	begin_local(&text, is_quoted);
	buf_append(&text, from.local);
	buf_append_byte(&text, '+');
	buf_append(&text, to.local);
	buf_append_byte(&text, '=');
	buf_append(&text, to.domain);
	end_local(&text, is_quoted, domain.len ? domain : from.domain);
	return hand_over(&text, out);
}

/* --- SRS ---------------------------------------------------------------------------------------- */

/* Mail systems may change the case of a local part: the hash does not see it. */
static void append_hash(const struct srs *srs, struct span what, struct buf *out)
{
	unsigned char mac[SRS_MAC_LEN];
	struct buf lower = { 0 };
	uint64_t bits = 0;

	for (size_t i = 0; i < what.len; i++)
		buf_append_byte(&lower, ascii_lower(what.ptr[i]));
	srs->mac(srs->arg, buf_span(&lower), mac);
	buf_fini(&lower);
	for (size_t i = 0; i < HASH_LEN * 5 / 8; i++)
		bits = bits << 8 | mac[i];
	for (size_t i = HASH_LEN; i-- > 0;)
		buf_append_byte(out, digits[bits >> 5 * i & 31]);
}

static bool is_hash_good(const struct srs *srs, struct span hash, struct span what)
{
	struct buf expected = { 0 };
	unsigned differs = hash.len != HASH_LEN;

	append_hash(srs, what, &expected);
	for (size_t i = 0; i < HASH_LEN && i < hash.len; i++)
		differs |= (unsigned)(ascii_lower(hash.ptr[i]) ^ ascii_lower(buf_span(&expected).ptr[i]));
	buf_fini(&expected);
	return !differs;
}

/* "SRS0" or "SRS1" and one of the separators in use. */
static bool is_wrapped(struct span local, char kind)
{
	return local.len > 5 && span_starts_with_nocase(local, SPAN_LIT("SRS")) && local.ptr[3] == kind &&
	       (local.ptr[4] == '=' || local.ptr[4] == '+' || local.ptr[4] == '-');
}

/* "hash=rest", signed, behind the name of its kind. */
static bool finish(const struct srs *srs, const char *kind, const struct address *address, struct buf *rest,
	struct buf *out)
{
	struct buf text = { 0 };

	begin_local(&text, address->is_quoted);
	buf_append_str(&text, kind);
	append_hash(srs, buf_span(rest), &text);
	buf_append_byte(&text, '=');
	buf_append(&text, buf_span(rest));
	end_local(&text, address->is_quoted, srs->domain);
	buf_fini(rest);
	return hand_over(&text, out);
}

/* Of SRS1: what stands behind its hash goes under ours. */
static bool wrap_third(
	const struct srs *srs, struct buf *out, const struct address *address, struct span behind_kind)
{
	size_t hash = span_find(behind_kind, '=');
	struct buf rest = { 0 };

	if (hash == behind_kind.len)
		return false;
	buf_append(&rest, span_drop(behind_kind, hash + 1));
	return finish(srs, "SRS1=", address, &rest, out);
}

bool srs_wrap(const struct srs *srs, struct buf *out, struct span sender)
{
	struct address address;
	struct buf rest = { 0 };

	if (!split(sender, &address))
		return false;
	if (span_eq_nocase(address.domain, srs->domain)) {
		buf_append(out, sender);
		return true;
	}
	if (address.domain.ptr[0] == '[')
		address.is_quoted = true; /* no bracket stands in a local part without */
	if (is_wrapped(address.local, '1'))
		return wrap_third(srs, out, &address, span_drop(address.local, 5));
	if (is_wrapped(address.local, '0')) {
		buf_append(&rest, address.domain);
		buf_append_byte(&rest, '=');
		buf_append(&rest, span_drop(address.local, 4)); /* with its separator */
		return finish(srs, "SRS1=", &address, &rest, out);
	}
	buf_append_byte(&rest, digits[srs->day >> 5 & 31]);
	buf_append_byte(&rest, digits[srs->day & 31]);
	buf_append_byte(&rest, '=');
	buf_append(&rest, address.domain);
	buf_append_byte(&rest, '=');
	buf_append(&rest, address.local);
	return finish(srs, "SRS0=", &address, &rest, out);
}

static bool read_digit(char byte, uint64_t *value_out)
{
	const char *at = byte ? strchr(digits, byte >= 'a' && byte <= 'z' ? byte - ('a' - 'A') : byte) : NULL;

	*value_out = at ? (uint64_t)(at - digits) : 0;
	return at != NULL;
}

static bool is_recent(const struct srs *srs, struct span day)
{
	uint64_t high, low;

	return read_digit(day.ptr[0], &high) && read_digit(day.ptr[1], &low) &&
	       (srs->day - (high << 5 | low)) % DAYS <= SRS_DAYS_MAX;
}

/* "local@domain" into `out`, when that is an address at all. */
static enum srs_verdict unwrapped(
	struct buf *out, bool is_quoted, const char *front, struct span local, struct span domain)
{
	struct buf text = { 0 };

	if (!local.len || !domain.len)
		return SRS_FORGED;
	begin_local(&text, is_quoted);
	buf_append_str(&text, front);
	buf_append(&text, local);
	end_local(&text, is_quoted, domain);
	return hand_over(&text, out) ? SRS_UNWRAPPED : SRS_FORGED;
}

enum srs_verdict srs_unwrap(const struct srs *srs, struct buf *out, struct span text)
{
	struct address address;
	struct span hash, rest;
	size_t domain;
	bool is_first;

	if (!split(text, &address) || !span_eq_nocase(address.domain, srs->domain))
		return SRS_NONE;
	is_first = is_wrapped(address.local, '0');
	if (!is_first && !is_wrapped(address.local, '1'))
		return SRS_NONE;
	rest = span_drop(address.local, 5);
	hash = span_take(rest, span_find(rest, '='));
	rest = span_drop(rest, hash.len < rest.len ? hash.len + 1 : hash.len);
	if (!is_hash_good(srs, hash, rest))
		return SRS_FORGED;
	if (is_first) {
		if (rest.len <= DAY_LEN + 1 || rest.ptr[DAY_LEN] != '=')
			return SRS_FORGED;
		if (!is_recent(srs, rest))
			return SRS_EXPIRED;
		rest = span_drop(rest, DAY_LEN + 1);
	}
	domain = span_find(rest, '=');
	if (domain == rest.len)
		return SRS_FORGED;
	return unwrapped(out, address.is_quoted, is_first ? "" : "SRS0", span_drop(rest, domain + 1),
		span_take(rest, domain));
}
