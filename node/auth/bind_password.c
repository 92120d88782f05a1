#include "auth/bind_password.h"

#include "skein/proto/base/alloc.h"

#include <openssl/hmac.h>
#include <pthread.h>
#include <sys/random.h>
#include <time.h>

enum { PAUSE_FIRST_MS = 60 * 1000, PAUSE_MAX_MS = 15 * 60 * 1000, MARK_LEN = 32 };

/* A keyed hash: the same text set anew is the same password. */
struct mark {
	unsigned char bytes[MARK_LEN]; /* all zero: none */
};

struct bind_password {
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t trial_ended;
	struct secrets *own;     /* holds what was given at the start; NULL: it is a secret of the cluster */
	struct secrets *secrets; /* NULL: stopped */
	const char *name;
	unsigned char mark_key[MARK_LEN];
	struct mark accepted, refused;
	uint64_t refused_at_ms, pause_ms;
	bool is_tried;
};

static struct bind_password *make(struct secrets *secrets, const char *name)
{
	struct bind_password *password = mem_zalloc(sizeof(*password));
	pthread_condattr_t attributes;

	password->secrets = secrets;
	password->name = name;
	CHECK(getrandom(password->mark_key, MARK_LEN, 0) == MARK_LEN);
	CHECK(pthread_mutex_init(&password->lock, NULL) == 0);
	CHECK(pthread_condattr_init(&attributes) == 0);
	CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
	CHECK(pthread_cond_init(&password->trial_ended, &attributes) == 0);
	pthread_condattr_destroy(&attributes);
	return password;
}

struct bind_password *bind_password_new(const char *text)
{
	struct secrets *own = secrets_new(SECRETS_LOADED);
	const struct secret_value *value = secret_value_new(SPAN_LIT("file"), span_of_str(text));
	struct bind_password *password = make(own, "file");

	secrets_replace(own, &value, 1);
	password->own = own;
	return password;
}

struct bind_password *bind_password_new_secret(struct secrets *secrets, const char *name)
{
	return make(secrets, name);
}

void bind_password_stop(struct bind_password *password)
{
	pthread_mutex_lock(&password->lock);
	password->secrets = NULL;
	pthread_mutex_unlock(&password->lock);
}

void bind_password_free(struct bind_password **password)
{
	if (!*password)
		return;
	secrets_free(&(*password)->own);
	pthread_cond_destroy(&(*password)->trial_ended);
	pthread_mutex_destroy(&(*password)->lock);
	mem_wipe(*password, sizeof(**password));
	mem_free(*password);
	*password = NULL;
}

/* ---- under the lock ---- */

static struct mark mark_of(const struct bind_password *password, struct span text)
{
	struct mark mark;
	unsigned len = 0;

	CHECK(HMAC(EVP_sha256(), password->mark_key, MARK_LEN, (const unsigned char *)text.ptr, text.len,
		mark.bytes, &len));
	CHECK(len == MARK_LEN);
	return mark;
}

static bool is_same(const struct mark *a, const struct mark *b)
{
	return memcmp(a->bytes, b->bytes, MARK_LEN) == 0;
}

static const struct secret_value *find(struct bind_password *password, struct buf *why_out)
{
	const struct secret_value *value;

	if (!password->secrets)
		return NULL;
	value = secrets_get(password->secrets, password->name);
	if (!value) {
		secrets_explain(password->secrets, password->name, why_out);
	} else if (!secret_value_text(value).len) {
		buf_printf(why_out, "secret \"%s\": is empty: `skeinctl secret set %s`", password->name,
			password->name);
		secret_value_unref(&value);
	}
	return value;
}

enum turn { TURN_NOW, TURN_TRIAL, TURN_WAIT, TURN_NONE };

static enum turn turn_of(const struct bind_password *password, const struct mark *mark, uint64_t now_ms)
{
	if (is_same(mark, &password->accepted))
		return TURN_NOW;
	if (is_same(mark, &password->refused) && now_ms < password->refused_at_ms + password->pause_ms)
		return TURN_NONE;
	return password->is_tried ? TURN_WAIT : TURN_TRIAL;
}

static bool wait_for_trial(struct bind_password *password, uint64_t deadline_ms)
{
	struct timespec until = { (time_t)(deadline_ms / 1000), (long)(deadline_ms % 1000) * 1000000 };

	return pthread_cond_timedwait(&password->trial_ended, &password->lock, &until) == 0;
}

static void note_refused(struct bind_password *password, const struct mark *mark, uint64_t now_ms)
{
	bool is_known = is_same(mark, &password->refused);
	uint64_t pause_ms = is_known ? password->pause_ms * 2 : PAUSE_FIRST_MS;

	/* Those that were under way when it was refused tell nothing new. */
	if (is_known && now_ms < password->refused_at_ms + password->pause_ms)
		return;
	if (is_same(mark, &password->accepted))
		password->accepted = (struct mark){ .bytes = { 0 } };
	password->refused = *mark;
	password->refused_at_ms = now_ms;
	password->pause_ms = pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS;
}

/* ---- an attempt ---- */

bool bind_password_begin(struct bind_password *password, uint64_t now_ms, uint64_t deadline_ms,
	struct bind_attempt *attempt_out, struct buf *why_out)
{
	enum turn turn = TURN_WAIT;
	const struct secret_value *value = NULL;

	pthread_mutex_lock(&password->lock);
	while (turn == TURN_WAIT && (value = find(password, why_out))) {
		struct mark mark = mark_of(password, secret_value_text(value));

		turn = turn_of(password, &mark, now_ms);
		if (turn == TURN_WAIT || turn == TURN_NONE)
			secret_value_unref(&value);
		if (turn == TURN_WAIT && !wait_for_trial(password, deadline_ms))
			turn = TURN_NONE;
	}
	password->is_tried |= turn == TURN_TRIAL;
	pthread_mutex_unlock(&password->lock);
	*attempt_out = (struct bind_attempt){ value, turn == TURN_TRIAL };
	return value != NULL;
}

void bind_password_end(struct bind_password *password, struct bind_attempt *attempt,
	enum bind_outcome outcome, uint64_t now_ms)
{
	struct mark mark;

	pthread_mutex_lock(&password->lock);
	mark = mark_of(password, secret_value_text(attempt->value));
	if (outcome == BIND_ACCEPTED) {
		password->accepted = mark;
		if (is_same(&mark, &password->refused))
			password->refused = (struct mark){ .bytes = { 0 } };
	} else if (outcome == BIND_REFUSED) {
		note_refused(password, &mark, now_ms);
	}
	if (attempt->is_trial) {
		password->is_tried = false;
		pthread_cond_broadcast(&password->trial_ended);
	}
	pthread_mutex_unlock(&password->lock);
	secret_value_unref(&attempt->value);
}
