#include "skein/proto/base/check.h"
#include "skein/proto/mail/envelope.h"
#include "skein/proto/mail/return_path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void mac(const void *arg, struct span text, unsigned char mac_out[SRS_MAC_LEN])
{
	(void)arg;
	memset(mac_out, (int)text.len, SRS_MAC_LEN);
}

/* What is wrapped is an address if the sender was one, and comes back. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct srs srs = { SPAN_LIT("ours.test"), 5, mac, NULL };
	struct span text = span_of((const char *)data, size);
	struct buf out = { 0 }, back = { 0 };

	(void)srs_unwrap(&srs, &back, text);
	buf_clear(&back);
	if (envelope_addr_is_safe(text, true)) {
		if (return_path_verp(&out, text, text, SPAN_LIT("r.test")))
			CHECK(envelope_addr_is_safe(buf_span(&out), true));
		buf_clear(&out);
		if (srs_wrap(&srs, &out, text)) {
			CHECK(envelope_addr_is_safe(buf_span(&out), true));
			CHECK(buf_len(&out) <= ENVELOPE_ADDR_MAX);
			(void)srs_unwrap(&srs, &back, buf_span(&out));
		}
	}
	buf_fini(&out);
	buf_fini(&back);
	return 0;
}
