/*
 * begin: files are opened, newest first → back, a block at a time, until a line of the mark is found →
 * forward from there, a chunk at a time → the end of the newest file, or the first event that is in memory.
 *
 * In the files of a node runs come one after the other, and numbers grow within each: where the mark is, all
 * that follows is lacking. Without a mark all of it is.
 */
#include "track/track_backlog.h"

#include "skein/cluster/track_line.h"
#include "skein/proto/base/alloc.h"
#include "track/track_shelf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	BLOCK = 1024 * 1024, /* that is read at a time */
	LINE_MAX_BYTES = 64 * 1024,
};
static const char seq_key[] = "\"seq\":\"";

struct backlog_file {
	int fd;
	uint64_t size;
};

enum phase { PHASE_DONE, PHASE_BACK, PHASE_FORWARD };

struct track_backlog {
	char *folder;
	struct span node; /* owned */
	uint64_t run;

	enum phase phase;
	struct track_mark mark;
	uint64_t oldest_us;
	struct backlog_file files[BACKLOG_FILES]; /* newest first */
	size_t count, at;                         /* the file that is read */
	uint64_t offset;           /* back: where the last block began; forward: the next one */
	uint64_t read;             /* back: bytes so far */
	struct buf block;          /* forward: what was read and not looked at */
	struct track_chunk *chunk; /* of chunk_run */
	uint64_t chunk_run;
	bool is_told; /* it was handed out, and goes with the next step */
	struct arena arena;
	uint64_t own_next; /* the event of the own run that should come next */
	uint64_t missing;  /* that did not come */
};

/* --- files ---------------------------------------------------------------------------------------------- */

static void close_files(struct track_backlog *backlog)
{
	for (size_t i = 0; i < backlog->count; i++)
		close(backlog->files[i].fd);
	backlog->count = backlog->at = 0;
	backlog->phase = PHASE_DONE;
	buf_fini(&backlog->block);
}

/* Adds what can be opened; bytes that are added. */
static uint64_t open_one(struct track_backlog *backlog, const char *name)
{
	struct backlog_file *file = &backlog->files[backlog->count];
	struct buf path = { 0 };
	struct stat stat;

	buf_printf(&path, "%s/%s", backlog->folder, name);
	buf_append_byte(&path, '\0');
	file->fd = open(buf_span(&path).ptr, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	buf_fini(&path);
	if (file->fd < 0)
		return 0;
	if (fstat(file->fd, &stat) || !S_ISREG(stat.st_mode) || stat.st_size <= 0) {
		close(file->fd);
		return 0;
	}
	file->size = (uint64_t)stat.st_size;
	backlog->count++;
	return file->size;
}

static void open_files(struct track_backlog *backlog)
{
	struct track_shelf_names names = track_shelf_list(backlog->folder, "json");
	uint64_t bytes = open_one(backlog, "tracking.json");

	for (size_t i = names.count; i > 0 && bytes < BACKLOG_BYTES && backlog->count < BACKLOG_FILES; i--)
		bytes += open_one(backlog, names.items[i - 1].text);
	track_shelf_names_fini(&names);
}

/* Appends up to `len` bytes; false: it cannot be read so far. */
static bool read_at(const struct backlog_file *file, uint64_t offset, size_t len, struct buf *out)
{
	buf_reserve(out, len);
	while (len) {
		ssize_t got = pread(file->fd, buf_tail(out), len, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		buf_commit(out, (size_t)got);
		offset += (uint64_t)got;
		len -= (size_t)got;
	}
	return true;
}

/* --- back to the mark ----------------------------------------------------------------------------------- */

/*
 * Where what is behind the mark begins: in the last line of the mark's run that is at or before it, which is
 * broken then and no event. 0: it has none.
 */
static size_t find_mark(const struct track_backlog *backlog, struct span block)
{
	struct span rest = block;
	size_t found = 0;
	const char *key;

	while ((key = memmem(rest.ptr, rest.len, seq_key, sizeof(seq_key) - 1))) {
		struct track_mark seen;
		struct span text;

		rest = span_drop(rest, (size_t)(key - rest.ptr) + sizeof(seq_key) - 1);
		text = span_take(rest, span_find(rest, '"'));
		if (track_name_read(text, &seen.run, &seen.number) && seen.run == backlog->mark.run &&
			seen.number <= backlog->mark.number)
			found = (size_t)(rest.ptr - block.ptr);
	}
	return found;
}

static void begin_forward(struct track_backlog *backlog)
{
	backlog->phase = PHASE_FORWARD;
	buf_clear(&backlog->block);
}

/* One block further back. A key that lies across two of them is no matter: the line before it, or the one
 * before that, will do. */
static void step_back(struct track_backlog *backlog)
{
	const struct backlog_file *file = &backlog->files[backlog->at];
	size_t len = backlog->offset < BLOCK ? (size_t)backlog->offset : BLOCK, found;

	backlog->offset -= len;
	backlog->read += len;
	buf_clear(&backlog->block);
	if (!read_at(file, backlog->offset, len, &backlog->block)) {
		begin_forward(backlog);
		return;
	}
	found = find_mark(backlog, buf_span(&backlog->block));
	backlog->offset += found;
	if (found || backlog->read >= BACKLOG_BYTES) {
		begin_forward(backlog);
	} else if (!backlog->offset && backlog->at + 1 == backlog->count) {
		begin_forward(backlog);
	} else if (!backlog->offset) {
		backlog->at++;
		backlog->offset = backlog->files[backlog->at].size;
	}
}

/* --- forward -------------------------------------------------------------------------------------------- */

/* Reads on, in the next file where one ends. False: that was all. */
static bool fill_block(struct track_backlog *backlog)
{
	while (true) {
		const struct backlog_file *file = &backlog->files[backlog->at];
		uint64_t left = file->size > backlog->offset ? file->size - backlog->offset : 0;
		size_t len = left < BLOCK ? (size_t)left : BLOCK;

		if (len && read_at(file, backlog->offset, len, &backlog->block)) {
			backlog->offset += len;
			return true;
		}
		/* Half a line at the end of a file is none. */
		buf_clear(&backlog->block);
		if (!backlog->at)
			return false;
		backlog->at--;
		backlog->offset = 0;
	}
}

/* The next whole line, without its end. False: read on. */
static bool next_line(struct track_backlog *backlog, struct span *line_out)
{
	struct span rest = buf_span(&backlog->block);
	size_t len = span_find(rest, '\n');

	if (len == rest.len) {
		if (len > LINE_MAX_BYTES)
			buf_clear(&backlog->block);
		return false;
	}
	*line_out = span_take(rest, len);
	return true;
}

static bool is_lacking(const struct track_backlog *backlog, const struct track_event *event)
{
	if (!event->number || event->time_us < backlog->oldest_us)
		return false;
	return event->run != backlog->mark.run || event->number > backlog->mark.number;
}

static void note_own(struct track_backlog *backlog, const struct track_event *event)
{
	if (event->run != backlog->run || event->number < backlog->own_next)
		return;
	backlog->missing += event->number - backlog->own_next;
	backlog->own_next = event->number + 1;
}

/* False: it does not go with what is in the chunk. */
static bool add(struct track_backlog *backlog, const struct track_event *event)
{
	size_t count = backlog->chunk ? track_chunk_count(backlog->chunk) : 0;
	char encoded[TRACK_EVENT_MAX];

	if (count && (backlog->chunk_run != event->run ||
			     track_chunk_first(backlog->chunk) + count != event->number))
		return false;
	if (!backlog->chunk || backlog->chunk_run != event->run) {
		track_chunk_free(&backlog->chunk);
		backlog->chunk = track_chunk_new(backlog->node, event->run);
		backlog->chunk_run = event->run;
	}
	track_chunk_add(
		backlog->chunk, event, span_of(encoded, track_event_encode(event, encoded)), event->number);
	note_own(backlog, event);
	return true;
}

/* Takes the lines of the block, up to a full chunk. */
static enum backlog_step take_lines(struct track_backlog *backlog, uint64_t own_first)
{
	struct track_event event;
	struct span line;

	while (next_line(backlog, &line)) {
		bool is_event = track_line_read(line, &backlog->arena, &event);

		if (is_event && event.run == backlog->run && event.number >= own_first)
			return BACKLOG_END;
		if (is_event && is_lacking(backlog, &event) && !add(backlog, &event))
			return BACKLOG_CHUNK;
		arena_reset(&backlog->arena);
		buf_consume(&backlog->block, line.len + 1);
		if (backlog->chunk && track_chunk_is_full(backlog->chunk))
			return BACKLOG_CHUNK;
	}
	return BACKLOG_MORE;
}

static bool has_chunk(const struct track_backlog *backlog)
{
	return backlog->chunk && track_chunk_count(backlog->chunk);
}

static enum backlog_step step_forward(struct track_backlog *backlog, uint64_t own_first)
{
	enum backlog_step step = take_lines(backlog, own_first);

	if (step == BACKLOG_MORE && !fill_block(backlog))
		step = BACKLOG_END;
	if (step != BACKLOG_END)
		return step;
	close_files(backlog);
	return has_chunk(backlog) ? BACKLOG_CHUNK : BACKLOG_END;
}

enum backlog_step track_backlog_step(
	struct track_backlog *backlog, uint64_t own_first, struct track_chunk **chunk_out)
{
	enum backlog_step step = BACKLOG_END;

	*chunk_out = NULL;
	if (backlog->chunk && backlog->is_told)
		track_chunk_clear(backlog->chunk);
	backlog->is_told = false;
	if (backlog->phase == PHASE_BACK) {
		step_back(backlog);
		return BACKLOG_MORE;
	}
	if (backlog->phase == PHASE_FORWARD)
		step = step_forward(backlog, own_first);
	if (step == BACKLOG_CHUNK) {
		*chunk_out = backlog->chunk;
		backlog->is_told = true;
	}
	arena_reset(&backlog->arena);
	return step;
}

/* --- life ----------------------------------------------------------------------------------------------- */

void track_backlog_begin(struct track_backlog *backlog, const struct track_mark *mark, uint64_t oldest_us)
{
	close_files(backlog);
	if (backlog->chunk)
		track_chunk_clear(backlog->chunk);
	backlog->is_told = false;
	backlog->missing = 0;
	backlog->own_next = mark->run == backlog->run ? mark->number + 1 : 1;
	backlog->read = 0;
	backlog->mark = *mark;
	backlog->oldest_us = oldest_us;
	open_files(backlog);
	if (!backlog->count)
		return;
	backlog->offset = backlog->files[0].size;
	backlog->phase = PHASE_BACK;
}

uint64_t track_backlog_run(const struct track_backlog *backlog)
{
	return backlog->chunk_run;
}

uint64_t track_backlog_missing(const struct track_backlog *backlog, uint64_t own_first)
{
	return backlog->missing + (own_first > backlog->own_next ? own_first - backlog->own_next : 0);
}

struct track_backlog *track_backlog_new(const char *folder, struct span node, uint64_t run)
{
	struct track_backlog *backlog = mem_zalloc(sizeof(*backlog));

	backlog->folder = mem_strdup(folder);
	backlog->node = span_of(mem_dup(node.ptr, node.len), node.len);
	backlog->run = run;
	return backlog;
}

void track_backlog_free(struct track_backlog **pointer)
{
	struct track_backlog *backlog = *pointer;

	*pointer = NULL;
	if (!backlog)
		return;
	close_files(backlog);
	track_chunk_free(&backlog->chunk);
	arena_fini(&backlog->arena);
	mem_free((void *)(uintptr_t)backlog->node.ptr);
	mem_free(backlog->folder);
	mem_free(backlog);
}
