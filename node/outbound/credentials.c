#include "outbound/credentials.h"

#include "skein/proto/base/alloc.h"
#include "outbound/tokens.h"
#include "skein/proto/base/table.h"

#include <openssl/hmac.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/random.h>

enum {
	TRIAL_MAX_MS = 10 * 60 * 1000, /* more than any connection takes to be answered */
	ATTEMPTS_MAX = 10000,          /* hosts that are remembered */
	NO_SECRET_MS = 60 * 1000,
};

/* What came of logging in at one host. Marks are all zero while there is none. */
struct attempt {
	struct span key; /* owned */
	struct login_mark accepted, refused, trial;
	uint64_t refused_until_ms, trial_until_ms; /* 0: none */
	char why[CREDENTIALS_WHY_MAX];
};

struct credentials {
	struct secrets *secrets;
	struct tokens *tokens;
	atomic_uint_fast64_t changes;
	unsigned char mark_key[CREDENTIALS_MARK_LEN];
	pthread_mutex_t lock; /* of all below */
	struct table attempts;
};

struct credentials *credentials_new(struct secrets *secrets, struct tokens *tokens)
{
	struct credentials *credentials = mem_zalloc(sizeof(*credentials));
	uint64_t seed[2];

	credentials->secrets = secrets;
	credentials->tokens = tokens;
	CHECK(getrandom(credentials->mark_key, sizeof(credentials->mark_key), 0) ==
		sizeof(credentials->mark_key));
	CHECK(getrandom(seed, sizeof(seed), 0) == sizeof(seed));
	CHECK(pthread_mutex_init(&credentials->lock, NULL) == 0);
	table_init(&credentials->attempts, seed);
	return credentials;
}

void credentials_set_mark_key(struct credentials *credentials, const unsigned char key[CREDENTIALS_MARK_LEN])
{
	memcpy(credentials->mark_key, key, sizeof(credentials->mark_key));
}

static void free_attempt(struct attempt *attempt)
{
	mem_free((void *)(uintptr_t)attempt->key.ptr);
	mem_free(attempt);
}

static void forget_all(struct credentials *credentials)
{
	struct attempt *attempt;
	size_t cursor = 0;

	while ((attempt = table_next(&credentials->attempts, &cursor))) {
		table_remove(&credentials->attempts, attempt->key);
		free_attempt(attempt);
	}
}

void credentials_free(struct credentials **pointer)
{
	struct credentials *credentials = *pointer;

	if (!credentials)
		return;
	forget_all(credentials);
	table_fini(&credentials->attempts);
	pthread_mutex_destroy(&credentials->lock);
	mem_wipe(credentials->mark_key, sizeof(credentials->mark_key));
	mem_free(credentials);
	*pointer = NULL;
}

void credentials_changed(struct credentials *credentials)
{
	atomic_fetch_add(&credentials->changes, 1);
}

uint64_t credentials_changes(const struct credentials *credentials)
{
	return atomic_load(&((struct credentials *)(uintptr_t)credentials)->changes);
}

/* --- attempts, under the lock --------------------------------------------------------------------- */

static struct span key_of(const struct login_place *place, struct buf *text)
{
	buf_printf(text, "%s %s", place->who->name, place->host);
	return buf_span(text);
}

static struct attempt *find_attempt(const struct credentials *credentials, const struct login_place *place)
{
	struct buf text = { 0 };
	struct attempt *attempt = table_get(&credentials->attempts, key_of(place, &text));

	buf_fini(&text);
	return attempt;
}

static struct attempt *make_attempt(struct credentials *credentials, const struct login_place *place)
{
	struct attempt *attempt = find_attempt(credentials, place);
	struct buf text = { 0 };

	if (attempt)
		return attempt;
	/* Hosts come and go with the DNS: so many are not in use at once. */
	if (credentials->attempts.count >= ATTEMPTS_MAX)
		forget_all(credentials);
	attempt = mem_zalloc(sizeof(*attempt));
	attempt->key = key_of(place, &text);
	table_put(&credentials->attempts, attempt->key, attempt);
	return attempt;
}

static bool is_same(const struct login_mark *a, const struct login_mark *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static enum login_state judge(const struct attempt *attempt, const struct login_mark *mark, uint64_t now_ms,
	struct login_trouble *trouble)
{
	if (!attempt || is_same(&attempt->accepted, mark))
		return LOGIN_POSSIBLE;
	if (now_ms < attempt->refused_until_ms && is_same(&attempt->refused, mark)) {
		trouble->again_ms = attempt->refused_until_ms - now_ms;
		snprintf(trouble->why, sizeof(trouble->why), "%s", attempt->why);
		return LOGIN_IMPOSSIBLE;
	}
	if (now_ms < attempt->trial_until_ms && is_same(&attempt->trial, mark)) {
		snprintf(trouble->why, sizeof(trouble->why), "another connection tries the login");
		return LOGIN_AWAITED;
	}
	return LOGIN_POSSIBLE;
}

static void begin_trial(struct attempt *attempt, const struct login_mark *mark, uint64_t now_ms)
{
	if (is_same(&attempt->accepted, mark))
		return;
	attempt->trial = *mark;
	attempt->trial_until_ms = now_ms + TRIAL_MAX_MS;
}

static void end_trial(struct attempt *attempt, const struct login_mark *mark)
{
	if (is_same(&attempt->trial, mark))
		attempt->trial_until_ms = 0;
}

/* --- what is tried -------------------------------------------------------------------------------- */

/* All that makes it another login. */
static struct login_mark mark_of(
	const struct credentials *credentials, const struct route_credentials *who, struct span secret)
{
	const char *words[] = { who->user, who->token_url, who->client_id, who->scope };
	struct login_mark mark = { .token = 0 };
	struct buf text = { 0 };
	size_t room = secret.len;
	unsigned len = 0;

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		room += strlen(words[i]) + 1;
	buf_reserve(&text, room);
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		buf_append(&text, span_of(words[i], strlen(words[i]) + 1));
	buf_append(&text, secret);
	CHECK(HMAC(EVP_sha256(), credentials->mark_key, sizeof(credentials->mark_key),
		(const unsigned char *)buf_span(&text).ptr, buf_len(&text), mark.bytes, &len));
	CHECK(len == sizeof(mark.bytes));
	mem_wipe(text.base, text.cap);
	buf_fini(&text);
	return mark;
}

static const char *fault_of(struct span secret)
{
	if (!secret.len)
		return "is empty";
	if (secret.len > CREDENTIALS_SECRET_MAX)
		return "is longer than a password can be";
	if (memchr(secret.ptr, '\0', secret.len))
		return "has a zero byte in it, which no password can have";
	return NULL;
}

static void copy_why(struct buf *text, struct login_trouble *trouble)
{
	snprintf(trouble->why, sizeof(trouble->why), "%.*s", (int)buf_len(text), buf_span(text).ptr);
	buf_fini(text);
}

/* A reference, or NULL with a reason. */
static const struct secret_value *find_secret(
	struct credentials *credentials, const struct route_credentials *who, struct login_trouble *trouble)
{
	const struct secret_value *value = secrets_get(credentials->secrets, who->secret);
	const char *fault = value ? fault_of(secret_value_text(value)) : NULL;
	struct buf why = { 0 };

	if (value && !fault)
		return value;
	trouble->again_ms = NO_SECRET_MS;
	buf_printf(&why, "no login by credentials \"%s\": ", who->name);
	if (fault)
		buf_printf(
			&why, "secret \"%s\": %s: `skeinctl secret set %s`", who->secret, fault, who->secret);
	else
		secrets_explain(credentials->secrets, who->secret, &why);
	copy_why(&why, trouble);
	secret_value_unref(&value);
	return NULL;
}

static enum smtp_client_mechanism mechanism_of(const struct route_credentials *who)
{
	switch (who->mechanism) {
	case ROUTE_AUTH_PLAIN:
		return SMTP_MECHANISM_PLAIN;
	case ROUTE_AUTH_LOGIN:
		return SMTP_MECHANISM_LOGIN;
	case ROUTE_AUTH_XOAUTH2:
		return SMTP_MECHANISM_XOAUTH2;
	default:
		return SMTP_MECHANISM_AUTO;
	}
}

/* The client's secret goes to who gives tokens, and to no hop. */
static enum login_state take_token(struct credentials *credentials, const struct token_want *want,
	uint64_t now_ms, struct login *login, struct login_trouble *trouble)
{
	uint64_t number = 0;
	enum login_state state =
		tokens_take(credentials->tokens, want, now_ms, login ? &login->text : NULL, &number, trouble);

	if (login)
		login->mark.token = number;
	return state;
}

static enum login_state take_text(struct credentials *credentials, const struct token_want *want,
	uint64_t now_ms, struct login *login, struct login_trouble *trouble)
{
	if (*want->who->token_url)
		return take_token(credentials, want, now_ms, login, trouble);
	if (login)
		buf_append(&login->text, secret_value_text(want->secret));
	return LOGIN_POSSIBLE;
}

static void fill_login(struct login *login, const struct route_credentials *who)
{
	bool has_token = *who->token_url != '\0';

	buf_append_byte(&login->text, '\0');
	login->client = (struct smtp_client_credentials){
		.mechanism = mechanism_of(who),
		.user = who->user,
		.password = has_token ? NULL : login->text.base,
		.token = has_token ? login->text.base : NULL,
	};
}

static enum login_state find_state(struct credentials *credentials, const struct login_place *place,
	uint64_t now_ms, struct login *login, struct login_trouble *trouble)
{
	const struct secret_value *secret = find_secret(credentials, place->who, trouble);
	struct token_want want = { .who = place->who, .secret = secret };
	enum login_state state;
	struct login_mark mark;

	if (!secret)
		return secrets_state(credentials->secrets) == SECRETS_AWAITED ? LOGIN_AWAITED
									      : LOGIN_IMPOSSIBLE;
	mark = mark_of(credentials, place->who, secret_value_text(secret));
	want.mark = &mark;
	pthread_mutex_lock(&credentials->lock);
	state = judge(find_attempt(credentials, place), &mark, now_ms, trouble);
	if (state == LOGIN_POSSIBLE)
		state = take_text(credentials, &want, now_ms, login, trouble);
	if (login && state == LOGIN_POSSIBLE)
		begin_trial(make_attempt(credentials, place), &mark, now_ms);
	pthread_mutex_unlock(&credentials->lock);
	if (login && state == LOGIN_POSSIBLE) {
		memcpy(login->mark.bytes, mark.bytes, sizeof(mark.bytes));
		fill_login(login, place->who);
	}
	secret_value_unref(&secret);
	return state;
}

enum login_state credentials_look(struct credentials *credentials, const struct login_place *place,
	uint64_t now_ms, struct login_trouble *trouble_out)
{
	*trouble_out = (struct login_trouble){ .again_ms = 0 };
	return find_state(credentials, place, now_ms, NULL, trouble_out);
}

enum login_state credentials_take(struct credentials *credentials, const struct login_place *place,
	uint64_t now_ms, struct login *login_out, struct login_trouble *trouble_out)
{
	enum login_state state;

	*trouble_out = (struct login_trouble){ .again_ms = 0 };
	*login_out = (struct login){ .text = { 0 } };
	/* It does not move while it grows, so that no copy is left behind. */
	buf_reserve(&login_out->text, CREDENTIALS_SECRET_MAX + 1);
	state = find_state(credentials, place, now_ms, login_out, trouble_out);
	if (state != LOGIN_POSSIBLE)
		login_wipe(login_out);
	return state;
}

void login_wipe(struct login *login)
{
	if (login->text.base)
		mem_wipe(login->text.base, login->text.cap);
	buf_fini(&login->text);
	login->client = (struct smtp_client_credentials){ .mechanism = SMTP_MECHANISM_NONE };
}

/* --- what came of it ------------------------------------------------------------------------------ */

void credentials_accepted(
	struct credentials *credentials, const struct login_place *place, const struct login_mark *mark)
{
	struct attempt *attempt;
	bool is_news;

	pthread_mutex_lock(&credentials->lock);
	attempt = make_attempt(credentials, place);
	end_trial(attempt, mark);
	is_news = !is_same(&attempt->accepted, mark);
	attempt->accepted = *mark;
	attempt->refused_until_ms = 0;
	pthread_mutex_unlock(&credentials->lock);
	if (mark->token)
		tokens_accepted(credentials->tokens, mark);
	if (is_news)
		credentials_changed(credentials);
}

enum refusal credentials_refused(struct credentials *credentials, const struct login_place *place,
	const struct login_mark *mark, uint64_t now_ms, uint64_t pause_ms, const char *why)
{
	struct attempt *attempt;
	bool is_first;

	if (mark->token && tokens_refused(credentials->tokens, mark, mark->token)) {
		credentials_untried(credentials, place, mark);
		return REFUSAL_OF_TOKEN;
	}
	pthread_mutex_lock(&credentials->lock);
	attempt = make_attempt(credentials, place);
	end_trial(attempt, mark);
	is_first = !is_same(&attempt->refused, mark);
	attempt->accepted = (struct login_mark){ .token = 0 };
	attempt->refused = *mark;
	attempt->refused_until_ms = now_ms + pause_ms;
	snprintf(attempt->why, sizeof(attempt->why), "%s", why);
	pthread_mutex_unlock(&credentials->lock);
	return is_first ? REFUSAL_FIRST : REFUSAL_AGAIN;
}

void credentials_untried(
	struct credentials *credentials, const struct login_place *place, const struct login_mark *mark)
{
	struct attempt *attempt;

	pthread_mutex_lock(&credentials->lock);
	attempt = find_attempt(credentials, place);
	if (attempt)
		end_trial(attempt, mark);
	pthread_mutex_unlock(&credentials->lock);
	credentials_changed(credentials);
}
