/*
 * suggest: what somebody who wrote an unknown word may have meant.
 */
#ifndef SKEIN_CLUSTER_SCHEMA_SUGGEST_H
#define SKEIN_CLUSTER_SCHEMA_SUGGEST_H

#include "skein/cluster/schema/table.h"
#include "skein/proto/base/buf.h"

/* The nearest of words that are offered one by one. */
struct suggestion {
	struct span typed;
	struct span best; /* empty: none is near so far */
	unsigned best_slips;
};

/* Near is within two slips, or a third of a short word's letters; words longer than 40 are never near. */
struct suggestion suggest_begin(struct span typed);
/* `word` is borrowed as long as the suggestion. */
void suggest_offer(struct suggestion *suggestion, struct span word);

/*
 * The key nearest to `key` among those that may stand behind `prefix` ("route.timeout." or ""), else one of
 * them that begins with it ("password" for "password_file"), else the path of a setting of that name
 * elsewhere in the table. Empty when nothing is near.
 */
struct span suggest_key(const struct setting_table *table, struct span prefix, struct span key);
/* The keys that may stand behind `prefix`, with commas between them. False, and nothing, when they are many.
 */
bool suggest_all(const struct setting_table *table, struct span prefix, struct buf *out);

#endif
