/*
 * header_list: the fields of a stored header section as a filter sees and changes them. It is fed the message
 * until the section has ended, changed in place, and then tells the edits that make the stored section into
 * this one. It cuts the section exactly as rewrite.h does.
 *
 * What we put in front ourselves (Received, and what was missing) is not to be seen. Neither is what is no
 * field for all readers, such as a line with a space in its name; it stays where it is.
 */
#ifndef SKEIN_PROTO_MAIL_HEADER_LIST_H
#define SKEIN_PROTO_MAIL_HEADER_LIST_H

#include "skein/proto/base/arena.h"
#include "skein/proto/base/check.h"
#include "skein/proto/mail/header_edits.h"

struct header_list;

enum header_list_state {
	HEADER_LIST_READING,
	HEADER_LIST_ENDED,
	HEADER_LIST_TOO_LONG, /* more octets than the bound, or more than HEADER_LIST_FIELDS_MAX fields */
};

enum { HEADER_LIST_FIELDS_MAX = 4096 };

/* The first `own_count` fields are ours. */
struct header_list *header_list_new(size_t own_count, size_t size_max);
/* Sets the pointer to NULL; NULL inside is fine. */
void header_list_free(struct header_list **list);
/* `piece` is the next part of the message, split anywhere; copied. Not after the end. */
enum header_list_state header_list_feed(struct header_list *list, struct span piece);
/* The message is over. */
enum header_list_state header_list_end(struct header_list *list);

/* --- of a list that has ended --- */

/* Octets of the section as it is now, with the empty line if there is one: what comes then is the body. */
size_t header_list_size(const struct header_list *list);

/* Places for header_list_get(), from 0. */
size_t header_list_count(const struct header_list *list);
/* `value`: what stands behind the colon, to the octet, without the last CRLF. False: not to be seen. */
bool header_list_get(
	const struct header_list *list, size_t place, struct span *name_out, struct span *value_out);
void header_list_remove(struct header_list *list, size_t place);

/*
 * Changes, in a filter's terms. A value begins with its space; line ends of any kind in it become folds.
 * False: the name is none, or all changes together pass HEADER_EDITS_SIZE_MAX.
 *
 * insert: 0 is in front of all. Our own fields count as one, as if Received were alone: 1 is behind them.
 * change: the `nth` of those to be seen with this name, from 1. Without a value it goes; when there is none
 * yet, it is appended.
 */
bool header_list_insert(
	struct header_list *list, size_t index, struct span name, struct span value) WARN_UNUSED;
bool header_list_append(struct header_list *list, struct span name, struct span value) WARN_UNUSED;
bool header_list_change(
	struct header_list *list, struct span name, size_t nth, struct span value) WARN_UNUSED;

/* Notes how it is now, in place of what was noted before. */
void header_list_save(struct header_list *list);
/* As it was noted. */
void header_list_restore(struct header_list *list);

/*
 * Valid edits, in the arena. False: they are more than header_edits.h allows.
 */
bool header_list_edits(
	const struct header_list *list, struct arena *arena, struct header_edits *edits_out) WARN_UNUSED;

#endif
