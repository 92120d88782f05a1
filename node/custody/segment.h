/*
 * segment: one file of the journal. Blocks. A segment is filled with zeros ahead of its first use, because
 * overwriting such blocks commits 1.6 to 2 times faster than growing a file, and then used again and again.
 *
 * ERR_FULL: the disk is full, and the segment is as it was. ERR_IO: errno says why.
 */
#ifndef NODE_CUSTODY_SEGMENT_H
#define NODE_CUSTODY_SEGMENT_H

#include "custody/record.h"
#include "skein/proto/base/list.h"

#include <sys/uio.h>

struct segment {
	struct list node;             /* the journal's ring, oldest first */
	struct list lives;            /* messages whose MESSAGE record is in here (live.h) */
	uint64_t live_bytes;          /* of live MESSAGE and UPDATE records in here */
	struct segment_header header; /* generation 0 when never used */
	size_t used;                  /* end of the last record */
	size_t filled;                /* size of the file; bytes behind `used` are there to be overwritten */
	unsigned readers;             /* threads that read a body in here */
	bool damaged;                 /* something in here does not read back */
	uint32_t number;
	int fd;
};

/* `00000001.seg`, for messages too. */
struct segment_name {
	char text[16];
};
struct segment_name segment_name(uint32_t number);
/* False when the file name is not that of a segment. */
bool segment_parse_name(const char *name, uint32_t *number_out) WARN_UNUSED;

/* A new file with room for `filled` bytes, all zero, durable with its name. */
enum err segment_create(int dir_fd, uint32_t number, size_t filled, struct segment **segment_out) WARN_UNUSED;
/* An existing one; `used` and `header` are for the caller to find out. */
enum err segment_open(int dir_fd, uint32_t number, struct segment **segment_out) WARN_UNUSED;
/* Closes the file; nothing is live in it. */
void segment_free(struct segment **segment);
/* Removes the file, durably, and frees. */
enum err segment_remove(int dir_fd, struct segment **segment) WARN_UNUSED;
/* Renames the file to NAME.damaged, durably, and frees. */
enum err segment_set_aside(int dir_fd, struct segment **segment) WARN_UNUSED;

/* Starts a new use: writes the header and makes it durable. */
enum err segment_begin(struct segment *segment, const struct segment_header *header) WARN_UNUSED;
/* Ends it: writes an END record at `used` and makes it durable. There is always room: RECORD_HEADER_BYTES. */
enum err segment_end(struct segment *segment) WARN_UNUSED;

/* Makes sure that the disk has room up to `upto`, without zeros: quick. */
enum err segment_reserve(struct segment *segment, size_t upto) WARN_UNUSED;
/* Adds zeros up to `upto`, durably. */
enum err segment_fill(struct segment *segment, size_t upto) WARN_UNUSED;

/* All of it, at `offset`; `iov` is spent. */
enum err segment_write(struct segment *segment, struct iovec *iov, size_t count, size_t offset) WARN_UNUSED;
enum err segment_sync(struct segment *segment) WARN_UNUSED;
/* Exactly `len` bytes; fewer are ERR_CORRUPT. Any thread. */
enum err segment_read(const struct segment *segment, size_t offset, char *bytes_out, size_t len) WARN_UNUSED;

#endif
