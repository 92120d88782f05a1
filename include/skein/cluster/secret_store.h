/*
 * secret_store: the cluster's secrets in Redis, as typed calls over one redis_link. The rules for the calls
 * are those of queue.h. What is stored is sealed (secret.h) by whoever puts it, with purpose "secret"; Redis
 * sees names, authors and key ids, and no text.
 */
#ifndef SKEIN_CLUSTER_SECRET_STORE_H
#define SKEIN_CLUSTER_SECRET_STORE_H

#include "skein/cluster/redis_link.h"
#include "skein/cluster/redis_outcome.h"
#include "skein/cluster/secret.h"

enum { SECRETS_MAX = 256, SECRET_AUTHOR_MAX = 255 };

/* What a secret of this name is sealed for. */
struct secret_label secret_store_label(struct span name);

/* Grows with each change. After Redis went back in time a number may come again; `at_ms` differs then. */
struct secret_version {
	uint64_t number; /* 0: none */
	uint64_t at_ms;  /* by Redis' clock */
};

struct secret_note {
	struct secret_version version; /* of the change that set it */
	struct span author, key_id;    /* borrowed; key id in hexadecimal */
};

/*
 * OK: it is set. NOT: another version than `expected` is there, `note` says whose (number 0: none); nothing
 * was changed. ERROR_FULL: SECRETS_MAX are there. Waits for replicas.
 */
struct secret_put {
	struct span name;  /* secret_name_is_valid() */
	uint64_t expected; /* version.number that the author looked at; 0: there is none */
	struct span author;
	struct span sealed;
};
typedef void secret_change_fn(void *arg, const struct outcome *outcome, const struct secret_note *note);
bool secret_put(struct redis_link *link, const struct secret_put *args, uint64_t now_ms, secret_change_fn *fn,
	void *arg);

/* As secret_put(), and GONE: it is not there. */
bool secret_remove(struct redis_link *link, struct span name, uint64_t expected, uint64_t now_ms,
	secret_change_fn *fn, void *arg);

struct secret_row {
	struct span name;
	struct secret_note note;
	struct span sealed; /* "" unless asked for */
};
struct secret_list {
	struct secret_version version; /* of all */
	const struct secret_row *rows; /* by name */
	size_t count;
};
typedef void secret_list_fn(void *arg, const struct outcome *outcome, const struct secret_list *list);
bool secret_list(struct redis_link *link, bool with_sealed, uint64_t now_ms, secret_list_fn *fn, void *arg);

/* The version of all: one cheap command. */
typedef void secret_version_fn(
	void *arg, const struct outcome *outcome, const struct secret_version *version);
bool secret_current(struct redis_link *link, uint64_t now_ms, secret_version_fn *fn, void *arg);

#endif
