/*
 * suggest: what somebody who wrote an unknown key may have meant.
 */
#ifndef SKEIN_CLUSTER_SCHEMA_SUGGEST_H
#define SKEIN_CLUSTER_SCHEMA_SUGGEST_H

#include "skein/cluster/schema/table.h"

/*
 * The key nearest to `key` among those that may stand behind `prefix` ("route.timeout." or ""), else the path
 * of a setting of that name elsewhere in the table. Empty when nothing is near.
 */
struct span suggest_key(const struct setting_table *table, struct span prefix, struct span key);

#endif
