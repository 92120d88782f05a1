#include "skein/cluster/msg_id.h"

static const char alphabet[33] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static void put_be(unsigned char *at, uint64_t value, size_t len)
{
	for (size_t i = 0; i < len; i++)
		at[i] = (unsigned char)(value >> (8 * (len - 1 - i)));
}

struct msg_id msg_id_make(uint64_t unix_ms, unsigned shard, uint64_t random)
{
	struct msg_id id;

	put_be(id.bytes, unix_ms, 6);
	put_be(id.bytes + 6, shard, 2);
	put_be(id.bytes + 8, random, 8);
	return id;
}

unsigned msg_id_shard(const struct msg_id *id)
{
	return (unsigned)id->bytes[6] << 8 | id->bytes[7];
}

uint64_t msg_id_unix_ms(const struct msg_id *id)
{
	uint64_t value = 0;

	for (size_t i = 0; i < 6; i++)
		value = value << 8 | id->bytes[i];
	return value;
}

/* 130 bits of text for 128 of id: the two left over are the first, and zero. */
static unsigned five_bits(const struct msg_id *id, size_t index)
{
	unsigned value = 0;

	for (size_t bit = index * 5; bit < index * 5 + 5; bit++) {
		unsigned one = bit < 2 ? 0 : (unsigned)id->bytes[(bit - 2) / 8] >> (7 - (bit - 2) % 8) & 1u;

		value = value << 1 | one;
	}
	return value;
}

struct msg_id_text msg_id_format(const struct msg_id *id)
{
	struct msg_id_text out;

	for (size_t i = 0; i < MSG_ID_TEXT_LEN; i++)
		out.text[i] = alphabet[five_bits(id, i)];
	out.text[MSG_ID_TEXT_LEN] = '\0';
	return out;
}

static int digit_value(char c)
{
	const char *found;

	if (c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	found = c ? memchr(alphabet, c, 32) : NULL;
	return found ? (int)(found - alphabet) : -1;
}

bool msg_id_parse(struct span text, struct msg_id *id_out)
{
	struct msg_id id = { { 0 } };

	if (text.len != MSG_ID_TEXT_LEN)
		return false;
	for (size_t i = 0; i < MSG_ID_TEXT_LEN; i++) {
		int value = digit_value(text.ptr[i]);

		if (value < 0 || (i == 0 && value > 7))
			return false;
		for (size_t b = 0; b < 5; b++) {
			size_t bit = i * 5 + b;

			if (bit >= 2 && (value >> (4 - b) & 1))
				id.bytes[(bit - 2) / 8] |= (unsigned char)(1u << (7 - (bit - 2) % 8));
		}
	}
	*id_out = id;
	return true;
}
