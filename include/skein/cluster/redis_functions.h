/*
 * redis_functions: the function library, as text. Its version is a digest of that text, and both the
 * library's name and each function's name carry it: nodes of two versions may use one Redis during an
 * upgrade, and a library that is loaded under its name never needs to be replaced.
 */
#ifndef SKEIN_CLUSTER_REDIS_FUNCTIONS_H
#define SKEIN_CLUSTER_REDIS_FUNCTIONS_H

extern const char redis_functions_name[];    /* "skein_1a2b3c4d"; a function is "<name>_accept" */
extern const char redis_functions_version[]; /* "1a2b3c4d" */
extern const char redis_functions_source[];  /* for FUNCTION LOAD; NUL-terminated */

#endif
