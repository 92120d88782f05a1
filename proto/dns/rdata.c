#include "skein/proto/dns/rdata.h"

#include "skein/proto/dns/name.h"

#include <arpa/inet.h>

enum { IPV4_LEN = 4, IPV6_LEN = 16, TLSA_FIXED_LEN = 3, SHA256_LEN = 32, SHA512_LEN = 64 };

const char *dns_type_name(enum dns_type type)
{
	static const struct {
		enum dns_type type;
		const char *name;
	} names[] = {
		{ DNS_A, "A" },
		{ DNS_CNAME, "CNAME" },
		{ DNS_PTR, "PTR" },
		{ DNS_MX, "MX" },
		{ DNS_TXT, "TXT" },
		{ DNS_AAAA, "AAAA" },
		{ DNS_SRV, "SRV" },
		{ DNS_TLSA, "TLSA" },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (names[i].type == type)
			return names[i].name;
	}
	return "?";
}

static bool take_u16(struct span *rest, uint16_t *value_out)
{
	if (rest->len < 2)
		return false;
	*value_out = (uint16_t)((unsigned char)rest->ptr[0] << 8 | (unsigned char)rest->ptr[1]);
	*rest = span_drop(*rest, 2);
	return true;
}

bool dns_ip_parse(enum dns_type type, struct span rdata, struct dns_ip *ip_out)
{
	static const char mapped[] = "\0\0\0\0\0\0\0\0\0\0\xff\xff";

	if (rdata.len != (type == DNS_A ? IPV4_LEN : IPV6_LEN))
		return false;
	if (rdata.len == IPV6_LEN && memcmp(rdata.ptr, mapped, sizeof(mapped) - 1) == 0)
		rdata = span_drop(rdata, sizeof(mapped) - 1);
	*ip_out = (struct dns_ip){ .len = (uint8_t)rdata.len };
	memcpy(ip_out->bytes, rdata.ptr, rdata.len);
	return true;
}

bool dns_name_parse(struct span rdata, struct arena *arena, const char **name_out)
{
	return dns_name_take(&rdata, arena, name_out) && !rdata.len;
}

bool dns_mx_parse(struct span rdata, struct arena *arena, struct dns_mx *mx_out)
{
	return take_u16(&rdata, &mx_out->preference) && dns_name_parse(rdata, arena, &mx_out->host);
}

bool dns_srv_parse(struct span rdata, struct arena *arena, struct dns_srv *srv_out)
{
	return take_u16(&rdata, &srv_out->priority) && take_u16(&rdata, &srv_out->weight) &&
	       take_u16(&rdata, &srv_out->port) && dns_name_parse(rdata, arena, &srv_out->host);
}

bool dns_txt_parse(struct span rdata, struct arena *arena, struct span *text_out)
{
	char *text = arena_alloc(arena, rdata.len ? rdata.len : 1);
	size_t text_len = 0;

	/* RFC 1035 3.3.14: one string or more. */
	if (!rdata.len)
		return false;
	while (rdata.len) {
		size_t len = (unsigned char)rdata.ptr[0];

		if (len >= rdata.len)
			return false;
		memcpy(text + text_len, rdata.ptr + 1, len);
		text_len += len;
		rdata = span_drop(rdata, len + 1);
	}
	*text_out = span_of(text, text_len);
	return true;
}

bool dns_tlsa_parse(struct span rdata, struct dns_tlsa *tlsa_out)
{
	if (rdata.len <= TLSA_FIXED_LEN)
		return false;
	*tlsa_out = (struct dns_tlsa){
		.usage = (uint8_t)rdata.ptr[0],
		.selector = (uint8_t)rdata.ptr[1],
		.matching = (uint8_t)rdata.ptr[2],
		.association = span_drop(rdata, TLSA_FIXED_LEN),
	};
	return true;
}

bool dns_tlsa_is_usable(const struct dns_tlsa *tlsa)
{
	static const size_t lens[] = { [1] = SHA256_LEN, [2] = SHA512_LEN };

	if ((tlsa->usage != 2 && tlsa->usage != 3) || tlsa->selector > 1 || tlsa->matching >= ARRAY_LEN(lens))
		return false;
	return tlsa->matching == 0 || tlsa->association.len == lens[tlsa->matching];
}

bool dns_ip_eq(const struct dns_ip *a, const struct dns_ip *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

static struct span without_brackets(struct span text)
{
	return text.len > 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']'
		       ? span_take(span_drop(text, 1), text.len - 2)
		       : text;
}

bool dns_ip_of_text(struct span text, struct dns_ip *ip_out)
{
	static const struct span tag = { "IPv6:", 5 };
	struct span bare = without_brackets(text);
	bool is_tagged = bare.len != text.len && span_starts_with_nocase(bare, tag);
	char copy[INET6_ADDRSTRLEN], bytes[IPV6_LEN];
	bool is_ipv6;

	if (is_tagged)
		bare = span_drop(bare, tag.len);
	is_ipv6 = span_find(bare, ':') < bare.len;
	if (bare.len >= sizeof(copy) || span_find(bare, '\0') < bare.len || (is_tagged && !is_ipv6))
		return false;
	if (bare.len)
		memcpy(copy, bare.ptr, bare.len);
	copy[bare.len] = '\0';
	if (inet_pton(is_ipv6 ? AF_INET6 : AF_INET, copy, bytes) != 1)
		return false;
	return is_ipv6 ? dns_ip_parse(DNS_AAAA, span_of(bytes, IPV6_LEN), ip_out)
		       : dns_ip_parse(DNS_A, span_of(bytes, IPV4_LEN), ip_out);
}
