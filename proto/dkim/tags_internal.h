/* tags: "name=value; name=value" and lists "a:b:c", as signatures and records have them (RFC 6376 3.2). */
#ifndef SKEIN_PROTO_DKIM_TAGS_INTERNAL_H
#define SKEIN_PROTO_DKIM_TAGS_INTERNAL_H

#include "skein/proto/base/buf.h"

enum { DKIM_TAGS_MAX = 32 };

struct dkim_tag {
	struct span name, value; /* borrowed; without white space at either end */
	size_t at;               /* where what is behind the '=' begins in the text, and its length */
	size_t len;
};

struct dkim_tags {
	struct dkim_tag items[DKIM_TAGS_MAX];
	size_t count;
};

/* False: bad syntax, a name twice, or more than DKIM_TAGS_MAX. */
WARN_UNUSED bool dkim_tags_parse(struct span text, struct dkim_tags *tags_out);
/* NULL: it is not there. Names compare with their case. */
const struct dkim_tag *dkim_tags_find(const struct dkim_tags *tags, const char *name);

/* Without white space and line ends at either end. */
struct span dkim_trim(struct span text);
/* Takes the next item of a list. False: there is none. */
bool dkim_list_next(struct span *list, struct span *item_out);
size_t dkim_list_count(struct span list);
/* An item of the list; compares without case. */
bool dkim_list_has(struct span list, struct span item);
/* base64 with white space in it. False: it is none, or longer than `size`. */
WARN_UNUSED bool dkim_base64_decode(struct span text, char *out, size_t size, size_t *len_out);

#endif
