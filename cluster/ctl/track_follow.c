#include "track_follow.h"

#include <stdio.h>
#include <sys/random.h>
#include <time.h>

enum { POLL_MS = 250, RETRY_FIRST_MS = 250, RETRY_MAX_MS = 5000 };

static void wait_ms(uint64_t ms)
{
	const struct timespec pause = { (time_t)(ms / 1000), (long)(ms % 1000) * 1000000 };

	nanosleep(&pause, NULL);
}

/* A quarter is by chance: many may follow. */
static uint64_t with_jitter(uint64_t ms)
{
	uint64_t random;

	CHECK(getrandom(&random, sizeof(random), 0) == (ssize_t)sizeof(random));
	return ms - random % (ms / 4 + 1);
}

/* Where a Redis comes back empty the nodes make the cluster anew. */
static enum ctl_exit open_again(struct session *session)
{
	uint64_t pause_ms = RETRY_FIRST_MS;
	enum ctl_exit exit;

	do {
		struct ctl_options *options = session->options;

		session_close(session);
		wait_ms(with_jitter(pause_ms));
		pause_ms = pause_ms * 2 < RETRY_MAX_MS ? pause_ms * 2 : RETRY_MAX_MS;
		exit = session_open(session, options);
	} while (exit == CTL_UNREACHABLE || exit == CTL_NEGATIVE);
	return exit;
}

static enum ctl_exit come_back(struct track_reader *reader)
{
	struct session *session = reader->session;
	enum ctl_exit exit;

	session_complain("the connection to Redis ended: %s; it is tried again until Redis is back",
		redis_socket_why(session->socket));
	exit = open_again(session);
	if (exit)
		return exit;
	session_complain("Redis is back");
	track_reader_resume(reader);
	return CTL_OK;
}

enum ctl_exit track_follow(struct track_reader *reader, const struct track_visitor *visitor)
{
	enum ctl_exit exit = CTL_OK;

	reader->session->options->is_quiet = true;
	while (!exit && !ferror(stdout)) {
		exit = track_reader_follow(reader, visitor);
		fflush(stdout);
		if (exit == CTL_UNREACHABLE)
			exit = come_back(reader);
		else if (!exit)
			wait_ms(POLL_MS);
	}
	return exit;
}
