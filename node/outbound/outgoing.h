/*
 * outgoing: the bytes of a message as one delivery sends them. Without a change they are the stored ones,
 * piece by piece, and cost nothing. Else they are made as they are read: the header is rewritten, then 8-bit
 * parts are encoded, on a few KiB of state. Whoever signs a message and whoever sends it read it here, and
 * see the same.
 */
#ifndef NODE_OUTBOUND_OUTGOING_H
#define NODE_OUTBOUND_OUTGOING_H

#include "custody/body.h"
#include "io/loop.h"
#include "skein/proto/mail/downgrade.h"
#include "skein/proto/mail/rewrite.h"

/* All zero: none. The rules are borrowed for as long as somebody reads. */
struct outgoing_change {
	const struct rewrite_rules *rules; /* NULL: the header stays */
	bool downgrades;
};

struct outgoing;

/* As body_reader_new(), but pieces have any size when there is a change. `change` is copied. */
struct outgoing *outgoing_new(struct body *body, const struct outgoing_change *change, size_t piece_bytes,
	body_ready_fn *on_ready, void *arg);
/* Sets the pointer to NULL; NULL inside is fine. */
void outgoing_free(struct outgoing **outgoing);
enum body_read outgoing_next(struct outgoing *outgoing, struct span *piece_out) WARN_UNUSED;
/* The piece that was given is the last one, unless the end says FAILED. */
bool outgoing_is_last(const struct outgoing *outgoing);
enum err outgoing_error(const struct outgoing *outgoing);

/* What a look at all of it finds: whether it can go where 8BITMIME or SMTPUTF8 is missing. */
struct outgoing_survey {
	enum downgrade_verdict verdict;
	bool has_8bit_header;
	uint64_t size; /* DOWNGRADE_OK: once it is downgraded */
};

struct outgoing_surveyor;

/* `survey` is NULL when the stored message cannot be read. */
typedef void outgoing_survey_fn(void *arg, const struct outgoing_survey *survey);

/* `change` is without a downgrade. `fn` runs once, later, unless it is cancelled. */
struct outgoing_surveyor *outgoing_survey_begin(struct loop *loop, struct body *body,
	const struct outgoing_change *change, outgoing_survey_fn *fn, void *arg);
/* Sets the pointer to NULL; NULL inside is fine. */
void outgoing_survey_cancel(struct outgoing_surveyor **surveyor);

#endif
