#include "skein/cluster/network.h"

#include <arpa/inet.h>
#include <stdio.h>

enum { V4_START = NETWORK_V4 / 8 };

bool network_is_v4(const struct network *network)
{
	static const unsigned char mapped[V4_START] = { [10] = 0xff, [11] = 0xff };

	return network->prefix >= NETWORK_V4 && memcmp(network->bytes, mapped, V4_START) == 0;
}

struct network network_widen(const struct network *network, unsigned prefix)
{
	struct network wide = *network;

	if (prefix >= network->prefix)
		return wide;
	wide.prefix = (unsigned char)prefix;
	for (unsigned i = 0; i < 16; i++) {
		unsigned bits = prefix > i * 8 ? prefix - i * 8 : 0;

		if (bits < 8)
			wide.bytes[i] &= (unsigned char)(0xff << (8 - bits));
	}
	return wide;
}

bool network_contains(const struct network *wide, const struct network *narrow)
{
	struct network widened = network_widen(narrow, wide->prefix);

	return memcmp(&widened, wide, sizeof(widened)) == 0;
}

struct network network_client(const struct network *address)
{
	return network_is_v4(address) ? *address : network_widen(address, 64);
}

struct network network_neighbours(const struct network *address)
{
	return network_widen(address, network_is_v4(address) ? NETWORK_V4 + 24 : 64);
}

struct span network_key(const struct network *network)
{
	return span_of((const char *)network, sizeof(*network));
}

struct network network_of_cidr(const struct cidr *cidr)
{
	struct network network = { .prefix = cidr->prefix };

	if (cidr->is_v6) {
		memcpy(network.bytes, cidr->bytes, sizeof(network.bytes));
		return network;
	}
	network.prefix = (unsigned char)(NETWORK_V4 + cidr->prefix);
	network.bytes[10] = network.bytes[11] = 0xff;
	memcpy(network.bytes + V4_START, cidr->bytes, 4);
	return network;
}

bool network_of_address(const struct sockaddr *address, struct network *network_out)
{
	struct cidr cidr;

	if (!cidr_of_address(address, &cidr))
		return false;
	*network_out = network_of_cidr(&cidr);
	return true;
}

static bool parse_address(struct span text, struct network *network)
{
	char copy[INET6_ADDRSTRLEN];

	if (text.len == 0 || text.len >= sizeof(copy) || span_find(text, '\0') != text.len)
		return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	network->prefix = 128;
	if (inet_pton(AF_INET6, copy, network->bytes) == 1)
		return true;
	memset(network->bytes, 0, V4_START);
	network->bytes[10] = network->bytes[11] = 0xff;
	return inet_pton(AF_INET, copy, network->bytes + V4_START) == 1;
}

bool network_parse(struct span text, struct network *network_out)
{
	size_t slash = span_find(text, '/');
	bool is_v4_text = span_find(text, ':') == text.len;
	struct network address, network;
	uint64_t prefix;

	if (!parse_address(span_take(text, slash), &address))
		return false;
	prefix = is_v4_text ? 32 : 128;
	if (slash < text.len && !span_parse_u64(span_drop(text, slash + 1), prefix, &prefix))
		return false;
	network = network_widen(&address, (unsigned)prefix + (is_v4_text ? NETWORK_V4 : 0));
	if (memcmp(network.bytes, address.bytes, sizeof(network.bytes)) != 0)
		return false;
	*network_out = network;
	return true;
}

void network_format(const struct network *network, char text[NETWORK_TEXT_LEN + 1])
{
	bool is_v4 = network_is_v4(network);
	unsigned prefix = is_v4 ? network->prefix - NETWORK_V4 : network->prefix;
	size_t len;

	CHECK(inet_ntop(is_v4 ? AF_INET : AF_INET6, network->bytes + (is_v4 ? V4_START : 0), text,
		NETWORK_TEXT_LEN + 1));
	len = strlen(text);
	if (prefix < (is_v4 ? 32u : 128u))
		snprintf(text + len, NETWORK_TEXT_LEN + 1 - len, "/%u", prefix);
}
