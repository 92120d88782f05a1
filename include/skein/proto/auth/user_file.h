/*
 * user_file: users that the relay keeps itself, as text. One per line, read and written by people too:
 *
 *     # comments and empty lines stay where they are
 *     printer    password=$y$j9T$... groups=devices addresses=printer@example.com,scan@example.com
 *     monitoring password=$y$... scram=SCRAM-SHA-256$4096:SALT$STORED:SERVER disabled
 *
 * `password` is a hash of crypt(5), `scram` an RFC 5803 verifier; one of them must be there. Names, groups
 * and addresses hold no spaces; names and addresses compare without the case of ASCII letters.
 */
#ifndef SKEIN_PROTO_AUTH_USER_FILE_H
#define SKEIN_PROTO_AUTH_USER_FILE_H

#include "skein/proto/auth/sasl.h"

enum {
	USER_FILE_SIZE_MAX = 16 * 1024 * 1024,
	USER_FILE_LINE_MAX = 8192,
	USER_LIST_MAX = 256, /* groups, and addresses, of one user */
};

struct user_list {
	const char *const *items;
	size_t count;
};

struct user_record {
	const char *name;
	const char *hash; /* "": none */
	bool has_scram;
	struct sasl_scram_verifier scram;
	struct user_list groups, addresses;
	bool is_disabled;
};

struct user_file;

/* Where the text is wrong: a line, from 1, and a constant phrase. */
struct user_file_fault {
	size_t line;
	const char *why;
};

/* NULL when the text is wrong. It is borrowed for the call. `seed` is 16 random bytes. */
struct user_file *user_file_parse(
	struct span text, const uint64_t seed[2], struct user_file_fault *fault_out) WARN_UNUSED;
/* Wipes the hashes and verifiers. */
void user_file_free(struct user_file **file);
/* Lives as long as the file. NULL: there is no such user. */
const struct user_record *user_file_find(const struct user_file *file, struct span name);
/* Walks all users in the order of the text: start with *cursor = 0, ends with NULL. */
const struct user_record *user_file_next(const struct user_file *file, size_t *cursor);

/* NULL, or what is wrong with a name. */
const char *user_name_fault(struct span name);
/* NULL, or what is wrong with one group or address. */
const char *user_item_fault(struct span item);
/*
 * The text with the line of this user replaced, added, or with a NULL record taken out; all other lines as
 * they are. False: there was none. The text parses, and so does the outcome.
 */
bool user_file_replace(struct span text, struct span name, const struct user_record *record, struct buf *out);

#endif
