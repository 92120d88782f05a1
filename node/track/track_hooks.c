#include "track/track_hooks.h"

#include "skein/proto/base/alloc.h"
#include "track/track_hook.h"

struct track_hooks {
	struct track_hooks_options options;
	struct notifier *notifier;
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

static void on_reload(void *arg, const struct settings *settings)
{
	struct track_hooks *hooks = arg;

	(void)settings;
	for (size_t i = 0; i < hooks->count; i++)
		track_hook_reload(hooks->items[i]);
}

static void on_leave(void *arg)
{
	struct track_hooks *hooks = arg;

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
	const struct settings *settings = hooks->options.settings;
	const struct hook_list *list = &settings->tracking.hooks;
	const struct notifier_options notifier = { hooks->options.loop, resolver, secrets,
		settings->node.name };
	struct track_hook_options options = {
		.redact_key = hooks->options.redact_key,
		.loop = hooks->options.loop,
		.log = hooks->options.log,
		.meter = hooks->options.meter,
	};
	struct buf why = { 0 };

	options.notifier = hooks->notifier = notifier_new(&notifier);
	for (size_t i = 0; i < list->count; i++) {
		options.settings = &list->items[i];
		hooks->items[i] = track_hook_new(&options, &why);
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
	hooks->items = mem_zalloc(options->settings->tracking.hooks.count * sizeof(struct track_hook *));
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
