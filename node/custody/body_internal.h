/*
 * What body.c (life and memory), body_file.c (writing long ones) and body_reader.c share.
 *
 *   FILLING ──seal──→ SEALED ──journal has it──→ DURABLE ──journal's DONE──→ DONE      in memory
 *   FILLING ──seal──→ SEALING ──fdatasync──→ SEALED ...                               in a file
 */
#ifndef NODE_CUSTODY_BODY_INTERNAL_H
#define NODE_CUSTODY_BODY_INTERNAL_H

#include "custody/body.h"
#include "custody/budget.h"
#include "skein/proto/base/list.h"

#include <uv.h>

struct body_file;

enum body_life { BODY_FILLING, BODY_SEALING, BODY_SEALED, BODY_DURABLE, BODY_DONE };

enum body_home {
	BODY_HOME_MEMORY,
	BODY_HOME_FILE,
	BODY_HOME_JOURNAL, /* `bytes` only while it is read */
};

struct body_store {
	uv_loop_t *loop;
	char *dir;
	int dir_fd; /* -1 when it could not be opened: then no file can be made durable */
	struct journal *journal;
	struct budget *budget;
	size_t memory_max;
	struct list removals; /* files on their way out */
	struct list held;     /* bodies whose file waits for a removal under the same name */
	size_t bodies;
};

struct body {
	struct body_store *store;
	struct msg_id id;
	unsigned refs;
	bool is_busy; /* a file operation or a load is under way: it is freed behind it */
	enum body_life life;
	enum body_home home;
	enum err err; /* of the file */
	uint64_t len, checksum;
	char *bytes;
	size_t cap;
	size_t charged; /* to the budget, for all that it holds */
	struct list readers;
	struct body_file *file; /* while it is written */
	struct list held;
	body_resume_fn *on_resume;
	void *resume_arg;
	body_sealed_fn *on_sealed;
	void *sealed_arg;
};

/* body.c */
/* Brings what the body holds in line with the budget. */
void body_charge(struct body *body, size_t holds);
/* An operation has ended. False: the body is gone with its last reference. */
bool body_idle(struct body *body) WARN_UNUSED;
/* The path of its file, to be freed. */
char *body_path(const struct body *body);
/* Nobody reads it any more, or it became durable: may the memory go? */
void body_consider_memory(struct body *body);
void body_drop_memory(struct body *body);

/* body_file.c */
/* From memory, if there is any, to a file that is about to be made. */
void body_file_begin(struct body *body);
enum body_flow body_file_append(struct body *body, struct span bytes);
void body_file_seal(struct body *body);
void body_file_free(struct body *body);
/* Removes the file with that name; the body may be gone meanwhile. */
void body_file_remove(const struct body *body);
enum err body_err_of_uv(ssize_t result);

/* body_reader.c */
/* What was waited for is there, or will never be. */
void body_readers_wake(struct body *body);

#endif
