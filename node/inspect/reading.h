/*
 * reading: a sealed message read once, to be judged: the hashes of its signatures, and who speaks in From.
 * Its arithmetic is done in the pool of threads, one piece at a time, so that the loop is never held up.
 */
#ifndef NODE_INSPECT_READING_H
#define NODE_INSPECT_READING_H

#include "custody/body.h"
#include "io/loop.h"
#include "skein/proto/dkim/verifier.h"
#include "skein/proto/mail/author.h"

struct reading;

struct reading_request {
	struct loop *loop;
	unsigned *under_way; /* counts readings that are not freed yet: the loop turns until it is 0 */
	struct body *body;   /* sealed */
	size_t own_size;     /* octets that we have put in front: nobody has signed them */
	loop_fn *fn;
	void *arg;
};

/* `fn` is called once, later. */
struct reading *reading_start(const struct reading_request *request);
/* At any time; sets the pointer to NULL. NULL inside is fine. */
void reading_free(struct reading **reading);

/* --- once `fn` was called */

/* NULL, or why the stored message could not be read: a phrase. Then nothing else is known. */
const char *reading_fault(const struct reading *reading);
const struct author_domains *reading_authors(const struct reading *reading);
/* Moves it out. NULL: `why_out` says why there is nothing to verify. */
struct dkim_verifier *reading_take_verifier(struct reading *reading, const char **why_out);

#endif
