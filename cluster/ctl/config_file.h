/*
 * config_file: the part `redis:`, the host's name, the key file and the file of users of a node's settings.
 * Only scalars are looked at: whether the file is right as a whole is for `skeind --check` to say.
 */
#ifndef CTL_CONFIG_FILE_H
#define CTL_CONFIG_FILE_H

#include "options.h"

/* Sets what is not set in `options` yet. False when it is not readable YAML: one line in `why_out`. */
bool config_file_read(const char *path, struct ctl_options *options, struct buf *why_out);
/* One setting, "node.spool"; NULL when it is not there, is no scalar, or the file cannot be read. */
const char *config_file_value(const char *path, const char *setting, struct arena *arena);

#endif
