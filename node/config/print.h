/*
 * print: the schema for people.
 */
#ifndef NODE_CONFIG_PRINT_H
#define NODE_CONFIG_PRINT_H

#include "skein/proto/base/buf.h"

/* A settings file with every default, commented: `skeind --print-defaults`. */
void print_defaults(struct buf *out);
/* docs/config.md. */
void print_docs(struct buf *out);

#endif
