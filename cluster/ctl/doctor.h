/*
 * doctor: skeinctl doctor looks at the cluster and says what to do. Checks stand in tables, one file for each
 * group; a check looks at one thing and tells rows: how it is, and the cure where it is not well.
 */
#ifndef CTL_DOCTOR_H
#define CTL_DOCTOR_H

#include "roster.h"
#include "session.h"
#include "tally.h"

enum doctor_state {
	DOCTOR_OK,
	DOCTOR_SKIPPED, /* could not be looked at; the row says what it takes */
	DOCTOR_WARN,    /* will be trouble some day */
	DOCTOR_FAIL,    /* is trouble, or loses mail when the next thing goes wrong */
	DOCTOR_STATES,
};

struct doctor_row {
	enum doctor_state state;
	const char *group, *check;
	struct span what, cure; /* in the doctor's arena; cure "": none is needed */
};

struct doctor_check;
struct doctor_group;

struct doctor {
	const struct ctl_options *options;
	struct session *session; /* NULL: Redis is not there, or there is no cluster in it */
	const char *config;      /* a node's settings file, which is this host's; NULL: none was named */
	struct roster roster;
	struct tally *tally;
	struct buf info;       /* what Redis says to INFO */
	uint64_t redis_now_ms; /* Redis' clock at about the moment of now_ms */
	uint64_t now_ms;       /* this host's, since 1970 */
	const struct doctor_group *group;
	const struct doctor_check *check; /* that is under way */
	struct doctor_row *rows;
	size_t row_count;
	struct arena arena;
};

enum doctor_needs {
	DOCTOR_NEEDS_REDIS = 1 << 0,
	DOCTOR_NEEDS_CONFIG = 1 << 1,
};

struct doctor_check {
	const char *name;
	void (*run)(struct doctor *doctor);
};

struct doctor_group {
	const char *name;
	unsigned needs; /* set of enum doctor_needs */
	const struct doctor_check *checks;
	size_t count;
};

/* One file each. */
extern const struct doctor_group doctor_redis, doctor_rights, doctor_nodes, doctor_mail, doctor_secrets,
	doctor_certificates, doctor_host;

/* A row of the check that is under way. */
void doctor_tell(struct doctor *doctor, enum doctor_state state, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* What to do about the row told last. */
void doctor_cure(struct doctor *doctor, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * Asks Redis and waits. Appends the answer: elements of an array one a line. False: an error, whose text is
 * there instead, or no answer.
 */
WARN_UNUSED bool doctor_ask(
	struct doctor *doctor, size_t argc, const struct span argv[], struct buf *answer_out);
/* A field of INFO; empty, or 0, when it is not there. */
struct span doctor_info(const struct doctor *doctor, const char *field);
uint64_t doctor_info_u64(const struct doctor *doctor, const char *field);
/* A setting of Redis; empty when it may not be read. Valid until the doctor ends. */
struct span doctor_setting(struct doctor *doctor, const char *name);

#endif
