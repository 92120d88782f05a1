#include "outbound/outgoing.h"

#include "skein/proto/base/alloc.h"

enum { SURVEY_PIECE = 64 * 1024 };

struct outgoing {
	struct body_reader *reader;
	struct rewrite *rewrite; /* NULL: no rules, or the header is over and empty of changes to come */
	struct downgrade *downgrade;
	uint64_t left; /* of the stored bytes */
	bool is_over;  /* all that there is was given */
	enum err err;
	struct buf rewritten, encoded; /* what they made of the last piece */
};

struct outgoing *outgoing_new(struct body *body, const struct outgoing_change *change, size_t piece_bytes,
	body_ready_fn *on_ready, void *arg)
{
	struct outgoing *outgoing = mem_zalloc(sizeof(*outgoing));

	outgoing->reader = body_reader_new(body, piece_bytes, on_ready, arg);
	outgoing->left = body_len(body);
	if (change->rules)
		outgoing->rewrite = rewrite_new(change->rules);
	if (change->downgrades)
		outgoing->downgrade = downgrade_new();
	return outgoing;
}

void outgoing_free(struct outgoing **outgoing_ptr)
{
	struct outgoing *outgoing = *outgoing_ptr;

	*outgoing_ptr = NULL;
	if (!outgoing)
		return;
	body_reader_free(&outgoing->reader);
	rewrite_free(&outgoing->rewrite);
	downgrade_free(&outgoing->downgrade);
	buf_fini(&outgoing->rewritten);
	buf_fini(&outgoing->encoded);
	mem_free(outgoing);
}

bool outgoing_is_last(const struct outgoing *outgoing)
{
	return outgoing->is_over;
}

enum err outgoing_error(const struct outgoing *outgoing)
{
	return outgoing->err ? outgoing->err : body_reader_error(outgoing->reader);
}

static void apply_rules(struct outgoing *outgoing, struct span *piece)
{
	if (!outgoing->rewrite)
		return;
	buf_clear(&outgoing->rewritten);
	rewrite_feed(outgoing->rewrite, *piece, &outgoing->rewritten);
	if (outgoing->is_over)
		rewrite_end(outgoing->rewrite, &outgoing->rewritten);
	*piece = buf_span(&outgoing->rewritten);
	if (rewrite_is_through(outgoing->rewrite))
		rewrite_free(&outgoing->rewrite);
}

/* False: it is not what was surveyed. */
static bool encode(struct outgoing *outgoing, struct span *piece)
{
	bool is_good;

	if (!outgoing->downgrade)
		return true;
	buf_clear(&outgoing->encoded);
	is_good = downgrade_feed(outgoing->downgrade, *piece, &outgoing->encoded);
	if (is_good && outgoing->is_over)
		is_good = downgrade_end(outgoing->downgrade, &outgoing->encoded) <= DOWNGRADE_OK;
	*piece = buf_span(&outgoing->encoded);
	return is_good;
}

/* An empty message is one piece without bytes here: something may go in front of it. */
static enum body_read read_stored(struct outgoing *outgoing, struct span *piece_out)
{
	enum body_read read = body_reader_next(outgoing->reader, piece_out);

	if (read == BODY_READ_END && !outgoing->is_over) {
		*piece_out = SPAN_LIT("");
		read = BODY_READ_PIECE;
	}
	if (read == BODY_READ_PIECE) {
		outgoing->left -= piece_out->len;
		outgoing->is_over = !outgoing->left;
	}
	return read;
}

enum body_read outgoing_next(struct outgoing *outgoing, struct span *piece_out)
{
	enum body_read read;

	do {
		if (outgoing->err)
			return BODY_READ_FAILED;
		read = read_stored(outgoing, piece_out);
		if (read != BODY_READ_PIECE)
			return read;
		apply_rules(outgoing, piece_out);
		if (!encode(outgoing, piece_out))
			outgoing->err = ERR_CORRUPT;
	} while (outgoing->err || (!piece_out->len && !outgoing->is_over));
	return BODY_READ_PIECE;
}

/* --- survey ------------------------------------------------------------------------------------- */

struct outgoing_surveyor {
	struct loop_task start; /* so that the callback never comes from inside outgoing_survey_begin() */
	struct outgoing *outgoing;
	struct downgrade *downgrade;
	outgoing_survey_fn *fn;
	void *arg;
};

static void destroy(struct outgoing_surveyor *surveyor)
{
	loop_task_cancel(&surveyor->start);
	outgoing_free(&surveyor->outgoing);
	downgrade_free(&surveyor->downgrade);
	mem_free(surveyor);
}

static void finish(struct outgoing_surveyor *surveyor, bool is_read)
{
	struct outgoing_survey survey = {
		.verdict = downgrade_end(surveyor->downgrade, NULL),
		.has_8bit_header = downgrade_has_8bit_header(surveyor->downgrade),
		.size = downgrade_size(surveyor->downgrade),
	};
	outgoing_survey_fn *fn = surveyor->fn;
	void *arg = surveyor->arg;

	destroy(surveyor);
	fn(arg, is_read ? &survey : NULL);
}

static void look(void *arg)
{
	struct outgoing_surveyor *surveyor = arg;
	struct span piece;

	for (;;) {
		switch (outgoing_next(surveyor->outgoing, &piece)) {
		case BODY_READ_PIECE:
			/* Past what is impossible the header's verdict still needs the rest. */
			(void)downgrade_feed(surveyor->downgrade, piece, NULL);
			continue;
		case BODY_READ_WAIT:
			return;
		case BODY_READ_END:
			finish(surveyor, true);
			return;
		case BODY_READ_FAILED:
			finish(surveyor, false);
			return;
		}
	}
}

struct outgoing_surveyor *outgoing_survey_begin(struct loop *loop, struct body *body,
	const struct outgoing_change *change, outgoing_survey_fn *fn, void *arg)
{
	struct outgoing_surveyor *surveyor = mem_zalloc(sizeof(*surveyor));

	CHECK(!change->downgrades);
	surveyor->outgoing = outgoing_new(body, change, SURVEY_PIECE, look, surveyor);
	surveyor->downgrade = downgrade_new();
	surveyor->fn = fn;
	surveyor->arg = arg;
	loop_task_init(&surveyor->start, look, surveyor);
	loop_defer(loop, &surveyor->start);
	return surveyor;
}

void outgoing_survey_cancel(struct outgoing_surveyor **surveyor)
{
	if (*surveyor)
		destroy(*surveyor);
	*surveyor = NULL;
}
