/*
 * What an incremental parser says about the bytes it has: they hold a whole thing, more are needed, or they
 * can never become one.
 */
#ifndef SKEIN_PROTO_BASE_PARSE_H
#define SKEIN_PROTO_BASE_PARSE_H

enum parse_result { PARSE_DONE, PARSE_MORE, PARSE_BAD };

#endif
