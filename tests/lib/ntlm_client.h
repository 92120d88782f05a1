/* ntlm_client: what a client answers to an NTLM challenge ([MS-NLMP] 3.3.2), from the password. */
#ifndef TESTS_LIB_NTLM_CLIENT_H
#define TESTS_LIB_NTLM_CLIENT_H

#include "skein/proto/base/buf.h"

enum { NTLM_CLIENT_KEY_LEN = 16 };

struct ntlm_client {
	const char *domain, *user, *password; /* UTF-8 of two-byte characters at most */
	uint8_t challenge[8];                 /* the server's */
	const char *server_domain;            /* of the target information; "": none */
	uint64_t filetime;                    /* 100 ns since 1601 */
};

/* Appends the NTLMv2 response; `key_out` is the session base key that the domain controller tells too. */
void ntlm_client_respond(
	const struct ntlm_client *client, struct buf *response, uint8_t key_out[NTLM_CLIENT_KEY_LEN]);

/* RFC 1320; libcrypto has it in a provider that is not loaded. */
void ntlm_client_md4(struct span bytes, uint8_t digest_out[16]);

#endif
