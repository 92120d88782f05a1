#include "skein/cluster/secret.h"

#include "skein/proto/base/alloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct secret_label label = { { "secret", 6 }, { "name", 4 } };
static const unsigned char nonce[SECRET_NONCE_LEN] = "fuzzfuzzfuz";

static struct secret_keys make_keys(void)
{
	struct secret_keys keys = { .has_previous = true };

	memset(keys.current.bytes, 1, SECRET_KEY_LEN);
	memset(keys.previous.bytes, 2, SECRET_KEY_LEN);
	secret_key_id(keys.current.bytes, keys.current.id);
	secret_key_id(keys.previous.bytes, keys.previous.id);
	return keys;
}

/* A key file that is good says the same when it is written again. */
static void parse_key_file(struct span text)
{
	struct secret_keys keys, again;
	struct buf file = { 0 };
	const char *why;

	if (secret_key_parse(text, &keys, &why)) {
		CHECK(why);
		return;
	}
	secret_key_format(keys.current.bytes, &file);
	if (keys.has_previous)
		secret_key_format(keys.previous.bytes, &file);
	CHECK(!secret_key_parse(buf_span(&file), &again, &why));
	CHECK(memcmp(&keys, &again, sizeof(keys)) == 0);
	secret_text_wipe(&file);
}

/* Nobody without the key makes an envelope. */
static void open_envelope(struct span sealed)
{
	struct secret_keys keys = make_keys();
	struct buf text = { 0 };
	enum secret_opened opened = secret_open(&keys, label, sealed, &text);
	unsigned char id[SECRET_KEY_ID_LEN];

	CHECK(secret_sealed_by(sealed, id) == (opened != SECRET_BAD_FORMAT));
	CHECK(opened != SECRET_OPENED || buf_len(&text) + SECRET_OVERHEAD == sealed.len);
	CHECK(opened == SECRET_OPENED || buf_len(&text) == 0);
	secret_text_wipe(&text);
}

/* What is sealed opens as it was; with one byte changed, wherever, not at all. */
static void seal_and_open(size_t at, struct span text)
{
	struct secret_keys keys = make_keys();
	struct buf sealed = { 0 }, opened = { 0 };

	secret_seal(&keys.previous, nonce, label, text, &sealed);
	CHECK(secret_open(&keys, label, buf_span(&sealed), &opened) == SECRET_OPENED);
	CHECK(span_eq(buf_span(&opened), text));
	buf_clear(&opened);
	sealed.base[sealed.head + at % buf_len(&sealed)] ^= 0x20;
	CHECK(secret_open(&keys, label, buf_span(&sealed), &opened) != SECRET_OPENED);
	secret_text_wipe(&opened);
	buf_fini(&sealed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of((const char *)data, size);

	if (size < 2 || size > SECRET_TEXT_MAX)
		return 0;
	switch (data[0] % 3) {
	case 0:
		parse_key_file(span_drop(in, 1));
		break;
	case 1:
		open_envelope(span_drop(in, 1));
		break;
	case 2:
		seal_and_open(data[1], span_drop(in, 2));
		break;
	}
	return 0;
}
