/*
 * NTLMSSP messages ([MS-NLMP] 2.2.1): the client's two are parsed, ours is built. The message integrity code
 * and the channel binding are checked here; the response itself only a domain controller can check. A parsed
 * message borrows from its bytes.
 */
#ifndef PROTO_AUTH_NTLMSSP_INTERNAL_H
#define PROTO_AUTH_NTLMSSP_INTERNAL_H

#include "auth/digest_internal.h"
#include "skein/proto/base/buf.h"

enum {
	NTLM_KEY_LEN = 16,
	NTLM_CHALLENGE_LEN = 8,
	NTLM_V1_RESPONSE_LEN = 24, /* a response of NTLMv1, with or without session security, is not longer */
};

/* [MS-NLMP] 2.2.2.5; those that somebody looks at. */
enum ntlm_flag {
	NTLM_UNICODE = 0x1,
	NTLM_REQUEST_TARGET = 0x4,
	NTLM_SIGN = 0x10,
	NTLM_SEAL = 0x20,
	NTLM_NTLM = 0x200,
	NTLM_ALWAYS_SIGN = 0x8000,
	NTLM_TARGET_TYPE_DOMAIN = 0x10000,
	NTLM_EXTENDED_SECURITY = 0x80000,
	NTLM_TARGET_INFO = 0x800000,
	NTLM_VERSION = 0x2000000,
	NTLM_128 = 0x20000000,
	NTLM_KEY_EXCHANGE = 0x40000000,
};
#define NTLM_56 0x80000000u

struct ntlm_authenticate {
	uint32_t flags;
	/* UTF-16LE, or with NTLM_UNICODE unset of the client's own code page. */
	struct span domain, user, workstation;
	struct span lm, nt;
	struct span session_key; /* encrypted; "" without NTLM_KEY_EXCHANGE */
	bool has_mic;            /* the response says that there is one */
	struct span binding;     /* MD5 of the channel bindings; "": the client has none */
};

/* Names for the CHALLENGE, UTF-8; "": not known. */
struct ntlm_names {
	struct span netbios_domain, netbios_computer, dns_domain, dns_computer;
};

bool ntlmssp_is(struct span text);
/* The flags of a NEGOTIATE message. */
bool ntlmssp_parse_negotiate(struct span text, uint32_t *flags_out);
void ntlmssp_build_challenge(struct buf *out, uint32_t client_flags, const struct ntlm_names *names,
	const uint8_t challenge[NTLM_CHALLENGE_LEN], uint64_t filetime);
bool ntlmssp_parse_authenticate(struct span text, struct ntlm_authenticate *authenticate_out);
/* A string of the message as UTF-8. False: it is no text. */
bool ntlmssp_to_utf8(uint32_t flags, struct span text, struct buf *out);

enum ntlmssp_mic { NTLMSSP_MIC_FITS, NTLMSSP_MIC_WRONG, NTLMSSP_MIC_NO_MD5 };
/*
 * `messages` are all three, the last beginning at `authenticate_at`; its code becomes zeros. `key` is the
 * user session key.
 */
enum ntlmssp_mic ntlmssp_check_mic(struct buf *messages, size_t authenticate_at,
	const struct ntlm_authenticate *authenticate, const uint8_t key[NTLM_KEY_LEN]);
/* The value of MsvAvChannelBindings for application data ("tls-server-end-point:" and the hash). */
WARN_UNUSED bool ntlmssp_binding(struct span data, uint8_t out[MD5_LEN]);

/* `in` and `out` may be the same. */
void ntlmssp_rc4(struct span key, const uint8_t *in, size_t len, uint8_t *out);

#endif
