#include "notify/notifier.h"

#include "notify/notifier_internal.h"
#include "skein/proto/base/alloc.h"

struct notifier *notifier_new(const struct notifier_options *options)
{
	struct notifier *notifier = mem_zalloc(sizeof(*notifier));
	const struct fetcher_options fetcher = { options->loop, options->resolver, NULL };

	notifier->options = *options;
	notifier->fetcher = fetcher_new(&fetcher);
	random_seed(&notifier->random);
	return notifier;
}

void notifier_free(struct notifier **pointer)
{
	struct notifier *notifier = *pointer;

	*pointer = NULL;
	if (!notifier)
		return;
	fetcher_free(&notifier->fetcher);
	mem_free(notifier);
}

uint64_t notifier_pause_ms(struct notifier *notifier, unsigned failures, uint64_t first_ms, uint64_t max_ms)
{
	uint64_t pause_ms = first_ms;

	while (--failures > 0 && pause_ms < max_ms)
		pause_ms *= 2;
	if (pause_ms > max_ms)
		pause_ms = max_ms;
	return pause_ms - pause_ms / 4 * (random_u32(&notifier->random) % 1024) / 1024;
}
