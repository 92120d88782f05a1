/*
 * The grammar of SCRAM's two client messages (RFC 5802 7). Spans are borrowed from the text.
 */
#ifndef PROTO_AUTH_SCRAM_INTERNAL_H
#define PROTO_AUTH_SCRAM_INTERNAL_H

#include "skein/proto/base/span.h"

enum { SCRAM_NONCE_MAX = 256, SCRAM_MESSAGE_MAX = 8192 };

struct scram_client_first {
	struct span gs2_header;    /* up to and with its second comma */
	char binding_flag;         /* 'n', 'y' or 'p' */
	struct span binding_type;  /* of 'p' */
	struct span authzid, name; /* with =2C and =3D as they came */
	struct span nonce;
	struct span bare; /* all behind the header */
};

struct scram_client_final {
	struct span binding; /* base64 */
	struct span nonce;
	struct span proof; /* base64 */
	struct span without_proof;
};

bool scram_parse_client_first(struct span text, struct scram_client_first *first_out);
bool scram_parse_client_final(struct span text, struct scram_client_final *final_out);

#endif
