/* overview: the cluster's state in labelled lines and in JSON, for `status` and `top`. */
#ifndef CTL_OVERVIEW_H
#define CTL_OVERVIEW_H

#include "roster.h"
#include "screen.h"
#include "tally.h"

/* "Queue     0 due, ..." Clears `text`. */
void overview_append_line(
	struct buf *out, const struct screen *screen, const char *label, struct buf *text, enum tint tint);

/* "2 alive, 0 dead, 0 left" */
void overview_append_nodes(struct buf *out, const struct roster *roster);
/* "0 due, 1 deferred, ..." */
void overview_append_queue(struct buf *out, const struct tally *tally);
/* "1.5 MiB of 2.0 GiB" */
void overview_append_memory(struct buf *out, const struct redis_identity *redis);

json_t *overview_queue_json(const struct tally *tally);
json_t *overview_redis_json(const struct session *session);
/* Its name, or null. */
json_t *overview_leader_json(const struct roster *roster);

#endif
