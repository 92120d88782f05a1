/*
 * Bodies to and from Redis, in pieces of QUEUE_PIECE_BYTES. What is in memory goes at once; what is in a file
 * or only in the journal is read piece by piece, with a bound on what waits to be sent. A few at a time: the
 * others wait for their turn.
 */
#include "custody/custody_internal.h"
#include "skein/proto/base/alloc.h"

/* Pieces of one body, and bodies of one worker: together what many large messages at once hold in memory. */
enum { PUT_IN_FLIGHT = 4, PUTS_AT_ONCE = 4 };

struct transfer {
	struct list link; /* custody->puts_waiting, until it begins */
	struct custody *custody;
	struct message *message;
	struct body_reader *reader;
	transfer_fn *fn;
	unsigned next, count; /* pieces */
	unsigned in_flight;
	uint64_t size;
	bool is_reading; /* the reader will say when it has more */
	bool is_read;    /* all pieces were sent */
	enum err err;
};

unsigned transfer_pieces(uint64_t size)
{
	return size ? (unsigned)((size + QUEUE_PIECE_BYTES - 1) / QUEUE_PIECE_BYTES) : 1;
}

static struct transfer *transfer_new(struct custody *custody, struct message *message, transfer_fn *fn)
{
	struct transfer *transfer = mem_zalloc(sizeof(*transfer));

	transfer->custody = custody;
	transfer->message = message_ref(message);
	transfer->fn = fn;
	list_init(&transfer->link);
	custody->transfers++;
	return transfer;
}

static void finish(struct transfer *transfer)
{
	struct custody *custody = transfer->custody;
	struct message *message = transfer->message;
	transfer_fn *fn = transfer->fn;
	enum err err = transfer->err;

	if (transfer->reader)
		body_reader_free(&transfer->reader);
	mem_free(transfer);
	custody->transfers--;
	fn(custody, message, err);
	message_unref(&message);
}

/* --- out ---------------------------------------------------------------------------------------- */

static void put_more(struct transfer *transfer);

static void end_put(struct transfer *transfer)
{
	struct custody *custody = transfer->custody;

	custody->puts--;
	loop_defer(custody->loop, &custody->begin_puts);
	finish(transfer);
}

static void on_piece_put(void *arg, const struct outcome *outcome)
{
	struct transfer *transfer = arg;

	transfer->in_flight--;
	if (!outcome_is_ok(outcome) && !transfer->err)
		transfer->err = ERR_CLOSED;
	put_more(transfer);
}

static void put_piece(struct transfer *transfer, struct span piece)
{
	struct custody *custody = transfer->custody;

	if (queue_put_piece(ownership_link(custody->ownership), &transfer->message->holding.id,
		    transfer->next, piece, custody_now_ms(), on_piece_put, transfer)) {
		transfer->next++;
		transfer->in_flight++;
	} else {
		transfer->err = ERR_CLOSED;
	}
}

static void put_more(struct transfer *transfer)
{
	struct span piece;

	while (!transfer->err && !transfer->is_read && !transfer->is_reading &&
		transfer->in_flight < PUT_IN_FLIGHT) {
		switch (body_reader_next(transfer->reader, &piece)) {
		case BODY_READ_PIECE:
			put_piece(transfer, piece);
			break;
		case BODY_READ_WAIT:
			transfer->is_reading = true;
			return;
		case BODY_READ_END:
			transfer->is_read = true;
			break;
		case BODY_READ_FAILED:
			transfer->err = body_reader_error(transfer->reader);
			break;
		}
	}
	if ((transfer->is_read || transfer->err) && !transfer->in_flight)
		end_put(transfer);
}

static void on_readable(void *arg)
{
	struct transfer *transfer = arg;

	transfer->is_reading = false;
	put_more(transfer);
}

static void begin_puts(void *arg)
{
	struct custody *custody = arg;

	while (custody->puts < PUTS_AT_ONCE && !list_is_empty(&custody->puts_waiting)) {
		struct transfer *transfer = LIST_FIRST(&custody->puts_waiting, struct transfer, link);

		list_remove(&transfer->link);
		custody->puts++;
		transfer->reader =
			body_reader_new(transfer->message->body, QUEUE_PIECE_BYTES, on_readable, transfer);
		put_more(transfer);
	}
}

void transfer_init(struct custody *custody)
{
	list_init(&custody->puts_waiting);
	loop_task_init(&custody->begin_puts, begin_puts, custody);
}

void transfer_fini(struct custody *custody)
{
	CHECK(!custody->puts && list_is_empty(&custody->puts_waiting));
	loop_task_cancel(&custody->begin_puts);
}

/* One piece of an empty body, so that "no piece" can mean "the body is not in Redis". */
static bool put_from_memory(struct custody *custody, struct message *message)
{
	struct span bytes;

	if (!body_bytes(message->body, &bytes) || bytes.len > QUEUE_PIECE_BYTES)
		return false;
	/* Whether it arrived is asked of the call that names it. */
	return queue_put_piece(ownership_link(custody->ownership), &message->holding.id, 0, bytes,
		custody_now_ms(), NULL, NULL);
}

bool transfer_put(struct custody *custody, struct message *message, transfer_fn *fn)
{
	struct transfer *transfer;

	if (put_from_memory(custody, message))
		return true;
	transfer = transfer_new(custody, message, fn);
	list_push_back(&custody->puts_waiting, &transfer->link);
	loop_defer(custody->loop, &custody->begin_puts);
	return false;
}

/* --- in ----------------------------------------------------------------------------------------- */

static void get_next(struct transfer *transfer);

static void on_sealed(void *arg, enum err err)
{
	struct transfer *transfer = arg;

	transfer->err = err;
	if (!err && body_len(transfer->message->body) != transfer->size)
		transfer->err = ERR_CORRUPT;
	finish(transfer);
}

static void on_resumed(void *arg)
{
	get_next(arg);
}

static void on_piece_got(void *arg, const struct outcome *outcome, struct span bytes)
{
	struct transfer *transfer = arg;

	if (!outcome_is_ok(outcome)) {
		transfer->err = outcome->kind == OUTCOME_GONE ? ERR_NOT_FOUND : ERR_CLOSED;
		finish(transfer);
		return;
	}
	transfer->next++;
	if (body_append(transfer->message->body, bytes) == BODY_PAUSE)
		body_on_resume(transfer->message->body, on_resumed, transfer);
	else
		get_next(transfer);
}

static void get_next(struct transfer *transfer)
{
	struct custody *custody = transfer->custody;
	struct body *body = transfer->message->body;

	if (transfer->next < transfer->count) {
		if (!queue_get_piece(ownership_link(custody->ownership), &transfer->message->holding.id,
			    transfer->next, custody_now_ms(), on_piece_got, transfer)) {
			transfer->err = ERR_CLOSED;
			finish(transfer);
		}
		return;
	}
	if (body_seal(body, on_sealed, transfer))
		on_sealed(transfer, body_error(body));
}

void transfer_get(
	struct custody *custody, struct message *message, uint64_t size, unsigned pieces, transfer_fn *fn)
{
	struct transfer *transfer = transfer_new(custody, message, fn);

	CHECK(!message->body);
	message->body = body_new(custody->bodies, &message->holding.id, size);
	transfer->count = pieces;
	transfer->size = size;
	get_next(transfer);
}
