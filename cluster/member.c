/*
 * Happy path: link ready → open → register → (spool) → HELD: renew and nodes every renew_ms, lead beside
 * them. A link that comes back on the same Redis goes straight to renew: the epoch is good until it is told
 * FENCED. On another Redis (replication id) it registers anew: an epoch is never renewed there (protocol.md,
 * finding 23).
 */
#include "skein/cluster/member.h"

#include "member_internal.h"
#include "skein/proto/base/alloc.h"

#include <stdio.h>
#include <string.h>

/* GATHERING_MS: as the grace of grace.lua. */
enum { REGISTER_RETRY_MS = 2000, GATHERING_MS = 6000 };

#define TO(phase) (1u << MEMBER_##phase)

static const struct {
	const char *name;
	unsigned next;
} phases[MEMBER_PHASE_COUNT] = {
	[MEMBER_OFFLINE] = { "offline", TO(OPENING) | TO(RENEWING) },
	[MEMBER_OPENING] = { "opening", TO(REGISTERING) | TO(RESTING) | TO(OFFLINE) },
	[MEMBER_REGISTERING] = { "registering", TO(PERSISTING) | TO(RESTING) | TO(OFFLINE) },
	[MEMBER_PERSISTING] = { "persisting", TO(RENEWING) | TO(OFFLINE) },
	[MEMBER_RENEWING] = { "renewing", TO(REGISTERING) | TO(OFFLINE) },
	[MEMBER_RESTING] = { "resting", TO(OPENING) | TO(OFFLINE) },
};

/* The only place that writes member->phase. */
static void enter_phase(struct member *member, enum member_phase next)
{
	if (member->phase == next)
		return;
	CHECK(phases[member->phase].next & (1u << next));
	member->phase = next;
}

struct member *member_new(
	const struct member_options *options, struct redis_link *link, const struct member_owner *owner)
{
	struct member *member = mem_zalloc(sizeof(*member));

	member->options = *options;
	member->link = link;
	member->owner = *owner;
	member->epoch_last = options->epoch;
	return member;
}

void member_free(struct member **member)
{
	leader_fini(*member);
	mem_free(*member);
	*member = NULL;
}

struct incarnation member_self(const struct member *member)
{
	return (struct incarnation){ member->options.uuid, member->lease.epoch };
}

static void tell_lease(struct member *member)
{
	member->owner.on_lease(member->owner.ctx, &member->lease);
}

static void rest(struct member *member, const char *why)
{
	enter_phase(member, MEMBER_RESTING);
	member->rest_until_ms = member->now_ms + REGISTER_RETRY_MS;
	member->is_refused = why != NULL;
	if (why)
		member->owner.on_refused(member->owner.ctx, why);
}

/* --- open and register -------------------------------------------------------------------------- */

static const char *refusal_text(enum outcome_refusal refusal)
{
	switch (refusal) {
	case REFUSAL_NONE:
		break;
	case REFUSAL_NAME:
		return "another living node has this name: give each node its own node.name, or wait until "
		       "the "
		       "other one has been gone for some seconds";
	case REFUSAL_HOST:
		return "this spool lives on another host: a copied spool (a cloned machine) needs its uuid "
		       "file "
		       "removed, a moved one must wait until the old node is seen dead";
	case REFUSAL_FORGOTTEN:
		return "an operator has forgotten this node: start it with a new spool";
	case REFUSAL_FORMAT:
		return "the data in Redis has another format: this version of Skein cannot join";
	case REFUSAL_CLUSTER:
		return "this Redis belongs to another cluster: check redis.address and redis.prefix";
	}
	return "refused";
}

static void on_registered(void *arg, const struct outcome *outcome, uint64_t epoch)
{
	struct member *member = arg;

	member->in_flight--;
	if (member->phase != MEMBER_REGISTERING)
		return;
	if (outcome->kind == OUTCOME_REFUSED) {
		rest(member, refusal_text(outcome->refusal));
		return;
	}
	if (outcome->kind != OUTCOME_OK) {
		rest(member, NULL);
		return;
	}
	member->told_fence = 0;
	member->is_refused = false;
	member->epoch_last = epoch;
	member->granted = epoch;
	enter_phase(member, MEMBER_PERSISTING);
	member->owner.on_granted(member->owner.ctx, epoch);
}

static void send_register(struct member *member)
{
	const struct registry_register args = {
		.node = member->options.uuid,
		.name = span_of_str(member->options.name),
		.host = span_of_str(member->options.host),
		.address = span_of_str(member->options.address),
		.admin = span_of_str(member->options.admin_address),
		.version = span_of_str(member->options.version),
		.last_epoch = member->epoch_last,
		.told_fence = member->told_fence,
	};

	enter_phase(member, MEMBER_REGISTERING);
	member->sent_ms = member->now_ms;
	if (registry_register(member->link, &args, member->now_ms, on_registered, member))
		member->in_flight++;
}

static void on_opened(void *arg, const struct outcome *outcome, const struct registry_cluster *cluster)
{
	struct member *member = arg;
	char why[160];

	member->in_flight--;
	if (member->phase != MEMBER_OPENING)
		return;
	if (outcome->kind == OUTCOME_REFUSED) {
		rest(member, refusal_text(outcome->refusal));
		return;
	}
	if (!outcome_is_ok(outcome)) {
		rest(member, NULL);
		return;
	}
	if (cluster->shards != member->options.shards) {
		snprintf(why, sizeof(why), "the cluster was made with %u shards: set redis.shards to that",
			cluster->shards);
		rest(member, why);
		return;
	}
	send_register(member);
}

static void send_open(struct member *member)
{
	const struct registry_open args = {
		.cluster_id = span_of_str(member->options.cluster_id),
		.shards = member->options.shards,
	};

	enter_phase(member, MEMBER_OPENING);
	if (registry_open(member->link, &args, member->now_ms, on_opened, member))
		member->in_flight++;
}

void member_epoch_is_durable(struct member *member, uint64_t epoch, uint64_t now_ms)
{
	const char *generation = redis_link_identity(member->link)->replication_id;

	member->now_ms = now_ms;
	if (member->phase != MEMBER_PERSISTING || member->granted != epoch)
		return;
	if (strcmp(generation, member->lease.generation) != 0)
		member->living_from_ms = now_ms + GATHERING_MS;
	member->lease.epoch = epoch;
	snprintf(member->lease.generation, sizeof(member->lease.generation), "%s", generation);
	/* Registering began the lease, at the moment it was sent. */
	member->lease.trust_until_ms = member->sent_ms + member->options.ttl_ms - member->options.margin_ms;
	member->settled = false;
	member->next_renew_ms = now_ms;
	enter_phase(member, MEMBER_RENEWING);
	tell_lease(member);
}

/* --- the lease ---------------------------------------------------------------------------------- */

static void lose_epoch(struct member *member, uint64_t fence)
{
	if (fence > member->told_fence)
		member->told_fence = fence;
	member->lease.trust_until_ms = 0;
	tell_lease(member);
	leader_stop(member);
	send_register(member);
}

static void on_renewed(void *arg, const struct outcome *outcome, const struct registry_renewed *renewed)
{
	struct member_renewal *renewal = arg;
	struct member *member = renewal->member;

	member->in_flight--;
	member->renewing = false;
	if (member->phase == MEMBER_RENEWING && renewal->epoch == member->lease.epoch) {
		if (outcome->kind == OUTCOME_FENCED) {
			lose_epoch(member, outcome->fence);
		} else if (outcome->kind == OUTCOME_OK) {
			member->lease.trust_until_ms =
				renewal->sent_ms + member->options.ttl_ms - member->options.margin_ms;
			member->counter = renewed->counter;
			tell_lease(member);
			if (renewed->drain != member->is_draining) {
				member->is_draining = renewed->drain;
				member->owner.on_drain(member->owner.ctx, renewed->drain);
			}
		}
	}
	mem_free(renewal);
}

static void send_renew(struct member *member)
{
	const struct registry_renew args = {
		.node = member_self(member),
		.load = span_of_str(member->load ? member->load : ""),
	};
	struct member_renewal *renewal;

	member->next_renew_ms = member->now_ms + member->options.renew_ms;
	if (member->renewing)
		return;
	renewal = mem_alloc(sizeof(*renewal));
	*renewal = (struct member_renewal){ member, member->now_ms, member->lease.epoch };
	if (!registry_renew(member->link, &args, member->now_ms, on_renewed, renewal)) {
		mem_free(renewal);
		return;
	}
	member->in_flight++;
	member->renewing = true;
}

static void on_settled(void *arg, const struct outcome *outcome)
{
	struct member *member = arg;

	member->in_flight--;
	if (member->phase == MEMBER_RENEWING && outcome->kind == OUTCOME_OK)
		member->settled = true;
}

/* Repeated until it is heard: without it, what our older epochs owned waits for our death. */
static void send_settled(struct member *member)
{
	struct incarnation self = member_self(member);

	if (registry_settled(member->link, &self, member->now_ms, on_settled, member))
		member->in_flight++;
}

void member_switched(struct member *member, uint64_t epoch, uint64_t now_ms)
{
	member->now_ms = now_ms;
	if (epoch != member->lease.epoch)
		return;
	member->switched_epoch = epoch;
	if (member->phase == MEMBER_RENEWING && !member->settled)
		send_settled(member);
}

void member_fenced(struct member *member, uint64_t epoch, uint64_t fence, uint64_t now_ms)
{
	member->now_ms = now_ms;
	if (member->phase == MEMBER_RENEWING && epoch == member->lease.epoch)
		lose_epoch(member, fence);
}

/* --- the link and the clock --------------------------------------------------------------------- */

void member_link_ready(struct member *member, uint64_t now_ms)
{
	const char *generation = redis_link_identity(member->link)->replication_id;

	member->now_ms = now_ms;
	leader_stop(member);
	if (member->lease.epoch && strcmp(generation, member->lease.generation) == 0) {
		enter_phase(member, MEMBER_RENEWING);
		send_renew(member);
		return;
	}
	if (member->lease.trust_until_ms) {
		member->lease.trust_until_ms = 0;
		tell_lease(member);
	}
	send_open(member);
}

void member_link_lost(struct member *member, uint64_t now_ms)
{
	member->now_ms = now_ms;
	member->renewing = false;
	leader_stop(member);
	enter_phase(member, MEMBER_OFFLINE);
}

static void renew_and_lead(struct member *member)
{
	if (member->now_ms < member->next_renew_ms)
		return;
	send_renew(member);
	if (!member->settled && member->switched_epoch == member->lease.epoch)
		send_settled(member);
	leader_tick(member);
}

uint64_t member_tick(struct member *member, uint64_t now_ms)
{
	member->now_ms = now_ms;
	switch (member->phase) {
	case MEMBER_OFFLINE:
	case MEMBER_OPENING:
	case MEMBER_REGISTERING:
	case MEMBER_PERSISTING:
		return UINT64_MAX;
	case MEMBER_RESTING:
		if (now_ms < member->rest_until_ms)
			return member->rest_until_ms;
		if (member->is_refused)
			leader_tick(member);
		send_open(member);
		return UINT64_MAX;
	case MEMBER_RENEWING:
		renew_and_lead(member);
		return member->next_renew_ms;
	case MEMBER_PHASE_COUNT:
		break;
	}
	return UINT64_MAX;
}

void member_set_load(struct member *member, const char *load)
{
	member->load = load;
}

const struct lease *member_lease(const struct member *member)
{
	return &member->lease;
}

uint64_t member_counter(const struct member *member)
{
	return member->counter;
}

bool member_is_leader(const struct member *member)
{
	return member->leads;
}

unsigned member_nodes_alive(const struct member *member)
{
	return member->nodes_alive;
}

unsigned member_nodes_before(const struct member *member)
{
	return member->nodes_before;
}
