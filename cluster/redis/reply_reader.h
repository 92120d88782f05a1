/*
 * reply_reader: bytes in, replies out, within bounds. It is hiredis' reader with a limit on the size of a
 * reply and of its arrays, which the library alone would allocate before it has seen a single element.
 */
#ifndef CLUSTER_REDIS_REPLY_READER_H
#define CLUSTER_REDIS_REPLY_READER_H

#include "skein/proto/base/parse.h"
#include "skein/proto/base/span.h"

#include <hiredis/hiredis.h>

enum { REPLY_ELEMENTS_MAX = 1024 * 1024 };

struct reply_reader {
	redisReader *codec;
	redisReplyObjectFunctions functions; /* the library's, with our createArray */
	void *(*create_array)(const redisReadTask *task, int elements);
	size_t unanswered_bytes; /* fed since the last reply was complete */
};

void reply_reader_init(struct reply_reader *reader);
void reply_reader_fini(struct reply_reader *reader);
void reply_reader_feed(struct reply_reader *reader, struct span bytes);
/*
 * PARSE_DONE: the next reply, which the caller frees with freeReplyObject(). PARSE_BAD is final: the
 * connection is of no use any more.
 */
enum parse_result reply_reader_next(struct reply_reader *reader, redisReply **reply_out);
/* After PARSE_BAD; borrowed. */
const char *reply_reader_error(const struct reply_reader *reader);

#endif
