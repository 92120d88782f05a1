/*
 * scenario: what a run is about: how often which fault comes, how the cluster is built, and maybe a script
 * that does certain things at certain moments. The finding_NN_ scenarios are those of the protocol's review:
 * each is the course of events that breaks the protocol when its rule is taken out.
 */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include "happening.h"
#include "store.h"

/* Sees everything, after the invariants; may act. Keeps its place in world->script. */
typedef void script_fn(struct world *world, struct happening *happening);

struct scenario {
	const char *name;
	const char *about; /* one line */
	struct odds odds;
	unsigned nodes, workers, shards; /* 0: 3, 1, 2 */
	bool is_required;                /* redundancy: required */
	bool has_replica;
	unsigned seconds; /* before the calm; 0: 60 */
	unsigned steps;   /* the calm comes earlier, after so many; 0: by time alone */
	script_fn *script;
	unsigned steps_of_script; /* that a run must have come to */
};

const struct scenario *scenario_find(const char *name);
/* The nth, or NULL. */
const struct scenario *scenario_at(size_t index);

/* A rule taken out, and which invariant must see it in which scenario. */
struct breaking {
	const char *name;
	const char *scenario;  /* NULL: the one of this name */
	const char *invariant; /* what must be violated */
	enum broken broken;
	const struct patch *patches; /* of the function library */
	size_t patch_count;
	unsigned seeds; /* one of so many must show it; 0: the first */
};

const struct breaking *breaking_find(const char *name);
const struct breaking *breaking_at(size_t index);
const char *breaking_scenario(const struct breaking *breaking);

/* Each ends with one that has no name. */
extern const struct scenario chaos_scenarios[], ownership_scenarios[], redis_scenarios[], lease_scenarios[],
	degraded_scenarios[], multi_scenarios[];

/* Runs one seed to its end; returns when all is well. */
void scenario_run(struct world *world);

#endif
