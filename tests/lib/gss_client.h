/* gss_client: the client of a Kerberos or SPNEGO exchange, with the tickets of a cache. */
#ifndef TESTS_LIB_GSS_CLIENT_H
#define TESTS_LIB_GSS_CLIENT_H

#include "skein/proto/base/buf.h"

struct gss_client;

struct gss_client_options {
	const char *cache;  /* "FILE:/tmp/cc" */
	const char *target; /* "smtp@relay.example" */
	bool is_spnego;
	struct span binding; /* "": none */
};

/* Fails the test when there is no ticket. */
struct gss_client *gss_client_new(const struct gss_client_options *options);
void gss_client_free(struct gss_client **client);
/* `token_out` lives until the next call. False: refused. */
bool gss_client_step(struct gss_client *client, struct span token, struct span *token_out);
/* The output lives until the next call. */
struct span gss_client_wrap(struct gss_client *client, struct span plain);
struct span gss_client_unwrap(struct gss_client *client, struct span wrapped);

#endif
