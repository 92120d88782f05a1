/*
 * reading: a sealed message read once, to be judged: its signatures' hashes, who speaks in From, and which
 * Authentication-Results fields are in our name though we have written none. Its arithmetic is done in the
 * pool of threads, one piece at a time, so that the loop is never held up.
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
	unsigned *under_way;  /* counts readings that are not freed yet: the loop turns until it is 0 */
	struct body *body;    /* sealed */
	struct span hostname; /* ours: those fields are looked for. Borrowed until the end */
	bool wants_body;      /* false: the header section is enough, and there are no signatures */
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
/* Which of the fields named Authentication-Results, from 1, are forged. Returns how many. */
size_t reading_forged(const struct reading *reading, const uint32_t **numbers_out);
/* Moves it out. NULL: no body was wanted, or `why_out` says why there is nothing to verify. */
struct dkim_verifier *reading_take_verifier(struct reading *reading, const char **why_out);

#endif
