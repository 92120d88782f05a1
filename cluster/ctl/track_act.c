#include "track_act.h"

#include "moment.h"
#include "operator.h"
#include "skein/cluster/track_chunk.h"
#include "skein/cluster/track_store.h"
#include "skein/proto/base/alloc.h"

#include <sys/random.h>

static const char teller[] = "skeinctl";

struct track_act {
	enum track_kind kind;
	uint64_t run, number;
	struct track_chunk *chunk;
	char operator[OPERATOR_MAX + 1];
};

struct track_act *track_act_new(enum track_kind kind)
{
	struct track_act *act = mem_zalloc(sizeof(*act));

	act->kind = kind;
	CHECK(getrandom(&act->run, sizeof(act->run), 0) == (ssize_t)sizeof(act->run));
	act->chunk = track_chunk_new(span_of_str(teller), act->run);
	operator_name(act->operator);
	return act;
}

void track_act_add(struct track_act *act, const struct msg_id *id, const char *result)
{
	struct track_event event = { .kind = act->kind, .time_us = moment_now_us() };
	struct msg_id_text text = msg_id_format(id);
	char encoded[TRACK_EVENT_MAX];

	if (track_chunk_is_full(act->chunk))
		return;
	event.text[TRACK_NODE_NAME] = span_of_str(teller);
	event.text[TRACK_ID] = span_of_str(text.text);
	event.text[TRACK_USER] = span_of_str(act->operator);
	event.text[TRACK_TEXT] = span_of_str(result);
	track_chunk_add(
		act->chunk, &event, span_of(encoded, track_event_encode(&event, encoded)), ++act->number);
}

static void on_put(void *arg, const struct outcome *outcome)
{
	(void)arg;
	(void)outcome;
}

void track_act_send(struct track_act **act_inout, struct session *session)
{
	struct track_act *act = *act_inout;
	struct buf head = { 0 }, body = { 0 };

	*act_inout = NULL;
	if (act->number) {
		track_chunk_seal(act->chunk, &head, &body);
		/* How much is kept is the nodes' affair. */
		(void)track_store_put(session->link,
			&(struct track_put){
				.name = track_name_of(act->run, 1),
				.head = buf_span(&head),
				.body = buf_span(&body),
				.size_max = TRACK_PLACE_MAX,
				.age_max_ms = TRACK_PLACE_MAX,
			},
			session_now_ms(), on_put, NULL);
	}
	buf_fini(&head);
	buf_fini(&body);
	track_chunk_free(&act->chunk);
	mem_free(act);
}
