#include "skein/cluster/track_filter.h"

#include "skein/cluster/network.h"

#include <stdio.h>

enum { FILTER_MIN = 8, SESSION_TEXT_MAX = 300 };

/* FNV-1a over the bytes in lower case, then mixed, so that all bits depend on all bytes. Who makes texts that
 * collide makes a search read more, and no more than that. */
static uint64_t hash(enum track_term_kind kind, struct span text)
{
	uint64_t value = (0xcbf29ce484222325u ^ (uint64_t)kind) * 0x100000001b3u;

	for (size_t i = 0; i < text.len; i++)
		value = (value ^ (unsigned char)ascii_lower(text.ptr[i])) * 0x100000001b3u;
	value = (value ^ (value >> 33)) * 0xff51afd7ed558ccdu;
	value = (value ^ (value >> 33)) * 0xc4ceb9fe1a85ec53u;
	return value ^ (value >> 33);
}

uint64_t track_term(enum track_term_kind kind, struct span text)
{
	char formatted[NETWORK_TEXT_LEN + 1];
	struct network network;

	if ((kind == TRACK_TERM_CLIENT || kind == TRACK_TERM_NEIGHBOURS) && network_parse(text, &network)) {
		network_format(&network, formatted);
		text = span_of_str(formatted);
	}
	return hash(kind, text);
}

uint64_t track_term_session(struct span node, uint64_t session)
{
	char text[SESSION_TEXT_MAX];
	struct span shown = span_take(node, node.len < 256 ? node.len : 256);
	int len = snprintf(text, sizeof(text), "%.*s/%llu", SPAN_ARGS(shown), (unsigned long long)session);

	return hash(TRACK_TERM_SESSION, span_of(text, (size_t)len));
}

bool track_next_word(struct span *rest, struct span *word_out)
{
	size_t end;

	while (rest->len && rest->ptr[0] == ' ')
		*rest = span_drop(*rest, 1);
	if (!rest->len)
		return false;
	end = span_find(*rest, ' ');
	*word_out = span_take(*rest, end);
	*rest = span_drop(*rest, end);
	return true;
}

struct span track_domain(struct span address)
{
	size_t at = address.len;

	while (at > 0 && address.ptr[at - 1] != '@')
		at--;
	return at ? span_drop(address, at) : span_of(NULL, 0);
}

static void tell_address(struct span address, enum track_term_kind whole, enum track_term_kind domain,
	track_term_fn *fn, void *arg)
{
	struct span behind = track_domain(address);

	fn(arg, hash(whole, address));
	if (behind.len)
		fn(arg, hash(domain, behind));
}

static void tell_client(struct span client, track_term_fn *fn, void *arg)
{
	char text[NETWORK_TEXT_LEN + 1];
	struct network network;

	if (!network_parse(client, &network)) {
		fn(arg, hash(TRACK_TERM_CLIENT, client));
		return;
	}
	network_format(&network, text);
	fn(arg, hash(TRACK_TERM_CLIENT, span_of_str(text)));
	network = network_neighbours(&network);
	network_format(&network, text);
	fn(arg, hash(TRACK_TERM_NEIGHBOURS, span_of_str(text)));
}

void track_terms_each(const struct track_event *event, track_term_fn *fn, void *arg)
{
	struct span rest = event->text[TRACK_RECIPIENT], word;

	if (event->text[TRACK_ID].len)
		fn(arg, hash(TRACK_TERM_ID, event->text[TRACK_ID]));
	if (event->kind == TRACK_BOUNCE && event->text[TRACK_ABOUT].len)
		fn(arg, hash(TRACK_TERM_ID, event->text[TRACK_ABOUT]));
	if (event->session)
		fn(arg, track_term_session(event->text[TRACK_NODE_NAME], event->session));
	if (event->text[TRACK_SENDER].len)
		tell_address(event->text[TRACK_SENDER], TRACK_TERM_SENDER, TRACK_TERM_SENDER_DOMAIN, fn, arg);
	while (track_next_word(&rest, &word))
		tell_address(word, TRACK_TERM_RECIPIENT, TRACK_TERM_RECIPIENT_DOMAIN, fn, arg);
	if (event->text[TRACK_CLIENT].len)
		tell_client(event->text[TRACK_CLIENT], fn, arg);
	if (event->text[TRACK_USER].len)
		fn(arg, hash(TRACK_TERM_USER, event->text[TRACK_USER]));
}

/* The bit of probe `i`: two halves of the term are as good as seven hashes. */
static size_t bit_of(uint64_t term, unsigned i, size_t bits)
{
	uint32_t low = (uint32_t)term, high = (uint32_t)(term >> 32) | 1;

	return (size_t)(((uint64_t)(uint32_t)(low + i * high) * bits) >> 32);
}

void track_filter_make(const uint64_t *terms, size_t count, struct buf *out)
{
	size_t bytes = (count * TRACK_FILTER_BITS + 7) / 8;
	unsigned char *filter;

	bytes = bytes < FILTER_MIN ? FILTER_MIN : bytes > TRACK_FILTER_MAX ? TRACK_FILTER_MAX : bytes;
	buf_reserve(out, bytes);
	filter = (unsigned char *)buf_tail(out);
	memset(filter, 0, bytes);
	for (size_t t = 0; t < count; t++)
		for (unsigned i = 0; i < TRACK_FILTER_PROBES; i++) {
			size_t bit = bit_of(terms[t], i, bytes * 8);

			filter[bit / 8] |= (unsigned char)(1u << (bit % 8));
		}
	buf_commit(out, bytes);
}

bool track_filter_may_have(struct span filter, uint64_t term)
{
	if (!filter.len || filter.len > TRACK_FILTER_MAX)
		return false;
	for (unsigned i = 0; i < TRACK_FILTER_PROBES; i++) {
		size_t bit = bit_of(term, i, filter.len * 8);

		if (!(filter.ptr[bit / 8] & (1 << (bit % 8))))
			return false;
	}
	return true;
}
