/*
 * Happy path: the outbox is read → each channel that has nothing under way gets its oldest notice → it was
 * taken: it leaves the outbox, which is read again. A channel that did not take one has a pause, longer each
 * time; the notice stays in Redis, so that another leader goes on with it. A node that does not lead any more
 * ends what is under way and begins nothing.
 */
#include "alerts/alert_post.h"

#include "alerts/alert_trial.h"
#include "skein/proto/base/alloc.h"

#include <stdio.h>
#include <string.h>

enum {
	PAUSE_MS_MAX = 300000,
	DAY_MS = 86400000,
	LOOK_MS_MIN = 200,
};

/* One channel. */
struct lane {
	struct alert_post *post;
	char name[LIMIT_NAME_MAX + 1]; /* "": none */
	char id[ALERT_NOTICE_ID_MAX + 1];
	struct alert_sending *sending; /* the notice `id` */
	unsigned failures;             /* in a row */
	uint64_t due_ms;               /* loop clock: not before */
};

struct alert_post {
	struct alert_post_options options;
	struct loop_timer timer;
	struct lane lanes[ALERT_CHANNELS_MAX];
	struct alert_trials *trials;
	bool is_asking;
	unsigned giving; /* alert_store_given() under way */
};

static void look(void *arg);

struct alert_post *alert_post_new(const struct alert_post_options *options)
{
	struct alert_post *post = mem_zalloc(sizeof(*post));

	post->options = *options;
	for (size_t i = 0; i < ARRAY_LEN(post->lanes); i++)
		post->lanes[i].post = post;
	loop_timer_init(&post->timer, look, post);
	post->trials = alert_trials_new(options);
	return post;
}

void alert_post_free(struct alert_post **pointer)
{
	struct alert_post *post = *pointer;

	*pointer = NULL;
	if (!post)
		return;
	CHECK(!post->is_asking && !post->giving);
	alert_trials_free(&post->trials);
	for (size_t i = 0; i < ARRAY_LEN(post->lanes); i++)
		alert_send_cancel(&post->lanes[i].sending);
	loop_timer_cancel(post->options.loop, &post->timer);
	mem_free(post);
}

void alert_post_try(struct alert_post *post, struct span id, struct span channel)
{
	alert_trials_begin(post->trials, id, channel);
}

void alert_post_poke(struct alert_post *post)
{
	if (!loop_timer_is_set(&post->timer))
		loop_timer_set(post->options.loop, &post->timer, 0);
}

/* --- the end of a notice ------------------------------------------------------------------------- */

static void on_given(void *arg, const struct outcome *outcome)
{
	struct alert_post *post = arg;

	(void)outcome; /* if it did not leave it is sent once more */
	post->giving--;
	loop_timer_set(post->options.loop, &post->timer, 0);
}

static void give(struct alert_post *post, struct span id, const char *why)
{
	if (why) {
		log_event(post->options.log, LOG_ERROR, "alert-not-given", LOG_SPAN("id", id),
			LOG_STR("why", why), LOG_END);
		meter_add_at(post->options.meter, METRIC_ALERT_NOTICES, ALERT_NOTICE_DROPPED, 1);
	}
	if (alert_store_given(post->options.link, id, why != NULL, loop_boottime_ms(), on_given, post))
		post->giving++;
}

static void put_off(struct lane *lane, const char *why)
{
	struct alert_post *post = lane->post;
	uint64_t pause_ms;

	lane->failures++;
	pause_ms = notifier_pause_ms(alert_sender_notifier(post->options.sender), lane->failures,
		post->options.settings->alerts.interval_ms, PAUSE_MS_MAX);
	lane->due_ms = loop_now_ms(post->options.loop) + pause_ms;
	meter_add_at(post->options.meter, METRIC_ALERT_NOTICES, ALERT_NOTICE_PUT_OFF, 1);
	log_event(post->options.log, LOG_WARN, "alert-put-off", LOG_STR("channel", lane->name),
		LOG_STR("id", lane->id), LOG_STR("why", why), LOG_U64("again_ms", pause_ms), LOG_END);
	loop_timer_set(post->options.loop, &post->timer, pause_ms);
}

static void on_sent(void *arg, enum notify_end end, const char *why)
{
	struct lane *lane = arg;
	struct alert_post *post = lane->post;

	lane->sending = NULL;
	if (end == NOTIFY_LATER) {
		put_off(lane, why);
		return;
	}
	lane->failures = 0;
	lane->due_ms = 0;
	if (end == NOTIFY_SENT)
		meter_add_at(post->options.meter, METRIC_ALERT_NOTICES, ALERT_NOTICE_SENT, 1);
	give(post, span_of_str(lane->id), end == NOTIFY_SENT ? NULL : why);
}

/* --- what is sent -------------------------------------------------------------------------------- */

static const struct alert_channel *find_channel(const struct alert_policy *alerts, const char *name)
{
	for (size_t i = 0; i < alerts->channel_count; i++)
		if (strcmp(alerts->channels[i].name, name) == 0)
			return &alerts->channels[i];
	return NULL;
}

/* That of the channel, or one that has nothing to do. NULL: all have. */
static struct lane *lane_of(struct alert_post *post, const char *name)
{
	struct lane *idle = NULL;

	for (size_t i = 0; i < ARRAY_LEN(post->lanes); i++) {
		struct lane *lane = &post->lanes[i];

		if (strcmp(lane->name, name) == 0)
			return lane;
		if (!lane->sending && (!idle || !*lane->name))
			idle = lane;
	}
	if (idle)
		*idle = (struct lane){ .post = post };
	return idle;
}

struct letter {
	const struct alert_note *note;
	json_t *notice;
};

/* "17-0-ops" before "17-1-ops" before "110-0-ops". */
static int compare_letters(const void *left, const void *right)
{
	const struct letter *a = left, *b = right;
	unsigned long long na = 0, nb = 0;
	unsigned ia = 0, ib = 0;

	if (a->note->at_ms != b->note->at_ms)
		return a->note->at_ms < b->note->at_ms ? -1 : 1;
	(void)sscanf(alert_notice_text(a->notice, "id"), "%llu-%u", &na, &ia);
	(void)sscanf(alert_notice_text(b->notice, "id"), "%llu-%u", &nb, &ib);
	return na != nb ? (na < nb ? -1 : 1) : (ia > ib) - (ia < ib);
}

/* Of what its lane is not free for, later. */
static void send_letter(struct alert_post *post, const struct alert_policy *alerts,
	const struct letter *letter, uint64_t now_ms)
{
	const char *name = alert_notice_text(letter->notice, "channel");
	const struct alert_channel *channel = find_channel(alerts, name);
	struct lane *lane;

	if (!channel || letter->note->name.len > ALERT_NOTICE_ID_MAX) {
		give(post, letter->note->name, "the policy has no such channel any more");
		return;
	}
	if (now_ms > letter->note->at_ms + DAY_MS) {
		give(post, letter->note->name, "nobody took it for a day");
		return;
	}
	lane = lane_of(post, name);
	if (!lane || lane->sending || lane->due_ms > loop_now_ms(post->options.loop))
		return;
	snprintf(lane->name, sizeof(lane->name), "%s", name);
	snprintf(lane->id, sizeof(lane->id), "%.*s", SPAN_ARGS(letter->note->name));
	lane->sending = alert_send_start(post->options.sender, channel, letter->notice, on_sent, lane);
}

static void on_outbox(
	void *arg, const struct outcome *outcome, uint64_t at_ms, const struct alert_notes *notes)
{
	struct alert_post *post = arg;
	struct policy_snapshot *snapshot;
	struct letter *letters;

	post->is_asking = false;
	if (!outcome_is_ok(outcome) || !member_is_leader(post->options.member))
		return;
	letters = mem_alloc((notes->count + 1) * sizeof(*letters));
	for (size_t i = 0; i < notes->count; i++)
		letters[i] = (struct letter){ &notes->items[i],
			json_loadb(notes->items[i].text.ptr, notes->items[i].text.len, 0, NULL) };
	qsort(letters, notes->count, sizeof(*letters), compare_letters);
	snapshot = policy_slot_get(post->options.policy);
	for (size_t i = 0; i < notes->count; i++) {
		send_letter(post, policy_alerts(snapshot->policy), &letters[i], at_ms);
		json_decref(letters[i].notice);
	}
	policy_snapshot_unref(&snapshot);
	mem_free(letters);
}

/* What was read before a notice left would be sent twice. */
static void look(void *arg)
{
	struct alert_post *post = arg;

	if (!member_is_leader(post->options.member)) {
		for (size_t i = 0; i < ARRAY_LEN(post->lanes); i++)
			alert_send_cancel(&post->lanes[i].sending);
		return;
	}
	if (post->is_asking || post->giving)
		loop_timer_set(post->options.loop, &post->timer, LOOK_MS_MIN);
	else
		post->is_asking = alert_store_outbox(post->options.link, loop_boottime_ms(), on_outbox, post);
}
