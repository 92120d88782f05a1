#include "scenario.h"

#include <string.h>

static const struct breaking breakings[] = {
	{
		.name = "early_custody",
		.scenario = "lost_disks",
		.invariant = "nothing_acknowledged_is_lost",
		.broken = BROKEN_CUSTODY,
	},
};

const struct breaking *breaking_at(size_t index)
{
	return index < ARRAY_LEN(breakings) ? &breakings[index] : NULL;
}

const struct breaking *breaking_find(const char *name)
{
	const struct breaking *breaking;

	for (size_t i = 0; (breaking = breaking_at(i)); i++) {
		if (strcmp(breaking->name, name) == 0)
			return breaking;
	}
	return NULL;
}
