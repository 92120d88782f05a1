/*
 * load: settings from YAML text and from options, through the schema. All errors are found in one run.
 */
#ifndef NODE_CONFIG_LOAD_H
#define NODE_CONFIG_LOAD_H

#include "skein/cluster/schema/reader.h"
#include "config/settings.h"
#include "skein/cluster/policy.h"

struct load_input {
	const char *file;                         /* the name shown in errors; NULL: there is no file */
	struct span text;                         /* its content */
	const struct setting_override *overrides; /* in order; they win over the file */
	size_t override_count;
};

/*
 * Defaults, then the file, then the overrides, then the rules over several settings. NULL when there was an
 * error; the report may hold warnings besides. All of `input` is borrowed for the call. Opens no file.
 */
struct settings *settings_load(const struct load_input *input, struct report *report);

/* Calls `fn` for every file to read that the settings name; `path` is the setting's:
 * "tls.certificates[1].key". */
typedef void settings_file_fn(void *arg, const struct setting_row *row, const char *path, const char *file);
void settings_each_file(const struct settings *settings, settings_file_fn *fn, void *arg);
/* Every file that the settings name: is it there and readable, and are secrets hidden from others? */
void settings_check_files(const struct settings *settings, struct report *report);

/* The policy in policy.file; NULL: none is named, or the report says what is wrong with it. Blocks. */
struct policy *settings_load_policy(const struct settings *settings, struct report *report);

#endif
