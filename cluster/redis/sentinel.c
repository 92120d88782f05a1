#include "skein/cluster/sentinel.h"

#include "skein/proto/base/alloc.h"

#include <hiredis/hiredis.h>
#include <stdio.h>

#define SWITCH_CHANNEL "+switch-master"

/* ---- whom to believe ---- */

bool sentinel_answers_agree(const struct sentinel_answer *a, const struct sentinel_answer *b)
{
	return a->port == b->port && strcmp(a->host, b->host) == 0;
}

bool sentinel_is_majority(size_t answered, size_t count)
{
	return answered > count / 2;
}

static size_t votes_for(
	const struct sentinel_answer *answers, size_t count, const struct sentinel_answer *candidate)
{
	size_t votes = 0;

	for (size_t i = 0; i < count; i++)
		votes += answers[i].epoch == candidate->epoch &&
			 sentinel_answers_agree(&answers[i], candidate);
	return votes;
}

const struct sentinel_answer *sentinel_choose(
	const struct sentinel_answer *answers, size_t count, const struct sentinel_answer *held)
{
	const struct sentinel_answer *best = NULL;
	size_t best_votes = 0;

	for (size_t i = 0; i < count; i++) {
		size_t votes = answers[i].host[0] ? votes_for(answers, count, &answers[i]) : 0;

		if (votes && (!best || answers[i].epoch > best->epoch ||
				     (answers[i].epoch == best->epoch && votes > best_votes))) {
			best = &answers[i];
			best_votes = votes;
		}
	}
	if (best && (best->epoch >= held->epoch || sentinel_is_majority(best_votes, count)))
		return best;
	return held->host[0] ? held : NULL;
}

/* ---- asking one ---- */

struct asking {
	sentinel_answer_fn *fn;
	void *arg;
	struct sentinel_answer answer;
	char why[256]; /* "": nothing is wrong yet */
};

static bool is_error(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_ERROR;
}

static void note_error(struct asking *asking, const redisReply *reply)
{
	static const struct {
		const char *words, *cure;
	} cures[] = {
		{ "unknown command", "this is no Sentinel (its port is usually 26379)" },
		{ "No such master", "this Sentinel has no master of that name (check redis.master_name)" },
		{ "NOPERM", "the Sentinel's user needs +sentinel|master, +sentinel|get-master-addr-by-name, "
			    "+subscribe, +unsubscribe and &" SWITCH_CHANNEL },
	};
	const char *cure = "the Sentinel refuses";

	for (size_t i = 0; i < ARRAY_LEN(cures); i++)
		if (strstr(reply->str, cures[i].words))
			cure = cures[i].cure;
	if (!asking->why[0])
		snprintf(asking->why, sizeof(asking->why), "%s: %s", cure, reply->str);
}

static bool is_text(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS;
}

static struct span text_of(const redisReply *reply)
{
	return is_text(reply) ? span_of(reply->str, (size_t)reply->len) : span_of(NULL, 0);
}

/* A reply of names and values. */
static bool read_epoch(const redisReply *reply, uint64_t *epoch_out)
{
	for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i + 1 < reply->elements; i += 2) {
		if (span_eq(text_of(reply->element[i]), SPAN_LIT("config-epoch")))
			return span_parse_u64(text_of(reply->element[i + 1]), UINT64_MAX, epoch_out);
	}
	return false;
}

static void on_epoch(void *arg, enum redis_outcome outcome, const redisReply *reply)
{
	struct asking *asking = arg;

	if (outcome == REDIS_UNKNOWN)
		return; /* so will be the next */
	if (is_error(reply))
		note_error(asking, reply);
	else if (!read_epoch(reply, &asking->answer.epoch))
		snprintf(asking->why, sizeof(asking->why), "this Sentinel tells no config-epoch");
}

static bool is_printable(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
			return false;
	return text.len > 0;
}

static bool read_place(const redisReply *reply, struct sentinel_answer *answer)
{
	uint64_t port;
	struct span host;

	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2)
		return false;
	host = text_of(reply->element[0]);
	if (host.len > SENTINEL_HOST_MAX || !is_printable(host) ||
		!span_parse_u64(text_of(reply->element[1]), UINT16_MAX, &port) || port == 0)
		return false;
	snprintf(answer->host, sizeof(answer->host), "%.*s", SPAN_ARGS(host));
	answer->port = (uint16_t)port;
	return true;
}

static void on_place(void *arg, enum redis_outcome outcome, const redisReply *reply)
{
	struct asking *asking = arg;

	if (outcome == REDIS_UNKNOWN)
		snprintf(asking->why, sizeof(asking->why), "the Sentinel did not answer");
	else if (is_error(reply))
		note_error(asking, reply);
	else if (!asking->why[0] && !read_place(reply, &asking->answer))
		snprintf(asking->why, sizeof(asking->why),
			"this Sentinel knows no place of the master (check redis.master_name)");
	if (asking->why[0])
		asking->fn(asking->arg, NULL, asking->why);
	else
		asking->fn(asking->arg, &asking->answer, NULL);
	mem_free(asking);
}

static bool call(struct redis_link *link, size_t argc, const struct span *argv, uint64_t now_ms,
	redis_reply_fn *fn, void *arg)
{
	return redis_link_call(link, argc, argv, REDIS_CALL_PLAIN, now_ms, fn, arg);
}

/*
 * The epoch before the place: when a failover happens between the two the answer is the new place under the
 * old epoch, which only makes it weaker. The other way round an old place would get a new epoch.
 */
bool sentinel_ask(struct redis_link *link, const char *master_name, bool subscribe, uint64_t now_ms,
	sentinel_answer_fn *fn, void *arg)
{
	const struct span leave[] = { SPAN_LIT("UNSUBSCRIBE"), SPAN_LIT(SWITCH_CHANNEL) };
	const struct span epoch[] = { SPAN_LIT("SENTINEL"), SPAN_LIT("MASTER"), span_of_str(master_name) };
	const struct span place[] = { SPAN_LIT("SENTINEL"), SPAN_LIT("GET-MASTER-ADDR-BY-NAME"),
		span_of_str(master_name) };
	const struct span join[] = { SPAN_LIT("SUBSCRIBE"), SPAN_LIT(SWITCH_CHANNEL) };
	struct asking *asking;

	if (!redis_link_is_ready(link))
		return false;
	asking = mem_zalloc(sizeof(*asking));
	asking->fn = fn;
	asking->arg = arg;
	/* A subscriber may ask for nothing else. All four go together, so that nothing is missed between. */
	if (subscribe)
		(void)call(link, ARRAY_LEN(leave), leave, now_ms, NULL, NULL);
	(void)call(link, ARRAY_LEN(epoch), epoch, now_ms, on_epoch, asking);
	(void)call(link, ARRAY_LEN(place), place, now_ms, on_place, asking);
	if (subscribe)
		(void)call(link, ARRAY_LEN(join), join, now_ms, NULL, NULL);
	return true;
}

/* "mymaster 10.0.0.1 6379 10.0.0.2 6379" */
bool sentinel_is_switch(const redisReply *message, const char *master_name)
{
	struct span channel = text_of(message->element[1]), text = text_of(message->element[2]);
	struct span name = span_take(text, span_find(text, ' '));

	return span_eq(channel, SPAN_LIT(SWITCH_CHANNEL)) && span_eq(name, span_of_str(master_name));
}
