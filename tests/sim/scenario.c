#include "scenario.h"

#include "faults.h"
#include "invariants.h"
#include "mail.h"
#include "node.h"
#include "operator.h"
#include "script.h"
#include "store.h"

#include "skein/proto/base/alloc.h"

#include <string.h>

enum { CALM_MAX_S = 400, TIDY_S = 10, DEEP_S = 3, FINISH_LOOK_S = 2 };

const struct scenario *scenario_at(size_t index)
{
	static const struct scenario *const files[] = { chaos_scenarios, ownership_scenarios, redis_scenarios,
		lease_scenarios, degraded_scenarios, multi_scenarios };

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		for (const struct scenario *it = files[i]; it->name; it++) {
			if (index-- == 0)
				return it;
		}
	}
	return NULL;
}

const struct scenario *scenario_find(const char *name)
{
	const struct scenario *scenario;

	for (size_t i = 0; (scenario = scenario_at(i)); i++) {
		if (strcmp(scenario->name, name) == 0)
			return scenario;
	}
	return NULL;
}

void happened(struct world *world, struct happening *happening)
{
	invariants_look(world, happening);
	if (world->scenario->script && !world->is_calm)
		script_go_on(world, happening);
}

/* A node that an operator drained stays as it is until somebody starts it again. */
static void restart_drained(struct world *world)
{
	for (unsigned i = 0; i < world->node_count; i++) {
		struct node *node = &world->nodes[i];

		if (node->life && node->is_draining && !node->is_leaving && world_chance(world, 30)) {
			node_crash(node);
			node_start(node);
		}
	}
}

static void on_second(void *arg)
{
	struct world *world = arg;
	struct happening happening = { .kind = SAW_SECOND };

	world_plan(world, SECOND_US, on_second, world);
	if (world->broken == BROKEN_WAIT)
		store_copy(world, DB_MAIN, DB_REPLICA);
	happened(world, &happening);
	if (!world->is_calm)
		restart_drained(world);
	if (world->agenda.now_us / SECOND_US % DEEP_S == 0)
		invariants_look_deep(world);
	if (world->is_calm && (world->agenda.now_us - world->calm_since_us) / SECOND_US % TIDY_S == 1)
		operator_tidy(world);
}

static struct settings *make_settings(const struct scenario *scenario)
{
	struct settings *settings = mem_zalloc(sizeof(*settings));

	settings->retry.first_ms = 1000;
	settings->retry.max_ms = 8000;
	settings->retry.expire_ms = (scenario->odds.expire_s ? scenario->odds.expire_s : 3600) * 1000;
	settings->redundancy = scenario->is_required ? REDUNDANCY_REQUIRED : REDUNDANCY_PREFERRED;
	settings->node.hostname = "node.example";
	return settings;
}

static unsigned or_else(unsigned value, unsigned usual)
{
	return value ? value : usual;
}

static void build(struct world *world)
{
	const struct scenario *scenario = world->scenario;

	world->odds = scenario->odds;
	world->settings = make_settings(scenario);
	world->node_count = or_else(scenario->nodes, 3);
	world->worker_count = or_else(scenario->workers, 1);
	world->shards = or_else(scenario->shards, 2);
	world->store.has_replica = world->store.replica_is_reachable = scenario->has_replica;
	table_init(&world->mails_by_id, world->random.state);
	operator_start(world);
	for (unsigned i = 0; i < world->node_count; i++) {
		node_init(world, i);
		node_start(&world->nodes[i]);
	}
	world_plan(world, SECOND_US, on_second, world);
	clients_start(world);
	faults_start(world);
}

static void run_until_calm(struct world *world)
{
	const struct scenario *scenario = world->scenario;
	uint64_t end_us = or_else(scenario->seconds, 60) * SECOND_US;
	uint64_t steps = world->steps_max ? world->steps_max : or_else(scenario->steps, UINT32_MAX);

	if (world->steps_max)
		end_us = UINT64_MAX;
	while (world->agenda.now_us < end_us && world->agenda.steps < steps)
		CHECK(agenda_step(&world->agenda));
}

static void run_calm(struct world *world)
{
	uint64_t look_us = world->agenda.now_us;
	const char *unfinished = "everything";

	while (unfinished) {
		CHECK(agenda_step(&world->agenda));
		if (world->agenda.now_us < look_us)
			continue;
		look_us = world->agenda.now_us + FINISH_LOOK_S * SECOND_US;
		unfinished = invariants_unfinished(world);
		if (unfinished && world->agenda.now_us - world->calm_since_us > CALM_MAX_S * SECOND_US)
			violation(world, "everything_comes_to_its_end", "%s", unfinished);
	}
	invariants_look_deep(world);
}

void scenario_run(struct world *world)
{
	const struct scenario *scenario = world->scenario;

	build(world);
	run_until_calm(world);
	if (world->script.step < scenario->steps_of_script)
		violation(world, "the_script_ran", "it is at step %u of %u", world->script.step,
			scenario->steps_of_script);
	faults_end(world);
	run_calm(world);
}
