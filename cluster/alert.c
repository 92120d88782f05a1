/* The table of alerts, and what holds without a policy. */
#include "skein/cluster/alert.h"

#include "skein/proto/base/check.h"

#define MINUTE_MS 60000ull
#define HOUR_MS   3600000ull

const char *const alert_severity_names[ALERT_CRITICAL + 1] = {
	[ALERT_INFO] = "info",
	[ALERT_WARNING] = "warning",
	[ALERT_CRITICAL] = "critical",
};

static const struct alert_kind kinds[ALERT_COUNT] = {
	[ALERT_SENDER_SPIKE] = { "sender-spike", ALERT_UNIT_TIMES, 10, 500, 0, ALERT_WARNING,
		"a sender sends far more than usual",
		"look for a program that repeats itself or a stolen password: skeinctl ban add, a limit" },
	[ALERT_LOGIN_FAILURES] = { "login-failures", ALERT_UNIT_NUMBER, 50, 0, 0, ALERT_WARNING,
		"one client or one account fails to log in again and again",
		"a wrong password in a program, or somebody guesses: skeinctl ban list" },
	[ALERT_LOGIN_FAILURES_ALL] = { "login-failures-all", ALERT_UNIT_NUMBER, 500, 0, 0, ALERT_WARNING,
		"many logins fail in the whole cluster",
		"the directory, or somebody guesses from many addresses" },
	[ALERT_DEFERRALS] = { "deferrals", ALERT_UNIT_PERCENT, 50, 20, 5 * MINUTE_MS, ALERT_WARNING,
		"many attempts to deliver are put off", "skeinctl hops, skeinctl queue list" },
	[ALERT_BOUNCES] = { "bounces", ALERT_UNIT_PERCENT, 20, 20, 5 * MINUTE_MS, ALERT_WARNING,
		"many messages are refused for good or given up", "skeinctl log --kind FAIL --since 1h says why" },
	[ALERT_QUEUE_AGE] = { "queue-age", ALERT_UNIT_AGE, 4 * HOUR_MS, 0, 5 * MINUTE_MS, ALERT_WARNING,
		"the oldest message waits for long", "skeinctl queue list --sort age, skeinctl hops" },
	[ALERT_QUEUE_SIZE] = { "queue-size", ALERT_UNIT_NUMBER, 10000, 0, 5 * MINUTE_MS, ALERT_WARNING,
		"the queue is long", "skeinctl queue list, skeinctl hops" },
	[ALERT_NODE_LOST] = { "node-lost", ALERT_UNIT_NUMBER, 0, 0, 0, ALERT_CRITICAL, "a node is dead",
		"start it, or give it up with skeinctl node forget" },
	[ALERT_LEADER_CHANGE] = { "leader-change", ALERT_UNIT_NUMBER, 0, 0, 0, ALERT_INFO,
		"another node leads the cluster",
		"nothing after a restart; else the log of the node that led before" },
	[ALERT_REDIS_UNSAFE] = { "redis-unsafe", ALERT_UNIT_NUMBER, 0, 0, 0, ALERT_CRITICAL,
		"Redis may lose the second copy of mail",
		"maxmemory-policy noeviction; appendonly yes, or a replica" },
	[ALERT_REDIS_REPLICAS] = { "redis-replicas", ALERT_UNIT_NUMBER, 0, 0, MINUTE_MS, ALERT_CRITICAL,
		"Redis has fewer replicas than redis.wait_replicas", "the replicas of Redis" },
	[ALERT_REDIS_MEMORY] = { "redis-memory", ALERT_UNIT_PERCENT, 80, 0, MINUTE_MS, ALERT_WARNING,
		"Redis is nearly full", "maxmemory; or mail does not leave: skeinctl status" },
	[ALERT_MAIL_DEGRADED] = { "mail-degraded", ALERT_UNIT_NUMBER, 0, 0, 0, ALERT_WARNING,
		"mail was accepted with one copy only", "Redis was away: redis-down in the log" },
	[ALERT_CERTIFICATE] = { "certificate", ALERT_UNIT_DAYS, 14, 0, 0, ALERT_WARNING,
		"a certificate ends soon", "put a new one in its place, then SIGHUP" },
	[ALERT_DNS] = { "dns", ALERT_UNIT_NUMBER, 0, 0, 0, ALERT_WARNING, "domains publish what fails",
		"skeinctl dns status" },
	[ALERT_POLICY_DRIFT] = { "policy-drift", ALERT_UNIT_NUMBER, 0, 0, MINUTE_MS, ALERT_WARNING,
		"a node runs another version of the policy, or refuses one",
		"policy-refused in its log; an older Skein may not understand it" },
	[ALERT_DISK] = { "disk", ALERT_UNIT_PERCENT, 80, 0, MINUTE_MS, ALERT_CRITICAL,
		"a node's journal or disk is nearly full",
		"room on its disk, journal.size_max; or mail does not leave" },
	[ALERT_LOG_DROPPED] = { "log-dropped", ALERT_UNIT_NUMBER, 0, 0, 0, ALERT_WARNING,
		"lines of the log were lost", "the disk of log.file is slow, or log.level says too much" },
	[ALERT_TRACK_LOST] = { "track-lost", ALERT_UNIT_NUMBER, 0, 0, 0, ALERT_WARNING,
		"tracking events were lost",
		"skein_tracking_lost_total says where: the file, Redis, the rings" },
};

const struct alert_kind *alert_kind(enum alert alert)
{
	CHECK(alert < ALERT_COUNT);
	return &kinds[alert];
}

bool alert_find(struct span name, enum alert *alert_out)
{
	for (enum alert it = 0; it < ALERT_COUNT; it++) {
		if (span_eq(name, span_of_str(kinds[it].name))) {
			*alert_out = it;
			return true;
		}
	}
	return false;
}

const char *alert_severity_name(enum alert_severity severity)
{
	return alert_severity_names[severity];
}

static void append_age(uint64_t ms, struct buf *out)
{
	static const struct {
		uint64_t ms;
		char letter;
	} units[] = { { 24 * HOUR_MS, 'd' }, { HOUR_MS, 'h' }, { MINUTE_MS, 'm' }, { 1000, 's' } };
	unsigned shown = 0;

	for (size_t i = 0; i < ARRAY_LEN(units) && shown < 2; i++) {
		if (ms < units[i].ms && !(i + 1 == ARRAY_LEN(units) && !shown))
			continue;
		buf_append_u64(out, ms / units[i].ms);
		buf_append_byte(out, units[i].letter);
		ms %= units[i].ms;
		shown++;
		if (!ms)
			return;
	}
}

void alert_append_value(enum alert_unit unit, uint64_t value, struct buf *out)
{
	static const char *const behind[] = {
		[ALERT_UNIT_NUMBER] = "",
		[ALERT_UNIT_TIMES] = " times",
		[ALERT_UNIT_PERCENT] = "%",
		[ALERT_UNIT_DAYS] = " days",
	};

	if (unit == ALERT_UNIT_AGE) {
		append_age(value, out);
		return;
	}
	buf_append_u64(out, value);
	buf_append_str(out, behind[unit]);
}

void alert_policy_preset(struct alert_policy *policy)
{
	*policy = (struct alert_policy){ .window_ms = 10 * MINUTE_MS, .repeat_ms = 24 * HOUR_MS };
	for (enum alert it = 0; it < ALERT_COUNT; it++)
		policy->rules[it] = (struct alert_rule){
			.is_on = true,
			.bound = kinds[it].bound,
			.least = kinds[it].least,
			.for_ms = kinds[it].for_ms,
			.severity = kinds[it].severity,
		};
}
