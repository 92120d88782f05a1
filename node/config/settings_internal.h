/*
 * What making settings is put together from; only load.c and settings.c need it.
 */
#ifndef NODE_CONFIG_SETTINGS_INTERNAL_H
#define NODE_CONFIG_SETTINGS_INTERNAL_H

#include "skein/cluster/schema/report.h"
#include "config/schema.h"
#include "config/settings.h"

/* Fills what the operator left to us: host name, processors, names of listeners. */
void settings_derive(struct settings *settings);
/* What must hold between settings. */
void settings_check_rules(const struct settings *settings, struct report *report);

/* hook_rules.c: the same, of tracking.hooks. */
void settings_check_hooks(const struct settings *settings, struct report *report);

#endif
