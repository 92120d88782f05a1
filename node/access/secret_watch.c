/* One thing at a time: asking for the version, reading all. Each ends before the timer asks again. */
#include "access/secret_watch.h"

#include "skein/proto/base/alloc.h"

enum { ASK_MS = 1000 };

struct secret_watch {
	struct secret_watch_options options;
	struct loop_timer timer;
	struct secret_version known; /* number 0: none */
	bool is_read;                /* `known` is what Redis said */
	bool is_busy;                /* a call is under way */
	bool has_told_loss;
};

static bool is_same(const struct secret_version *a, const struct secret_version *b)
{
	return a->number == b->number && a->at_ms == b->at_ms;
}

/* A reference, or NULL. */
static const struct secret_value *open_row(struct secret_watch *watch, const struct secret_row *row)
{
	const struct secret_value *value = NULL;
	char name[SECRET_NAME_MAX + 1];
	struct buf text = { 0 };
	enum secret_opened opened =
		secret_open(watch->options.keys, secret_store_label(row->name), row->sealed, &text);

	if (opened == SECRET_OPENED) {
		value = secret_value_new(row->name, buf_span(&text));
	} else {
		memcpy(name, row->name.ptr, row->name.len);
		name[row->name.len] = '\0';
		value = secrets_get(watch->options.secrets, name);
		log_event(watch->options.log, LOG_ERROR, "secret-unreadable", LOG_SPAN("name", row->name),
			LOG_STR("why", secret_opened_text(opened)), LOG_STR("key", "cluster.key_file"),
			LOG_STR("then", value ? "the older one stays in use" : "it is missing"), LOG_END);
	}
	secret_text_wipe(&text);
	return value;
}

static void on_list(void *arg, const struct outcome *outcome, const struct secret_list *list)
{
	struct secret_watch *watch = arg;
	const struct secret_value *values[SECRETS_MAX];
	size_t count = 0;

	watch->is_busy = false;
	if (!outcome_is_ok(outcome))
		return;
	for (size_t i = 0; i < list->count; i++) {
		values[count] = open_row(watch, &list->rows[i]);
		count += values[count] != NULL;
	}
	secrets_replace(watch->options.secrets, values, count);
	watch->known = list->version;
	watch->is_read = true;
	watch->has_told_loss = false;
	log_event(watch->options.log, LOG_INFO, "secrets-loaded", LOG_U64("version", list->version.number),
		LOG_U64("count", count), LOG_END);
}

static void tell_loss(struct secret_watch *watch)
{
	if (watch->has_told_loss)
		return;
	watch->has_told_loss = true;
	log_event(watch->options.log, LOG_WARN, "secrets-lost", LOG_U64("version", watch->known.number),
		LOG_STR("cure", "Redis has no secrets any more; set them again with `skeinctl secret set`: "
				"this node forgets them when it ends"),
		LOG_END);
}

static void on_version(void *arg, const struct outcome *outcome, const struct secret_version *version)
{
	struct secret_watch *watch = arg;

	watch->is_busy = false;
	if (!outcome_is_ok(outcome))
		return;
	/* A removal counts too: where there is no number there was never anything, or all is gone. */
	if (watch->known.number && !version->number)
		tell_loss(watch);
	else if (!watch->is_read || !is_same(version, &watch->known))
		watch->is_busy = secret_list(watch->options.link, true, loop_boottime_ms(), on_list, watch);
}

static void on_timer(void *arg)
{
	struct secret_watch *watch = arg;

	if (!watch->is_busy)
		watch->is_busy = secret_current(watch->options.link, loop_boottime_ms(), on_version, watch);
	loop_timer_set(watch->options.loop, &watch->timer, ASK_MS);
}

struct secret_watch *secret_watch_new(const struct secret_watch_options *options)
{
	struct secret_watch *watch = mem_zalloc(sizeof(*watch));

	watch->options = *options;
	loop_timer_init(&watch->timer, on_timer, watch);
	loop_timer_set(options->loop, &watch->timer, 0);
	return watch;
}

void secret_watch_free(struct secret_watch **watch)
{
	if (!*watch)
		return;
	CHECK(!(*watch)->is_busy);
	loop_timer_cancel((*watch)->options.loop, &(*watch)->timer);
	mem_free(*watch);
	*watch = NULL;
}
