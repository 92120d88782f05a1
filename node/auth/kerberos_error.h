/* kerberos_error: what an error of the acceptor means for the one who waits for an answer. */
#ifndef NODE_AUTH_KERBEROS_ERROR_H
#define NODE_AUTH_KERBEROS_ERROR_H

#include "skein/proto/auth/sasl.h"
#include "track/log.h"

#include <gssapi/gssapi.h>

enum { KERBEROS_ERROR_SIZE = 256 };

struct kerberos_error {
	enum sasl_verdict verdict; /* NO, or CANNOT_SAY where the trouble is ours */
	const char *why;           /* a constant word */
	enum log_level level;
	char text[KERBEROS_ERROR_SIZE]; /* the library's words; may have names of the client's in it */
};

/* In the thread of the failed call, before any other of GSSAPI. */
struct kerberos_error kerberos_error_read(OM_uint32 major, OM_uint32 minor);

#endif
