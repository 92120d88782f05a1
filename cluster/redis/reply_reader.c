#include "redis/reply_reader.h"

#include "skein/cluster/redis_link.h"

static void *create_bounded_array(const redisReadTask *task, int elements)
{
	const struct reply_reader *reader = task->privdata;

	return elements <= REPLY_ELEMENTS_MAX ? reader->create_array(task, elements) : NULL;
}

void reply_reader_init(struct reply_reader *reader)
{
	reader->codec = redisReaderCreate();
	CHECK(reader->codec);
	reader->functions = *reader->codec->fn;
	reader->create_array = reader->functions.createArray;
	reader->functions.createArray = create_bounded_array;
	reader->codec->fn = &reader->functions;
	reader->codec->privdata = reader;
	reader->unanswered_bytes = 0;
}

void reply_reader_fini(struct reply_reader *reader)
{
	if (reader->codec)
		redisReaderFree(reader->codec);
	reader->codec = NULL;
}

void reply_reader_feed(struct reply_reader *reader, struct span bytes)
{
	reader->unanswered_bytes += bytes.len;
	/* A failure is kept in codec->err, and the next read reports it. */
	(void)redisReaderFeed(reader->codec, bytes.ptr, bytes.len);
}

enum parse_result reply_reader_next(struct reply_reader *reader, redisReply **reply_out)
{
	void *reply = NULL;

	if (redisReaderGetReply(reader->codec, &reply) != REDIS_OK)
		return PARSE_BAD;
	if (!reply)
		return reader->unanswered_bytes > REDIS_LINK_REPLY_MAX ? PARSE_BAD : PARSE_MORE;
	reader->unanswered_bytes = reader->codec->len - reader->codec->pos;
	*reply_out = reply;
	return PARSE_DONE;
}

const char *reply_reader_error(const struct reply_reader *reader)
{
	return reader->codec->err ? reader->codec->errstr : "the reply is too large";
}
