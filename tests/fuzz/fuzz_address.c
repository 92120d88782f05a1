#include "skein/proto/base/check.h"
#include "skein/proto/mail/envelope.h"
#include "skein/proto/smtp/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is written between brackets again must mean the same, and must not be able to end the command. */
static void check_mailbox(const struct smtp_address *address)
{
	struct smtp_address again;
	struct span rest = address->text;

	CHECK(address->text.len <= SMTP_MAILBOX_MAX && address->domain.len <= SMTP_DOMAIN_MAX);
	CHECK(address->local.len + 1 + address->domain.len == address->text.len);
	/* An envelope must be able to keep it. */
	CHECK(envelope_addr_is_safe(address->text, address->has_utf8));
	for (size_t i = 0; i < address->text.len; i++) {
		unsigned char c = (unsigned char)address->text.ptr[i];

		CHECK(c >= ' ' && c != 0x7f);
		CHECK(c < 0x80 || address->has_utf8);
	}
	CHECK(smtp_path_take(&rest, &again) && !rest.len);
	CHECK(span_eq(again.local, address->local) && span_eq(again.domain, address->domain));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of((const char *)data, size);
	struct span rest = text;
	struct smtp_address address;

	if (smtp_path_take(&rest, &address)) {
		CHECK(rest.len <= text.len && rest.ptr + rest.len == text.ptr + text.len);
		if (address.kind == SMTP_ADDRESS_MAILBOX)
			check_mailbox(&address);
	}
	return 0;
}
