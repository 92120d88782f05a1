#include "auth/ntlmssp_internal.h"
#include "skein/proto/base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct span part, struct span whole)
{
	CHECK(!part.len || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len));
}

static void check_text(uint32_t flags, struct span text)
{
	struct buf utf8 = { 0 };

	if (ntlmssp_to_utf8(flags, text, &utf8))
		CHECK(utf8_is_valid(buf_span(&utf8)) && buf_len(&utf8) <= text.len * 2);
	buf_fini(&utf8);
}

/* The code is where the message says, and checking it leaves zeros there. */
static void check_mic(struct span text, const struct ntlm_authenticate *message)
{
	static const uint8_t key[NTLM_KEY_LEN], zeros[MD5_LEN];
	struct buf messages = { 0 };

	buf_append_str(&messages, "before");
	buf_append(&messages, text);
	ntlmssp_check_mic(&messages, strlen("before"), message, key);
	CHECK(memcmp(messages.base + strlen("before") + 72, zeros, sizeof(zeros)) == 0);
	buf_fini(&messages);
}

/* A client's message, whatever it is: parts lie inside it, and strings become UTF-8 or nothing. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of((const char *)data, size);
	struct ntlm_authenticate message;
	uint32_t flags;

	if (ntlmssp_parse_negotiate(text, &flags))
		CHECK(ntlmssp_is(text) && size >= 16);
	if (!ntlmssp_parse_authenticate(text, &message))
		return 0;
	check_inside(message.domain, text);
	check_inside(message.user, text);
	check_inside(message.workstation, text);
	check_inside(message.lm, text);
	check_inside(message.nt, text);
	check_inside(message.session_key, text);
	check_inside(message.binding, message.nt);
	CHECK(!message.binding.len || message.binding.len == MD5_LEN);
	check_text(message.flags, message.domain);
	check_text(message.flags, message.user);
	check_text(message.flags, message.workstation);
	if (message.has_mic)
		check_mic(text, &message);
	return 0;
}
