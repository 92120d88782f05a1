/*
 * options: the command line of skeind. Options are settings under another name: they go through the same
 * schema and win over the file.
 */
#ifndef NODE_CONFIG_OPTIONS_H
#define NODE_CONFIG_OPTIONS_H

#include "config/load.h"

enum options_action {
	OPTIONS_RUN,
	OPTIONS_COUNT_MAIL,
	OPTIONS_CHECK,
	OPTIONS_PRINT_DEFAULTS,
	OPTIONS_VERSION,
	OPTIONS_HELP,
	OPTIONS_MANUAL, /* print skeind(8), for the build */
	OPTIONS_USAGE,  /* the command line itself is wrong; `usage` says how */
};

enum { OPTIONS_EXIT_OK = 0, OPTIONS_EXIT_SETTINGS = 1, OPTIONS_EXIT_USAGE = 2 };

struct options {
	enum options_action action;
	const char *config_file; /* NULL: none */
	struct setting_override *overrides;
	size_t override_count, override_cap;
	struct buf usage;
	struct arena arena;
};

/* `argv` is borrowed for the life of the options. Ends with options_fini() in any case. */
void options_parse(int argc, char *const argv[], struct options *options_out);
void options_fini(struct options *options);

/*
 * Reads the file if there is one and applies the options; also checks the files that the settings name. NULL
 * when there was an error. May be called again, for a reload. Blocks.
 */
struct settings *options_load(const struct options *options, struct report *report);

/*
 * The start of main(): parses, does what needs no node (help, version, ...), prints what there is to print
 * and loads the settings. Negative: run, count mail, or go on with the check, with *settings_out. Else exit
 * with it; *settings_out is NULL.
 */
int options_start(int argc, char *const argv[], struct options *options_out, struct settings **settings_out);

#endif
