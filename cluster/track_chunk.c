#include "skein/cluster/track_chunk.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/codec.h"

#include <zstd.h>

enum { HEAD_VERSION = 1, LEVEL = 3, TERMS_FIRST = 256 };

struct track_chunk {
	struct span node; /* owned */
	uint64_t run, first, from_us, to_us;
	size_t count;
	struct buf raw;
	uint64_t *terms; /* a table of those seen; 0: free. Its size is a power of two, and it is at most half
			    full */
	size_t term_count, term_cap;
	ZSTD_CCtx *compressor;
};

/* ---- reading ---- */

enum err track_head_decode(struct span bytes, struct track_head *head_out)
{
	struct reader reader = { .rest = bytes };
	uint8_t version = get_u8(&reader);

	head_out->run = get_u64(&reader);
	head_out->first = get_u64(&reader);
	head_out->count = get_u32(&reader);
	head_out->from_us = get_u64(&reader);
	head_out->to_us = get_u64(&reader);
	head_out->raw_len = get_u32(&reader);
	head_out->node = get_bytes(&reader, TRACK_CHUNK_NODE_MAX);
	head_out->filter = get_bytes(&reader, TRACK_FILTER_MAX);
	if (reader.bad || reader.rest.len || version != HEAD_VERSION || !head_out->count ||
		head_out->count > TRACK_CHUNK_EVENTS || head_out->first > UINT64_MAX - head_out->count ||
		head_out->from_us > head_out->to_us || head_out->raw_len > TRACK_CHUNK_RAW_MAX)
		return ERR_CORRUPT;
	return ERR_OK;
}

enum err track_chunk_open(const struct track_head *head, struct span body, struct buf *events_out)
{
	size_t got;

	if (body.len > TRACK_CHUNK_BODY_MAX || ZSTD_getFrameContentSize(body.ptr, body.len) != head->raw_len)
		return ERR_CORRUPT;
	buf_reserve(events_out, head->raw_len + 1);
	got = ZSTD_decompress(buf_tail(events_out), head->raw_len, body.ptr, body.len);
	if (ZSTD_isError(got) || got != head->raw_len)
		return ERR_CORRUPT;
	buf_commit(events_out, got);
	return ERR_OK;
}

/* ---- filling ---- */

struct track_chunk *track_chunk_new(struct span node, uint64_t run)
{
	struct track_chunk *chunk = mem_zalloc(sizeof(*chunk));

	CHECK(node.len <= TRACK_CHUNK_NODE_MAX);
	chunk->node = span_of(mem_dup(node.ptr, node.len), node.len);
	chunk->run = run;
	chunk->compressor = ZSTD_createCCtx();
	CHECK(chunk->compressor);
	return chunk;
}

void track_chunk_free(struct track_chunk **pointer)
{
	struct track_chunk *chunk = *pointer;

	*pointer = NULL;
	if (!chunk)
		return;
	(void)ZSTD_freeCCtx(chunk->compressor);
	buf_fini(&chunk->raw);
	mem_free(chunk->terms);
	mem_free((void *)(uintptr_t)chunk->node.ptr);
	mem_free(chunk);
}

static void put_term(struct track_chunk *chunk, uint64_t term)
{
	size_t mask = chunk->term_cap - 1, at = (size_t)term & mask;

	while (chunk->terms[at] && chunk->terms[at] != term)
		at = (at + 1) & mask;
	if (chunk->terms[at])
		return;
	chunk->terms[at] = term;
	chunk->term_count++;
}

static void grow_terms(struct track_chunk *chunk)
{
	uint64_t *old = chunk->terms;
	size_t old_cap = chunk->term_cap;

	chunk->term_cap = old_cap ? old_cap * 2 : TERMS_FIRST;
	chunk->terms = mem_zalloc(chunk->term_cap * sizeof(*chunk->terms));
	chunk->term_count = 0;
	for (size_t i = 0; i < old_cap; i++)
		if (old[i])
			put_term(chunk, old[i]);
	mem_free(old);
}

static void on_term(void *arg, uint64_t term)
{
	struct track_chunk *chunk = arg;

	if (chunk->term_count * 2 >= chunk->term_cap)
		grow_terms(chunk);
	put_term(chunk, term ? term : 1);
}

void track_chunk_add(
	struct track_chunk *chunk, const struct track_event *event, struct span encoded, uint64_t number)
{
	CHECK(!track_chunk_is_full(chunk) && encoded.len <= TRACK_EVENT_MAX);
	CHECK(!chunk->count || number == chunk->first + chunk->count);
	if (!chunk->count) {
		chunk->first = number;
		chunk->from_us = chunk->to_us = event->time_us;
	}
	if (event->time_us < chunk->from_us)
		chunk->from_us = event->time_us;
	if (event->time_us > chunk->to_us)
		chunk->to_us = event->time_us;
	chunk->count++;
	buf_append(&chunk->raw, encoded);
	track_terms_each(event, on_term, chunk);
}

bool track_chunk_is_full(const struct track_chunk *chunk)
{
	return chunk->count >= TRACK_CHUNK_EVENTS || buf_len(&chunk->raw) >= TRACK_CHUNK_RAW;
}

size_t track_chunk_count(const struct track_chunk *chunk)
{
	return chunk->count;
}

uint64_t track_chunk_first(const struct track_chunk *chunk)
{
	return chunk->first;
}

struct span track_chunk_raw(const struct track_chunk *chunk)
{
	return buf_span(&chunk->raw);
}

static void put_filter(const struct track_chunk *chunk, struct buf *out)
{
	uint64_t *terms = mem_alloc((chunk->term_count + 1) * sizeof(*terms));
	struct buf filter = { 0 };
	size_t count = 0;

	for (size_t i = 0; i < chunk->term_cap; i++)
		if (chunk->terms[i])
			terms[count++] = chunk->terms[i];
	track_filter_make(terms, count, &filter);
	put_bytes(out, buf_span(&filter));
	buf_fini(&filter);
	mem_free(terms);
}

void track_chunk_seal(struct track_chunk *chunk, struct buf *head_out, struct buf *body_out)
{
	struct span raw = buf_span(&chunk->raw);
	size_t bound = ZSTD_compressBound(raw.len), len;

	CHECK(chunk->count);
	put_u8(head_out, HEAD_VERSION);
	put_u64(head_out, chunk->run);
	put_u64(head_out, chunk->first);
	put_u32(head_out, (uint32_t)chunk->count);
	put_u64(head_out, chunk->from_us);
	put_u64(head_out, chunk->to_us);
	put_u32(head_out, (uint32_t)raw.len);
	put_bytes(head_out, chunk->node);
	put_filter(chunk, head_out);
	buf_reserve(body_out, bound);
	len = ZSTD_compressCCtx(chunk->compressor, buf_tail(body_out), bound, raw.ptr, raw.len, LEVEL);
	CHECK(!ZSTD_isError(len));
	buf_commit(body_out, len);
}

void track_chunk_clear(struct track_chunk *chunk)
{
	chunk->count = 0;
	chunk->term_count = 0;
	if (chunk->term_cap)
		memset(chunk->terms, 0, chunk->term_cap * sizeof(*chunk->terms));
	buf_clear(&chunk->raw);
}
