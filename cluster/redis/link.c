#include "skein/cluster/redis_link.h"

#include "redis/command.h"
#include "redis/link_internal.h"
#include "skein/proto/base/alloc.h"

#include <stdio.h>

#define TO(phase) (1u << PHASE_##phase)

static const unsigned allowed_steps[PHASE_COUNT] = {
	[PHASE_IDLE] = TO(CONNECTING),
	[PHASE_CONNECTING] = TO(HANDSHAKE) | TO(CLOSING) | TO(ENDING),
	[PHASE_HANDSHAKE] = TO(READY) | TO(CLOSING) | TO(ENDING),
	[PHASE_READY] = TO(CLOSING) | TO(ENDING),
	[PHASE_CLOSING] = TO(ENDING),
	[PHASE_ENDING] = TO(IDLE),
};

/* The only place that writes link->phase. */
static void enter_phase(struct redis_link *link, enum link_phase next)
{
	CHECK(allowed_steps[link->phase] & (1u << next));
	link->phase = next;
}

static bool is_receiving(const struct redis_link *link)
{
	return link->phase == PHASE_HANDSHAKE || link->phase == PHASE_READY;
}

struct redis_link *redis_link_new(const struct redis_link_options *options, struct redis_transport transport,
	redis_link_event_fn *on_event, void *arg)
{
	struct redis_link *link = mem_zalloc(sizeof(*link));

	CHECK(options->handshake_timeout_ms > 0 && options->call_timeout_ms > 0);
	link->options = *options;
	link->transport = transport;
	link->on_event = on_event;
	link->arg = arg;
	return link;
}

void redis_link_free(struct redis_link **link_ref)
{
	struct redis_link *link = *link_ref;

	if (!link)
		return;
	CHECK(link->phase == PHASE_IDLE && link->callback_depth == 0);
	reply_queue_fini(&link->queue);
	buf_fini(&link->scratch);
	mem_free(link);
	*link_ref = NULL;
}

/* ---- life ---- */

static void tell(struct redis_link *link, enum redis_link_event event, const char *why)
{
	link->callback_depth++;
	link->on_event(link->arg, event, why);
	link->callback_depth--;
}

static uint64_t wait_ms_max(const struct redis_link *link)
{
	uint64_t half = link->options.call_timeout_ms / 2 + 1; /* never 0, which would be for ever */

	return half < REDIS_LINK_WAIT_MS_MAX ? half : REDIS_LINK_WAIT_MS_MAX;
}

void redis_link_connecting(struct redis_link *link, uint64_t now_ms)
{
	enter_phase(link, PHASE_CONNECTING);
	link->now_ms = now_ms;
	link->connection++;
	link->handshake_deadline_ms = now_ms + link->options.handshake_timeout_ms;
	link->why[0] = '\0';
	link->batch_open = false;
	link->batch_end = link->queue.front;
	link->wait_ms = wait_ms_max(link);
}

void redis_link_connected(struct redis_link *link, uint64_t now_ms)
{
	enter_phase(link, PHASE_HANDSHAKE);
	link->now_ms = now_ms;
	reply_reader_init(&link->reader);
	handshake_start(link);
}

void link_enter_ready(struct redis_link *link)
{
	enter_phase(link, PHASE_READY);
	link->identity = link->learned;
	link->watching = false;
	link->watch_due_ms = link->options.is_sentinel ? UINT64_MAX : link->now_ms + REDIS_LINK_WATCH_MS;
	tell(link, LINK_READY, NULL);
}

void link_close(struct redis_link *link, const char *fmt, ...)
{
	va_list args;

	if (link->phase != PHASE_CONNECTING && !is_receiving(link))
		return;
	va_start(args, fmt);
	vsnprintf(link->why, sizeof(link->why), fmt, args);
	va_end(args);
	enter_phase(link, PHASE_CLOSING);
	link->transport.close(link->transport.ctx);
}

static bool is_error(const struct pending *pending)
{
	return pending->reply->type == REDIS_REPLY_ERROR;
}

static void count_ended(struct redis_link *link, const struct pending *pending, enum redis_outcome outcome)
{
	if (outcome == REDIS_UNKNOWN)
		link->stats.unknown++;
	else if (is_error(pending))
		link->stats.errors++;
	else
		link->stats.answered++;
}

static void run_callback(struct redis_link *link, const struct pending *pending, enum redis_outcome outcome)
{
	if (pending->kind == PENDING_PLAIN || pending->kind == PENDING_REPLICATED) {
		link->in_flight--;
		count_ended(link, pending, outcome);
	}
	if (!pending->fn)
		return;
	link->callback_depth++;
	pending->fn(pending->arg, outcome, pending->reply);
	link->callback_depth--;
}

/* The connection is gone: what is answered keeps its answer, without the replicas' word. */
static void end_pending(struct redis_link *link)
{
	while (!reply_queue_is_empty(&link->queue)) {
		struct pending pending = reply_queue_pop(&link->queue);
		bool is_executed = pending.reply && !is_error(&pending);

		if (pending.kind == PENDING_PLAIN)
			run_callback(link, &pending, pending.reply ? REDIS_REPLY : REDIS_UNKNOWN);
		else if (pending.kind == PENDING_REPLICATED && pending.reply)
			run_callback(link, &pending, is_executed ? REDIS_UNREPLICATED : REDIS_REPLY);
		else if (pending.kind == PENDING_REPLICATED)
			run_callback(link, &pending, REDIS_UNKNOWN);
		freeReplyObject(pending.reply);
	}
}

void redis_link_disconnected(struct redis_link *link, const char *why, uint64_t now_ms)
{
	char told[sizeof(link->why)];

	if (link->phase == PHASE_IDLE || link->phase == PHASE_ENDING)
		return;
	link->now_ms = now_ms;
	snprintf(told, sizeof(told), "%s", link->why[0] ? link->why : why);
	enter_phase(link, PHASE_ENDING);
	link->connection++;
	end_pending(link);
	reply_queue_fini(&link->queue);
	reply_reader_fini(&link->reader);
	buf_fini(&link->scratch);
	enter_phase(link, PHASE_IDLE);
	tell(link, LINK_LOST, told);
}

/* ---- deadlines ---- */

static uint64_t tick_ready(struct redis_link *link, uint64_t now_ms)
{
	uint64_t late_ms = UINT64_MAX;

	if (now_ms >= link->watch_due_ms && !link->watching) {
		link->watch_due_ms = now_ms + REDIS_LINK_WATCH_MS;
		handshake_watch(link);
	}
	if (reply_queue_has_unanswered(&link->queue))
		late_ms = reply_queue_at(&link->queue, link->queue.unanswered)->sent_ms +
			  link->options.call_timeout_ms;
	if (now_ms >= late_ms) {
		link_close(link, "Redis did not answer within %llu ms",
			(unsigned long long)link->options.call_timeout_ms);
		return UINT64_MAX;
	}
	if (link->watching)
		return late_ms;
	return late_ms < link->watch_due_ms ? late_ms : link->watch_due_ms;
}

uint64_t redis_link_tick(struct redis_link *link, uint64_t now_ms)
{
	link->now_ms = now_ms;
	if (link->phase == PHASE_READY)
		return tick_ready(link, now_ms);
	if (link->phase != PHASE_CONNECTING && link->phase != PHASE_HANDSHAKE)
		return UINT64_MAX;
	if (now_ms < link->handshake_deadline_ms)
		return link->handshake_deadline_ms;
	/* A plain port does not answer a TLS client, nor does a firewall anybody. */
	link_close(link, "no connection to Redis within %llu ms (address, port and TLS right?)",
		(unsigned long long)link->options.handshake_timeout_ms);
	return UINT64_MAX;
}

/* ---- calls ---- */

static void send_call(
	struct redis_link *link, size_t argc, const struct span *argv, const struct pending *pending)
{
	reply_queue_push(&link->queue, pending);
	command_write(&link->transport, &link->scratch, argc, argv);
}

void link_send(struct redis_link *link, size_t argc, const struct span *argv, redis_reply_fn *fn)
{
	struct pending pending = { .fn = fn, .arg = link, .sent_ms = link->now_ms, .kind = PENDING_INTERNAL };

	send_call(link, argc, argv, &pending);
}

bool redis_link_call(struct redis_link *link, size_t argc, const struct span *argv, unsigned flags,
	uint64_t now_ms, redis_reply_fn *fn, void *arg)
{
	struct pending pending = { .fn = fn, .arg = arg, .sent_ms = now_ms, .kind = PENDING_PLAIN };

	if (link->phase != PHASE_READY)
		return false;
	if ((flags & REDIS_CALL_REPLICATED) && link->options.wait_replicas > 0) {
		pending.kind = PENDING_REPLICATED;
		link->batch_open = true;
	}
	link->now_ms = now_ms;
	link->in_flight++;
	send_call(link, argc, argv, &pending);
	return true;
}

void redis_link_flush(struct redis_link *link, uint64_t now_ms)
{
	struct pending pending = { .sent_ms = now_ms, .kind = PENDING_WAIT };
	char replicas[24], wait_ms[24];

	if (link->phase != PHASE_READY || !link->batch_open)
		return;
	link->batch_open = false;
	snprintf(replicas, sizeof(replicas), "%u", link->options.wait_replicas);
	snprintf(wait_ms, sizeof(wait_ms), "%llu", (unsigned long long)link->wait_ms);
	send_call(link, 3, (struct span[]){ SPAN_LIT("WAIT"), span_of_str(replicas), span_of_str(wait_ms) },
		&pending);
}

/* ---- replies ---- */

/* Answers after which this connection is of no more use. */
static const struct {
	const char *prefix, *why;
} fatal_errors[] = {
	{ "READONLY ", "this Redis has become a replica" },
	{ "MASTERDOWN ", "this Redis has become a replica" },
	{ "UNBLOCKED ", "this Redis has become a replica" },
	{ "LOADING ", "Redis is loading its data" },
	{ "NOAUTH ", "Redis forgot our login" },
	{ "ERR Function not found", "the functions are gone from Redis" },
};

static void close_if_fatal(struct redis_link *link, const redisReply *reply)
{
	if (reply->type != REDIS_REPLY_ERROR)
		return;
	for (size_t i = 0; i < ARRAY_LEN(fatal_errors); i++)
		if (strncmp(reply->str, fatal_errors[i].prefix, strlen(fatal_errors[i].prefix)) == 0)
			link_close(link, "%s: %s", fatal_errors[i].why, reply->str);
}

/* While replicas do not answer a batch costs less and less time; they get all of it back when they do. */
static void end_batch(struct redis_link *link, size_t position, const redisReply *reply)
{
	link->batch_end = position;
	link->batch_is_copied = reply->type == REDIS_REPLY_INTEGER &&
				reply->integer >= (long long)link->options.wait_replicas;
	if (link->batch_is_copied)
		link->wait_ms = wait_ms_max(link);
	else if (link->wait_ms / 2 >= REDIS_LINK_WAIT_MS_MIN)
		link->wait_ms /= 2;
}

static enum redis_outcome outcome_of(const struct redis_link *link, const struct pending *pending)
{
	bool is_short = pending->kind == PENDING_REPLICATED && !link->batch_is_copied && !is_error(pending);

	return is_short ? REDIS_UNREPLICATED : REDIS_REPLY;
}

/* Lets go what is answered, in order, up to the first call that waits for replicas. */
static void deliver_answered(struct redis_link *link)
{
	struct reply_queue *queue = &link->queue;
	uint64_t connection = link->connection;

	while (link->connection == connection && queue->front != queue->unanswered) {
		struct pending pending = *reply_queue_at(queue, queue->front);

		if (pending.kind == PENDING_REPLICATED && queue->front >= link->batch_end)
			return;
		reply_queue_pop(queue);
		run_callback(link, &pending, outcome_of(link, &pending));
		if (link->connection == connection)
			close_if_fatal(link, pending.reply);
		freeReplyObject(pending.reply);
	}
}

/* Not an answer: a subscriber gets these between answers. No call of ours is answered with three texts. */
static bool is_published(const struct redis_link *link, const redisReply *reply)
{
	return link->options.on_published && reply->type == REDIS_REPLY_ARRAY && reply->elements == 3 &&
	       reply->element[0]->type == REDIS_REPLY_STRING &&
	       strcmp(reply->element[0]->str, "message") == 0;
}

static void take_published(struct redis_link *link, redisReply *message)
{
	link->callback_depth++;
	link->options.on_published(link->options.published_arg, message);
	link->callback_depth--;
	freeReplyObject(message);
}

static void take_reply(struct redis_link *link, redisReply *reply)
{
	struct reply_queue *queue = &link->queue;
	size_t position = queue->unanswered;
	struct pending *pending;

	if (is_published(link, reply)) {
		take_published(link, reply);
		return;
	}
	if (!reply_queue_has_unanswered(queue)) {
		link_close(link, "Redis sent a reply that nobody asked for");
		freeReplyObject(reply);
		return;
	}
	pending = reply_queue_at(queue, position);
	pending->reply = reply;
	queue->unanswered++;
	if (pending->kind == PENDING_WAIT)
		end_batch(link, position, reply);
	deliver_answered(link);
}

void redis_link_received(struct redis_link *link, struct span bytes, uint64_t now_ms)
{
	uint64_t connection = link->connection;
	enum parse_result result = PARSE_DONE;
	redisReply *reply;

	if (!is_receiving(link))
		return;
	link->now_ms = now_ms;
	reply_reader_feed(&link->reader, bytes);
	while (result == PARSE_DONE && link->connection == connection && is_receiving(link)) {
		result = reply_reader_next(&link->reader, &reply);
		if (result == PARSE_DONE)
			take_reply(link, reply);
		else if (result == PARSE_BAD)
			link_close(link, "Redis broke the protocol: %s", reply_reader_error(&link->reader));
	}
}

/* ---- what it is ---- */

bool redis_link_is_ready(const struct redis_link *link)
{
	return link->phase == PHASE_READY;
}

const struct redis_identity *redis_link_identity(const struct redis_link *link)
{
	return &link->identity;
}

const char *redis_link_prefix(const struct redis_link *link)
{
	return link->options.prefix;
}

const struct redis_link_stats *redis_link_stats(const struct redis_link *link)
{
	return &link->stats;
}

size_t redis_link_in_flight(const struct redis_link *link)
{
	return link->in_flight;
}
