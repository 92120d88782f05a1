/*
 * Runs a fuzz target over each file of a folder, without libFuzzer: a corpus is an ordinary test.
 */
#include "skein/proto/base/alloc.h"
#include "skein/proto/base/buf.h"

#include <dirent.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* False: not a file. */
static bool read_file(const char *path, struct buf *content)
{
	FILE *file = fopen(path, "rb");
	char block[4096];
	size_t len;

	if (!file)
		return false;
	while ((len = fread(block, 1, sizeof(block), file)) > 0)
		buf_append(content, span_of(block, len));
	fclose(file);
	return true;
}

/* From memory of exactly that length, so that AddressSanitizer sees a read past it. */
static void run(struct span content)
{
	uint8_t *copy = mem_dup(content.len ? content.ptr : "", content.len ? content.len : 1);

	LLVMFuzzerTestOneInput(copy, content.len);
	mem_free(copy);
}

int main(int argc, char **argv)
{
	DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
	struct dirent *entry;
	unsigned count = 0;

	if (!folder) {
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return 2;
	}
	while ((entry = readdir(folder))) {
		struct buf path = { 0 }, content = { 0 };

		if (entry->d_name[0] == '.')
			continue;
		buf_printf(&path, "%s/%s", argv[1], entry->d_name);
		buf_append_byte(&path, '\0');
		if (read_file(path.base, &content)) {
			run(buf_span(&content));
			count++;
		}
		buf_fini(&content);
		buf_fini(&path);
	}
	closedir(folder);
	printf("%u inputs\n", count);
	return count ? 0 : 1;
}
