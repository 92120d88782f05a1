/*
 * Any bytes as what Redis answers to one of the questions about tracking and alerts; the first byte says to
 * which. It is understood or refused, and every question gets its end.
 */
#include "skein/cluster/alert_store.h"
#include "skein/cluster/track_chunk.h"
#include "skein/cluster/track_store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { QUESTIONS = 6 };

struct talk {
	struct redis_link *link;
	unsigned ended;
	unsigned sum; /* of every byte that was handed over */
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

static void on_event(void *arg, enum redis_link_event event, const char *why)
{
	(void)arg;
	(void)event;
	(void)why;
}

static void touch(struct talk *talk, struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		talk->sum += (unsigned char)text.ptr[i];
}

static void touch_notes(struct talk *talk, const struct alert_notes *notes)
{
	for (size_t i = 0; i < notes->count; i++) {
		touch(talk, notes->items[i].name);
		touch(talk, notes->items[i].text);
	}
}

static void on_list(void *arg, const struct outcome *outcome, const struct track_listing *listing)
{
	struct talk *talk = arg;
	struct track_head head;

	(void)outcome;
	talk->ended++;
	for (size_t i = 0; i < listing->count; i++) {
		touch(talk, listing->entries[i].name);
		if (track_head_decode(listing->entries[i].head, &head) == ERR_OK)
			touch(talk, head.node);
	}
}

static void on_bodies(void *arg, const struct outcome *outcome, const struct span *bodies, size_t count)
{
	struct talk *talk = arg;

	(void)outcome;
	talk->ended++;
	for (size_t i = 0; i < count; i++)
		touch(talk, bodies[i]);
}

static void on_look(void *arg, const struct outcome *outcome, const struct alert_store_view *view)
{
	struct talk *talk = arg;

	(void)outcome;
	talk->ended++;
	touch_notes(talk, &view->firing);
	touch_notes(talk, &view->silences);
	touch_notes(talk, &view->nodes);
	touch_notes(talk, &view->tests);
	for (size_t i = 0; i < view->sender_count; i++)
		touch(talk, view->senders[i].name);
	for (size_t i = 0; i < view->counters.count; i++)
		touch(talk, view->counters.items[i].name);
	for (size_t i = 0; i < view->logins.count; i++)
		touch(talk, view->logins.items[i].name);
}

static void on_outbox(
	void *arg, const struct outcome *outcome, uint64_t at_ms, const struct alert_notes *notes)
{
	struct talk *talk = arg;

	(void)outcome;
	(void)at_ms;
	talk->ended++;
	touch_notes(talk, notes);
}

static void on_alerts(void *arg, const struct outcome *outcome, const struct alert_store_list *list)
{
	struct talk *talk = arg;

	(void)outcome;
	talk->ended++;
	touch(talk, list->by);
	touch_notes(talk, &list->firing);
	touch_notes(talk, &list->silences);
}

static void on_result(void *arg, const struct outcome *outcome, struct span text)
{
	struct talk *talk = arg;

	(void)outcome;
	talk->ended++;
	touch(talk, text);
}

static bool ask(struct talk *talk, unsigned which)
{
	static const struct span names[] = { SPAN_LIT("a"), SPAN_LIT("b") };
	const struct alert_store_look look = { .name = SPAN_LIT("n") };

	switch (which) {
	case 0:
		return track_store_list_after(talk->link, 1, 10, 1, on_list, talk);
	case 1:
		return track_store_bodies(talk->link, names, ARRAY_LEN(names), 1, on_bodies, talk);
	case 2:
		return alert_store_look(talk->link, &look, 1, on_look, talk);
	case 3:
		return alert_store_outbox(talk->link, 1, on_outbox, talk);
	case 4:
		return alert_store_list(talk->link, 1, on_alerts, talk);
	default:
		return alert_store_result(talk->link, SPAN_LIT("t"), 1, on_result, talk);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct talk talk = { .ended = 0 };
	const struct redis_transport transport = { &talk, on_write, on_close };
	/* As of a Sentinel: the shortest handshake; what is asked afterwards is the same. */
	const struct redis_link_options options = {
		.prefix = "p:", .handshake_timeout_ms = 1000, .call_timeout_ms = 500, .is_sentinel = true
	};

	if (!size)
		return 0;
	talk.link = redis_link_new(&options, transport, on_event, &talk);
	redis_link_connecting(talk.link, 1);
	redis_link_connected(talk.link, 1);
	redis_link_received(talk.link, SPAN_LIT("+PONG\r\n"), 1);
	CHECK(ask(&talk, data[0] % QUESTIONS));
	redis_link_received(talk.link, span_of((const char *)data + 1, size - 1), 1);
	redis_link_disconnected(talk.link, "the end", 1);
	CHECK(talk.ended == 1);
	redis_link_free(&talk.link);
	return 0;
}
