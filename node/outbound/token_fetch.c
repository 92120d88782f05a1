#include "outbound/token_fetch.h"

#include "io/random.h"
#include "skein/proto/base/alloc.h"
#include "skein/proto/base/list.h"

#include <stdatomic.h>
#include <stdio.h>

enum { ERRANDS_MAX = 8, TIMEOUT_MS = 30 * 1000, SOON_MS = 10 };

/* One request under way. */
struct errand {
	struct list link;
	struct token_fetch *owner;
	struct fetch *fetch;
	uint64_t id;
	const char *name, *url; /* the tokens' */
};

struct token_fetch {
	struct token_fetch_options options;
	struct fetcher *fetcher;
	struct random random;
	struct list errands;
	size_t count;
	struct loop_timer timer;
	struct loop_msg msg;
	atomic_bool is_posted;
};

static void look(void *arg);

static void on_msg(void *arg)
{
	struct token_fetch *self = arg;

	atomic_store(&self->is_posted, false);
	look(self);
}

/* Any thread. */
static void on_wanted(void *arg)
{
	struct token_fetch *self = arg;

	if (!atomic_exchange(&self->is_posted, true))
		loop_post(self->options.loop, &self->msg);
}

static void end(struct errand *errand)
{
	list_remove(&errand->link);
	errand->owner->count--;
	mem_free(errand);
}

static void tell_failure(const struct errand *errand, const char *why)
{
	log_event(errand->owner->options.log, LOG_WARN, "token-failed", LOG_STR("credentials", errand->name),
		LOG_STR("url", errand->url), LOG_STR("why", why), LOG_END);
}

static void on_answer(struct errand *errand, const struct fetch_result *result)
{
	struct token_fetch *self = errand->owner;
	char why[TOKEN_WHY_MAX];

	if (tokens_answered(self->options.tokens, errand->id, loop_boottime_ms(), random_u32(&self->random),
		    result->status, result->body, why))
		log_event(self->options.log, LOG_INFO, "token-fetched", LOG_STR("credentials", errand->name),
			LOG_END);
	else
		tell_failure(errand, why);
}

static void on_fetched(void *arg, const struct fetch_result *result)
{
	struct errand *errand = arg;
	struct token_fetch *self = errand->owner;

	if (result->outcome == FETCH_ANSWERED) {
		on_answer(errand, result);
	} else {
		tell_failure(errand, result->why);
		tokens_failed(self->options.tokens, errand->id, loop_boottime_ms(), random_u32(&self->random),
			result->why);
	}
	end(errand);
	credentials_changed(self->options.credentials);
	look(self);
}

static void start(struct token_fetch *self, const struct token_request *token)
{
	static const char *const headers[] = {
		"Content-Type: application/x-www-form-urlencoded",
		"Accept: application/json",
	};
	struct errand *errand = mem_zalloc(sizeof(*errand));
	const struct fetch_request request = {
		.method = "POST",
		.url = token->url,
		.headers = headers,
		.header_count = ARRAY_LEN(headers),
		.body = buf_span(&token->body),
		.answer_max = TOKEN_ANSWER_MAX,
		.timeout_ms = TIMEOUT_MS,
		.fn = on_fetched,
		.arg = errand,
	};

	errand->owner = self;
	errand->id = token->id;
	errand->name = token->name;
	errand->url = token->url;
	list_push_back(&self->errands, &errand->link);
	self->count++;
	errand->fetch = fetch_start(self->fetcher, &request);
}

/* Starts what is due, and looks again when more is. */
static void look(void *arg)
{
	struct token_fetch *self = arg;
	struct token_request request;
	uint64_t wait_ms;

	while (self->count < ERRANDS_MAX && tokens_next(self->options.tokens, loop_boottime_ms(), &request)) {
		start(self, &request);
		token_request_wipe(&request);
	}
	if (self->count == ERRANDS_MAX)
		return;
	wait_ms = tokens_wait_ms(self->options.tokens, loop_boottime_ms());
	loop_timer_set(self->options.loop, &self->timer, wait_ms < SOON_MS ? SOON_MS : wait_ms);
}

struct token_fetch *token_fetch_new(const struct token_fetch_options *options)
{
	struct token_fetch *self = mem_zalloc(sizeof(*self));
	const struct fetcher_options fetcher = { options->loop, options->resolver, options->ca_file };

	self->options = *options;
	self->fetcher = fetcher_new(&fetcher);
	random_seed(&self->random);
	list_init(&self->errands);
	loop_timer_init(&self->timer, look, self);
	loop_msg_init(&self->msg, on_msg, self);
	tokens_on_wanted(options->tokens, on_wanted, self);
	return self;
}

void token_fetch_free(struct token_fetch **pointer)
{
	struct token_fetch *self = *pointer;

	*pointer = NULL;
	if (!self)
		return;
	tokens_on_wanted(self->options.tokens, NULL, NULL);
	LIST_EACH_SAFE(it, &self->errands)
	{
		struct errand *errand = LIST_ENTRY(it, struct errand, link);

		fetch_cancel(&errand->fetch);
		end(errand);
	}
	fetcher_free(&self->fetcher);
	loop_timer_cancel(self->options.loop, &self->timer);
	mem_free(self);
}
