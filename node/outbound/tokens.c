#include "outbound/tokens.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/list.h"

#include <pthread.h>
#include <stdio.h>

enum {
	TOKENS_MAX = 256,
	MARGIN_MAX_MS = 5 * 60 * 1000,
	UNUSED_MS = 3600 * 1000, /* after which it is not renewed any more */
	PAUSE_FIRST_MS = 1000,
	PAUSE_MAX_MS = 5 * 60 * 1000,
	LOOK_MS = 60 * 1000, /* however little there is to do */
	SHARED_LOOK_MS = 2000,
};

struct token {
	struct list link;
	struct login_mark mark;
	uint64_t id; /* of its request */
	char *name, *url, *client_id, *scope;
	const struct secret_value *secret;
	struct buf text; /* empty: none */
	uint64_t number; /* of the text */
	uint64_t known;  /* the cluster's serial of the text that is here, was, or was of no use; 0: none */
	uint64_t looked_ms;
	uint64_t renew_at_ms, ends_at_ms;
	uint64_t used_ms;
	uint64_t retry_at_ms;
	unsigned failures; /* in a row */
	char why[CREDENTIALS_WHY_MAX];
	bool is_fetching;
	bool is_bad;    /* `known` was refused, and the cluster does not know yet */
	bool is_second; /* comes because the one before was refused, and was not accepted yet */
};

struct tokens {
	void (*wanted)(void *arg);
	void *arg;
	pthread_mutex_t lock; /* of all below */
	struct list all;      /* token.link; in the order they were first wanted */
	size_t count;
	uint64_t last_id, last_number;
};

struct tokens *tokens_new(void)
{
	struct tokens *tokens = mem_zalloc(sizeof(*tokens));

	CHECK(pthread_mutex_init(&tokens->lock, NULL) == 0);
	list_init(&tokens->all);
	return tokens;
}

static void drop_text(struct token *token)
{
	if (token->text.base)
		mem_wipe(token->text.base, token->text.cap);
	buf_fini(&token->text);
}

static void free_token(struct tokens *tokens, struct token *token)
{
	list_remove(&token->link);
	tokens->count--;
	drop_text(token);
	secret_value_unref(&token->secret);
	mem_free(token->name);
	mem_free(token->url);
	mem_free(token->client_id);
	mem_free(token->scope);
	mem_free(token);
}

void tokens_free(struct tokens **pointer)
{
	struct tokens *tokens = *pointer;

	if (!tokens)
		return;
	LIST_EACH_SAFE(it, &tokens->all)
	free_token(tokens, LIST_ENTRY(it, struct token, link));
	pthread_mutex_destroy(&tokens->lock);
	mem_free(tokens);
	*pointer = NULL;
}

void tokens_on_wanted(struct tokens *tokens, void (*wanted)(void *arg), void *arg)
{
	tokens->wanted = wanted;
	tokens->arg = arg;
}

/* --- under the lock ------------------------------------------------------------------------------- */

static struct token *find(struct tokens *tokens, const struct login_mark *mark)
{
	LIST_EACH(it, &tokens->all)
	{
		struct token *token = LIST_ENTRY(it, struct token, link);

		if (memcmp(token->mark.bytes, mark->bytes, sizeof(mark->bytes)) == 0)
			return token;
	}
	return NULL;
}

static struct token *find_fetching(struct tokens *tokens, uint64_t id)
{
	LIST_EACH(it, &tokens->all)
	{
		struct token *token = LIST_ENTRY(it, struct token, link);

		if (token->is_fetching && token->id == id)
			return token;
	}
	CHECK(!"a request that is under way has its token");
	return NULL;
}

/* The one that was not used for the longest time, unless its request is under way. */
static void make_room(struct tokens *tokens)
{
	struct token *oldest = NULL;

	if (tokens->count < TOKENS_MAX)
		return;
	LIST_EACH(it, &tokens->all)
	{
		struct token *token = LIST_ENTRY(it, struct token, link);

		if (!token->is_fetching && (!oldest || token->used_ms < oldest->used_ms))
			oldest = token;
	}
	if (oldest)
		free_token(tokens, oldest);
}

static struct token *find_or_make(struct tokens *tokens, const struct token_want *want)
{
	struct token *token = find(tokens, want->mark);

	if (token)
		return token;
	make_room(tokens);
	token = mem_zalloc(sizeof(*token));
	token->mark = *want->mark;
	token->name = mem_strdup(want->who->name);
	token->url = mem_strdup(want->who->token_url);
	token->client_id = mem_strdup(want->who->client_id);
	token->scope = mem_strdup(want->who->scope);
	token->secret = secret_value_ref(want->secret);
	list_push_back(&tokens->all, &token->link);
	tokens->count++;
	return token;
}

static bool is_good(const struct token *token, uint64_t now_ms)
{
	return buf_len(&token->text) && now_ms < token->ends_at_ms;
}

/* When it is to be fetched; UINT64_MAX: it is under way, or not used. */
static uint64_t due_at_ms(const struct token *token, uint64_t now_ms)
{
	uint64_t due_ms = buf_len(&token->text) ? token->renew_at_ms : 0;

	if (token->is_fetching || now_ms > token->used_ms + UNUSED_MS)
		return UINT64_MAX;
	return due_ms > token->retry_at_ms ? due_ms : token->retry_at_ms;
}

static enum login_state state_of(const struct token *token, uint64_t now_ms, struct login_trouble *trouble)
{
	if (is_good(token, now_ms))
		return LOGIN_POSSIBLE;
	if (!token->failures) {
		snprintf(trouble->why, sizeof(trouble->why),
			"a token for credentials \"%s\" is being fetched", token->name);
		return LOGIN_AWAITED;
	}
	trouble->again_ms = now_ms < token->retry_at_ms ? token->retry_at_ms - now_ms : PAUSE_FIRST_MS;
	snprintf(trouble->why, sizeof(trouble->why), "%s", token->why);
	return LOGIN_IMPOSSIBLE;
}

/* --- for connections ------------------------------------------------------------------------------ */

enum login_state tokens_take(struct tokens *tokens, const struct token_want *want, uint64_t now_ms,
	struct buf *token_out, uint64_t *number_out, struct login_trouble *trouble_out)
{
	enum login_state state;
	struct token *token;
	bool is_due;

	pthread_mutex_lock(&tokens->lock);
	token = find_or_make(tokens, want);
	token->used_ms = now_ms;
	is_due = due_at_ms(token, now_ms) <= now_ms;
	state = state_of(token, now_ms, trouble_out);
	if (state == LOGIN_POSSIBLE) {
		*number_out = token->number;
		if (token_out)
			buf_append(token_out, buf_span(&token->text));
	}
	pthread_mutex_unlock(&tokens->lock);
	if (is_due && tokens->wanted)
		tokens->wanted(tokens->arg);
	return state;
}

void tokens_accepted(struct tokens *tokens, const struct login_mark *mark)
{
	struct token *token;

	pthread_mutex_lock(&tokens->lock);
	token = find(tokens, mark);
	if (token)
		token->is_second = false;
	pthread_mutex_unlock(&tokens->lock);
}

bool tokens_refused(struct tokens *tokens, const struct login_mark *mark, uint64_t number)
{
	struct token *token;
	bool will_fetch = false;

	pthread_mutex_lock(&tokens->lock);
	token = find(tokens, mark);
	/* One that is older than what we have by now says nothing of that. */
	if (token && token->number != number) {
		will_fetch = true;
	} else if (token && !token->is_second) {
		drop_text(token);
		token->is_second = true;
		token->is_bad = token->known != 0;
		will_fetch = true;
	}
	pthread_mutex_unlock(&tokens->lock);
	if (will_fetch && tokens->wanted)
		tokens->wanted(tokens->arg);
	return will_fetch;
}

/* --- for who fetches ------------------------------------------------------------------------------ */

static struct token *find_due(struct tokens *tokens, uint64_t now_ms)
{
	LIST_EACH(it, &tokens->all)
	{
		struct token *token = LIST_ENTRY(it, struct token, link);

		if (due_at_ms(token, now_ms) <= now_ms)
			return token;
	}
	return NULL;
}

bool tokens_next(struct tokens *tokens, uint64_t now_ms, struct token_request *request_out)
{
	struct token *token;

	*request_out = (struct token_request){ .id = 0 };
	pthread_mutex_lock(&tokens->lock);
	token = find_due(tokens, now_ms);
	if (token) {
		token->id = ++tokens->last_id;
		token->is_fetching = true;
		request_out->id = token->id;
		request_out->mark = token->mark;
		request_out->known = token->known;
		request_out->is_bad = token->is_bad;
		request_out->name = token->name;
		request_out->url = token->url;
		token_request_write(
			token->client_id, token->scope, secret_value_text(token->secret), &request_out->body);
	}
	pthread_mutex_unlock(&tokens->lock);
	return token != NULL;
}

void token_request_wipe(struct token_request *request)
{
	if (request->body.base)
		mem_wipe(request->body.base, request->body.cap);
	buf_fini(&request->body);
}

uint64_t tokens_wait_ms(struct tokens *tokens, uint64_t now_ms)
{
	uint64_t wait_ms = LOOK_MS;

	pthread_mutex_lock(&tokens->lock);
	LIST_EACH(it, &tokens->all)
	{
		uint64_t due_ms = due_at_ms(LIST_ENTRY(it, struct token, link), now_ms);
		uint64_t left_ms = due_ms > now_ms ? due_ms - now_ms : 0;

		wait_ms = left_ms < wait_ms ? left_ms : wait_ms;
	}
	pthread_mutex_unlock(&tokens->lock);
	return wait_ms;
}

static void note_failure(struct token *token, uint64_t now_ms, uint32_t random, const char *why)
{
	uint64_t pause_ms = PAUSE_FIRST_MS;

	for (unsigned i = 0; i < token->failures && pause_ms < PAUSE_MAX_MS; i++)
		pause_ms *= 2;
	if (pause_ms > PAUSE_MAX_MS)
		pause_ms = PAUSE_MAX_MS;
	token->is_fetching = false;
	token->failures++;
	token->retry_at_ms = now_ms + pause_ms - pause_ms / 4 * (random % 1024) / 1024;
	snprintf(token->why, sizeof(token->why), "no token for credentials \"%s\": %s", token->name, why);
}

/* Before its end, so that there is time to fail. */
static uint64_t margin_ms(uint64_t lifetime_ms)
{
	return lifetime_ms / 10 < MARGIN_MAX_MS ? lifetime_ms / 10 : MARGIN_MAX_MS;
}

/* Moves the text. */
static void note_token(struct tokens *tokens, struct token *token, struct buf *text, uint64_t ends_at_ms,
	uint64_t lifetime_ms)
{
	drop_text(token);
	token->text = *text;
	*text = (struct buf){ 0 };
	token->number = ++tokens->last_number;
	token->ends_at_ms = ends_at_ms;
	token->renew_at_ms = ends_at_ms - margin_ms(lifetime_ms);
	token->is_bad = false;
	token->failures = 0;
	token->retry_at_ms = 0;
}

void tokens_failed(struct tokens *tokens, uint64_t id, uint64_t now_ms, uint32_t random, const char *why)
{
	pthread_mutex_lock(&tokens->lock);
	note_failure(find_fetching(tokens, id), now_ms, random, why);
	pthread_mutex_unlock(&tokens->lock);
}

uint64_t tokens_pause_ms(struct tokens *tokens, const struct login_mark *mark, uint64_t now_ms)
{
	uint64_t pause_ms = PAUSE_FIRST_MS;
	const struct token *token;

	pthread_mutex_lock(&tokens->lock);
	token = find(tokens, mark);
	if (token && token->retry_at_ms > now_ms)
		pause_ms = token->retry_at_ms - now_ms;
	pthread_mutex_unlock(&tokens->lock);
	return pause_ms;
}

bool tokens_answered(struct tokens *tokens, uint64_t id, uint64_t now_ms, uint32_t random, unsigned status,
	struct span body, char why_out[TOKEN_WHY_MAX])
{
	struct token_answer answer;
	struct token *token;
	bool has_token;

	pthread_mutex_lock(&tokens->lock);
	token = find_fetching(tokens, id);
	token_answer_read(status, body, secret_value_text(token->secret), &answer);
	has_token = buf_len(&answer.token) > 0;
	if (has_token) {
		note_token(tokens, token, &answer.token, now_ms + answer.lifetime_ms, answer.lifetime_ms);
		token->is_fetching = false;
		token->known = 0;
	} else {
		note_failure(token, now_ms, random, answer.why);
	}
	pthread_mutex_unlock(&tokens->lock);
	snprintf(why_out, TOKEN_WHY_MAX, "%s", answer.why);
	token_answer_wipe(&answer);
	return has_token;
}

/* --- with other nodes ------------------------------------------------------------------------------ */

static uint64_t lifetime_of(const struct token_offer *offer)
{
	return offer->age_ms + offer->left_ms;
}

static bool is_useful(const struct token *token, uint64_t now_ms, const struct token_offer *offer)
{
	if (!offer->text.len || offer->text.len > TOKEN_TEXT_MAX ||
		offer->left_ms <= margin_ms(lifetime_of(offer)))
		return false;
	return !is_good(token, now_ms) || now_ms + offer->left_ms > token->ends_at_ms;
}

static void take_offer(
	struct tokens *tokens, struct token *token, uint64_t now_ms, const struct token_offer *offer)
{
	struct buf text = { 0 };

	buf_append(&text, offer->text);
	note_token(tokens, token, &text, now_ms + offer->left_ms, lifetime_of(offer));
	token->known = offer->serial;
}

bool tokens_offered(struct tokens *tokens, uint64_t id, uint64_t now_ms, const struct token_offer *offer)
{
	struct token *token;
	bool will_do;

	pthread_mutex_lock(&tokens->lock);
	token = find_fetching(tokens, id);
	token->is_fetching = false;
	will_do = is_useful(token, now_ms, offer);
	if (will_do) {
		take_offer(tokens, token, now_ms, offer);
	} else {
		token->known = offer->serial;
		token->is_bad = false;
	}
	pthread_mutex_unlock(&tokens->lock);
	return will_do;
}

void tokens_put_off(struct tokens *tokens, uint64_t id, uint64_t now_ms, uint64_t wait_ms)
{
	struct token *token;

	pthread_mutex_lock(&tokens->lock);
	token = find_fetching(tokens, id);
	token->is_fetching = false;
	token->retry_at_ms = now_ms + wait_ms;
	pthread_mutex_unlock(&tokens->lock);
}

bool tokens_next_look(
	struct tokens *tokens, uint64_t now_ms, struct login_mark *mark_out, uint64_t *known_out)
{
	struct token *token = NULL;

	pthread_mutex_lock(&tokens->lock);
	LIST_EACH(it, &tokens->all)
	{
		struct token *next = LIST_ENTRY(it, struct token, link);

		if (is_good(next, now_ms) && !next->is_fetching && now_ms <= next->used_ms + UNUSED_MS &&
			now_ms >= next->looked_ms + SHARED_LOOK_MS)
			token = next;
	}
	if (token) {
		token->looked_ms = now_ms;
		*mark_out = token->mark;
		*known_out = token->known;
	}
	pthread_mutex_unlock(&tokens->lock);
	return token != NULL;
}

bool tokens_looked(struct tokens *tokens, const struct login_mark *mark, uint64_t now_ms, uint64_t gone,
	const struct token_offer *offer)
{
	struct token *token;
	bool is_news = false;

	pthread_mutex_lock(&tokens->lock);
	token = find(tokens, mark);
	if (token && gone && gone == token->known && buf_len(&token->text)) {
		drop_text(token);
		token->is_second = true;
		is_news = true;
	}
	if (token && offer && !token->is_fetching && span_eq(offer->text, buf_span(&token->text))) {
		token->known = offer->serial;
	} else if (token && offer && !token->is_fetching && is_useful(token, now_ms, offer)) {
		take_offer(tokens, token, now_ms, offer);
		is_news = true;
	}
	pthread_mutex_unlock(&tokens->lock);
	return is_news;
}

bool tokens_show(struct tokens *tokens, const struct login_mark *mark, uint64_t now_ms, struct buf *text_out,
	uint64_t *number_out, uint64_t *left_ms_out)
{
	const struct token *token;
	bool has_one;

	pthread_mutex_lock(&tokens->lock);
	token = find(tokens, mark);
	has_one = token && is_good(token, now_ms);
	if (has_one) {
		buf_append(text_out, buf_span(&token->text));
		*number_out = token->number;
		*left_ms_out = token->ends_at_ms - now_ms;
	}
	pthread_mutex_unlock(&tokens->lock);
	return has_one;
}

void tokens_are_shared(struct tokens *tokens, const struct login_mark *mark, uint64_t number, uint64_t serial)
{
	struct token *token;

	pthread_mutex_lock(&tokens->lock);
	token = find(tokens, mark);
	if (token && token->number == number && !token->is_fetching)
		token->known = serial;
	pthread_mutex_unlock(&tokens->lock);
}
