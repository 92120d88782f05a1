/*
 * table: a document described by rows: name, type, default, bounds, help and the field it fills. The settings
 * of a node and the cluster's policy are such tables; reader.h fills a struct from YAML through one, and
 * documentation is printed from them.
 */
#ifndef SKEIN_CLUSTER_SCHEMA_TABLE_H
#define SKEIN_CLUSTER_SCHEMA_TABLE_H

#include "skein/proto/base/arena.h"
#include "skein/proto/base/check.h"

/* Where to listen or connect. No brackets around IPv6; not set: host "" and port 0. */
struct endpoint {
	const char *host; /* an address where it is bound, an address or a name where it is connected to */
	uint16_t port;
};

enum setting_type {
	SETTING_STRING,   /* const char *: printable, no spaces */
	SETTING_TEXT,     /* const char *: printable, on one line */
	SETTING_NAME,     /* const char *: letters, digits, '.', '-', '_' */
	SETTING_PREFIX,   /* const char *: as a name, ':' too */
	SETTING_DOMAIN,   /* const char *: a domain name */
	SETTING_HOST,     /* const char *: a domain name or an IP address */
	SETTING_PATH,     /* const char * */
	SETTING_BOOL,     /* bool */
	SETTING_INTEGER,  /* uint64_t */
	SETTING_SIZE,     /* uint64_t, bytes: 64MiB */
	SETTING_DURATION, /* uint64_t, milliseconds: 5s, 3m, 2d */
	SETTING_ENUM,     /* an enum of the compiler's usual size; the value is the index of the name */
	SETTING_LISTEN,   /* struct endpoint: IP address and port */
	SETTING_ENDPOINT, /* struct endpoint: IP address or domain name, and port */
	SETTING_STRINGS,  /* struct text_list: several SETTING_TEXT, or one without a list around it */
	SETTING_NETWORKS, /* struct cidr_list */
	SETTING_SECTIONS, /* { const struct x *items; size_t count; }, where `items` describes x */
	SETTING_NAMED,    /* the same, from a section of sections: the key goes into the row "name" */
};

struct text_list {
	const char *const *items;
	size_t count;
};

enum setting_file { SETTING_FILE_ANY, SETTING_FILE_READABLE, SETTING_FILE_SECRET };

struct setting_table {
	const struct setting_row *rows;
	size_t count;
	size_t item_size; /* of the struct that the offsets are in */
};

struct setting_row {
	const char *path;   /* "route.timeout.connect" */
	const char *preset; /* the default as it would be written; "": not set; NULL: must be given */
	enum setting_type type;
	uint64_t min, max; /* of the number, or of the length of a text, or of the items in a list */
	const char *const *names;
	size_t name_count;
	const struct setting_table *items;
	size_t offset;
	enum setting_file file;
	bool is_reloadable; /* SIGHUP is enough */
	const char *help;   /* one sentence or two, without a line break */
};

/* NULL when there is none. */
const struct setting_row *schema_find(const struct setting_table *table, struct span path);
/* True when "path." begins at least one row. */
bool schema_is_group(const struct setting_table *table, struct span path);
/* Is the field a struct of items and count? */
bool schema_is_list(const struct setting_row *row);
/* Sets every field of the table's struct at `base` to its default; those without one become 0. */
void schema_preset(const struct setting_table *table, struct arena *arena, char *base);

#endif
