/*
 * tls_report: a report about TLS on the way to one domain, for one day (RFC 8460 4), as JSON, and the mail
 * that brings it (RFC 8460 5.3). What was counted, by whom and how, is the caller's.
 */
#ifndef SKEIN_PROTO_WIRE_TLS_REPORT_H
#define SKEIN_PROTO_WIRE_TLS_REPORT_H

#include "skein/proto/base/buf.h"

enum { TLS_REPORT_DAY_S = 86400 };

/* Sessions that failed for one reason. What is empty is left out. */
struct tls_report_failure {
	struct span result; /* "certificate-expired" */
	struct span sending_ip, host, receiving_ip;
	uint64_t count;
};

struct tls_report_policy {
	struct span type;           /* "tlsa", "sts", "no-policy-found" */
	const struct span *strings; /* the policy: lines of it, or records */
	size_t string_count;
	struct span domain;
	const struct span *hosts; /* the hosts that it is of: patterns, or the name of one */
	size_t host_count;
	uint64_t good, failed; /* sessions */
	const struct tls_report_failure *failures;
	size_t failure_count;
};

struct tls_report {
	struct span organization, contact, id;
	int64_t day_s; /* its first second (UTC) */
	const struct tls_report_policy *policies;
	size_t policy_count;
};

/* Appends. Bytes that are no UTF-8 become '?'. */
void tls_report_append(const struct tls_report *report, struct buf *out);

struct tls_report_mail {
	struct span from, to;  /* addresses */
	struct span domain;    /* that is reported about */
	struct span submitter; /* a domain: who reports */
	struct span report_id;
	int64_t day_s;
	struct span message_id; /* without brackets */
	int64_t now_s;
	int offset_min;       /* of our clock, east of UTC */
	const char *boundary; /* nobody can guess it */
	struct span content;  /* the report */
	bool is_gzip;         /* that is compressed */
};

/* Appends a whole message of 7-bit lines. All text is printable ASCII. */
void tls_report_append_mail(const struct tls_report_mail *mail, struct buf *out);
/* Appends "relay.example!example.com!1013662812!1013749129.json.gz", the report's name (RFC 8460 5.1). */
void tls_report_append_name(const struct tls_report_mail *mail, struct buf *out);

#endif
