#include "scenario.h"

#include <string.h>

#define PATCH(from, to)                                                                                      \
	{                                                                                                    \
		from, to                                                                                     \
	}

#define WINDOW   "one_node_is_in_the_window"
#define RECEIPT  "a_second_receipt_has_a_cause"
#define LOST     "nothing_acknowledged_is_lost"
#define EX_OWNER "an_ex_owner_only_reports"
#define THE_END  "everything_comes_to_its_end"

/* Leases as keys with a time to live would have it. */
static const struct patch lease_ttl[] = {
	PATCH("'HMGET', key, 'epoch', 'counter', 'state', 'floor')",
		"'HMGET', key, 'epoch', 'counter', 'state', 'floor')\n"
		"  local at = tonumber(redis.call('HGET', key, 'at') or 0)\n"
		"  if at > 0 and clock.now_ms() - at > 5000 then\n    v[3], v[4] = NODE_DEAD, v[1]\n  end\n"),
	PATCH("local counter = redis.call('HINCRBY', k[NODE], 'counter', 1)",
		"redis.call('HSET', k[NODE], 'at', clock.now_ms())\n"
		"local counter = redis.call('HINCRBY', k[NODE], 'counter', 1)"),
	PATCH("'state', NODE_ALIVE, 'floor', held.floor)",
		"'state', NODE_ALIVE, 'floor', held.floor, 'at', clock.now_ms())"),
};

/* Settling is the owner's alone. */
static const struct patch owners_facts[] = {
	PATCH("  settle.acknowledge(k[NEWS], args, 4)\n",
		"  if m and (m.owner == '' or not k[NEWS]:find(node_of(m.owner), 1, true)) then\n"
		"    return 'OK'\n  end\n  settle.acknowledge(k[NEWS], args, 4)\n"),
};

static const struct patch renew_revives[] = { PATCH(
	"held.state ~= NODE_ALIVE or held.epoch ~= tonumber(epoch)", "held.epoch ~= tonumber(epoch)") };
static const struct patch no_floor[] = { PATCH(
	"math.max(lease(k[NODE]).floor, args[1] - 1)", "lease(k[NODE]).floor") };
static const struct patch no_turn[] = { PATCH(
	"if m.owner ~= incarnation or m.turn ~= turn then", "if m.owner ~= incarnation then") };
static const struct patch no_seen[] = { PATCH("if wanted[id] then", "if false then") };
static const struct patch anyone_creates[] = { PATCH(
	"if not call.holder and (call.turn == 0 or not call.in_grace)", "if false") };
/* And the adopt would ask for the body, of which nothing is left. */
static const struct patch no_tombstone_age[] = {
	PATCH("fence.read(k), clock.now_ms(), tonumber(args[1])", "fence.read(k), clock.now_ms(), 0"),
	PATCH("if lacks_body(k, m, msg) then", "if false then"),
};
static const struct patch fences_fall[] = { PATCH(
	"if floor > (all.fences[node] or 0) then", "if floor ~= (all.fences[node] or 0) then") };
static const struct patch cancel_at_once[] = { PATCH(
	"  if m.owner ~= '' then\n    record.set_flag(m, FLAG_CANCEL, true)",
	"  if false then\n    record.set_flag(m, FLAG_CANCEL, true)") };
static const struct patch no_grace[] = { PATCH("if grace > now then", "if false then") };
static const struct patch nobody_lives[] = { PATCH("if args[3] == '' then", "if false then") };
static const struct patch turns_do_not_win[] = { PATCH(
	"if m and is_anothers(m, incarnation) and call.turn <= m.turn then",
	"if m and is_anothers(m, incarnation) then") };
static const struct patch keep_takes[] = { PATCH("m, ended = make_unowned(k, msg, node, turn)",
	"m, ended = message.create(k, msg, k[MSG], node, incarnation, turn + 1)") };
static const struct patch no_copy[] = { PATCH(
	"if fate_of(k, m.origin, fates) ~= FATE_ALIVE then", "if false then") };
static const struct patch no_partial[] = { PATCH("elseif united ~= m.settled then", "elseif false then") };
static const struct patch no_news[] = { PATCH(
	"    record.tell(k, m.id, m.holders, settled.news(PENDING, united))\n  end\nend", "  end\nend") };
static const struct patch no_stash[] = { PATCH("elseif facts:find('[^0]') and not", "elseif false and not") };
static const struct patch defer_ends[] = { PATCH(
	"return record.let_go(k, m, clock.now_ms() + tonumber(args[4])) or 'OK'",
	"m.settled = settled.close(m.settled, DELIVERED)\n  return record.finish(k, m, DELIVERED)") };

#define PATCHES(list) .patches = (list), .patch_count = ARRAY_LEN(list)

/* Those of a finding take its rule out of the finding's scenario. */
static const struct breaking breakings[] = {
	{ "finding_01_renew_revives_nothing", NULL, WINDOW, PATCHES(renew_revives) },
	{ "finding_02_claimed_then_restarted", NULL, THE_END, PATCHES(no_floor) },
	{ "finding_03_settled_comes_after_adopt", NULL, WINDOW, .broken = BROKEN_DECLARE },
	{ "finding_04_lost_claim_reply", NULL, THE_END, .broken = BROKEN_RECONCILE },
	{ "finding_05_late_defer", NULL, EX_OWNER, PATCHES(no_turn) },
	{ "finding_06_fact_of_the_fenced", NULL, RECEIPT, PATCHES(owners_facts) },
	{ "finding_07_tombstone_waits_for_done", NULL, RECEIPT, PATCHES(no_seen) },
	{ "finding_08_adopt_of_no_holder", NULL, RECEIPT, PATCHES(anyone_creates) },
	{ "finding_09_adopt_after_seen", NULL, THE_END, PATCHES(no_tombstone_age) },
	{ "finding_10_no_dot_without_a_lease", NULL, WINDOW, .broken = BROKEN_WINDOW },
	{ "finding_11_stale_leader", NULL, EX_OWNER, PATCHES(fences_fall) },
	{ "finding_12_cancel_of_an_owned_message", NULL, "cancelled_is_no_lie", PATCHES(cancel_at_once),
		.seeds = 5 },
	{ "finding_13_claims_wait_for_all", NULL, WINDOW, PATCHES(no_grace), .seeds = 3 },
	{ "finding_13_who_has_just_started", NULL, WINDOW, PATCHES(nobody_lives), .seeds = 5 },
	{ "finding_14_the_higher_turn_wins", NULL, WINDOW, PATCHES(turns_do_not_win), .seeds = 3 },
	{ "finding_15_holders_do_not_take", NULL, WINDOW, PATCHES(keep_takes), .seeds = 3 },
	{ "finding_16_fact_of_no_owner", NULL, RECEIPT, PATCHES(owners_facts) },
	{ "finding_17_facts_for_ten_minutes", NULL, RECEIPT, .broken = BROKEN_FACTS },
	{ "finding_18_who_takes_over_makes_a_copy", NULL, LOST, PATCHES(no_copy) },
	{ "finding_19_redis_and_node_on_one_host", NULL, LOST, .broken = BROKEN_WAIT, .seeds = 3 },
	{ "finding_21_redis_clock_jumps", NULL, WINDOW, PATCHES(lease_ttl), .seeds = 5 },
	{ "finding_23_the_mark_is_lost", NULL, WINDOW, .broken = BROKEN_GENERATION },
	{ "finding_24_split_brain", NULL, WINDOW, .broken = BROKEN_WAIT },
	{ "finding_25_written_is_not_local", NULL, WINDOW, .broken = BROKEN_LEASE },
	{ "finding_27_no_451_after_a_time_out", NULL, "no_means_no", .broken = BROKEN_NEGATIVE },
	{ "finding_29_no_451_before_done", NULL, "no_means_no", .broken = BROKEN_DONE },
	{ "finding_32_settle_per_transaction", NULL, RECEIPT, PATCHES(no_partial) },
	{ "finding_33_news_of_recipients", NULL, RECEIPT, PATCHES(no_news) },
	{ "finding_34_facts_before_the_record", NULL, RECEIPT, PATCHES(no_stash), .seeds = 3 },
	{ "finding_35_reports_are_in_the_journal", NULL, LOST, .broken = BROKEN_REPORT },
	{ "early_custody", "lost_disks", LOST, .broken = BROKEN_CUSTODY, .seeds = 10 },
	{ "defer_ends", "bad_hop", "a_tombstone_hides_nothing", PATCHES(defer_ends) },
	{ "altered_body", "bad_hop", "a_mail_keeps_its_body", .broken = BROKEN_BODY },
};

const struct breaking *breaking_at(size_t index)
{
	return index < ARRAY_LEN(breakings) ? &breakings[index] : NULL;
}

const char *breaking_scenario(const struct breaking *breaking)
{
	return breaking->scenario ? breaking->scenario : breaking->name;
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
