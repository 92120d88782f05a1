/*
 * metrics: counters, gauges and histograms of this process for Prometheus. The table in metrics.c declares
 * each: name, type, help, label. Every thread counts into a `meter` of its own; a scrape adds the meters up.
 * So a gauge is either moved up and down by many threads with meter_add(), or set by exactly one with
 * meter_set().
 *
 * Some have a label whose values are names of the policy: routes, limits. Each name is a number from
 * metrics_name() on, which whoever counts keeps, so that counting looks nothing up and locks nothing. There
 * is room for so many names of a kind; what comes later counts as METRIC_NAME_OTHER. A name stays to the end
 * of the process, so that no counter goes back when the policy changes.
 */
#ifndef NODE_TRACK_METRICS_H
#define NODE_TRACK_METRICS_H

#include "skein/proto/base/buf.h"

struct metrics;
struct meter;

enum metric {
	/* SMTP in */
	METRIC_CONNECTIONS_OPEN,    /* gauge */
	METRIC_CONNECTIONS,         /* total */
	METRIC_CONNECTIONS_REFUSED, /* by enum refused_reason */
	METRIC_AUTHENTICATIONS,     /* by enum auth_result */
	METRIC_LOGINS_STOPPED,
	METRIC_LOGINS_UNSHARED,
	METRIC_BANS,
	METRIC_BANS_KNOWN,   /* gauge */
	METRIC_LIMITS_ASKED, /* by enum limit_answer */
	METRIC_LIMITS_REFUSED,
	METRIC_LIMIT_RESULTS, /* by limit and enum limit_result */
	METRIC_MESSAGES_ACCEPTED,
	METRIC_MESSAGES_REJECTED, /* by enum reject_class */
	METRIC_BYTES_ACCEPTED,
	METRIC_RECIPIENTS_ACCEPTED,
	METRIC_RECIPIENTS_REJECTED,
	METRIC_CUSTODY_TIME,     /* histogram, µs: from the last byte of the body to the 250 */
	METRIC_TRANSACTION_TIME, /* histogram, µs: from MAIL to the 250 */
	METRIC_ACCEPTED_DEGRADED,
	METRIC_CUT_THROUGH,
	METRIC_CUT_THROUGH_FELL_BACK,
	METRIC_FILTER_RESULTS, /* by enum milter_outcome */
	METRIC_FILTER_TIME,    /* histogram, µs: one visit */
	METRIC_SPF_RESULTS,    /* by enum spf_result */
	METRIC_DKIM_RESULTS,   /* by enum dkim_result, of inspect/dkim_lookup.h */
	METRIC_DMARC_RESULTS,  /* by enum dmarc_result */
	/* SMTP out */
	METRIC_MESSAGES_DELIVERED,
	METRIC_MESSAGES_DEFERRED,
	METRIC_MESSAGES_FAILED,
	METRIC_MESSAGES_EXPIRED,
	METRIC_BYTES_DELIVERED,
	METRIC_RECIPIENTS_DELIVERED,
	METRIC_DELIVERY_TIME,  /* histogram, µs: from acceptance to the next hop's 250 */
	METRIC_ROUTE_MESSAGES, /* by route and enum route_result */
	METRIC_ROUTE_FAILURES, /* by route: connections that failed or broke */
	METRIC_MESSAGES_SIGNED,
	METRIC_SIGNING_FAILURES,
	METRIC_HOP_CONNECTIONS_OPEN, /* gauge */
	METRIC_HOP_FAILURES,         /* connections that failed or broke */
	METRIC_HOP_SLOWED,           /* they said it was too much */
	METRIC_HOPS,                 /* gauge by enum hop_trouble */
	METRIC_ROUTE_SLOTS,          /* gauge by enum slot_use */
	METRIC_RATE_WAITING,         /* gauge */
	METRIC_RATE_PLACES,
	METRIC_HOP_SESSIONS, /* by enum hop_security */
	METRIC_TLS_RESULTS,  /* by enum tls_result */
	/* queue and cluster */
	METRIC_QUEUE,           /* gauge by enum queue_state */
	METRIC_ROUTE_QUEUE,     /* gauge by route and enum queue_age_class */
	METRIC_ROUTE_QUEUE_AGE, /* gauge by route, ms */
	METRIC_CLAIMED,
	METRIC_TAKEN_OVER,
	METRIC_ADOPTED,
	METRIC_DUPLICATES_SUPPRESSED,
	METRIC_LEASE_REMAINING,   /* gauge, ms */
	METRIC_LEADER,            /* gauge, 0 or 1 */
	METRIC_NODES,             /* gauge */
	METRIC_DNS_DOMAINS,       /* gauge by enum dns_domain_state */
	METRIC_TLS_REPORTS,       /* by enum tls_report_end */
	METRIC_CERTIFICATE_DAYS,  /* gauge */
	METRIC_ALERTS_FIRING,     /* gauge by enum alert */
	METRIC_ALERT_NOTICES,     /* by enum alert_notice_end */
	METRIC_CLUSTER_QUEUE,     /* gauge */
	METRIC_CLUSTER_QUEUE_AGE, /* gauge, ms */
	/* journal, Redis, process */
	METRIC_JOURNAL_COMMIT_TIME,    /* histogram, µs; its count is the number of commits */
	METRIC_JOURNAL_COMMIT_RECORDS, /* histogram, records in one commit */
	METRIC_JOURNAL_BYTES,          /* gauge */
	METRIC_JOURNAL_LIVE_BYTES,     /* gauge */
	METRIC_REDIS_UP,               /* gauge, 0 or 1 */
	METRIC_REDIS_CALLS,            /* by enum redis_call_outcome */
	METRIC_REDIS_RECONNECTS,
	METRIC_SENTINELS_UP, /* gauge */
	METRIC_REDIS_MASTER_CHANGES,
	METRIC_REDIS_TIME,  /* histogram, µs */
	METRIC_MEMORY_USED, /* gauge, bytes of the budget */
	METRIC_LOOP_LAG,    /* histogram, µs */
	METRIC_LOG_DROPPED,
	METRIC_TRACK_EVENTS, /* by enum track_kind */
	METRIC_TRACK_LOST,   /* by enum track_loss */
	METRIC_HOOK_EVENTS,  /* by enum hook_end */
	METRIC_HOOK_WAITING, /* gauge, events */
	METRIC_HOOK_FAILURES,
	METRIC_COUNT
};

enum refused_reason {
	REFUSED_NOT_READY,
	REFUSED_CONNECTIONS,
	REFUSED_CONNECTIONS_PER_CLIENT,
	REFUSED_LIMIT,
	REFUSED_BANNED,
	REFUSED_PROXY_HEADER,
	REFUSED_TLS,
};
enum auth_result { AUTH_RESULT_ACCEPTED, AUTH_RESULT_REFUSED, AUTH_RESULT_UNAVAILABLE };
enum limit_answer {
	LIMIT_ANSWER_REDIS,
	LIMIT_ANSWER_SHARE, /* without Redis */
};
enum limit_result { LIMIT_RESULT_LET_IN, LIMIT_RESULT_REFUSED, LIMIT_RESULT_GIVEN_BACK };
/* What became of a message at a route. */
enum route_result {
	ROUTE_RESULT_DELIVERED,
	ROUTE_RESULT_DEFERRED,
	ROUTE_RESULT_FAILED,
	ROUTE_RESULT_PUT_OFF, /* without an attempt */
	ROUTE_RESULT_EXPIRED,
};
enum hop_security { HOP_SECURITY_CLEAR, HOP_SECURITY_UNVERIFIED, HOP_SECURITY_VERIFIED, HOP_SECURITY_DANE };
/* The result types of RFC 8460 4.3. */
enum tls_result {
	TLS_RESULT_SUCCESS,
	TLS_RESULT_STARTTLS_NOT_SUPPORTED,
	TLS_RESULT_HOST_MISMATCH,
	TLS_RESULT_EXPIRED,
	TLS_RESULT_NOT_TRUSTED,
	TLS_RESULT_VALIDATION_FAILURE,
	TLS_RESULT_TLSA_INVALID,
	TLS_RESULT_DNSSEC_INVALID,
	TLS_RESULT_DANE_REQUIRED,
	TLS_RESULT_STS_FETCH_ERROR,
	TLS_RESULT_STS_POLICY_INVALID,
	TLS_RESULT_STS_WEBPKI_INVALID,
};
enum reject_class { REJECT_TEMPORARY, REJECT_PERMANENT };
enum hop_trouble { HOP_TROUBLE_SLOW, HOP_TROUBLE_DOWN };
enum slot_use { SLOT_USE_HELD, SLOT_USE_WANTED };
enum dns_domain_state { DNS_DOMAIN_OK, DNS_DOMAIN_UNKNOWN, DNS_DOMAIN_WARN, DNS_DOMAIN_FAIL };
enum alert_notice_end { ALERT_NOTICE_SENT, ALERT_NOTICE_PUT_OFF, ALERT_NOTICE_DROPPED };
enum tls_report_end { TLS_REPORT_SENT, TLS_REPORT_PUT_OFF, TLS_REPORT_DROPPED };
enum queue_state {
	QUEUE_ACTIVE, /* owned by this node and being delivered, or next in line */
	QUEUE_KEPT,   /* a copy in our journal; it waits in the cluster, or another delivers it */
	QUEUE_LOCAL,  /* known to this node's journal only */
};
/* Younger than that, and not younger than the one before. */
enum queue_age_class {
	QUEUE_AGE_1M,
	QUEUE_AGE_10M,
	QUEUE_AGE_1H,
	QUEUE_AGE_4H,
	QUEUE_AGE_1D,
	QUEUE_AGE_OLDER,
	QUEUE_AGE_CLASSES,
};
/* Where events about sessions and messages were lost. */
enum track_loss {
	TRACK_LOST_RING, /* they came faster than they were taken */
	TRACK_LOST_FILE,
	TRACK_LOST_CLUSTER, /* Redis was away for too long */
};
/* What became of an event at a hook. */
enum hook_end {
	HOOK_END_SENT,
	HOOK_END_REFUSED, /* the receiver will not take it */
	HOOK_END_FALLEN,  /* out of a queue that was full, or of a process that ended */
};
enum redis_call_outcome { REDIS_CALL_OK, REDIS_CALL_ERROR, REDIS_CALL_UNKNOWN };

/* What a name names. */
enum metric_names { METRIC_NAMES_NONE, METRIC_NAMES_ROUTE, METRIC_NAMES_LIMIT, METRIC_NAMES_KINDS };

enum { METRIC_NAME_OTHER = 0 };

/* With room for `names_max` names of each kind, below 65536. */
struct metrics *metrics_new(unsigned names_max);
/* Frees the meters too. */
void metrics_free(struct metrics **metrics);
/* One per thread, owned by `metrics`. From any thread. */
struct meter *metrics_open(struct metrics *metrics);
/*
 * The number of a name, 1..names_max; METRIC_NAME_OTHER when there is no room, or it is "other". The same
 * name has the same number. From any thread; looks through all names, so keep it.
 */
unsigned metrics_name(struct metrics *metrics, enum metric_names kind, const char *name);
/* How many there are, METRIC_NAME_OTHER included. From any thread. */
unsigned metrics_name_count(struct metrics *metrics, enum metric_names kind);

/* `meter` may be NULL: nothing is counted. Counters take no negative step. */
void meter_add(struct meter *meter, enum metric metric, int64_t step);
void meter_add_at(struct meter *meter, enum metric metric, unsigned label, int64_t step);
/* Gauges. */
void meter_set(struct meter *meter, enum metric metric, int64_t value);
void meter_set_at(struct meter *meter, enum metric metric, unsigned label, int64_t value);
/* Those with a name; label 0 for those without another one. */
void meter_add_named(struct meter *meter, enum metric metric, unsigned name, unsigned label, int64_t step);
void meter_set_named(struct meter *meter, enum metric metric, unsigned name, unsigned label, int64_t value);
/* Histograms, in the unit given above. */
void meter_observe(struct meter *meter, enum metric metric, uint64_t value);

/* Sum over all meters (the largest, where the table says so); of a histogram the number of observations.
 * `label` is 0 for those without. From any thread. */
int64_t metrics_sum(struct metrics *metrics, enum metric metric, unsigned label);
int64_t metrics_sum_named(struct metrics *metrics, enum metric metric, unsigned name, unsigned label);
/* Appends the text exposition format 0.0.4. From any thread. */
void metrics_write(struct metrics *metrics, struct buf *out);
/* Appends docs/metrics.md. */
void metrics_print_docs(struct buf *out);

#endif
