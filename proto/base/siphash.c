/* SipHash-1-3 (Aumasson, Bernstein 2012), the variant with one compression and three final rounds. */
#include "skein/proto/base/table.h"

static uint64_t rotl(uint64_t x, unsigned bits)
{
	return (x << bits) | (x >> (64 - bits));
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] = rotl(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] = rotl(v[2], 32);
}

static uint64_t load_le64(const char *ptr, size_t len)
{
	uint64_t word = 0;

	for (size_t i = 0; i < len; i++)
		word |= (uint64_t)(unsigned char)ptr[i] << (8 * i);
	return word;
}

uint64_t siphash13(const uint64_t seed[2], struct span bytes)
{
	uint64_t v[4] = { seed[0] ^ 0x736f6d6570736575, seed[1] ^ 0x646f72616e646f6d,
		seed[0] ^ 0x6c7967656e657261, seed[1] ^ 0x7465646279746573 };
	size_t whole = bytes.len & ~(size_t)7;
	uint64_t last = load_le64(bytes.ptr + whole, bytes.len - whole) | (uint64_t)bytes.len << 56;

	for (size_t i = 0; i < whole; i += 8) {
		uint64_t word = load_le64(bytes.ptr + i, 8);

		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	v[3] ^= last;
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
