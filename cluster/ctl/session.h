/*
 * session: one command at work: a ready connection and the cluster behind it. Errors are told on standard
 * error, with the cure; what a function returns then is the exit code.
 */
#ifndef CTL_SESSION_H
#define CTL_SESSION_H

#include "master_finder.h"
#include "options.h"
#include "skein/cluster/redis_outcome.h"

/* The program's exit codes; docs/skeinctl.md says the same. */
enum ctl_exit {
	CTL_OK = 0,
	CTL_NEGATIVE = 1, /* no such message or node, not possible in its state, nobody alive */
	CTL_USAGE = 2,
	CTL_UNREACHABLE = 3, /* Redis; or it went away, and what was asked for may be done or not */
	CTL_REFUSED = 4,     /* Redis answered with an error */
	CTL_LATE = 5,        /* --wait ran out of time */
};

struct session {
	struct ctl_options *options;
	struct redis_socket_options socket_options;
	struct master_place master; /* with Sentinels */
	struct redis_socket *socket;
	struct redis_link *link;
	bool is_json;
	char cluster_id[256];
	unsigned shards; /* 0: there is no cluster */
	uint64_t format;
	uint64_t renewed_ago_ms; /* since any node last renewed its lease; UINT64_MAX: never, or not to be
				    seen */
};

typedef enum ctl_exit session_work_fn(struct session *session, void *arg);
/*
 * Connects, finds the cluster, runs `work` and disconnects. CTL_NEGATIVE where no node was ever started. With
 * --watch it does so again and again (watch.h): `work` must begin anew each time.
 */
WARN_UNUSED enum ctl_exit session_run(struct ctl_options *options, session_work_fn *work, void *arg);
/* The same where there may be no cluster yet: session->shards is 0 then. */
WARN_UNUSED enum ctl_exit session_run_anywhere(struct ctl_options *options, session_work_fn *work, void *arg);
/* The same for what needs no cluster: `work` gets no session. */
WARN_UNUSED enum ctl_exit session_run_locally(struct ctl_options *options, session_work_fn *work, void *arg);

/* Its parts, for what looks several times. `options` are finished; nothing is to be closed when it fails. */
WARN_UNUSED enum ctl_exit session_open(struct session *session, struct ctl_options *options);
/* Reads the cluster's facts once more. */
WARN_UNUSED enum ctl_exit session_refresh(struct session *session);
void session_close(struct session *session);

/* Waits for all calls. CTL_UNREACHABLE when the connection ended. */
WARN_UNUSED enum ctl_exit session_finish(struct session *session);
uint64_t session_now_ms(void);

/* One line on standard error, behind the program's name. */
void session_complain(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* The exit code for an outcome that is no answer (UNKNOWN, ERROR), told; CTL_OK for all others. */
WARN_UNUSED enum ctl_exit session_check(const struct outcome *outcome, const char *what);
/* Complains, frees the text and returns CTL_USAGE. */
enum ctl_exit session_usage(struct buf *why);

#endif
