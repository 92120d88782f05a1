/*
 * header_reading: the header section of a sealed message, read to be looked at and changed.
 */
#ifndef NODE_INSPECT_HEADER_READING_H
#define NODE_INSPECT_HEADER_READING_H

#include "custody/body.h"
#include "io/loop.h"
#include "skein/proto/mail/header_list.h"

struct header_reading;

struct header_reading_request {
	struct loop *loop;
	struct body *body; /* sealed */
	size_t own_fields; /* that we have put in front */
};

/*
 * ERR_OK: `list` is moved, and has ended; otherwise it is NULL. ERR_FULL: more fields than it takes. Else the
 * stored message could not be read.
 */
typedef void header_reading_fn(void *arg, enum err err, struct header_list *list);

/* `fn` is called once, later, unless it is cancelled; the handle is dead when it begins. */
struct header_reading *header_reading_start(
	const struct header_reading_request *request, header_reading_fn *fn, void *arg);
/* Sets the pointer to NULL; NULL inside is fine. */
void header_reading_cancel(struct header_reading **reading);

#endif
