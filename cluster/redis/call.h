/*
 * call: one call of the function library, from typed arguments to a typed outcome. queue.h, registry.h and
 * queue_view.h are made of these. A call is built on the stack (call_begin, keys, arguments) and ended by
 * call_send(), which frees what building took.
 */
#ifndef CLUSTER_REDIS_CALL_H
#define CLUSTER_REDIS_CALL_H

#include "skein/cluster/msg_id.h"
#include "skein/cluster/redis_link.h"
#include "skein/cluster/redis_outcome.h"
#include "skein/proto/base/arena.h"

#include <hiredis/hiredis.h>

struct call {
	struct redis_link *link;
	struct arena arena;
	struct span base;  /* of key names, with the hash tag */
	struct span *argv; /* arena */
	size_t argc, cap, keys;
	bool is_function;
	unsigned flags; /* enum redis_call_flags */
};

enum call_mode { CALL_WRITES, CALL_READS };

/* An FCALL of the library's `function`. */
void call_begin(struct call *call, struct redis_link *link, const char *function, enum call_mode mode);
/* A plain command. */
void call_begin_plain(struct call *call, struct redis_link *link, const char *command);

/* The tag of the names to come: "<prefix>{s<shard>}:". */
void call_in_shard(struct call *call, unsigned shard);
/* The same, and the five keys that every function about a shard has first. */
void call_shard_keys(struct call *call, unsigned shard);
/* "<base><kind><name>", for a plain command or a key of a function; keys come before arguments. */
void call_key(struct call *call, const char *kind, struct span name);
void call_piece_key(struct call *call, struct span id_text, unsigned index);
/* The tag of what belongs to no shard and has a slot of its own: "<prefix>{<room>}". */
void call_in_room(struct call *call, const char *room);
/* "<prefix>{meta}<name>". */
void call_meta_key(struct call *call, const char *kind, struct span name);

/* "<prefix>{policy}<name>". */
void call_policy_key(struct call *call, const char *kind);

/* "<prefix>{secrets}<kind>". */
void call_secrets_key(struct call *call, const char *kind);

/* Borrowed until call_send(). */
void call_arg(struct call *call, struct span arg);
void call_arg_u64(struct call *call, uint64_t value);

/* Texts that live until call_send(). */
struct span call_id_text(struct call *call, const struct msg_id *id);
struct span call_incarnation_text(struct call *call, const struct incarnation *node);
/* "uuid uuid uuid" */
struct span call_uuid_list(struct call *call, const struct node_uuid *uuids, size_t count);

/* Any of our callback types; cast back by the deliver function that goes with it. */
typedef void call_any_fn(void);
struct call_target {
	call_any_fn *fn;
	void *arg;
};
/*
 * Gives the caller its result. `reply` is NULL unless the outcome is OK or UNREPLICATED, and then of
 * unchecked form: one that is not as expected becomes outcome_bad_reply().
 */
typedef void call_deliver_fn(
	const struct call_target *target, struct outcome *outcome, const redisReply *reply);

bool call_send(struct call *call, uint64_t now_ms, call_deliver_fn *deliver, struct call_target target);
/* For callbacks of the form void (*)(void *arg, const struct outcome *). */
bool call_send_plain(
	struct call *call, uint64_t now_ms, void (*fn)(void *, const struct outcome *), void *arg);

struct outcome outcome_of_reply(enum redis_outcome how, const redisReply *reply);
/* Of a plain command: OK, whatever the reply is, unless it is an error. */
struct outcome outcome_of_plain(enum redis_outcome how, const redisReply *reply);
void outcome_bad_reply(struct outcome *outcome);

/* Reads an array from its start; past its end, or where the type is another, `bad` is set and zero or nothing
 * returned. */
struct reply_cursor {
	const redisReply *array;
	size_t next;
	bool bad;
};

struct reply_cursor reply_read(const redisReply *array);
bool reply_has_more(const struct reply_cursor *reader);
uint64_t reply_u64(struct reply_cursor *reader); /* an integer, or digits */
struct span reply_span(struct reply_cursor *reader);
const redisReply *reply_array(struct reply_cursor *reader);
struct msg_id reply_id(struct reply_cursor *reader);
struct node_uuid reply_uuid(struct reply_cursor *reader);          /* empty text: nobody */
struct incarnation reply_incarnation(struct reply_cursor *reader); /* empty text: epoch 0 */
enum settled reply_settled(struct reply_cursor *reader);           /* an integer 0.. */

#endif
