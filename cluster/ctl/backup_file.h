/*
 * backup_file: what skeinctl backup writes and skeinctl restore reads: JSON for people and programs, with a
 *checksum. Texts of secrets stay sealed with the cluster's key, which is not in it.
 *
 *	{ "format": "skein-backup", "version": 1, "made_ms", "made_by", "cluster",
 *	  "policy": [{ "number", "at_ms", "author", "comment", "text" }],           oldest first; the last one
 *holds "secrets": [{ "name", "author", "at_ms", "key", "sealed" }],              key: its id; sealed: base64
 *	  "bans": [{ "network", "until_ms", "by", "why" }],
 *	  "hops": [{ "hop", "state", "until_ms", "by", "why" }],                    what operators said
 *	  "silences": [{ "alert", "until_ms", "by", "why" }],                       of alerts
 *	  "sha256": of all that, without itself, keys sorted, without blanks }
 */
#ifndef CTL_BACKUP_FILE_H
#define CTL_BACKUP_FILE_H

#include "skein/proto/base/buf.h"

#include <jansson.h>

enum { BACKUP_VERSION = 1, BACKUP_SIZE_MAX = 256 * 1024 * 1024 };

/* Adds the checksum and writes a new file that only its owner may read. False: one line in `why_out`, and no
 * file. */
WARN_UNUSED bool backup_file_write(const char *path, json_t *backup, struct buf *why_out);
/* Checked as a whole: checksum, version, the fields above and their types. NULL: one line in `why_out`. */
json_t *backup_file_read(const char *path, struct buf *why_out);

#endif
