/*
 * spool: the folder that a node owns.
 *
 *   lock         held with flock() while the process lives; holds its pid for the error message
 *   uuid         who this node is, made once
 *   epoch        the highest epoch that was ever used, with a checksum
 *   journal/<n>  the journal of worker n
 *   body/<id>    bodies too long for the journal
 *
 * Everything here blocks and belongs to start-up, except spool_set_epoch(), which the cluster thread calls
 * when it registers: rarely, and nothing else waits for that thread. spool_free_bytes() is quick.
 */
#ifndef NODE_CUSTODY_SPOOL_H
#define NODE_CUSTODY_SPOOL_H

#include "skein/cluster/msg_id.h"
#include "skein/proto/base/buf.h"
#include "skein/proto/base/err.h"

struct spool;

enum { SPOOL_UUID_TEXT_LEN = 36 };

/*
 * Makes (0700, its parent exists) or opens the folder and locks it. ERR_BUSY: another process has it,
 * `problem_out` says which. ERR_CORRUPT: uuid or epoch do not read back; `problem_out` says what to do.
 * ERR_IO likewise.
 */
enum err spool_open(const char *dir, struct spool **spool_out, struct buf *problem_out) WARN_UNUSED;
/* Unlocks. */
void spool_close(struct spool **spool);

const char *spool_dir(const struct spool *spool);
/* Lower case text with dashes. Borrowed, as long as the spool. */
const char *spool_uuid(const struct spool *spool);
/* Folders; borrowed, as long as the spool. journal_options.dir is "<spool_journal_dir>/<n>". */
const char *spool_journal_dir(const struct spool *spool);
const char *spool_body_dir(const struct spool *spool);

/* The last epoch that was set; 0 for a new spool. Any thread. */
uint64_t spool_epoch(const struct spool *spool);
/* Durable on return: call it before the epoch is used. One thread at a time. A lower one than the last is
 * ERR_INVALID. */
enum err spool_set_epoch(struct spool *spool, uint64_t epoch) WARN_UNUSED;

/* What an unprivileged process may still write. Any thread. */
enum err spool_free_bytes(const struct spool *spool, uint64_t *free_out) WARN_UNUSED;

typedef bool spool_is_live_fn(void *arg, const struct msg_id *id);
/*
 * Removes body files that no live message names: left by a crash before their journal record, or after DONE.
 * Only after every journal of the spool was replayed. Files with a name that is no id stay.
 */
enum err spool_remove_orphans(
	struct spool *spool, spool_is_live_fn *is_live, void *arg, size_t *removed_out) WARN_UNUSED;

#endif
