#include "access/secrets.h"

#include "config/vault.h"
#include "skein/cluster/secret_store.h"
#include "skein/proto/base/alloc.h"

#include <pthread.h>
#include <stdatomic.h>

struct secret_value {
	atomic_uint references;
	size_t name_len, text_len;
	char bytes[]; /* the name, then the text */
};

struct secrets {
	pthread_mutex_t lock; /* of all below */
	enum secrets_state state;
	const struct secret_value *values[SECRETS_MAX];
	size_t count;
	/* Set before others know of it. */
	void (*on_change)(void *arg);
	void *arg;
};

struct secrets *secrets_new(enum secrets_state state)
{
	struct secrets *secrets = mem_zalloc(sizeof(*secrets));

	CHECK(pthread_mutex_init(&secrets->lock, NULL) == 0);
	secrets->state = state;
	return secrets;
}

void secrets_free(struct secrets **secrets)
{
	if (!*secrets)
		return;
	(*secrets)->on_change = NULL;
	secrets_replace(*secrets, NULL, 0);
	pthread_mutex_destroy(&(*secrets)->lock);
	mem_free(*secrets);
	*secrets = NULL;
}

const struct secret_value *secret_value_ref(const struct secret_value *value)
{
	atomic_fetch_add(&((struct secret_value *)(uintptr_t)value)->references, 1);
	return value;
}

const struct secret_value *secrets_get(struct secrets *secrets, const char *name)
{
	const struct secret_value *found = NULL;

	pthread_mutex_lock(&secrets->lock);
	for (size_t i = 0; i < secrets->count && !found; i++)
		if (span_eq(secret_value_name(secrets->values[i]), span_of_str(name)))
			found = secrets->values[i];
	if (found)
		secret_value_ref(found);
	pthread_mutex_unlock(&secrets->lock);
	return found;
}

size_t secrets_get_all(struct secrets *secrets, const struct secret_value **values_out)
{
	size_t count;

	pthread_mutex_lock(&secrets->lock);
	count = secrets->count;
	for (size_t i = 0; i < count; i++) {
		values_out[i] = secret_value_ref(secrets->values[i]);
	}
	pthread_mutex_unlock(&secrets->lock);
	return count;
}

enum secrets_state secrets_state(struct secrets *secrets)
{
	enum secrets_state state;

	pthread_mutex_lock(&secrets->lock);
	state = secrets->state;
	pthread_mutex_unlock(&secrets->lock);
	return state;
}

void secrets_on_change(struct secrets *secrets, void (*fn)(void *arg), void *arg)
{
	secrets->on_change = fn;
	secrets->arg = arg;
}

void secrets_explain(struct secrets *secrets, const char *name, struct buf *why_out)
{
	buf_printf(why_out, "secret \"%s\": ", name);
	switch (secrets_state(secrets)) {
	case SECRETS_STANDALONE:
		buf_append_str(why_out,
			"a node that stands alone has no secrets; they need redis.address and "
			"cluster.key_file");
		break;
	case SECRETS_NO_KEY:
		buf_append_str(why_out, "needs the cluster's key: cluster.key_file");
		break;
	case SECRETS_AWAITED:
		buf_append_str(why_out, "the secrets are not read from Redis yet");
		break;
	case SECRETS_LOADED:
		buf_printf(why_out, "is not there, or cannot be opened: `skeinctl secret set %s`", name);
		break;
	}
}

/* ---- values ---- */

static size_t size_of(const struct secret_value *value)
{
	return sizeof(*value) + value->name_len + value->text_len;
}

const struct secret_value *secret_value_new(struct span name, struct span text)
{
	struct secret_value *value = vault_alloc(sizeof(*value) + name.len + text.len);

	atomic_init(&value->references, 1);
	value->name_len = name.len;
	value->text_len = text.len;
	memcpy(value->bytes, name.ptr, name.len);
	if (text.len)
		memcpy(value->bytes + name.len, text.ptr, text.len);
	return value;
}

struct span secret_value_name(const struct secret_value *value)
{
	return span_of(value->bytes, value->name_len);
}

struct span secret_value_text(const struct secret_value *value)
{
	return span_of(value->bytes + value->name_len, value->text_len);
}

void secret_value_unref(const struct secret_value **value_ptr)
{
	struct secret_value *value = (struct secret_value *)(uintptr_t)*value_ptr;

	if (value && atomic_fetch_sub(&value->references, 1) == 1)
		vault_free(value, size_of(value));
	*value_ptr = NULL;
}

void secrets_replace(struct secrets *secrets, const struct secret_value *const *values, size_t count)
{
	const struct secret_value *old[SECRETS_MAX];
	size_t old_count;

	CHECK(count <= SECRETS_MAX);
	pthread_mutex_lock(&secrets->lock);
	old_count = secrets->count;
	memcpy(old, secrets->values, old_count * sizeof(*old));
	if (count)
		memcpy(secrets->values, values, count * sizeof(*values));
	secrets->count = count;
	secrets->state = SECRETS_LOADED;
	pthread_mutex_unlock(&secrets->lock);
	for (size_t i = 0; i < old_count; i++)
		secret_value_unref(&old[i]);
	if (secrets->on_change)
		secrets->on_change(secrets->arg);
}
