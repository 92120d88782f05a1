/*
 * dsn_params: what a sender asked to be told (RFC 3461), as the SMTP server parses it, the envelope keeps it,
 * the SMTP client passes it on and the DSN builder obeys it. ENVID and ORCPT stay in the xtext they came in.
 */
#ifndef SKEIN_PROTO_MAIL_DSN_PARAMS_H
#define SKEIN_PROTO_MAIL_DSN_PARAMS_H

/* A set of bits; 0: NOTIFY was not given, which means failures and, if we like, delays. */
enum dsn_notify {
	DSN_NOTIFY_NEVER = 1, /* stands alone */
	DSN_NOTIFY_SUCCESS = 2,
	DSN_NOTIFY_FAILURE = 4,
	DSN_NOTIFY_DELAY = 8,
};

enum dsn_ret { DSN_RET_NONE, DSN_RET_FULL, DSN_RET_HDRS };

/* RFC 3461 4.4 and 4.2: octets of the parameter's value, in xtext. */
enum { DSN_ENVID_MAX = 100, DSN_ORCPT_MAX = 500 };

#endif
