/*
 * On the loop: the reader gives a piece, work is queued, its end asks for the next piece. What the pool works
 * on is not touched by the loop meanwhile.
 */
#include "inspect/reading.h"

#include "skein/proto/base/alloc.h"

enum { PIECE = 64 * 1024 };

struct reading {
	uv_work_t work;
	struct reading_request request; /* fn NULL: freed by its owner */
	struct body_reader *reader;
	bool is_working;
	/* The pool's while it works. */
	struct span piece;
	bool is_last;   /* no piece, the message is over */
	size_t to_skip; /* of our own octets */
	struct dkim_verifier *verifier;
	const char *why;   /* there is nothing to verify */
	const char *fault; /* of the stored message */
	struct author_domains authors;
};

/* --- in the pool -------------------------------------------------------------------------------- */

static void find_authors(struct reading *reading)
{
	const struct dkim_header *header = dkim_verifier_header(reading->verifier);

	for (size_t i = 0; i < header->count; i++) {
		struct span field = dkim_header_field(header, i);

		if (span_eq_nocase(dkim_header_name(header, i), SPAN_LIT("from")))
			author_domains_add(&reading->authors, span_drop(field, span_find(field, ':') + 1));
	}
}

static void feed(struct reading *reading)
{
	size_t own = reading->to_skip < reading->piece.len ? reading->to_skip : reading->piece.len;

	reading->to_skip -= own;
	dkim_verifier_feed(reading->verifier, span_drop(reading->piece, own));
}

static void work_in_pool(uv_work_t *work)
{
	struct reading *reading = work->data;

	if (reading->fault)
		return;
	if (!reading->is_last) {
		feed(reading);
		return;
	}
	if (dkim_verifier_end(reading->verifier, &reading->why))
		CHECK(reading->why);
	find_authors(reading);
}

/* --- on the loop -------------------------------------------------------------------------------- */

static void destroy(struct reading *reading)
{
	body_reader_free(&reading->reader);
	dkim_verifier_free(&reading->verifier);
	(*reading->request.under_way)--;
	mem_free(reading);
}

static void on_worked(uv_work_t *work, int status);

/* Failures go through the pool too: nobody is called back from inside a call. */
static void advance(struct reading *reading)
{
	switch (body_reader_next(reading->reader, &reading->piece)) {
	case BODY_READ_WAIT:
		return;
	case BODY_READ_PIECE:
		break;
	case BODY_READ_END:
		reading->is_last = true;
		break;
	case BODY_READ_FAILED:
		reading->fault = err_text(body_reader_error(reading->reader));
		break;
	}
	reading->is_working = true;
	CHECK(uv_queue_work(&reading->request.loop->uv, &reading->work, work_in_pool, on_worked) == 0);
}

static void on_worked(uv_work_t *work, int status)
{
	struct reading *reading = work->data;

	CHECK(status == 0);
	reading->is_working = false;
	if (!reading->request.fn)
		destroy(reading);
	else if (reading->fault || reading->is_last)
		reading->request.fn(reading->request.arg);
	else
		advance(reading);
}

static void on_body_ready(void *arg)
{
	advance(arg);
}

struct reading *reading_start(const struct reading_request *request)
{
	struct reading *reading = mem_zalloc(sizeof(*reading));

	reading->work.data = reading;
	reading->request = *request;
	reading->to_skip = request->own_size;
	reading->verifier = dkim_verifier_new(DKIM_HEADER_SIZE_MAX, DKIM_HEADER_FIELDS_MAX);
	reading->reader = body_reader_new(request->body, PIECE, on_body_ready, reading);
	(*request->under_way)++;
	advance(reading);
	return reading;
}

void reading_free(struct reading **reading_ptr)
{
	struct reading *reading = *reading_ptr;

	*reading_ptr = NULL;
	if (!reading)
		return;
	reading->request.fn = NULL;
	if (!reading->is_working)
		destroy(reading);
}

/* --- what was found ----------------------------------------------------------------------------- */

const char *reading_fault(const struct reading *reading)
{
	return reading->fault;
}

const struct author_domains *reading_authors(const struct reading *reading)
{
	return &reading->authors;
}

struct dkim_verifier *reading_take_verifier(struct reading *reading, const char **why_out)
{
	struct dkim_verifier *verifier = reading->verifier;

	*why_out = reading->why;
	if (reading->fault || reading->why)
		return NULL;
	reading->verifier = NULL;
	return verifier;
}
