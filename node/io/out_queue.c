#include "io/out_queue.h"

#include "skein/proto/base/alloc.h"

/*
 * Copies go into blocks with room: a small one first, which is all that a reply needs and what malloc hands
 * out fastest, then ones that hold a full TLS record.
 */
#define FIRST_ROOM ((size_t)960)
#define NEXT_ROOM  ((size_t)17 * 1024)

struct out_block {
	struct out_block *next;
	struct span rest; /* not yet consumed */
	size_t room;      /* free bytes behind `rest`, which lies in data[]; 0 for another owner's bytes */
	loop_fn *release;
	void *arg;
	bool is_secret; /* data[] is overwritten at the end */
	char data[];
};

static void push(struct out_queue *queue, struct out_block *block)
{
	if (queue->tail)
		queue->tail->next = block;
	else
		queue->head = block;
	queue->tail = block;
}

static struct out_block *push_room(struct out_queue *queue, size_t len)
{
	size_t room = queue->head ? NEXT_ROOM : FIRST_ROOM;
	struct out_block *block;

	if (room < len)
		room = len;
	block = mem_alloc(sizeof(*block) + room);
	*block = (struct out_block){ .rest = span_of(block->data, 0), .room = room };
	push(queue, block);
	return block;
}

void out_queue_append(struct out_queue *queue, struct span bytes)
{
	while (bytes.len) {
		struct out_block *block = queue->tail;
		size_t len;

		if (!block || !block->room)
			block = push_room(queue, bytes.len);
		len = bytes.len < block->room ? bytes.len : block->room;
		memcpy(block->data + (block->rest.ptr - block->data) + block->rest.len, bytes.ptr, len);
		block->rest.len += len;
		block->room -= len;
		queue->bytes += len;
		bytes = span_drop(bytes, len);
	}
}

void out_queue_append_secret(struct out_queue *queue, struct span bytes)
{
	struct out_block *tail = queue->tail;
	struct out_block *first = tail && tail->room ? tail : NULL;

	out_queue_append(queue, bytes);
	if (!first)
		first = tail ? tail->next : queue->head;
	for (struct out_block *block = first; block; block = block->next)
		block->is_secret = true;
}

void out_queue_append_owned(struct out_queue *queue, struct span bytes, loop_fn *release, void *arg)
{
	struct out_block *block = mem_alloc(sizeof(*block));

	*block = (struct out_block){ .rest = bytes, .release = release, .arg = arg };
	push(queue, block);
	queue->bytes += bytes.len;
}

struct span out_queue_front(const struct out_queue *queue)
{
	return queue->head ? queue->head->rest : span_of(NULL, 0);
}

unsigned out_queue_iov(const struct out_queue *queue, size_t bytes_max, unsigned iov_max, uv_buf_t *iov_out)
{
	unsigned count = 0;

	for (struct out_block *block = queue->head; block && count < iov_max && bytes_max;
		block = block->next) {
		size_t len = block->rest.len < bytes_max ? block->rest.len : bytes_max;

		iov_out[count++] = uv_buf_init((char *)block->rest.ptr, (unsigned)len);
		bytes_max -= len;
	}
	return count;
}

static void pop(struct out_queue *queue)
{
	struct out_block *block = queue->head;

	queue->head = block->next;
	if (!queue->head)
		queue->tail = NULL;
	if (block->release)
		block->release(block->arg);
	if (block->is_secret)
		mem_wipe(block->data, (size_t)(block->rest.ptr + block->rest.len - block->data));
	mem_free(block);
}

void out_queue_consume(struct out_queue *queue, size_t len)
{
	CHECK(len <= queue->bytes);
	queue->bytes -= len;
	while (queue->head && len >= queue->head->rest.len) {
		len -= queue->head->rest.len;
		pop(queue);
	}
	if (len)
		queue->head->rest = span_drop(queue->head->rest, len);
}

void out_queue_fini(struct out_queue *queue)
{
	while (queue->head)
		pop(queue);
	queue->bytes = 0;
}
