#include "track/log.h"

#include "skein/proto/base/alloc.h"
#include "track/log_internal.h"

#include <stdlib.h>
#include <time.h>

static bool admit(struct log *log, const char *event, uint64_t now_ms);
static void wake_writer(struct log *log);

bool log_is_on(const struct log *log, enum log_level level)
{
	return log && (int)level <= atomic_load_explicit(&log->writer->level, memory_order_relaxed);
}

void log_write(struct log *log, enum log_level level, const char *event, const struct log_field *fields)
{
	struct log_head head = {
		.format = log->writer->format,
		.level = level,
		.event = event,
		.time = log->clock.text,
		.node = buf_span(&log->writer->node),
	};
	uint64_t now_ms = log_now_ms();
	char *line;

	if (level <= LOG_WARN && !admit(log, event, now_ms))
		return;
	line = log_ring_reserve(&log->ring, LOG_LINE_MAX);
	if (!line) {
		atomic_fetch_add_explicit(&log->dropped, 1, memory_order_relaxed);
		return;
	}
	log_clock_set(&log->clock, now_ms);
	log_ring_commit(&log->ring, line, log_line_format(&head, fields, line));
	wake_writer(log);
}

uint64_t log_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void wake_writer(struct log *log)
{
	int wake = atomic_load(&log->writer->wake);

	if (wake == LOG_WAKE_NEVER)
		return;
	if (wake == LOG_WAKE_HALF && log_ring_used(&log->ring) < log->ring.size / 2)
		return;
	if (atomic_exchange(&log->writer->wake, LOG_WAKE_NEVER) != LOG_WAKE_NEVER)
		log_writer_wake(log->writer);
}

/* Names are compared by address: each is one literal, and two copies of it would only be counted apart. */
static struct log_burst *find_burst(struct log *log, const char *event)
{
	size_t start = ((uintptr_t)event >> 3) % LOG_BURST_EVENTS;

	for (size_t i = 0; i < LOG_BURST_EVENTS; i++) {
		struct log_burst *burst = &log->bursts[(start + i) % LOG_BURST_EVENTS];
		const char *name = atomic_load_explicit(&burst->event, memory_order_relaxed);

		if (!name)
			atomic_store_explicit(&burst->event, event, memory_order_release);
		if (!name || name == event)
			return burst;
	}
	return NULL;
}

static bool admit(struct log *log, const char *event, uint64_t now_ms)
{
	struct log_burst *burst = find_burst(log, event);

	if (!burst)
		return true;
	/* A clock that was set back starts a new window too. */
	if (now_ms - burst->since_ms >= LOG_BURST_MS) {
		burst->since_ms = now_ms;
		burst->count = 0;
	}
	if (burst->count < LOG_BURST) {
		burst->count++;
		return true;
	}
	atomic_fetch_add_explicit(&burst->suppressed, 1, memory_order_relaxed);
	return false;
}

struct log *log_open(struct log_writer *writer, const char *thread)
{
	struct log *log;

	/* The ring keeps its two ends on cache lines of their own. */
	CHECK(posix_memalign((void **)&log, _Alignof(struct log), sizeof(*log)) == 0);
	memset(log, 0, sizeof(*log));
	log->writer = writer;
	log->thread = mem_strdup(thread);
	log_ring_init(&log->ring, writer->ring_size);
	log->next = atomic_load(&writer->logs);
	while (!atomic_compare_exchange_weak(&writer->logs, &log->next, log))
		;
	return log;
}
