#include "track/track_file.h"

#include "config/settings.h"
#include "skein/proto/base/alloc.h"
#include "track/track_shelf.h"
#include "track/tracker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BATCH_MAX = 256 * 1024, PATH_SIZE = 1200, HALF_LINE_MAX = 64 * 1024 };
static const uint64_t day_us = (uint64_t)24 * 3600 * 1000000;

struct track_file {
	struct track_file_options options;
	char path[PATH_SIZE];
	int fd; /* -1: it could not be opened anew */
	uint64_t size, day;
	struct buf batch;
	uint64_t batch_events;
	uint64_t lost; /* events, since the last write that worked */
};

static const char *suffix_of(enum track_format format)
{
	return format == TRACK_FORMAT_W3C ? "log" : "json";
}

/* --- opening ------------------------------------------------------------------------------------ */

/* Before what waits to be written. The directives say what follows, also in the middle of a file: the
 * version that writes may have changed. */
static void put_head(struct track_file *file, uint64_t now_us)
{
	struct buf batch = file->batch;

	if (file->options.format != TRACK_FORMAT_W3C)
		return;
	file->batch = (struct buf){ 0 };
	track_w3c_head("Skein " SKEIN_VERSION, now_us, &file->batch);
	buf_append(&file->batch, buf_span(&batch));
	buf_fini(&batch);
}

/* A process that was killed may have left half a line. */
static void cut_half_line(int fd, uint64_t *size)
{
	char end[HALF_LINE_MAX];
	size_t len = *size < sizeof(end) ? (size_t)*size : sizeof(end);
	ssize_t got = pread(fd, end, len, (off_t)(*size - len));
	const char *last = got == (ssize_t)len && len ? memrchr(end, '\n', len) : NULL;
	uint64_t whole = last ? *size - len + (uint64_t)(last - end) + 1 : *size;

	if (whole < *size && ftruncate(fd, (off_t)whole) == 0)
		*size = whole;
}

/* A file of an earlier run goes on, with the day of its last line. */
static enum err open_file(struct track_file *file, uint64_t now_us)
{
	struct stat stat;
	int fd = open(file->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0640);

	if (fd < 0)
		return ERR_IO;
	if (fstat(fd, &stat)) {
		close(fd);
		return ERR_IO;
	}
	if (file->fd >= 0)
		close(file->fd);
	file->fd = fd;
	file->size = (uint64_t)stat.st_size;
	cut_half_line(fd, &file->size);
	file->day = now_us / day_us;
	if (file->size && stat.st_mtime >= 0)
		file->day = (uint64_t)stat.st_mtime * 1000000 / day_us;
	put_head(file, now_us);
	return ERR_OK;
}

/* --- rotation ----------------------------------------------------------------------------------- */

static void tell(struct track_file *file, const char *what, int error)
{
	log_event(file->options.log, LOG_ERROR, "tracking-file-failed", LOG_STR("file", file->path),
		LOG_STR("what", what), LOG_ERRNO(error), LOG_END);
}

static void remove_old(struct track_file *file, uint64_t now_us)
{
	const struct track_file_limits *limits = &file->options.limits;

	track_shelf_trim(file->options.folder, suffix_of(file->options.format), limits, now_us / 1000000);
}

static void rotate(struct track_file *file, uint64_t now_us)
{
	if (track_shelf_put(file->options.folder, file->path, suffix_of(file->options.format), now_us)) {
		/* It grows on, and the next batch tries again. */
		tell(file, "it cannot be renamed", errno);
		return;
	}
	close(file->fd);
	file->fd = -1;
	if (open_file(file, now_us))
		tell(file, "it cannot be opened", errno);
	remove_old(file, now_us);
}

static bool is_due(const struct track_file *file, uint64_t now_us)
{
	return file->fd >= 0 && file->size &&
	       (file->size >= file->options.limits.rotate_bytes || file->day != now_us / day_us);
}

/* --- writing ------------------------------------------------------------------------------------ */

/* No half line stays. errno is that of the write. */
static void take_back(struct track_file *file, size_t written)
{
	int error = errno;
	struct stat stat;

	if (written && fstat(file->fd, &stat) == 0 && stat.st_size >= (off_t)written &&
		ftruncate(file->fd, stat.st_size - (off_t)written))
		tell(file, "half a line stays in it", errno);
	errno = error;
}

static bool write_all(struct track_file *file)
{
	struct span rest = buf_span(&file->batch);

	while (rest.len) {
		ssize_t done = write(file->fd, rest.ptr, rest.len);

		if (done >= 0)
			rest = span_drop(rest, (size_t)done);
		else if (errno != EINTR)
			break;
	}
	if (rest.len)
		take_back(file, buf_len(&file->batch) - rest.len);
	else
		file->size += buf_len(&file->batch);
	return !rest.len;
}

static void lose_batch(struct track_file *file)
{
	if (!file->lost)
		tell(file, "events are lost until it can be written", errno);
	file->lost += file->batch_events;
	meter_add_at(file->options.meter, METRIC_TRACK_LOST, TRACK_LOST_FILE, (int64_t)file->batch_events);
}

static void tell_recovered(struct track_file *file)
{
	if (file->lost)
		log_event(file->options.log, LOG_WARN, "tracking-file-written", LOG_STR("file", file->path),
			LOG_U64("lost", file->lost), LOG_END);
	file->lost = 0;
}

void track_file_flush(struct track_file *file, uint64_t now_us)
{
	if (!buf_len(&file->batch))
		return;
	if (is_due(file, now_us))
		rotate(file, now_us);
	if ((file->fd >= 0 || open_file(file, now_us) == ERR_OK) && write_all(file)) {
		file->day = now_us / day_us;
		tell_recovered(file);
	} else {
		lose_batch(file);
	}
	buf_clear(&file->batch);
	file->batch_events = 0;
}

void track_file_take(struct track_file *file, const struct track_event *event)
{
	if (file->options.format == TRACK_FORMAT_W3C)
		track_event_w3c(event, &file->batch);
	else
		track_event_json(event, &file->batch);
	buf_append_byte(&file->batch, '\n');
	file->batch_events++;
}

/* --- the sink ----------------------------------------------------------------------------------- */

static void on_take(void *arg, const struct track_event *event, struct span encoded)
{
	struct track_file *file = arg;

	(void)encoded;
	track_file_take(file, event);
	if (buf_len(&file->batch) >= BATCH_MAX)
		track_file_flush(file, track_now_us());
}

static void on_flush(void *arg)
{
	track_file_flush(arg, track_now_us());
}

/* Somebody else may have moved the file away. */
static void on_reload(void *arg, const struct settings *settings)
{
	struct track_file *file = arg;
	uint64_t now_us = track_now_us();

	file->options.limits = (struct track_file_limits){
		.rotate_bytes = settings->tracking.rotate_size,
		.keep_days = settings->tracking.keep_days,
		.keep_bytes = settings->tracking.keep_size,
	};
	if (open_file(file, now_us))
		tell(file, "it cannot be opened anew; the old one is still written", errno);
	remove_old(file, now_us);
}

struct track_sink track_file_sink(struct track_file *file)
{
	return (struct track_sink){
		.arg = file,
		.take = on_take,
		.flush = on_flush,
		.reload = on_reload,
	};
}

enum err track_file_new(
	const struct track_file_options *options, struct track_file **file_out, struct buf *why_out)
{
	struct track_file *file = mem_zalloc(sizeof(*file));
	uint64_t now_us = track_now_us();
	enum err err = ERR_OK;

	file->options = *options;
	file->options.folder = mem_strdup(options->folder);
	file->fd = -1;
	snprintf(file->path, sizeof(file->path), "%s/tracking.%s", options->folder,
		suffix_of(options->format));
	if ((mkdir(options->folder, 0750) && errno != EEXIST) || open_file(file, now_us)) {
		buf_printf(why_out, "tracking.file: %s: %s\n", options->folder, strerror(errno));
		track_file_free(&file);
		err = ERR_IO;
	} else {
		remove_old(file, now_us);
	}
	*file_out = file;
	return err;
}

void track_file_free(struct track_file **file_inout)
{
	struct track_file *file = *file_inout;

	if (!file)
		return;
	*file_inout = NULL;
	if (file->fd >= 0)
		close(file->fd);
	buf_fini(&file->batch);
	mem_free((void *)(uintptr_t)file->options.folder);
	mem_free(file);
}
