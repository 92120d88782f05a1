/* What the files of the queue share. */
#ifndef CLUSTER_QUEUE_INTERNAL_H
#define CLUSTER_QUEUE_INTERNAL_H

#include "redis/call.h"
#include "skein/cluster/queue.h"

/* One row as record.reply() of the functions makes it; `reader` stays behind it. `row` lives in the reply. */
struct queue_record queue_record_read(struct reply_cursor *reader, bool *hold_out);

/* Keys and the first arguments of calls about one message that come from an incarnation. */
void queue_begin_owned(struct call *call, struct redis_link *link, const char *function,
	const struct incarnation *node, const struct msg_id *id);

/* A reply [cursor, [id ...]] of SSCAN or SCAN; what is before the last ':' of an element is no part of the
 * id. */
bool queue_send_ids(struct call *call, uint64_t now_ms, queue_ids_fn *fn, void *arg);

#endif
