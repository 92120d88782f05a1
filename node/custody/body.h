/*
 * body: the bytes of one message, wherever they are.
 *
 * Up to memory_max they are one piece of memory, shared by reference between the journal, Redis and the
 * courier. A longer one goes to the file body/<id> as it arrives. Once the journal has a small one it may
 * leave memory and is read back when its turn comes. Nobody who uses a body has to know which of the three it
 * is.
 *
 *   inbound   body_new, body_append ... (pause when told to), body_seal
 *   custody   body_for_journal → journal_append → body_mark_durable ... journal DONE durable → body_mark_done
 *   Redis     body_bytes, or a reader with pieces of 1 MiB
 *   courier   a reader
 *   claim     as inbound, fed with the pieces that Redis sends
 *   replay    body_restore
 *
 * One store per worker, everything on its loop's thread; only the budget is shared. Nothing here blocks the
 * loop.
 */
#ifndef NODE_CUSTODY_BODY_H
#define NODE_CUSTODY_BODY_H

#include "custody/journal.h"

struct uv_loop_s;
struct budget;
struct body_store;
struct body;
struct body_reader;

struct body_store_options {
	struct uv_loop_s *loop;
	const char *dir;         /* exists; spool_body_dir() */
	struct journal *journal; /* where small bodies are read back from; may be set later */
	struct budget *budget;
	size_t memory_max; /* 0: 256 KiB; at most that of the journal's longest record */
};

struct body_store *body_store_new(const struct body_store_options *options);
void body_store_set_journal(struct body_store *store, struct journal *journal);
/* All bodies are gone and the loop has run until none of their files was busy (it stays alive until then). */
void body_store_free(struct body_store **store);

/* --- writing --- */

/*
 * An empty body with one reference. `size_hint` is what the client declared, 0 when unknown: one above
 * memory_max goes to its file at once.
 */
struct body *body_new(struct body_store *store, const struct msg_id *id, uint64_t size_hint);
struct body *body_ref(struct body *body);
/*
 * The last reference frees it at once or when its file is idle. The file of a body that never became durable,
 * or that is done, is removed then: dropping a transaction is one call.
 */
void body_unref(struct body **body);

enum body_flow {
	BODY_GO,
	BODY_PAUSE, /* the bytes were taken, but the disk is behind: stop feeding until on_resume */
};
typedef void body_resume_fn(void *arg);
/*
 * Copies `bytes`. A failed file is told by body_seal(), not here: the rest of the message is swallowed, as
 * SMTP wants it. Not after body_seal().
 */
enum body_flow body_append(struct body *body, struct span bytes);
/* Runs once after each BODY_PAUSE, from the loop. NULL to be left alone. */
void body_on_resume(struct body *body, body_resume_fn *fn, void *arg);

typedef void body_sealed_fn(void *arg, enum err err);
/*
 * No more bytes. True when it is decided already and `fn` never runs: body_error() says how; for a body in
 * memory always ERR_OK. False when the file has still to be made durable: `fn` runs once, later, with ERR_OK,
 * ERR_FULL (disk full) or ERR_IO, unless the last reference goes before.
 */
bool body_seal(struct body *body, body_sealed_fn *fn, void *arg) WARN_UNUSED;
/* ERR_OK, or why its file could not be written: then it can only be dropped. */
enum err body_error(const struct body *body);

/* --- knowing --- */

const struct msg_id *body_id(const struct body *body);
uint64_t body_len(const struct body *body);
/* XXH3-64; sealed bodies only. */
uint64_t body_checksum(const struct body *body);
/* For the journal entry of a sealed body. Its bytes are borrowed until body_mark_durable() or the last unref.
 */
struct journal_body body_for_journal(const struct body *body);
/* True and all of it, borrowed until the loop's next turn, when a sealed body is in memory. Else use a
 * reader. */
bool body_bytes(const struct body *body, struct span *bytes_out) WARN_UNUSED;

/* --- life after the journal --- */

/* The journal has it: the file stays, and memory may be given up. Does so now if the budget is tight. */
void body_mark_durable(struct body *body);
/* The journal's DONE is durable (or was never needed): the file goes with the last reference. */
void body_mark_done(struct body *body);
/*
 * Gives the memory of a durable body back, for one that will not be sent soon. False when it is being read,
 * or is not durable, or has no memory.
 */
bool body_evict(struct body *body);
/* A message of the replay: sealed, durable, not in memory. `body->bytes` is not looked at. */
struct body *body_restore(struct body_store *store, const struct msg_id *id, const struct journal_body *body);

/* --- reading --- */

enum body_read {
	BODY_READ_PIECE,  /* *piece_out: borrowed until the next call for this reader */
	BODY_READ_WAIT,   /* on_ready will run once; call again then */
	BODY_READ_END,    /* all of it was read, and the checksum is right */
	BODY_READ_FAILED, /* body_reader_error(): ERR_IO, ERR_CORRUPT (the checksum is looked at before END),
			     ERR_NOT_FOUND (the journal or the folder does not have it) */
};
typedef void body_ready_fn(void *arg);

/*
 * Reads a sealed body from its start, once. Holds a reference, and the body in memory while it lives. Each
 * piece but the last has exactly `piece_bytes`; the next one is read while the caller sends this one. Any
 * number at a time. A piece of a file is not verified before END: the courier must not send the final dot
 * without it.
 */
struct body_reader *body_reader_new(
	struct body *body, size_t piece_bytes, body_ready_fn *on_ready, void *arg);
/* At any time, also while waiting: on_ready does not run any more. */
void body_reader_free(struct body_reader **reader);
enum body_read body_reader_next(struct body_reader *reader, struct span *piece_out) WARN_UNUSED;
enum err body_reader_error(const struct body_reader *reader);

#endif
