#include "alerts/alert_trial.h"

#include "io/wall_clock.h"
#include "skein/proto/base/alloc.h"

#include <stdlib.h>
#include <string.h>

enum { TRIALS_MAX = 4 };

struct trial;

struct attempt {
	struct trial *trial;
	struct alert_sending *sending;
	const char *channel; /* of the arena */
};

struct trial {
	struct alert_trials *trials;
	struct arena arena;
	struct span id; /* empty: it is not used */
	struct attempt attempts[ALERT_CHANNELS_MAX];
	size_t count, left;
	json_t *results;
};

struct alert_trials {
	struct alert_post_options options;
	struct trial trials[TRIALS_MAX];
};

struct alert_trials *alert_trials_new(const struct alert_post_options *options)
{
	struct alert_trials *trials = mem_zalloc(sizeof(*trials));

	trials->options = *options;
	return trials;
}

static void clear(struct trial *trial)
{
	for (size_t i = 0; i < trial->count; i++)
		alert_send_cancel(&trial->attempts[i].sending);
	json_decref(trial->results);
	arena_fini(&trial->arena);
	*trial = (struct trial){ .count = 0 };
}

void alert_trials_free(struct alert_trials **pointer)
{
	struct alert_trials *trials = *pointer;

	*pointer = NULL;
	for (size_t i = 0; i < TRIALS_MAX; i++)
		clear(&trials->trials[i]);
	mem_free(trials);
}

static void tell(struct alert_trials *trials, struct span id, const json_t *results)
{
	char *text = json_dumps(results, JSON_COMPACT);

	CHECK(text);
	(void)alert_store_tested(trials->options.link, id, span_of_str(text), loop_boottime_ms(), NULL, NULL);
	free(text);
}

static void end(struct trial *trial)
{
	tell(trial->trials, trial->id, trial->results);
	clear(trial);
}

static void on_sent(void *arg, enum notify_end how, const char *why)
{
	struct attempt *attempt = arg;
	struct trial *trial = attempt->trial;

	attempt->sending = NULL;
	json_array_append_new(trial->results, json_pack("{s:s, s:b, s:s}", "channel", attempt->channel,
						      "sent", how == NOTIFY_SENT, "why", why));
	if (--trial->left == 0)
		end(trial);
}

static json_t *test_notice(const struct alert_trials *trials, const char *id, const char *channel)
{
	uint64_t now_ms = wall_clock_ms();
	const struct alert_notice notice = {
		.id = id,
		.channel = channel,
		.event = "test",
		.alert = "test",
		.subject = SPAN_LIT("cluster"),
		.text = SPAN_LIT("somebody wants to know whether notices arrive: skeinctl alerts test"),
		.severity = ALERT_INFO,
		.what = "this channel works",
		.cure = "nothing",
		.since_ms = now_ms,
		.at_ms = now_ms,
		.node = trials->options.settings->node.name,
	};

	return alert_notice_json(&notice);
}

static void begin_attempt(struct trial *trial, const struct alert_channel *channel)
{
	struct attempt *attempt = &trial->attempts[trial->count++];
	struct buf id = { 0 };
	json_t *notice;

	buf_printf(&id, "test-%.*s-%s", SPAN_ARGS(trial->id), channel->name);
	attempt->trial = trial;
	attempt->channel = arena_strdup(&trial->arena, span_of_str(channel->name));
	notice = test_notice(trial->trials, arena_strdup(&trial->arena, buf_span(&id)), channel->name);
	attempt->sending = alert_send_start(trial->trials->options.sender, channel, notice, on_sent, attempt);
	json_decref(notice);
	buf_fini(&id);
}

void alert_trials_begin(struct alert_trials *trials, struct span id, struct span channel)
{
	struct policy_snapshot *snapshot = policy_slot_get(trials->options.policy);
	const struct alert_policy *alerts = policy_alerts(snapshot->policy);
	struct trial *trial = NULL;

	for (size_t i = 0; i < TRIALS_MAX && !trial; i++)
		trial = trials->trials[i].id.len ? NULL : &trials->trials[i];
	if (trial) {
		trial->trials = trials;
		trial->id = arena_dup(&trial->arena, id);
		trial->results = json_array();
		for (size_t i = 0; i < alerts->channel_count; i++)
			if (!channel.len || span_eq(channel, span_of_str(alerts->channels[i].name)))
				begin_attempt(trial, &alerts->channels[i]);
		trial->left = trial->count;
		if (!trial->count)
			end(trial);
	} else {
		json_t *busy = json_pack("[{s:s, s:b, s:s}]", "channel", "", "sent", 0, "why",
			"too many tests are under way: try again in a minute");

		tell(trials, id, busy);
		json_decref(busy);
	}
	policy_snapshot_unref(&snapshot);
}
