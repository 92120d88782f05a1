/*
 * track_shelf: the tracking files that are full, in the folder of the one that is written. Their names sort
 * by time. Everything here blocks, for as long as it takes to read a folder.
 */
#ifndef NODE_TRACK_TRACK_SHELF_H
#define NODE_TRACK_TRACK_SHELF_H

#include "skein/proto/base/check.h"
#include "skein/proto/base/err.h"
#include "track/track_file.h"

/* Renames `path` to tracking-TIME.SUFFIX, or tracking-TIME.N.SUFFIX where that is taken. errno says why not.
 */
WARN_UNUSED enum err track_shelf_put(
	const char *folder, const char *path, const char *suffix, uint64_t now_us);
/*
 * Removes files that were last written too long ago, then the oldest ones until the rest takes no more than
 * it may. What has another name or suffix stays.
 */
void track_shelf_trim(
	const char *folder, const char *suffix, const struct track_file_limits *limits, uint64_t now_s);

enum { TRACK_SHELF_NAME_SIZE = 64 };
struct track_shelf_names {
	struct {
		char text[TRACK_SHELF_NAME_SIZE];
	} * items;
	size_t count;
};
/* Those that are there, oldest first; none where the folder cannot be read. */
struct track_shelf_names track_shelf_list(const char *folder, const char *suffix);
void track_shelf_names_fini(struct track_shelf_names *names);

#endif
