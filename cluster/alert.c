/* The table of alerts, and what holds without a policy. */
#include "skein/cluster/alert.h"

#include "skein/proto/base/check.h"

#define MINUTE_MS 60000ull
#define HOUR_MS   3600000ull

enum { GONE_WINDOWS = 3, CALM_PARTS = 10, DAY_S = 86400, YEAR_MAX = 10000 };

const char *const alert_severity_names[ALERT_CRITICAL + 1] = {
	[ALERT_INFO] = "info",
	[ALERT_WARNING] = "warning",
	[ALERT_CRITICAL] = "critical",
};

static const struct alert_kind kinds[ALERT_COUNT] = {
	[ALERT_SENDER_SPIKE] = { "sender-spike", ALERT_UNIT_TIMES, 10, 500, 0, ALERT_WARNING,
		"a sender sends far more than usual: a program that repeats itself, or a stolen password",
		"skeinctl trace --from @DOMAIN --since 1h shows its mail; skeinctl ban add or a limit stops "
		"it" },
	[ALERT_LOGIN_FAILURES] = { "login-failures", ALERT_UNIT_NUMBER, 50, 0, 0, ALERT_WARNING,
		"one client or one account fails to log in again and again: an old password in a program, or "
		"somebody guesses",
		"skeinctl log --kind AUTH --since 10m says who and from where; skeinctl ban list" },
	[ALERT_LOGIN_FAILURES_ALL] = { "login-failures-all", ALERT_UNIT_NUMBER, 500, 0, 0, ALERT_WARNING,
		"many logins fail in the whole cluster: the directory, or somebody guesses from many "
		"addresses",
		"skeinctl log --kind AUTH --since 10m; directory-down or directory-refuses-us in the logs of "
		"nodes" },
	[ALERT_DEFERRALS] = { "deferrals", ALERT_UNIT_PERCENT, 50, 20, 5 * MINUTE_MS, ALERT_WARNING,
		"many attempts to deliver are put off",
		"skeinctl hops; skeinctl log --kind DEFER --since 1h says who puts off and why" },
	[ALERT_BOUNCES] = { "bounces", ALERT_UNIT_PERCENT, 20, 20, 5 * MINUTE_MS, ALERT_WARNING,
		"many messages are refused for good or given up",
		"skeinctl log --kind FAIL,EXPIRE --since 1h says who refuses and why" },
	[ALERT_QUEUE_AGE] = { "queue-age", ALERT_UNIT_AGE, 4 * HOUR_MS, 0, 5 * MINUTE_MS, ALERT_WARNING,
		"the oldest message waits for long",
		"skeinctl queue list --sort age, then skeinctl queue show ID; skeinctl hops" },
	[ALERT_QUEUE_SIZE] = { "queue-size", ALERT_UNIT_NUMBER, 10000, 0, 5 * MINUTE_MS, ALERT_WARNING,
		"the queue is long", "skeinctl hops, skeinctl top, skeinctl queue list --sort age" },
	[ALERT_NODE_LOST] = { "node-lost", ALERT_UNIT_NUMBER, 0, 0, 0, ALERT_CRITICAL, "a node is dead",
		"start it: systemctl status skein on its host; if its disk will not come back: skeinctl node "
		"forget" },
	[ALERT_LEADER_CHANGE] = { "leader-change", ALERT_UNIT_NUMBER, 0, 0, 0, ALERT_INFO,
		"another node leads the cluster; nothing is wrong with that after a restart",
		"skeinctl status; when it happens again and again: leader and fenced in the logs of nodes" },
	[ALERT_REDIS_UNSAFE] = { "redis-unsafe", ALERT_UNIT_NUMBER, 0, 0, 0, ALERT_CRITICAL,
		"Redis may lose the second copy of mail",
		"skeinctl doctor; maxmemory-policy noeviction; appendonly yes, or a replica" },
	[ALERT_REDIS_REPLICAS] = { "redis-replicas", ALERT_UNIT_NUMBER, 0, 0, MINUTE_MS, ALERT_CRITICAL,
		"mail is not on as many hosts as redis.wait_replicas wants",
		"skeinctl doctor; INFO replication of the master: start the replica that is not there" },
	[ALERT_REDIS_MEMORY] = { "redis-memory", ALERT_UNIT_PERCENT, 80, 0, MINUTE_MS, ALERT_WARNING,
		"Redis is nearly full",
		"skeinctl status: mail that does not leave; otherwise a larger maxmemory" },
	[ALERT_MAIL_DEGRADED] = { "mail-degraded", ALERT_UNIT_NUMBER, 0, 0, 0, ALERT_WARNING,
		"mail was accepted with one copy only, because Redis was away",
		"skeinctl doctor; redis-down in the logs of nodes says since when and why" },
	[ALERT_CERTIFICATE] = { "certificate", ALERT_UNIT_DAYS, 14, 0, 0, ALERT_WARNING,
		"a certificate ends soon",
		"a node's: the new file in its place, then systemctl reload skein; a next hop's: tell who "
		"runs "
		"it" },
	[ALERT_DNS] = { "dns", ALERT_UNIT_NUMBER, 0, 0, 0, ALERT_WARNING,
		"domains that we send for publish what fails", "skeinctl dns status" },
	[ALERT_POLICY_DRIFT] = { "policy-drift", ALERT_UNIT_NUMBER, 0, 0, MINUTE_MS, ALERT_WARNING,
		"a node runs another version of the policy, or refuses one",
		"skeinctl nodes; policy-refused in its log says why: an older Skein may not understand it" },
	[ALERT_DISK] = { "disk", ALERT_UNIT_PERCENT, 80, 0, MINUTE_MS, ALERT_CRITICAL,
		"a node's journal or disk is nearly full; then it takes no mail",
		"df on its host: room, or journal.size_max; skeinctl hops, if mail does not leave" },
	[ALERT_LOG_DROPPED] = { "log-dropped", ALERT_UNIT_NUMBER, 0, 0, 0, ALERT_WARNING,
		"lines of the log were lost", "the disk of log.file is slow, or log.level says too much" },
	[ALERT_TRACK_LOST] = { "track-lost", ALERT_UNIT_NUMBER, 0, 0, 0, ALERT_WARNING,
		"tracking events were lost: skeinctl trace does not know all",
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

static unsigned days_of_month(unsigned year, unsigned month)
{
	static const unsigned days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month] + (month == 1 && is_leap);
}

void alert_append_day(int64_t unix_s, struct buf *out)
{
	int64_t day = unix_s > 0 ? unix_s / DAY_S : 0;
	unsigned year = 1970, month = 0;

	while (year < YEAR_MAX && day >= days_of_month(year, month)) {
		day -= days_of_month(year, month);
		month = (month + 1) % 12;
		year += month == 0;
	}
	buf_printf(out, "%04u-%02u-%02u", year, month + 1, (unsigned)day + 1);
}

uint64_t alert_gone_ms(enum alert alert, const struct alert_policy *policy)
{
	switch (alert) {
	case ALERT_DEFERRALS:
	case ALERT_BOUNCES:
		return GONE_WINDOWS * policy->window_ms;
	case ALERT_QUEUE_AGE:
	case ALERT_QUEUE_SIZE:
		return 10 * MINUTE_MS;
	case ALERT_CERTIFICATE:
		return 24 * HOUR_MS;
	case ALERT_DNS:
	case ALERT_DISK:
		return HOUR_MS;
	default:
		return 0;
	}
}

uint64_t alert_calm_ms(enum alert alert, const struct alert_policy *policy)
{
	uint64_t least_ms = policy->window_ms / CALM_PARTS, for_ms = policy->rules[alert].for_ms;

	return for_ms > least_ms ? for_ms : least_ms;
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
