#define _DEFAULT_SOURCE /* explicit_bzero */
#include "skein/proto/base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *or_abort(void *ptr)
{
	if (!ptr) {
		fputs("skein: out of memory\n", stderr);
		abort();
	}
	return ptr;
}

void *mem_alloc(size_t size)
{
	return or_abort(malloc(size ? size : 1));
}

void *mem_zalloc(size_t size)
{
	return or_abort(calloc(1, size ? size : 1));
}

void *mem_realloc(void *ptr, size_t size)
{
	return or_abort(realloc(ptr, size ? size : 1));
}

void *mem_dup(const void *ptr, size_t size)
{
	void *copy = mem_alloc(size);

	if (size)
		memcpy(copy, ptr, size);
	return copy;
}

char *mem_strndup(const char *text, size_t len)
{
	char *copy = mem_alloc(len + 1);

	if (len)
		memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

char *mem_strdup(const char *text)
{
	return mem_strndup(text, strlen(text));
}

void mem_free(void *ptr)
{
	free(ptr);
}

void mem_wipe(void *ptr, size_t size)
{
	if (size)
		explicit_bzero(ptr, size);
}
