/*
 * The one allocator. Out of memory aborts: every size a peer controls is bounded before it gets here.
 */
#ifndef SKEIN_PROTO_BASE_ALLOC_H
#define SKEIN_PROTO_BASE_ALLOC_H

#include <stddef.h>

void *mem_alloc(size_t size);
void *mem_zalloc(size_t size);
void *mem_realloc(void *ptr, size_t size);
void *mem_dup(const void *ptr, size_t size);
/* A NUL-terminated copy of `len` bytes. */
char *mem_strndup(const char *text, size_t len);
char *mem_strdup(const char *text);
void mem_free(void *ptr);
/* Overwrites in a way the compiler keeps; for secrets before they are freed. */
void mem_wipe(void *ptr, size_t size);

#endif
