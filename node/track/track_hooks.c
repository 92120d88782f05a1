#include "track/track_hooks.h"

#include "skein/proto/base/alloc.h"
#include "track/track_hook.h"

struct track_hooks {
	struct track_hooks_options options;
	struct resolver *resolver;
	struct secrets *secrets;
	struct notifier *notifier; /* NULL: nobody was told of anything yet */
	bool is_leaving;
	struct track_hook **items;
	size_t count; /* that are open */
};

static void on_take(void *arg, const struct track_event *event, struct span encoded)
{
	struct track_hooks *hooks = arg;

	(void)encoded;
	for (size_t i = 0; i < hooks->count; i++)
		track_hook_take(hooks->items[i], event);
}

static void on_flush(void *arg)
{
	struct track_hooks *hooks = arg;

	for (size_t i = 0; i < hooks->count; i++)
		track_hook_flush(hooks->items[i]);
}

static struct notifier *notifier_of(struct track_hooks *hooks)
{
	const struct notifier_options options = { hooks->options.loop, hooks->resolver, hooks->secrets,
		hooks->options.settings->node.name };

	if (!hooks->notifier)
		hooks->notifier = notifier_new(&options);
	return hooks->notifier;
}

/* NULL: `why_out` has a sentence. */
static struct track_hook *begin(
	struct track_hooks *hooks, const struct hook_settings *settings, struct buf *why_out)
{
	const struct track_hook_options options = {
		.settings = settings,
		.redact_key = hooks->options.redact_key,
		.notifier = notifier_of(hooks),
		.loop = hooks->options.loop,
		.log = hooks->options.log,
		.meter = hooks->options.meter,
	};

	return track_hook_new(&options, why_out);
}

/* --- a reload ------------------------------------------------------------------------------------------- */

/* The hook of this name, which is taken out; NULL: there is none. */
static struct track_hook *take_out(struct track_hooks *hooks, const char *name)
{
	for (size_t i = 0; i < hooks->count; i++) {
		struct track_hook *hook = hooks->items[i];

		if (hook && strcmp(track_hook_name(hook), name) == 0) {
			hooks->items[i] = NULL;
			return hook;
		}
	}
	return NULL;
}

static void tell(struct track_hooks *hooks, const char *name, const char *what)
{
	log_event(hooks->options.log, LOG_INFO, "hook-reloaded", LOG_STR("hook", name), LOG_STR("what", what),
		LOG_END);
}

static void tell_not(struct track_hooks *hooks, const char *name, struct span why, const char *then)
{
	log_event(hooks->options.log, LOG_ERROR, "hook-not-reloaded", LOG_STR("hook", name),
		LOG_SPAN("why", why), LOG_STR("then", then), LOG_END);
}

static struct track_hook *add(struct track_hooks *hooks, const struct hook_settings *settings)
{
	struct buf why = { 0 };
	struct track_hook *hook = begin(hooks, settings, &why);

	if (hook)
		tell(hooks, settings->name, "added");
	else
		tell_not(hooks, settings->name, buf_span(&why), "it is not told of anything");
	buf_fini(&why);
	return hook;
}

/* Hashes need the key, which is read at the start. */
static bool may_hash(const struct track_hooks *hooks, const struct hook_settings *settings)
{
	return settings->redact != TRACK_REDACT_HASHED || *hooks->options.settings->tracking.redact_key_file;
}

static struct track_hook *reload_one(struct track_hooks *hooks, const struct hook_settings *settings)
{
	struct track_hook *hook = take_out(hooks, settings->name);

	if (!may_hash(hooks, settings))
		tell_not(hooks, settings->name,
			SPAN_LIT("redact: hashed needs tracking.redact_key_file, which needs a restart"),
			hook ? "it stays as it was" : "it is not told of anything");
	else if (hook)
		track_hook_reload(hook, settings);
	else
		hook = add(hooks, settings);
	return hook;
}

static void on_reload(void *arg, const struct settings *settings)
{
	const struct hook_list *list = &settings->tracking.hooks;
	struct track_hook **items;
	struct track_hooks *hooks = arg;
	size_t count = 0;

	if (hooks->is_leaving)
		return;
	items = mem_zalloc((list->count + 1) * sizeof(struct track_hook *));
	for (size_t i = 0; i < list->count; i++) {
		struct track_hook *hook = reload_one(hooks, &list->items[i]);

		if (hook)
			items[count++] = hook;
	}
	for (size_t i = 0; i < hooks->count; i++) {
		if (hooks->items[i])
			tell(hooks, track_hook_name(hooks->items[i]), "removed");
		track_hook_free(&hooks->items[i]);
	}
	mem_free(hooks->items);
	hooks->items = items;
	hooks->count = count;
}

/* --- the sink ------------------------------------------------------------------------------------------- */

static void on_leave(void *arg)
{
	struct track_hooks *hooks = arg;

	hooks->is_leaving = true;
	for (size_t i = 0; i < hooks->count; i++)
		track_hook_leave(hooks->items[i]);
}

static bool is_idle(void *arg)
{
	struct track_hooks *hooks = arg;

	for (size_t i = 0; i < hooks->count; i++)
		if (!track_hook_is_idle(hooks->items[i]))
			return false;
	return true;
}

static void on_stop(void *arg)
{
	struct track_hooks *hooks = arg;

	for (size_t i = 0; i < hooks->count; i++)
		track_hook_free(&hooks->items[i]);
	hooks->count = 0;
	notifier_free(&hooks->notifier);
}

struct track_sink track_hooks_sink(struct track_hooks *hooks)
{
	return (struct track_sink){
		.arg = hooks,
		.take = on_take,
		.flush = on_flush,
		.reload = on_reload,
		.leave = on_leave,
		.is_idle = is_idle,
		.stop = on_stop,
	};
}

enum err track_hooks_open(
	struct track_hooks *hooks, struct resolver *resolver, struct secrets *secrets, struct buf *why_out)
{
	const struct hook_list *list = &hooks->options.settings->tracking.hooks;
	struct buf why = { 0 };

	hooks->resolver = resolver;
	hooks->secrets = secrets;
	for (size_t i = 0; i < list->count; i++) {
		hooks->items[i] = begin(hooks, &list->items[i], &why);
		if (!hooks->items[i]) {
			buf_printf(why_out, "tracking.hooks[%zu]: %.*s\n", i, SPAN_ARGS(buf_span(&why)));
			buf_fini(&why);
			return ERR_INVALID;
		}
		hooks->count++;
	}
	return ERR_OK;
}

struct track_hooks *track_hooks_new(const struct track_hooks_options *options)
{
	struct track_hooks *hooks = mem_zalloc(sizeof(*hooks));

	hooks->options = *options;
	hooks->items =
		mem_zalloc((options->settings->tracking.hooks.count + 1) * sizeof(struct track_hook *));
	return hooks;
}

void track_hooks_free(struct track_hooks **pointer)
{
	struct track_hooks *hooks = *pointer;

	*pointer = NULL;
	if (!hooks)
		return;
	CHECK(!hooks->notifier);
	mem_free(hooks->items);
	mem_wipe(hooks->options.redact_key, sizeof(hooks->options.redact_key));
	mem_free(hooks);
}
