/*
 * What is personal in an event is replaced: mail addresses wherever they stand, also in answers of next hops;
 * the client's address, its name and its user. Hosts of next hops are not.
 */
#include "skein/cluster/track_event.h"

#include "skein/proto/base/table.h"

enum { HASH_DIGITS = 16 };

struct redactor {
	const struct track_redaction *redaction;
	struct buf out;
};

static void put_hash(struct redactor *redactor, struct span text)
{
	char lower[TRACK_VALUE_MAX];
	size_t len = text.len < sizeof(lower) ? text.len : sizeof(lower);

	for (size_t i = 0; i < len; i++)
		lower[i] = ascii_lower(text.ptr[i]);
	buf_printf(&redactor->out, "~%0*llx", HASH_DIGITS,
		(unsigned long long)siphash13(redactor->redaction->key, span_of(lower, len)));
}

/* The first character, as a whole. */
static void put_first(struct redactor *redactor, struct span text)
{
	size_t len = text.len > 0;

	while (len && len < text.len && ((unsigned char)text.ptr[len] & 0xc0) == 0x80)
		len++;
	buf_append(&redactor->out, span_take(text, len));
	buf_append_str(&redactor->out, "***");
}

static size_t last_at(struct span address)
{
	size_t at = address.len;

	while (at && address.ptr[at - 1] != '@')
		at--;
	return at ? at - 1 : address.len;
}

/* The domain is not personal, and what an operator looks for. */
static void put_address(struct redactor *redactor, struct span address)
{
	size_t at = last_at(address);

	if (redactor->redaction->mode == TRACK_REDACT_HASHED)
		put_hash(redactor, address);
	else
		put_first(redactor, span_take(address, at));
	buf_append(&redactor->out, span_drop(address, at));
}

static void put_name(struct redactor *redactor, struct span name)
{
	if (redactor->redaction->mode == TRACK_REDACT_HASHED)
		put_hash(redactor, name);
	else
		put_first(redactor, name);
}

/* The network: three numbers of IPv4, four groups of IPv6. */
static void put_network(struct redactor *redactor, struct span ip)
{
	bool is_v4 = span_find(ip, ':') == ip.len;
	char mark = is_v4 ? '.' : ':';
	unsigned left = is_v4 ? 3 : 4;
	size_t len = 0;

	for (; len < ip.len && left; len++) {
		if (ip.ptr[len] == mark)
			left--;
		if (!is_v4 && len + 1 < ip.len && ip.ptr[len] == ':' && ip.ptr[len + 1] == ':')
			break;
	}
	while (!is_v4 && len && ip.ptr[len - 1] == ':')
		len--;
	buf_append(&redactor->out, span_take(ip, len));
	buf_append_str(&redactor->out, is_v4 ? "0/24" : "::/64");
}

static void put_client(struct redactor *redactor, struct span ip)
{
	if (redactor->redaction->mode == TRACK_REDACT_HASHED)
		put_hash(redactor, ip);
	else
		put_network(redactor, ip);
}

/* The network that a client announces itself by stays: ws17.example.net is ***.example.net. */
static void put_helo(struct redactor *redactor, struct span helo)
{
	size_t dot = span_find(helo, '.');

	if (redactor->redaction->mode == TRACK_REDACT_HASHED)
		put_hash(redactor, helo);
	else if (dot == helo.len || helo.ptr[0] == '[')
		buf_append_str(&redactor->out, "***");
	else
		buf_printf(&redactor->out, "***%.*s", SPAN_ARGS(span_drop(helo, dot)));
}

static bool is_separator(char c)
{
	return c == '\0' || (unsigned char)c <= ' ' || strchr("<>()[]{},;\"'=|", c);
}

/* Every word with an "@", and every word that is the client's address. */
static void put_prose(struct redactor *redactor, struct span text, struct span client)
{
	while (text.len) {
		size_t len = 0;
		struct span word;

		while (len < text.len && !is_separator(text.ptr[len]))
			len++;
		word = span_take(text, len);
		if (span_find(word, '@') < word.len)
			put_address(redactor, word);
		else if (word.len && span_eq(word, client))
			put_client(redactor, word);
		else
			buf_append(&redactor->out, word);
		text = span_drop(text, len);
		if (text.len) {
			buf_append_byte(&redactor->out, text.ptr[0]);
			text = span_drop(text, 1);
		}
	}
}

/* Addresses joined by blanks; a quoted local part may have blanks of its own, and goes with its address. */
static void put_addresses(struct redactor *redactor, struct span list)
{
	while (list.len) {
		bool is_quoted = false;
		size_t len = 0;

		for (; len < list.len && (is_quoted || list.ptr[len] != ' '); len++) {
			if (list.ptr[len] == '\\' && is_quoted && len + 1 < list.len)
				len++;
			else if (list.ptr[len] == '"')
				is_quoted = !is_quoted;
		}
		put_address(redactor, span_take(list, len));
		list = span_drop(list, len);
		if (list.len) {
			buf_append_byte(&redactor->out, ' ');
			list = span_drop(list, 1);
		}
	}
}

static void put_text(struct redactor *redactor, const struct track_event *event, enum track_text which)
{
	struct span text = event->text[which];

	switch (which) {
	case TRACK_CLIENT:
		put_client(redactor, text);
		break;
	case TRACK_USER:
		put_name(redactor, text);
		break;
	case TRACK_HELO:
		put_helo(redactor, text);
		break;
	case TRACK_SENDER:
	case TRACK_RECIPIENT:
		put_addresses(redactor, text);
		break;
	case TRACK_TEXT:
		/* The subject of a client's certificate. */
		if (event->kind == TRACK_TLS)
			put_name(redactor, text);
		else
			put_prose(redactor, text, event->text[TRACK_CLIENT]);
		break;
	case TRACK_ABOUT:
		put_prose(redactor, text, event->text[TRACK_CLIENT]);
		break;
	case TRACK_NODE_NAME:
	case TRACK_ID:
	case TRACK_TLS_TEXT:
	case TRACK_HOP:
	case TRACK_STATUS:
	case TRACK_RULE:
	case TRACK_TEXT_COUNT:
		buf_append(&redactor->out, text);
		break;
	}
}

void track_event_redact(
	struct track_event *event, const struct track_redaction *redaction, struct arena *arena)
{
	struct redactor redactor = { redaction, { 0 } };
	struct track_event before = *event;

	if (redaction->mode == TRACK_REDACT_NONE)
		return;
	for (unsigned i = 0; i < TRACK_TEXT_COUNT; i++) {
		if (!before.text[i].len)
			continue;
		buf_clear(&redactor.out);
		put_text(&redactor, &before, (enum track_text)i);
		event->text[i] = arena_dup(arena, buf_span(&redactor.out));
	}
	buf_fini(&redactor.out);
}

struct span track_redact_address(
	struct span address, const struct track_redaction *redaction, struct arena *arena)
{
	struct redactor redactor = { redaction, { 0 } };
	struct span text;

	put_address(&redactor, address);
	text = arena_dup(arena, buf_span(&redactor.out));
	buf_fini(&redactor.out);
	return text;
}
