/*
 * syslog: writes messages of RFC 5424 for a receiver that collects them. What is written can always be read:
 * what a field may not hold is replaced, what is too long is cut, and a message never exceeds its bound.
 */
#ifndef SKEIN_PROTO_WIRE_SYSLOG_H
#define SKEIN_PROTO_WIRE_SYSLOG_H

#include "skein/proto/base/buf.h"

enum syslog_severity {
	SYSLOG_EMERGENCY,
	SYSLOG_ALERT,
	SYSLOG_CRITICAL,
	SYSLOG_ERROR,
	SYSLOG_WARNING,
	SYSLOG_NOTICE,
	SYSLOG_INFO,
	SYSLOG_DEBUG,
};

enum {
	SYSLOG_FACILITY_COUNT = 24,
	SYSLOG_HOST_MAX = 255,
	SYSLOG_APP_MAX = 48,
	SYSLOG_PROCESS_MAX = 128,
	SYSLOG_KIND_MAX = 32,
	SYSLOG_NAME_MAX = 32,      /* of an element or a parameter */
	SYSLOG_SIZE_MIN = 1024,    /* the largest header and an empty element fit */
	SYSLOG_SIZE_UDP = 2048,    /* what receivers should take at least (RFC 5426 3.2) */
	SYSLOG_SIZE_STREAM = 8192, /* (RFC 5425 4.3.1) */
};

struct syslog_param {
	const char *name;  /* printable ASCII without = ] " and blank, at most SYSLOG_NAME_MAX */
	struct span value; /* UTF-8; what is not becomes "?" */
};

/* One message, borrowed. Empty header fields are written as "-", what they may not hold as "?". */
struct syslog_record {
	unsigned facility; /* below SYSLOG_FACILITY_COUNT */
	enum syslog_severity severity;
	uint64_t time_us; /* since 1970; 0: not known */
	struct span host, app, process, kind;
	const char *element; /* of the structured data: "NAME@NUMBER", as a parameter's name; NULL: none */
	const struct syslog_param *params;
	size_t param_count;
	struct span text;
};

/*
 * Appends the message, at most `size_max` bytes of it (SYSLOG_SIZE_MIN at least). Of parameters and text that
 * do not fit: a parameter is left out whole, the text is cut between two characters. Control characters in
 * them become "#000" (RFC 5424 6.3.3, 6.4 leave that to us), so that a message is always one line.
 * The text begins with a byte order mark when it is not ASCII alone (RFC 5424 6.4).
 */
void syslog_write(const struct syslog_record *record, size_t size_max, struct buf *out);
/* "LENGTH MESSAGE": octet counting (RFC 6587 3.4.1, RFC 5425 4.3). */
void syslog_frame(struct span message, struct buf *out);

/* "mail", "local0". */
bool syslog_facility_parse(struct span name, unsigned *facility_out);
const char *syslog_facility_name(unsigned facility);

#endif
