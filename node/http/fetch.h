/*
 * fetch: one request to an HTTPS server, by libcurl on our loop: for policies of domains (RFC 8461), tokens
 * (OAuth 2) and webhooks. The server's name is looked up by our resolver, its certificate is verified,
 * redirects are not followed, no proxy of the environment is used. Bounded: time over everything, size of the
 * answer.
 */
#ifndef NODE_HTTP_FETCH_H
#define NODE_HTTP_FETCH_H

#include "dns/resolver.h"
#include "io/loop.h"
#include "skein/proto/base/buf.h"

struct fetcher;
struct fetch;

enum {
	FETCH_HEADERS_MAX = 16,
	FETCH_URL_MAX = 2048,
	FETCH_WHY_MAX = 300,
};

enum fetch_outcome {
	FETCH_ANSWERED,    /* with whatever status */
	FETCH_UNREACHABLE, /* not looked up, not connected, broken off, too late */
	FETCH_UNTRUSTED,   /* the handshake failed, or the certificate is not good */
	FETCH_TOO_LONG,    /* the answer is longer than allowed */
	FETCH_REFUSED,     /* no such URL as we ask for */
};

struct fetch_result {
	enum fetch_outcome outcome;
	unsigned status;          /* 200; 0 unless FETCH_ANSWERED */
	const char *content_type; /* "" without */
	struct span body;
	uint64_t retry_after_s; /* what the server asks for (RFC 9110 10.2.3); 0: nothing */
	const char *why;        /* unless FETCH_ANSWERED: a phrase, printable */
};

/* All is borrowed and wiped after the call. */
typedef void fetch_fn(void *arg, const struct fetch_result *result);

/* Borrowed during fetch_start(). */
struct fetch_request {
	const char *method;         /* "GET" or "POST" */
	const char *url;            /* https, without user or password */
	bool may_be_clear;          /* http is good, too */
	bool is_kept;               /* the connection may serve the next request to the same server */
	const char *ca_file;        /* NULL: the fetcher's */
	const char *const *headers; /* "Name: value", at most FETCH_HEADERS_MAX */
	size_t header_count;
	struct span body;    /* of POST */
	size_t answer_max;   /* 0: what is answered is thrown away, however long it is */
	uint64_t timeout_ms; /* over all of it: DNS, TLS, answer */
	fetch_fn *fn;
	void *arg;
};

struct fetcher_options {
	struct loop *loop; /* all calls are for its thread */
	struct resolver *resolver;
	const char *ca_file; /* PEM, copied; NULL: the system's authorities */
};

struct fetcher *fetcher_new(const struct fetcher_options *options);
/* Everything was called back or cancelled. Its handles close in later turns. Sets the pointer to NULL; NULL
 * is fine. */
void fetcher_free(struct fetcher **fetcher);

/* `fn` is called exactly once, later, unless the fetch is cancelled before; the handle is dead when it
 * begins.
 */
struct fetch *fetch_start(struct fetcher *fetcher, const struct fetch_request *request);
/* Sets the pointer to NULL; NULL is fine. */
void fetch_cancel(struct fetch **fetch);

#endif
