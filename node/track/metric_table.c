#include "track/metric_table.h"

#include "skein/cluster/track_event.h"

#include "skein/proto/milter/dialog.h"

#include "inspect/dkim_lookup.h"
#include "skein/cluster/alert.h"
#include "skein/proto/dmarc/dmarc.h"
#include "skein/proto/spf/spf.h"

#define LABEL(label_name, ...)                                                                               \
	&(const struct metric_label)                                                                         \
	{                                                                                                    \
		.name = (label_name), .values = (const char *const[]){ __VA_ARGS__ },                        \
		.count = ARRAY_LEN(((const char *const[]){ __VA_ARGS__ }))                                   \
	}
#define BUCKETS(array) .buckets = (array), .bucket_count = ARRAY_LEN(array)
#define SECONDS(array) .type = METRIC_HISTOGRAM, .per_unit = 1000000, BUCKETS(array)
#define COUNTER        .type = METRIC_COUNTER, .per_unit = 1
#define GAUGE          .type = METRIC_GAUGE, .per_unit = 1

/* µs: from what a good disk or network does to what a client gives up on. */
static const uint64_t step_us[] = { 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000,
	500000, 1000000, 2500000, 5000000, 10000000 };
/* µs: from a message that went straight through to one that waited for days. */
static const uint64_t delivery_us[] = { 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000,
	5000000, 10000000, 30000000, 60000000, 300000000, 1800000000, 7200000000, 43200000000, 172800000000 };
static const uint64_t batch_records[] = { 1, 2, 4, 8, 16, 32, 64, 128, 256, 512 };

static const struct metric_row rows[METRIC_COUNT] = {
	[METRIC_CONNECTIONS_OPEN] = { "skein_connections_open", GAUGE,
		.help = "SMTP clients connected now." },
	[METRIC_CONNECTIONS] = { "skein_connections_total", COUNTER, .help = "SMTP connections taken." },
	[METRIC_CONNECTIONS_REFUSED] = { "skein_connections_refused_total", COUNTER,
		LABEL("reason", [REFUSED_NOT_READY] = "not_ready", [REFUSED_CONNECTIONS] = "connections",
			[REFUSED_CONNECTIONS_PER_CLIENT] = "connections_per_client",
			[REFUSED_LIMIT] = "limit", [REFUSED_BANNED] = "banned",
			[REFUSED_PROXY_HEADER] = "proxy_header", [REFUSED_TLS] = "tls"),
		.help = "SMTP connections turned away before the first command, by reason." },
	[METRIC_AUTHENTICATIONS] = { "skein_authentications_total", COUNTER,
		LABEL("result", [AUTH_RESULT_ACCEPTED] = "accepted", [AUTH_RESULT_REFUSED] = "refused",
			[AUTH_RESULT_UNAVAILABLE] = "unavailable"),
		.help = "AUTH exchanges that came to their end; unavailable: a back end could not say." },
	[METRIC_LOGINS_STOPPED] = { "skein_logins_stopped_total", COUNTER,
		.help = "Logins refused without asking the directory: the account had too many failures." },
	[METRIC_LOGINS_UNSHARED] = { "skein_logins_unshared_total", COUNTER,
		.help = "Logins that were counted on this node alone, because Redis was away." },
	[METRIC_BANS] = { "skein_bans_total", COUNTER, .help = "Bans brought about by failed logins here." },
	[METRIC_BANS_KNOWN] = { "skein_bans", GAUGE,
		.help = "Clients and networks that this node knows as banned." },
	[METRIC_LIMITS_ASKED] = { "skein_limits_asked_total", COUNTER,
		LABEL("by", [LIMIT_ANSWER_REDIS] = "redis", [LIMIT_ANSWER_SHARE] = "share"),
		.help = "Decisions about limits of the policy, by who made them; share: the node's own part, "
			"because Redis was away or late." },
	[METRIC_LIMITS_REFUSED] = { "skein_limits_refused_total", COUNTER,
		.help = "Of these, those that refused." },
	[METRIC_LIMIT_RESULTS] = { "skein_limit_results_total", COUNTER,
		LABEL("result", [LIMIT_RESULT_LET_IN] = "let_in", [LIMIT_RESULT_REFUSED] = "refused",
			[LIMIT_RESULT_GIVEN_BACK] = "given_back"),
		.names = METRIC_NAMES_LIMIT,
		.help = "Decisions by limits of the policy, each client, user or domain that is counted by "
			"itself; given_back: let in, but nothing came of it." },
	[METRIC_MESSAGES_ACCEPTED] = { "skein_messages_accepted_total", COUNTER,
		.help = "Messages answered with 250: in our custody." },
	[METRIC_MESSAGES_REJECTED] = { "skein_messages_rejected_total", COUNTER,
		LABEL("class", [REJECT_TEMPORARY] = "temporary", [REJECT_PERMANENT] = "permanent"),
		.help = "Mail transactions refused with a 4xx (temporary) or 5xx (permanent) answer." },
	[METRIC_BYTES_ACCEPTED] = { "skein_bytes_accepted_total", COUNTER,
		.help = "Bytes of accepted messages, header and body." },
	[METRIC_RECIPIENTS_ACCEPTED] = { "skein_recipients_accepted_total", COUNTER,
		.help = "Recipients of accepted messages." },
	[METRIC_RECIPIENTS_REJECTED] = { "skein_recipients_rejected_total", COUNTER,
		.help = "RCPT commands refused." },
	[METRIC_CUSTODY_TIME] = { "skein_custody_seconds", SECONDS(step_us),
		.help = "From the last byte of a message to its 250: journal and Redis." },
	[METRIC_TRANSACTION_TIME] = { "skein_transaction_seconds", SECONDS(step_us),
		.help = "From MAIL to the 250 of a message: the client's own pace, inspections and "
			"custody." },
	[METRIC_ACCEPTED_DEGRADED] = { "skein_accepted_degraded_total", COUNTER,
		.help = "Messages accepted with one copy only, because Redis was away (redundancy: "
			"preferred)." },
	[METRIC_CUT_THROUGH] = { "skein_cut_through_total", COUNTER,
		.help = "Messages that a next hop took while their client waited: never in our custody." },
	[METRIC_CUT_THROUGH_FELL_BACK] = { "skein_cut_through_fell_back_total", COUNTER,
		.help = "Messages that were to be passed on so, and were taken into custody instead." },
	[METRIC_SPF_RESULTS] = { "skein_spf_results_total", COUNTER,
		LABEL("result", [SPF_NONE] = "none", [SPF_NEUTRAL] = "neutral", [SPF_PASS] = "pass",
			[SPF_FAIL] = "fail", [SPF_SOFTFAIL] = "softfail", [SPF_TEMPERROR] = "temperror",
			[SPF_PERMERROR] = "permerror"),
		.help = "Messages that came in and were looked at for SPF, by its result." },
	[METRIC_DKIM_RESULTS] = { "skein_dkim_results_total", COUNTER,
		LABEL("result", [DKIM_RESULT_NONE] = "none", [DKIM_RESULT_PASS] = "pass",
			[DKIM_RESULT_FAIL] = "fail", [DKIM_RESULT_NEUTRAL] = "neutral",
			[DKIM_RESULT_TEMPERROR] = "temperror", [DKIM_RESULT_PERMERROR] = "permerror"),
		.help = "Signatures of such messages, by what DKIM says of each; none: messages without "
			"one." },
	[METRIC_DMARC_RESULTS] = { "skein_dmarc_results_total", COUNTER,
		LABEL("result", [DMARC_NONE] = "none", [DMARC_PASS] = "pass", [DMARC_FAIL] = "fail",
			[DMARC_TEMPERROR] = "temperror", [DMARC_PERMERROR] = "permerror"),
		.help = "Such messages, by the result of DMARC." },
	[METRIC_FILTER_RESULTS] = { "skein_filter_results_total", COUNTER,
		LABEL("result", [MILTER_ACCEPTED] = "accepted", [MILTER_REFUSED] = "refused",
			[MILTER_DISCARDED] = "discarded", [MILTER_FAILED] = "failed"),
		.help = "Visits of filters (milters), by what came of them; failed: the filter could not "
			"say." },
	[METRIC_FILTER_TIME] = { "skein_filter_seconds", SECONDS(step_us),
		.help = "From the beginning to the end of one visit of a filter." },
	[METRIC_MESSAGES_DELIVERED] = { "skein_messages_delivered_total", COUNTER,
		.help = "Messages that a next hop took for all recipients that were left." },
	[METRIC_MESSAGES_DEFERRED] = { "skein_messages_deferred_total", COUNTER,
		.help = "Attempts that ended in a later try." },
	[METRIC_MESSAGES_FAILED] = { "skein_messages_failed_total", COUNTER,
		.help = "Messages that a next hop refused for good, for one recipient or more." },
	[METRIC_MESSAGES_EXPIRED] = { "skein_messages_expired_total", COUNTER,
		.help = "Messages given up after retry.expire." },
	[METRIC_BYTES_DELIVERED] = { "skein_bytes_delivered_total", COUNTER,
		.help = "Bytes of delivered messages." },
	[METRIC_RECIPIENTS_DELIVERED] = { "skein_recipients_delivered_total", COUNTER,
		.help = "Recipients that a next hop took." },
	[METRIC_DELIVERY_TIME] = { "skein_delivery_seconds", SECONDS(delivery_us),
		.help = "From our 250 to the next hop's." },
	[METRIC_ROUTE_MESSAGES] = { "skein_route_messages_total", COUNTER,
		LABEL("result", [ROUTE_RESULT_DELIVERED] = "delivered", [ROUTE_RESULT_DEFERRED] = "deferred",
			[ROUTE_RESULT_FAILED] = "failed", [ROUTE_RESULT_PUT_OFF] = "put_off",
			[ROUTE_RESULT_EXPIRED] = "expired"),
		.names = METRIC_NAMES_ROUTE,
		.help = "What became of messages at a route, for one recipient or more. deferred: attempts "
			"that ended in a later try; put_off: no next hop could be tried, which is no "
			"attempt; failed: refused for good." },
	[METRIC_ROUTE_FAILURES] = { "skein_route_hop_failures_total", COUNTER, .names = METRIC_NAMES_ROUTE,
		.help = "Connections to next hops of a route that could not be made or broke." },
	[METRIC_MESSAGES_SIGNED] = { "skein_messages_signed_total", COUNTER,
		.help = "Messages that got DKIM signatures on their way out; once more when they are made "
			"anew "
			"for a later try." },
	[METRIC_SIGNING_FAILURES] = { "skein_signing_failures_total", COUNTER,
		.help = "Messages that the policy wants signed, that could not be, and that wait for it." },
	[METRIC_HOP_CONNECTIONS_OPEN] = { "skein_hop_connections_open", GAUGE,
		.help = "Connections to next hops." },
	[METRIC_HOP_FAILURES] = { "skein_hop_failures_total", COUNTER,
		.help = "Connections to next hops that could not be made or broke." },
	[METRIC_HOP_SLOWED] = { "skein_hop_slowed_total", COUNTER,
		.help = "Times that a next hop said it was too much or too fast, and got fewer messages." },
	[METRIC_HOPS] = { "skein_hops", GAUGE,
		LABEL("state", [HOP_TROUBLE_SLOW] = "slow", [HOP_TROUBLE_DOWN] = "down"),
		.help = "Next hops that are not well, as this node knows from the cluster; `skeinctl hops` "
			"names them." },
	[METRIC_ROUTE_SLOTS] = { "skein_route_slots", GAUGE,
		LABEL("use", [SLOT_USE_HELD] = "held", [SLOT_USE_WANTED] = "wanted"),
		.help = "Of connections to routes with cluster_connections: those that this node has, and "
			"those that it waits for besides." },
	[METRIC_RATE_WAITING] = { "skein_rate_waiting_messages", GAUGE,
		.help = "Messages that wait here because their route's rate is used up." },
	[METRIC_RATE_PLACES] = { "skein_rate_places_total", COUNTER,
		.help = "Messages that were sent at the rate of their route." },
	[METRIC_HOP_SESSIONS] = { "skein_hop_sessions_total", COUNTER,
		LABEL("security", [HOP_SECURITY_CLEAR] = "clear", [HOP_SECURITY_UNVERIFIED] = "unverified",
			[HOP_SECURITY_VERIFIED] = "verified", [HOP_SECURITY_DANE] = "dane"),
		.help = "SMTP sessions with next hops. unverified: TLS with any certificate; verified: with "
			"one good for the name; dane: with one that a TLSA record stands for." },
	[METRIC_TLS_RESULTS] = { "skein_tls_results_total", COUNTER,
		LABEL("result", [TLS_RESULT_SUCCESS] = "success",
			[TLS_RESULT_STARTTLS_NOT_SUPPORTED] = "starttls_not_supported",
			[TLS_RESULT_HOST_MISMATCH] = "certificate_host_mismatch",
			[TLS_RESULT_EXPIRED] = "certificate_expired",
			[TLS_RESULT_NOT_TRUSTED] = "certificate_not_trusted",
			[TLS_RESULT_VALIDATION_FAILURE] = "validation_failure",
			[TLS_RESULT_TLSA_INVALID] = "tlsa_invalid",
			[TLS_RESULT_DNSSEC_INVALID] = "dnssec_invalid",
			[TLS_RESULT_DANE_REQUIRED] = "dane_required",
			[TLS_RESULT_STS_FETCH_ERROR] = "sts_policy_fetch_error",
			[TLS_RESULT_STS_POLICY_INVALID] = "sts_policy_invalid",
			[TLS_RESULT_STS_WEBPKI_INVALID] = "sts_webpki_invalid"),
		.help = "Where a route or a domain asks for TLS: sessions that had it, and why not, by the "
			"result types of RFC 8460. Those of policies in testing count too." },
	[METRIC_QUEUE] = { "skein_queue_messages", GAUGE,
		LABEL("state", [QUEUE_ACTIVE] = "active", [QUEUE_KEPT] = "kept", [QUEUE_LOCAL] = "local"),
		.help = "Messages this node knows. active: it delivers them; kept: its journal has a copy of "
			"what waits in the cluster or another delivers; local: no Redis knows them yet." },
	[METRIC_ROUTE_QUEUE] = { "skein_route_queue_messages", GAUGE,
		LABEL("age", [QUEUE_AGE_1M] = "1m", [QUEUE_AGE_10M] = "10m", [QUEUE_AGE_1H] = "1h",
			[QUEUE_AGE_4H] = "4h", [QUEUE_AGE_1D] = "1d", [QUEUE_AGE_OLDER] = "older"),
		.names = METRIC_NAMES_ROUTE,
		.help = "Messages that wait or are being delivered and that this node's journal has, by the "
			"route of the first recipient that is left, and by age (1m: under a minute, 10m: "
			"under ten). All nodes together: the queue." },
	[METRIC_ROUTE_QUEUE_AGE] = { "skein_route_queue_oldest_seconds", .type = METRIC_GAUGE,
		.per_unit = 1000, .names = METRIC_NAMES_ROUTE, .is_largest = true,
		.help = "Age of the oldest of them." },
	[METRIC_CLAIMED] = { "skein_claimed_total", COUNTER,
		.help = "Messages that nobody owned and this node took." },
	[METRIC_TAKEN_OVER] = { "skein_taken_over_total", COUNTER,
		.help = "Messages of dead nodes that this node went on with." },
	[METRIC_ADOPTED] = { "skein_adopted_total", COUNTER,
		.help = "Messages of this node's journal that it made its own again." },
	[METRIC_DUPLICATES_SUPPRESSED] = { "skein_duplicates_suppressed_total", COUNTER,
		.help = "Deliveries not made because somebody else had made them." },
	[METRIC_LEASE_REMAINING] = { "skein_lease_remaining_seconds", .type = METRIC_GAUGE, .per_unit = 1000,
		.help = "How long this node still trusts its lease." },
	[METRIC_LEADER] = { "skein_leader", GAUGE, .help = "1 on the node that leads the cluster." },
	[METRIC_NODES] = { "skein_cluster_nodes", GAUGE,
		.help = "Nodes that were alive when this one last looked, itself included. Without Redis a "
			"node's "
			"share of a limit is that part of it." },
	[METRIC_DNS_DOMAINS] = { "skein_dns_domains", GAUGE,
		LABEL("worst", [DNS_DOMAIN_OK] = "ok", [DNS_DOMAIN_UNKNOWN] = "unknown",
			[DNS_DOMAIN_WARN] = "warn", [DNS_DOMAIN_FAIL] = "fail"),
		.help = "Domains of dns_watch by the worst of their checks, on the node that leads; "
			"`skeinctl dns status` says more." },
	[METRIC_TLS_REPORTS] = { "skein_tls_reports_total", COUNTER,
		LABEL("end", [TLS_REPORT_SENT] = "sent", [TLS_REPORT_PUT_OFF] = "put_off",
			[TLS_REPORT_DROPPED] = "dropped"),
		.help = "Reports about TLS (RFC 8460) by what became of an attempt." },
	[METRIC_CERTIFICATE_DAYS] = { "skein_certificate_days", GAUGE,
		.help = "Days until the first certificate of the listeners ends; 0 without TLS." },
	[METRIC_ALERTS_FIRING] = { "skein_alerts_firing", GAUGE,
		LABEL("alert", [ALERT_SENDER_SPIKE] = "sender-spike",
			[ALERT_LOGIN_FAILURES] = "login-failures",
			[ALERT_LOGIN_FAILURES_ALL] = "login-failures-all", [ALERT_DEFERRALS] = "deferrals",
			[ALERT_BOUNCES] = "bounces", [ALERT_QUEUE_AGE] = "queue-age",
			[ALERT_QUEUE_SIZE] = "queue-size", [ALERT_NODE_LOST] = "node-lost",
			[ALERT_LEADER_CHANGE] = "leader-change", [ALERT_REDIS_UNSAFE] = "redis-unsafe",
			[ALERT_REDIS_REPLICAS] = "redis-replicas", [ALERT_REDIS_MEMORY] = "redis-memory",
			[ALERT_MAIL_DEGRADED] = "mail-degraded", [ALERT_CERTIFICATE] = "certificate",
			[ALERT_DNS] = "dns", [ALERT_POLICY_DRIFT] = "policy-drift", [ALERT_DISK] = "disk",
			[ALERT_LOG_DROPPED] = "log-dropped", [ALERT_TRACK_LOST] = "track-lost"),
		.help = "Subjects of each alert that fire, on the node that leads; `skeinctl alerts list` "
			"names "
			"them." },
	[METRIC_ALERT_NOTICES] = { "skein_alert_notices_total", COUNTER,
		LABEL("end", [ALERT_NOTICE_SENT] = "sent", [ALERT_NOTICE_PUT_OFF] = "put_off",
			[ALERT_NOTICE_DROPPED] = "dropped"),
		.help = "Notices of alerts by what became of an attempt to give them." },
	[METRIC_CLUSTER_QUEUE] = { "skein_cluster_queue_messages", GAUGE,
		.help = "Messages of the whole cluster that wait or are being delivered, on the node that "
			"leads." },
	[METRIC_CLUSTER_QUEUE_AGE] = { "skein_cluster_queue_oldest_seconds", .type = METRIC_GAUGE,
		.per_unit = 1000, .help = "Age of the oldest of them, on the node that leads." },
	[METRIC_JOURNAL_COMMIT_TIME] = { "skein_journal_commit_seconds", SECONDS(step_us),
		.help = "Write and fsync of one batch. Its count is the number of commits." },
	[METRIC_JOURNAL_COMMIT_RECORDS] = { "skein_journal_commit_records", .type = METRIC_HISTOGRAM,
		.per_unit = 1, BUCKETS(batch_records), .help = "Records in one batch." },
	[METRIC_JOURNAL_BYTES] = { "skein_journal_bytes", GAUGE, .help = "Size of all segments on disk." },
	[METRIC_JOURNAL_LIVE_BYTES] = { "skein_journal_live_bytes", GAUGE,
		.help = "Of these, what is needed: messages that have not ended." },
	[METRIC_REDIS_UP] = { "skein_redis_up", GAUGE, .help = "1 while this node can use Redis." },
	[METRIC_REDIS_CALLS] = { "skein_redis_calls_total", COUNTER,
		LABEL("outcome", [REDIS_CALL_OK] = "ok", [REDIS_CALL_ERROR] = "error",
			[REDIS_CALL_UNKNOWN] = "unknown"),
		.help = "Calls to Redis. unknown: the connection ended before the answer." },
	[METRIC_REDIS_RECONNECTS] = { "skein_redis_reconnects_total", COUNTER,
		.help = "Connections to Redis made after the first." },
	[METRIC_SENTINELS_UP] = { "skein_sentinels_up", GAUGE,
		.help = "Sentinels that tell this node where the master of Redis is." },
	[METRIC_REDIS_MASTER_CHANGES] = { "skein_redis_master_changes_total", COUNTER,
		.help = "Failovers of Redis that Sentinels told of." },
	[METRIC_REDIS_TIME] = { "skein_redis_round_trip_seconds", SECONDS(step_us),
		.help = "From a small call to Redis to its answer, behind what else is under way; each "
			"worker "
			"asks twice a second." },
	[METRIC_MEMORY_USED] = { "skein_memory_used_bytes", GAUGE, .help = "Used of memory.budget." },
	[METRIC_LOOP_LAG] = { "skein_loop_lag_seconds", SECONDS(step_us),
		.help = "How late a worker's loop ran its timer: the longest a peer waits for nothing." },
	[METRIC_LOG_DROPPED] = { "skein_log_dropped_total", COUNTER,
		.help = "Log lines lost because they came faster than they could be written." },
	[METRIC_TRACK_EVENTS] = { "skein_tracking_events_total", COUNTER,
		LABEL("event", [TRACK_CONNECT] = "connect", [TRACK_TLS] = "tls", [TRACK_AUTH] = "auth",
			[TRACK_REJECT] = "reject", [TRACK_DISCONNECT] = "disconnect",
			[TRACK_RECEIVE] = "receive", [TRACK_DISCARD] = "discard", [TRACK_FILTER] = "filter",
			[TRACK_INSPECT] = "inspect", [TRACK_HOLD] = "hold", [TRACK_RELEASE] = "release",
			[TRACK_CANCEL] = "cancel", [TRACK_RETRY] = "retry", [TRACK_DEFER] = "defer",
			[TRACK_DELIVER] = "deliver", [TRACK_FAIL] = "fail", [TRACK_EXPIRE] = "expire",
			[TRACK_BOUNCE] = "bounce", [TRACK_CLAIM] = "claim", [TRACK_TAKEOVER] = "takeover",
			[TRACK_ADOPT] = "adopt", [TRACK_ENDED] = "ended", [TRACK_POLICY] = "policy",
			[TRACK_NODE] = "node"),
		.help = "Events about sessions and messages that the tracker took." },
	[METRIC_TRACK_LOST] = { "skein_tracking_lost_total", COUNTER,
		LABEL("where", [TRACK_LOST_RING] = "ring", [TRACK_LOST_FILE] = "file",
			[TRACK_LOST_CLUSTER] = "cluster"),
		.help = "Events lost. ring: they came faster than they were taken; file: it could not be "
			"written; cluster: Redis was away for too long." },
	[METRIC_HOOK_EVENTS] = { "skein_hook_events_total", COUNTER,
		LABEL("result", [HOOK_END_SENT] = "sent", [HOOK_END_REFUSED] = "refused",
			[HOOK_END_FALLEN] = "fallen"),
		.help = "Events for tracking.hooks, by what became of them; fallen: out of a full queue, or "
			"left when the node stopped." },
	[METRIC_HOOK_WAITING] = { "skein_hook_events_waiting", GAUGE,
		.help = "Events that wait for a receiver of tracking.hooks." },
	[METRIC_HOOK_FAILURES] = { "skein_hook_failures_total", COUNTER,
		.help = "Attempts to tell such a receiver that failed; it is tried again." },
};

const struct metric_row *metric_row(enum metric metric)
{
	CHECK(metric < METRIC_COUNT);
	return &rows[metric];
}
