#include "skein/cluster/schema/cidr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

static const unsigned char mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

static bool parse_addr(struct span text, struct cidr *cidr)
{
	char copy[INET6_ADDRSTRLEN];

	if (text.len >= sizeof(copy) || memchr(text.ptr, '\0', text.len))
		return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	*cidr = (struct cidr){ .is_v6 = strchr(copy, ':') != NULL };
	return inet_pton(cidr->is_v6 ? AF_INET6 : AF_INET, copy, cidr->bytes) == 1;
}

static bool has_bits_beyond(const struct cidr *cidr)
{
	for (unsigned bit = cidr->prefix; bit < (cidr->is_v6 ? 128 : 32); bit++)
		if (cidr->bytes[bit / 8] & (0x80 >> bit % 8))
			return true;
	return false;
}

/* ::ffff:10.0.0.0/104 is 10.0.0.0/8. A shorter prefix covers more than the mapped addresses and stays IPv6.
 */
static void unmap(struct cidr *cidr)
{
	if (!cidr->is_v6 || cidr->prefix < 96 || memcmp(cidr->bytes, mapped_prefix, 12) != 0)
		return;
	memmove(cidr->bytes, cidr->bytes + 12, 4);
	memset(cidr->bytes + 4, 0, 12);
	cidr->prefix = (unsigned char)(cidr->prefix - 96);
	cidr->is_v6 = false;
}

const char *cidr_parse(struct span text, struct cidr *cidr_out)
{
	size_t slash = span_find(text, '/');
	struct cidr cidr;
	uint64_t prefix;

	if (!text.len || !parse_addr(span_take(text, slash), &cidr))
		return "is not a network such as 10.0.0.0/8 or 2001:db8::/32";
	prefix = cidr.is_v6 ? 128 : 32;
	if (slash < text.len) {
		struct span digits = span_drop(text, slash + 1);

		if (!span_parse_u64(digits, prefix, &prefix) || (digits.len > 1 && digits.ptr[0] == '0'))
			return cidr.is_v6 ? "has a prefix that is not 0..128"
					  : "has a prefix that is not 0..32";
	}
	cidr.prefix = (unsigned char)prefix;
	if (has_bits_beyond(&cidr))
		return "has bits set beyond its prefix: write the first address of the network";
	unmap(&cidr);
	*cidr_out = cidr;
	return NULL;
}

struct cidr_text cidr_format(const struct cidr *cidr)
{
	struct cidr_text out;
	char addr[INET6_ADDRSTRLEN];

	CHECK(inet_ntop(cidr->is_v6 ? AF_INET6 : AF_INET, cidr->bytes, addr, sizeof(addr)));
	snprintf(out.text, sizeof(out.text), "%s/%u", addr, cidr->prefix);
	return out;
}

static bool has_prefix(const struct cidr *cidr, const unsigned char *bytes)
{
	unsigned whole = cidr->prefix / 8, rest = cidr->prefix % 8;

	if (memcmp(cidr->bytes, bytes, whole) != 0)
		return false;
	return !rest || !((cidr->bytes[whole] ^ bytes[whole]) & (0xff00 >> rest) & 0xff);
}

bool cidr_of_address(const struct sockaddr *addr, struct cidr *cidr_out)
{
	if (addr->sa_family == AF_INET) {
		*cidr_out = (struct cidr){ .prefix = 32 };
		memcpy(cidr_out->bytes, &((const struct sockaddr_in *)(const void *)addr)->sin_addr, 4);
	} else if (addr->sa_family == AF_INET6) {
		*cidr_out = (struct cidr){ .prefix = 128, .is_v6 = true };
		memcpy(cidr_out->bytes, &((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr, 16);
		unmap(cidr_out);
	} else {
		return false;
	}
	return true;
}

bool cidr_contains(const struct cidr *cidr, const struct sockaddr *addr)
{
	struct cidr alone;

	return cidr_of_address(addr, &alone) && cidr->is_v6 == alone.is_v6 && has_prefix(cidr, alone.bytes);
}

bool cidr_list_contains(const struct cidr_list *list, const struct sockaddr *addr)
{
	for (size_t i = 0; i < list->count; i++)
		if (cidr_contains(&list->items[i], addr))
			return true;
	return false;
}
