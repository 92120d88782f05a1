/*
 * Any bytes as what a Sentinel sends, in pieces as long as the first byte says: each question is answered
 * exactly once, by a place that can be connected to or by text.
 */
#include "skein/cluster/sentinel.h"

#include <hiredis/hiredis.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct talk {
	struct redis_link *link;
	unsigned asked, answered;
};

static void on_write(void *ctx, struct span bytes)
{
	(void)ctx;
	(void)bytes;
}

static void on_close(void *ctx)
{
	redis_link_disconnected(((struct talk *)ctx)->link, "closed", 1);
}

static void on_answer(void *arg, const struct sentinel_answer *answer, const char *why)
{
	struct talk *talk = arg;

	talk->answered++;
	CHECK(!answer == (why != NULL));
	if (!answer)
		return;
	CHECK(answer->port && answer->host[0]);
	for (const char *at = answer->host; *at; at++)
		CHECK(*at > ' ' && *at <= '~');
}

static void ask(struct talk *talk)
{
	if (talk->asked < 100 && sentinel_ask(talk->link, "mail", true, 1, on_answer, talk))
		talk->asked++;
}

static void on_event(void *arg, enum redis_link_event event, const char *why)
{
	(void)why;
	if (event == LINK_READY)
		ask(arg);
}

static void on_published(void *arg, const redisReply *message)
{
	if (sentinel_is_switch(message, "mail"))
		ask(arg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct talk talk = { .asked = 0 };
	const struct redis_transport transport = { &talk, on_write, on_close };
	const struct redis_link_options options = {
		.prefix = "",
		.handshake_timeout_ms = 1000,
		.call_timeout_ms = 500,
		.is_sentinel = true,
		.on_published = on_published,
		.published_arg = &talk,
	};
	struct span bytes = span_of((const char *)data, size);
	size_t step = size ? (size_t)data[0] + 1 : 1;

	talk.link = redis_link_new(&options, transport, on_event, &talk);
	redis_link_connecting(talk.link, 1);
	redis_link_connected(talk.link, 1);
	for (bytes = span_drop(bytes, size > 0); bytes.len;
		bytes = span_drop(bytes, step < bytes.len ? step : bytes.len))
		redis_link_received(talk.link, span_take(bytes, step < bytes.len ? step : bytes.len), 1);
	redis_link_disconnected(talk.link, "the end", 1);
	CHECK(talk.answered == talk.asked);
	redis_link_free(&talk.link);
	return 0;
}
