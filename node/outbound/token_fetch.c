/*
 * An errand: claim → fetch → answer → keep it, put it on the shelf. Instead of a fetch: what another node has
 * put there; or, while another fetches, an end without a result, and the next look begins anew. Where Redis
 * does not answer the errand fetches without a claim.
 */
#include "outbound/token_fetch.h"

#include "io/random.h"
#include "skein/proto/base/alloc.h"
#include "skein/proto/base/list.h"

#include <stdatomic.h>
#include <stdio.h>

enum {
	ERRANDS_MAX = 8,
	TIMEOUT_MS = 30 * 1000,
	SOON_MS = 10,
	WAIT_MS = 500,         /* between two looks at what another node fetches */
	SHARED_LOOK_MS = 2000, /* at what others know of the tokens that we use */
};

/* One request under way. */
struct errand {
	struct list link;
	struct token_fetch *owner;
	struct fetch *fetch;
	struct token_request request; /* its body is wiped when it was sent; name and url are below */
	char *name, *url;
	bool is_claimed;
};

/* One call about a token that is here. */
struct glance {
	struct token_fetch *owner;
	struct login_mark mark;
	uint64_t number; /* of the text that is put there */
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
	struct token_share share; /* no link: each for itself */
	size_t calls;             /* of it, under way */
	bool is_stopped;
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
	struct token_fetch *self = errand->owner;

	token_request_wipe(&errand->request);
	mem_free(errand->name);
	mem_free(errand->url);
	list_remove(&errand->link);
	self->count--;
	mem_free(errand);
}

/* Connections that wait look again. */
static void finish(struct errand *errand)
{
	struct token_fetch *self = errand->owner;

	end(errand);
	credentials_changed(self->options.credentials);
	look(self);
}

/* --- what is here, for the others ------------------------------------------------------------------ */

static struct glance *glance_new(struct token_fetch *self, const struct login_mark *mark)
{
	struct glance *glance = mem_zalloc(sizeof(*glance));

	glance->owner = self;
	glance->mark = *mark;
	self->calls++;
	return glance;
}

static void glance_free(struct glance *glance)
{
	glance->owner->calls--;
	mem_free(glance);
}

static void on_put(void *arg, uint64_t serial)
{
	struct glance *glance = arg;

	if (serial)
		tokens_are_shared(glance->owner->options.tokens, &glance->mark, glance->number, serial);
	glance_free(glance);
}

static void show(struct token_fetch *self, const struct login_mark *mark)
{
	struct glance *glance;
	struct buf text = { 0 };
	uint64_t left_ms;

	if (!self->share.link)
		return;
	glance = glance_new(self, mark);
	/* It does not move while it grows, so that no copy is left behind. */
	buf_reserve(&text, TOKEN_TEXT_MAX);
	if (!tokens_show(self->options.tokens, mark, loop_boottime_ms(), &text, &glance->number, &left_ms) ||
		!token_share_put(&self->share, mark, buf_span(&text), left_ms, on_put, glance))
		glance_free(glance);
	secret_text_wipe(&text);
}

/* --- what the others have -------------------------------------------------------------------------- */

static void on_seen(void *arg, const struct token_shared *shared)
{
	struct glance *glance = arg;
	struct token_fetch *self = glance->owner;
	const struct token_offer *offer = shared->offer.text.len ? &shared->offer : NULL;
	bool is_news = shared->is_answer && tokens_looked(self->options.tokens, &glance->mark,
						    loop_boottime_ms(), shared->gone, offer);

	/* Redis may have lost it, or was away when it came. */
	if (shared->is_answer && !shared->offer.serial && !shared->gone)
		show(self, &glance->mark);
	glance_free(glance);
	if (!is_news)
		return;
	credentials_changed(self->options.credentials);
	look(self);
}

static void look_around(struct token_fetch *self)
{
	struct login_mark mark;
	uint64_t known;

	while (self->share.link &&
		tokens_next_look(self->options.tokens, loop_boottime_ms(), &mark, &known)) {
		struct glance *glance = glance_new(self, &mark);

		if (!token_share_read(&self->share, &mark, known, on_seen, glance))
			glance_free(glance);
	}
}

/* --- one request ----------------------------------------------------------------------------------- */

static void tell_failure(const struct errand *errand, const char *why)
{
	const struct token_fetch *self = errand->owner;

	log_event(self->options.log, LOG_WARN, "token-failed", LOG_STR("credentials", errand->request.name),
		LOG_STR("url", errand->request.url), LOG_STR("why", why), LOG_END);
	if (errand->is_claimed && self->share.link)
		token_share_failed(&self->share, &errand->request.mark,
			tokens_pause_ms(self->options.tokens, &errand->request.mark, loop_boottime_ms()),
			why);
}

static void on_answer(struct errand *errand, const struct fetch_result *result)
{
	struct token_fetch *self = errand->owner;
	char why[TOKEN_WHY_MAX];

	if (!tokens_answered(self->options.tokens, errand->request.id, loop_boottime_ms(),
		    random_u32(&self->random), result->status, result->body, why)) {
		tell_failure(errand, why);
		return;
	}
	log_event(self->options.log, LOG_INFO, "token-fetched", LOG_STR("credentials", errand->request.name),
		LOG_END);
	show(self, &errand->request.mark);
}

static void on_fetched(void *arg, const struct fetch_result *result)
{
	struct errand *errand = arg;
	struct token_fetch *self = errand->owner;

	errand->fetch = NULL;
	if (result->outcome == FETCH_ANSWERED) {
		on_answer(errand, result);
	} else {
		tokens_failed(self->options.tokens, errand->request.id, loop_boottime_ms(),
			random_u32(&self->random), result->why);
		tell_failure(errand, result->why);
	}
	finish(errand);
}

static void fetch(struct errand *errand)
{
	static const char *const headers[] = {
		"Content-Type: application/x-www-form-urlencoded",
		"Accept: application/json",
	};
	const struct fetch_request request = {
		.method = "POST",
		.url = errand->request.url,
		.headers = headers,
		.header_count = ARRAY_LEN(headers),
		.body = buf_span(&errand->request.body),
		.answer_max = TOKEN_ANSWER_MAX,
		.timeout_ms = TIMEOUT_MS,
		.fn = on_fetched,
		.arg = errand,
	};

	errand->fetch = fetch_start(errand->owner->fetcher, &request);
	token_request_wipe(&errand->request);
}

static void take_offer(struct errand *errand, const struct token_offer *offer)
{
	struct token_fetch *self = errand->owner;

	if (tokens_offered(self->options.tokens, errand->request.id, loop_boottime_ms(), offer))
		log_event(self->options.log, LOG_INFO, "token-heard",
			LOG_STR("credentials", errand->request.name), LOG_END);
}

static void fail_as_another(struct errand *errand, struct span why)
{
	struct token_fetch *self = errand->owner;
	char text[TOKEN_WHY_MAX];

	snprintf(text, sizeof(text), "%.*s", SPAN_ARGS(why));
	tokens_failed(self->options.tokens, errand->request.id, loop_boottime_ms(), random_u32(&self->random),
		text);
}

static void on_claimed(void *arg, const struct token_shared *shared)
{
	struct errand *errand = arg;
	struct token_fetch *self = errand->owner;
	uint64_t wait_ms = shared->wait_ms < WAIT_MS ? shared->wait_ms : WAIT_MS;

	self->calls--;
	errand->is_claimed = shared->is_granted;
	if (self->is_stopped) {
		tokens_put_off(self->options.tokens, errand->request.id, loop_boottime_ms(), WAIT_MS);
		end(errand);
		return;
	}
	if (!shared->is_answer || shared->is_granted) {
		fetch(errand);
		return;
	}
	if (shared->failed.len)
		fail_as_another(errand, shared->failed);
	else if (shared->wait_ms)
		tokens_put_off(self->options.tokens, errand->request.id, loop_boottime_ms(), wait_ms);
	else
		take_offer(errand, &shared->offer);
	finish(errand);
}

static void start(struct token_fetch *self, const struct token_request *request)
{
	struct errand *errand = mem_zalloc(sizeof(*errand));

	errand->owner = self;
	errand->request = *request;
	/* Once it is answered the tokens may forget it. */
	errand->request.name = errand->name = mem_strdup(request->name);
	errand->request.url = errand->url = mem_strdup(request->url);
	list_push_back(&self->errands, &errand->link);
	self->count++;
	if (self->share.link && token_share_claim(&self->share, &errand->request, on_claimed, errand))
		self->calls++;
	else
		fetch(errand);
}

/* Starts what is due, and looks again when more is. */
static void look(void *arg)
{
	struct token_fetch *self = arg;
	struct token_request request;
	uint64_t wait_ms;

	if (self->is_stopped)
		return;
	look_around(self);
	while (self->count < ERRANDS_MAX && tokens_next(self->options.tokens, loop_boottime_ms(), &request))
		start(self, &request);
	wait_ms = self->count < ERRANDS_MAX ? tokens_wait_ms(self->options.tokens, loop_boottime_ms())
					    : SHARED_LOOK_MS;
	if (self->share.link && wait_ms > SHARED_LOOK_MS)
		wait_ms = SHARED_LOOK_MS;
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

void token_fetch_join(struct token_fetch *self, const struct token_share *share)
{
	self->share = *share;
	look(self);
}

void token_fetch_stop(struct token_fetch *self)
{
	self->is_stopped = true;
	self->share.link = NULL;
}

void token_fetch_free(struct token_fetch **pointer)
{
	struct token_fetch *self = *pointer;

	*pointer = NULL;
	if (!self)
		return;
	CHECK(self->calls == 0);
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
