/*
 * Failures of the world (disk, network, a decoder's input). 0 is success, errors are negative; a function
 * that returns one is declared WARN_UNUSED. What a peer did wrong over SMTP is a reply, not an error.
 */
#ifndef SKEIN_PROTO_BASE_ERR_H
#define SKEIN_PROTO_BASE_ERR_H

enum err {
	ERR_OK = 0,
	ERR_IO = -1,      /* the disk or the network said no */
	ERR_CORRUPT = -2, /* stored bytes fail their checksum or their format */
	ERR_FULL = -3,    /* a bound was reached */
	ERR_TIMEOUT = -4,
	ERR_CLOSED = -5,  /* the other end, or we, closed */
	ERR_INVALID = -6, /* input breaks its grammar or its bounds */
	ERR_REFUSED = -7, /* the other side understood and said no */
	ERR_NOT_FOUND = -8,
	ERR_BUSY = -9, /* held by somebody else */
	ERR_TLS = -10,
	ERR_UNKNOWN = -11, /* it may have happened or not: no answer came */
};

/* A short constant phrase, such as "timed out". */
const char *err_text(enum err err);

#endif
