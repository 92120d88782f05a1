/*
 * The thread that writes. It sleeps until a line comes, gathers for BATCH_MS or until a ring is half full,
 * writes what all rings hold, and sleeps again when they are empty.
 */
#include "skein/proto/base/alloc.h"
#include "track/log_internal.h"
#include "track/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { BATCH_MS = 5, STUCK_MS = 1000, RING_SIZE_DEFAULT = 512 * 1024 };

static void *run(void *arg);
static void wait_for_lines(struct log_writer *writer);
static bool has_lines(const struct log_writer *writer);
static void drain(struct log_writer *writer);
static void report_losses(struct log_writer *writer);
static void report_bursts(struct log_writer *writer);
static void reopen(struct log_writer *writer);

static enum err open_file(const char *file, int *fd_out)
{
	*fd_out = *file ? open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640) : STDERR_FILENO;
	return *fd_out < 0 ? ERR_IO : ERR_OK;
}

/* Signals are for the threads that expect them. */
static int start_thread(struct log_writer *writer)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&writer->thread, NULL, run, writer);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

static void free_writer(struct log_writer *writer)
{
	if (*writer->file && writer->fd >= 0)
		close(writer->fd);
	if (writer->event_fd >= 0)
		close(writer->event_fd);
	mem_free(writer->file);
	buf_fini(&writer->node);
	mem_free(writer);
}

enum err log_writer_new(const struct log_writer_options *options, struct log_writer **writer_out)
{
	struct log_writer *writer = mem_zalloc(sizeof(*writer));
	int error = 0;

	writer->format = options->format;
	atomic_store(&writer->level, (int)options->level);
	writer->ring_size = options->ring_size ? options->ring_size : RING_SIZE_DEFAULT;
	writer->meter = options->meter;
	writer->file = mem_strdup(options->file ? options->file : "");
	log_line_node(options->format, options->node, &writer->node);
	writer->bursts_due_ms = log_now_ms() + LOG_BURST_MS;
	writer->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (open_file(writer->file, &writer->fd) || writer->event_fd < 0)
		error = errno;
	else
		error = start_thread(writer);
	if (error) {
		free_writer(writer);
		errno = error;
		return ERR_IO;
	}
	*writer_out = writer;
	return ERR_OK;
}

void log_writer_free(struct log_writer **writer_inout)
{
	struct log_writer *writer = *writer_inout;
	struct log *log, *next;

	if (!writer)
		return;
	*writer_inout = NULL;
	atomic_store(&writer->stop, true);
	log_writer_wake(writer);
	pthread_join(writer->thread, NULL);
	for (log = atomic_load(&writer->logs); log; log = next) {
		next = log->next;
		log_ring_fini(&log->ring);
		mem_free(log->thread);
		free(log); /* of posix_memalign() */
	}
	free_writer(writer);
}

void log_writer_reopen(struct log_writer *writer)
{
	atomic_store(&writer->reopen, true);
	log_writer_wake(writer);
}

void log_writer_set_level(struct log_writer *writer, enum log_level level)
{
	atomic_store_explicit(&writer->level, (int)level, memory_order_relaxed);
}

void log_writer_wake(struct log_writer *writer)
{
	uint64_t one = 1;

	/* Fails only when the counter is at its end, and then the writer is awake. */
	if (write(writer->event_fd, &one, sizeof(one)) < 0)
		CHECK(errno == EAGAIN);
}

static void *run(void *arg)
{
	struct log_writer *writer = arg;
	bool is_last;

	do {
		wait_for_lines(writer);
		is_last = atomic_load(&writer->stop);
		drain(writer);
		report_losses(writer);
		if (is_last || log_now_ms() >= writer->bursts_due_ms)
			report_bursts(writer);
		if (atomic_exchange(&writer->reopen, false))
			reopen(writer);
	} while (!is_last);
	return NULL;
}

static void sleep_until_woken(struct log_writer *writer, enum log_wake wake, int timeout_ms)
{
	struct pollfd pollfd = { .fd = writer->event_fd, .events = POLLIN };
	uint64_t count;

	atomic_store(&writer->wake, (int)wake);
	/* A line that came before the store woke nobody; sequential consistency shows it here. */
	if (wake != LOG_WAKE_ANY || !has_lines(writer))
		poll(&pollfd, 1, timeout_ms);
	atomic_store(&writer->wake, LOG_WAKE_NEVER);
	if (read(writer->event_fd, &count, sizeof(count)) < 0)
		CHECK(errno == EAGAIN);
}

static void wait_for_lines(struct log_writer *writer)
{
	if (!has_lines(writer) && !atomic_load(&writer->stop) && !atomic_load(&writer->reopen))
		sleep_until_woken(writer, LOG_WAKE_ANY, LOG_BURST_MS);
	if (has_lines(writer) && !atomic_load(&writer->stop))
		sleep_until_woken(writer, LOG_WAKE_HALF, BATCH_MS);
}

static bool has_lines(const struct log_writer *writer)
{
	for (struct log *log = atomic_load(&writer->logs); log; log = log->next)
		if (log_ring_peek(&log->ring).len)
			return true;
	return false;
}

/* A pipe that nobody reads must not keep the process from ending. */
static bool can_write_later(struct log_writer *writer)
{
	struct pollfd pollfd = { .fd = writer->fd, .events = POLLOUT };

	return poll(&pollfd, 1, STUCK_MS) != 0 || !atomic_load(&writer->stop);
}

/* False when the bytes are lost: the disk is full, the reader of the pipe is gone. */
static bool write_all(struct log_writer *writer, struct span bytes)
{
	while (bytes.len) {
		ssize_t done = write(writer->fd, bytes.ptr, bytes.len);

		if (done >= 0) {
			bytes = span_drop(bytes, (size_t)done);
		} else if (errno != EINTR && (errno != EAGAIN || !can_write_later(writer))) {
			writer->write_errno = errno;
			writer->bytes_lost += bytes.len;
			return false;
		}
	}
	return true;
}

/* A line of the writer's own. */
static bool write_line(
	struct log_writer *writer, enum log_level level, const char *event, const struct log_field *fields)
{
	struct log_head head = {
		.format = writer->format,
		.level = level,
		.event = event,
		.time = writer->clock.text,
		.node = buf_span(&writer->node),
	};
	char line[LOG_LINE_MAX];

	log_clock_set(&writer->clock, log_now_ms());
	return write_all(writer, span_of(line, log_line_format(&head, fields, line)));
}

/* Two stretches at most per ring and round, so that one busy thread does not hold up the rest. */
static void drain(struct log_writer *writer)
{
	for (struct log *log = atomic_load(&writer->logs); log; log = log->next) {
		for (unsigned i = 0; i < 2; i++) {
			struct span stretch = log_ring_peek(&log->ring);

			if (!stretch.len)
				break;
			write_all(writer, stretch);
			log_ring_take(&log->ring, stretch);
		}
	}
}

static void report_losses(struct log_writer *writer)
{
	for (struct log *log = atomic_load(&writer->logs); log; log = log->next) {
		uint64_t dropped = atomic_exchange_explicit(&log->dropped, 0, memory_order_relaxed);

		if (!dropped)
			continue;
		meter_add(writer->meter, METRIC_LOG_DROPPED, (int64_t)dropped);
		write_line(writer, LOG_WARN, "log-dropped",
			(const struct log_field[]){
				LOG_STR("thread", log->thread), LOG_U64("lines", dropped), LOG_END });
	}
	if (writer->bytes_lost) {
		uint64_t lost = writer->bytes_lost;

		writer->bytes_lost = 0;
		if (!write_line(writer, LOG_ERROR, "log-write-failed",
			    (const struct log_field[]){
				    LOG_ERRNO(writer->write_errno), LOG_U64("bytes", lost), LOG_END }))
			writer->bytes_lost = lost; /* Told once it works again. */
	}
}

static void report_bursts(struct log_writer *writer)
{
	writer->bursts_due_ms = log_now_ms() + LOG_BURST_MS;
	for (struct log *log = atomic_load(&writer->logs); log; log = log->next) {
		for (size_t i = 0; i < LOG_BURST_EVENTS; i++) {
			struct log_burst *burst = &log->bursts[i];
			const char *event = atomic_load_explicit(&burst->event, memory_order_acquire);
			uint64_t count =
				atomic_exchange_explicit(&burst->suppressed, 0, memory_order_relaxed);

			if (!count)
				continue;
			write_line(writer, LOG_WARN, "log-suppressed",
				(const struct log_field[]){ LOG_STR("of", event), LOG_U64("lines", count),
					LOG_STR("thread", log->thread), LOG_END });
		}
	}
}

static void reopen(struct log_writer *writer)
{
	int fd;

	if (!*writer->file)
		return;
	if (open_file(writer->file, &fd)) {
		write_line(writer, LOG_ERROR, "log-reopen-failed",
			(const struct log_field[]){
				LOG_STR("file", writer->file), LOG_ERRNO(errno), LOG_END });
		return;
	}
	close(writer->fd);
	writer->fd = fd;
}
