/*
 * web_post: one POST to a web server, such as a webhook. Connections are kept for the next. Redirects are not
 * followed; what the server answers besides its status is thrown away.
 */
#ifndef NODE_NOTIFY_WEB_POST_H
#define NODE_NOTIFY_WEB_POST_H

#include "notify/notifier.h"

struct web_post;

enum { WEB_POST_HEADERS_MAX = 8, WEB_POST_SECRET_MAX = 4096 };

/* A header field whose end is secret. It is in no log and no message, and wiped after use. */
struct web_post_secret {
	const char *header; /* what stands before it: "Authorization: Bearer", "X-Api-Key:"; NULL: no such
			       field */
	const char *name;   /* the cluster's secret, asked for anew each time; "" or NULL: */
	const struct secret_value *value; /* that of a file; see web_post_read_secret() */
};

/* Borrowed during web_post_start(). */
struct web_post_request {
	const char *url;     /* http or https */
	const char *ca_file; /* PEM; "" or NULL: the system's authorities */
	const char *content_type;
	const char *const *headers; /* "Name: value" */
	size_t header_count;
	struct web_post_secret secret;
	struct span body;
	uint64_t timeout_ms;   /* over all of it */
	uint64_t *wait_ms_out; /* set before `fn` is called: how long the server asks us to wait
				  (Retry-After), 0: nothing; NULL: not interested. Alive until then */
	bool *too_large_out;   /* the same: whether the server says that the body is (413) */
	notify_fn *fn;
	void *arg;
};

/*
 * NOTIFY_SENT: answered 2xx. NOTIFY_NEVER: answered that this body or request is wrong (400, 413, 422 and the
 * like). All else is NOTIFY_LATER, also 401, 403, 404 and redirects: an operator can cure those. The handle
 * is dead when `fn` begins.
 */
struct web_post *web_post_start(struct notifier *notifier, const struct web_post_request *request);
/* `fn` is not called. Sets the pointer to NULL; NULL is fine. */
void web_post_cancel(struct web_post **post);

/* The only line of a file, in locked memory; secret_value_unref() lets it go. NULL: `why_out` has a sentence.
 * Blocks: for the start. */
const struct secret_value *web_post_read_secret(const char *path, struct buf *why_out);

#endif
