/*
 * What the two halves of the log share: log.c runs in the threads that log, log_writer.c in the one that
 * writes.
 */
#ifndef NODE_TRACK_LOG_INTERNAL_H
#define NODE_TRACK_LOG_INTERNAL_H

#include "skein/proto/base/buf.h"
#include "track/log_line.h"
#include "track/log_ring.h"

#include <pthread.h>

/* How often one event was logged lately. Written by the thread that logs but for `suppressed`. */
struct log_burst {
	_Atomic(const char *) event; /* set once */
	uint64_t since_ms;
	unsigned count;
	atomic_ulong suppressed; /* the writer takes it back to 0 */
};

enum { LOG_BURST_EVENTS = 64 };

struct log {
	struct log_writer *writer;
	struct log *next; /* in writer->logs */
	char *thread;
	struct log_clock clock;
	struct log_burst bursts[LOG_BURST_EVENTS];
	atomic_ulong dropped; /* the writer takes it back to 0 */
	struct log_ring ring;
};

/* What a producer should do once its line is in the ring. */
enum log_wake {
	LOG_WAKE_NEVER, /* the writer is at work, or told already */
	LOG_WAKE_HALF,  /* it gathers a batch: wake it when the ring is half full */
	LOG_WAKE_ANY,   /* it sleeps */
};

struct log_writer {
	atomic_int level; /* enum log_level */
	atomic_int wake;  /* enum log_wake */
	atomic_bool reopen, stop;
	_Atomic(struct log *) logs;

	enum log_format format;
	size_t ring_size;
	struct buf node; /* rendered field */
	char *file;      /* "": standard error */
	struct meter *meter;

	/* Of the writer's thread. */
	pthread_t thread;
	int fd, event_fd;
	struct log_clock clock;
	uint64_t bursts_due_ms;
	uint64_t bytes_lost; /* since the last write that worked */
	int write_errno;
};

uint64_t log_now_ms(void);
/* Makes the writer's poll() return. */
void log_writer_wake(struct log_writer *writer);

#endif
