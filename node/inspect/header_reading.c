#include "inspect/header_reading.h"

#include "skein/proto/base/alloc.h"

enum {
	PIECE = 64 * 1024,
	SIZE_BOUND = 8 * 1024 * 1024, /* above limits.header_size at its most, and what we put in front */
};

struct header_reading {
	struct loop *loop;
	header_reading_fn *fn;
	void *arg;
	struct body_reader *reader;
	struct header_list *list;
	enum err err;
	struct loop_task done;
};

static void destroy(struct header_reading *reading)
{
	loop_task_cancel(&reading->done);
	body_reader_free(&reading->reader);
	header_list_free(&reading->list);
	mem_free(reading);
}

static void on_done(void *arg)
{
	struct header_reading *reading = arg;
	header_reading_fn *fn = reading->fn;
	void *fn_arg = reading->arg;
	struct header_list *list = NULL;
	enum err err = reading->err;

	if (!err) {
		list = reading->list;
		reading->list = NULL;
	}
	destroy(reading);
	fn(fn_arg, err, list);
}

static enum header_list_state read_on(struct header_reading *reading, enum body_read *read_out)
{
	enum header_list_state state = HEADER_LIST_READING;
	struct span piece;

	while (state == HEADER_LIST_READING) {
		*read_out = body_reader_next(reading->reader, &piece);
		if (*read_out != BODY_READ_PIECE)
			break;
		state = header_list_feed(reading->list, piece);
	}
	return state;
}

static void advance(void *arg)
{
	struct header_reading *reading = arg;
	enum body_read read = BODY_READ_PIECE;
	enum header_list_state state = read_on(reading, &read);

	if (state == HEADER_LIST_READING && read == BODY_READ_WAIT)
		return;
	if (state == HEADER_LIST_READING && read == BODY_READ_FAILED)
		reading->err = body_reader_error(reading->reader);
	else if (state == HEADER_LIST_READING)
		state = header_list_end(reading->list);
	if (state == HEADER_LIST_TOO_LONG)
		reading->err = ERR_FULL;
	loop_defer(reading->loop, &reading->done);
}

struct header_reading *header_reading_start(
	const struct header_reading_request *request, header_reading_fn *fn, void *arg)
{
	struct header_reading *reading = mem_zalloc(sizeof(*reading));

	reading->loop = request->loop;
	reading->fn = fn;
	reading->arg = arg;
	loop_task_init(&reading->done, on_done, reading);
	reading->list = header_list_new(request->own_fields, SIZE_BOUND);
	reading->reader = body_reader_new(request->body, PIECE, advance, reading);
	advance(reading);
	return reading;
}

void header_reading_cancel(struct header_reading **reading)
{
	if (*reading)
		destroy(*reading);
	*reading = NULL;
}
