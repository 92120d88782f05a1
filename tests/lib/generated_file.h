/*
 * A file of the repository that is printed from a table in the code. The test compares; with
 * SKEIN_UPDATE_DOCS set it writes the file anew.
 */
#ifndef TESTS_LIB_GENERATED_FILE_H
#define TESTS_LIB_GENERATED_FILE_H

#include "cmocka_all.h"

#include "skein/proto/base/buf.h"

#include <stdio.h>
#include <stdlib.h>

static inline void read_whole_file(const char *path, struct buf *out)
{
	FILE *file = fopen(path, "rb");
	size_t len;

	if (!file)
		return;
	do {
		buf_reserve(out, 4096);
		len = fread(buf_tail(out), 1, 4096, file);
		buf_commit(out, len);
	} while (len);
	fclose(file);
}

/* `name` is relative to the top of the source. */
static inline void assert_file_is_up_to_date(const char *name, struct span wanted)
{
	const char *source = getenv("SKEIN_SOURCE");
	struct buf found = { 0 };
	char path[1024];

	if (!source)
		skip();
	snprintf(path, sizeof(path), "%s/%s", source, name);
	if (getenv("SKEIN_UPDATE_DOCS")) {
		FILE *file = fopen(path, "wb");

		assert_non_null(file);
		assert_int_equal(fwrite(wanted.ptr, 1, wanted.len, file), wanted.len);
		assert_int_equal(fclose(file), 0);
	}
	read_whole_file(path, &found);
	if (!span_eq(buf_span(&found), wanted))
		fail_msg("%s is not what the code prints: run this test with SKEIN_UPDATE_DOCS=1", name);
	buf_fini(&found);
}

#endif
