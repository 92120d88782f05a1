#include "skein/proto/wire/proxy_header.h"

#include "skein/proto/base/check.h"

#include <arpa/inet.h>

enum {
	V1_LEN_MAX = 107, /* with CRLF */
	V2_FIXED_LEN = 16,
	TLV_FIXED_LEN = 3,
};

static const struct span v1_signature = { "PROXY ", 6 };
static const struct span v2_signature = { "\r\n\r\n\0\r\nQUIT\n", 12 };

static unsigned get_u16_be(const char *bytes)
{
	return (unsigned)(unsigned char)bytes[0] << 8 | (unsigned char)bytes[1];
}

/* Words are parted by exactly one space. */
static struct span take_word(struct span *rest)
{
	struct span word = span_take(*rest, span_find(*rest, ' '));

	*rest = span_drop(*rest, word.len < rest->len ? word.len + 1 : word.len);
	return word;
}

static bool parse_v1_ip(struct span word, enum proxy_family family, struct proxy_address *address)
{
	char text[INET6_ADDRSTRLEN];

	if (word.len >= sizeof(text) || span_find(word, '\0') < word.len)
		return false;
	memcpy(text, word.ptr, word.len);
	text[word.len] = '\0';
	return inet_pton(family == PROXY_FAMILY_IPV4 ? AF_INET : AF_INET6, text, address->bytes) == 1;
}

static bool parse_v1_port(struct span word, struct proxy_address *address)
{
	uint64_t port;

	if (!span_parse_u64(word, UINT16_MAX, &port) || (word.len > 1 && word.ptr[0] == '0'))
		return false;
	address->port = (uint16_t)port;
	return true;
}

/* `rest` is what stands between "PROXY " and CRLF. */
static bool parse_v1_line(struct span rest, struct proxy_header *header)
{
	bool ends_in_space = rest.len && rest.ptr[rest.len - 1] == ' ';
	struct span protocol = take_word(&rest);
	struct span words[4];

	if (span_eq(protocol, SPAN_LIT("UNKNOWN")))
		return true;
	if (span_eq(protocol, SPAN_LIT("TCP4")))
		header->family = PROXY_FAMILY_IPV4;
	else if (span_eq(protocol, SPAN_LIT("TCP6")))
		header->family = PROXY_FAMILY_IPV6;
	else
		return false;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		words[i] = take_word(&rest);
	return !rest.len && !ends_in_space && parse_v1_ip(words[0], header->family, &header->source) &&
	       parse_v1_ip(words[1], header->family, &header->destination) &&
	       parse_v1_port(words[2], &header->source) && parse_v1_port(words[3], &header->destination);
}

static enum parse_result parse_v1(struct span in, struct proxy_header *header, size_t *consumed_out)
{
	struct span window = span_take(in, in.len < V1_LEN_MAX ? in.len : V1_LEN_MAX);
	size_t cr = span_find(window, '\r');

	if (cr + 1 >= window.len)
		return window.len < V1_LEN_MAX ? PARSE_MORE : PARSE_BAD;
	if (window.ptr[cr + 1] != '\n')
		return PARSE_BAD;
	*consumed_out = cr + 2;
	return parse_v1_line(span_drop(span_take(window, cr), v1_signature.len), header) ? PARSE_DONE
											 : PARSE_BAD;
}

/* What a family and transport byte says, and how long its two addresses with ports are. */
struct v2_kind {
	unsigned char byte;
	enum proxy_family family;
	unsigned char addresses_len;
};

static const struct v2_kind *find_v2_kind(char byte)
{
	/* The specification names these and says that all others must be refused. */
	static const struct v2_kind kinds[] = {
		{ 0x00, PROXY_FAMILY_NONE, 0 },
		{ 0x11, PROXY_FAMILY_IPV4, 12 },
		{ 0x12, PROXY_FAMILY_NONE, 12 }, /* datagrams */
		{ 0x21, PROXY_FAMILY_IPV6, 36 },
		{ 0x22, PROXY_FAMILY_NONE, 36 },
		{ 0x31, PROXY_FAMILY_NONE, 216 }, /* Unix sockets */
		{ 0x32, PROXY_FAMILY_NONE, 216 },
	};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (kinds[i].byte == (unsigned char)byte)
			return &kinds[i];
	}
	return NULL;
}

static void get_v2_addresses(const char *bytes, struct proxy_header *header)
{
	size_t len = header->family == PROXY_FAMILY_IPV4 ? 4 : 16;

	memcpy(header->source.bytes, bytes, len);
	memcpy(header->destination.bytes, bytes + len, len);
	header->source.port = (uint16_t)get_u16_be(bytes + 2 * len);
	header->destination.port = (uint16_t)get_u16_be(bytes + 2 * len + 2);
}

/* We want nothing that is in them, but they must end where the header ends. */
static bool are_tlvs_whole(struct span rest)
{
	while (rest.len) {
		size_t len;

		if (rest.len < TLV_FIXED_LEN)
			return false;
		len = TLV_FIXED_LEN + get_u16_be(rest.ptr + 1);
		if (len > rest.len)
			return false;
		rest = span_drop(rest, len);
	}
	return true;
}

static bool parse_v2_addresses(char kind_byte, struct span rest, struct proxy_header *header)
{
	const struct v2_kind *kind = find_v2_kind(kind_byte);

	if (!kind || rest.len < kind->addresses_len)
		return false;
	header->family = kind->family;
	if (kind->family != PROXY_FAMILY_NONE)
		get_v2_addresses(rest.ptr, header);
	return are_tlvs_whole(span_drop(rest, kind->addresses_len));
}

static enum parse_result parse_v2(struct span in, struct proxy_header *header, size_t *consumed_out)
{
	size_t len;

	/* Version 2 in the upper half; LOCAL or PROXY in the lower. */
	if (in.len > 12 && in.ptr[12] != 0x20 && in.ptr[12] != 0x21)
		return PARSE_BAD;
	if (in.len < V2_FIXED_LEN)
		return PARSE_MORE;
	len = V2_FIXED_LEN + get_u16_be(in.ptr + 14);
	if (len > PROXY_HEADER_LEN_MAX)
		return PARSE_BAD;
	if (in.len < len)
		return PARSE_MORE;
	*consumed_out = len;
	header->local = in.ptr[12] == 0x20;
	/* LOCAL: whatever the block says must be ignored. */
	if (header->local)
		return PARSE_DONE;
	return parse_v2_addresses(in.ptr[13], span_drop(span_take(in, len), V2_FIXED_LEN), header)
		       ? PARSE_DONE
		       : PARSE_BAD;
}

/* Whether `in`, as far as it goes, is or may become something that begins with `signature`. */
static bool may_start_with(struct span in, struct span signature)
{
	return span_starts_with(in, signature) || span_starts_with(signature, in);
}

enum parse_result proxy_header_parse(struct span in, struct proxy_header *header_out, size_t *consumed_out)
{
	struct proxy_header header = { 0 };
	size_t consumed = 0;
	enum parse_result result = PARSE_BAD;

	if (may_start_with(in, v1_signature))
		result = in.len < v1_signature.len ? PARSE_MORE : parse_v1(in, &header, &consumed);
	else if (may_start_with(in, v2_signature))
		result = in.len < v2_signature.len ? PARSE_MORE : parse_v2(in, &header, &consumed);
	if (result == PARSE_DONE) {
		*header_out = header;
		*consumed_out = consumed;
	}
	return result;
}
