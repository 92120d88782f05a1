#include "custody/body_internal.h"

#include "custody/record.h"
#include "skein/proto/base/alloc.h"

#include <fcntl.h>
#include <unistd.h>

enum {
	MEMORY_MAX_DEFAULT = 256 << 10,
	FIRST_BYTES = 8 << 10,      /* most mail of applications is shorter */
	HINT_SLACK_BYTES = 1 << 10, /* for the headers that are put in front */
};

struct body_store *body_store_new(const struct body_store_options *options)
{
	struct body_store *store = mem_zalloc(sizeof(*store));

	store->loop = options->loop;
	store->dir = mem_strdup(options->dir);
	store->dir_fd = open(options->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	store->journal = options->journal;
	store->budget = options->budget;
	store->memory_max = options->memory_max ? options->memory_max : MEMORY_MAX_DEFAULT;
	list_init(&store->removals);
	list_init(&store->held);
	return store;
}

void body_store_set_journal(struct body_store *store, struct journal *journal)
{
	store->journal = journal;
}

void body_store_free(struct body_store **store)
{
	if (!*store)
		return;
	CHECK(!(*store)->bodies && list_is_empty(&(*store)->removals));
	if ((*store)->dir_fd >= 0)
		close((*store)->dir_fd);
	mem_free((*store)->dir);
	mem_free(*store);
	*store = NULL;
}

/* --- life --- */

static struct body *make(struct body_store *store, const struct msg_id *id)
{
	struct body *body = mem_zalloc(sizeof(*body));

	body->store = store;
	body->id = *id;
	body->refs = 1;
	list_init(&body->readers);
	list_init(&body->held);
	store->bodies++;
	return body;
}

struct body *body_new(struct body_store *store, const struct msg_id *id, uint64_t size_hint)
{
	struct body *body = make(store, id);

	if (size_hint > store->memory_max) {
		body_file_begin(body);
	} else if (size_hint) {
		body->cap = (size_t)size_hint + HINT_SLACK_BYTES;
		if (budget_level(store->budget) < BUDGET_HIGH && body->cap <= store->memory_max) {
			body->bytes = mem_alloc(body->cap);
			body_charge(body, body->cap);
		} else {
			body->cap = 0;
		}
	}
	return body;
}

struct body *body_restore(struct body_store *store, const struct msg_id *id, const struct journal_body *from)
{
	struct body *body = make(store, id);

	body->life = BODY_DURABLE;
	body->home = from->place == JOURNAL_BODY_FILE ? BODY_HOME_FILE : BODY_HOME_JOURNAL;
	body->len = from->len;
	body->checksum = from->checksum;
	return body;
}

struct body *body_ref(struct body *body)
{
	CHECK(body->refs);
	body->refs++;
	return body;
}

static void destroy(struct body *body)
{
	CHECK(list_is_empty(&body->readers));
	list_remove(&body->held);
	if (body->file)
		body_file_free(body);
	if (body->home == BODY_HOME_FILE && body->life != BODY_DURABLE)
		body_file_remove(body);
	mem_free(body->bytes);
	body_charge(body, 0);
	body->store->bodies--;
	mem_free(body);
}

void body_unref(struct body **body_ptr)
{
	struct body *body = *body_ptr;

	if (!body)
		return;
	*body_ptr = NULL;
	CHECK(body->refs);
	if (--body->refs == 0 && !body->is_busy)
		destroy(body);
}

bool body_idle(struct body *body)
{
	CHECK(body->is_busy);
	body->is_busy = false;
	if (body->refs)
		return true;
	destroy(body);
	return false;
}

/* --- memory --- */

void body_charge(struct body *body, size_t holds)
{
	if (holds > body->charged)
		budget_force(body->store->budget, holds - body->charged);
	else
		budget_give(body->store->budget, body->charged - holds);
	body->charged = holds;
}

/* False when it would be too long for memory, or the budget is spent. */
static bool grow(struct body *body, size_t wanted)
{
	size_t cap = body->cap ? body->cap : FIRST_BYTES;

	if (wanted <= body->cap)
		return true;
	if (wanted > body->store->memory_max)
		return false;
	while (cap < wanted)
		cap *= 2;
	if (cap > body->store->memory_max)
		cap = body->store->memory_max;
	if (!budget_take(body->store->budget, cap - body->cap))
		return false;
	body->charged += cap - body->cap;
	body->bytes = mem_realloc(body->bytes, cap);
	body->cap = cap;
	return true;
}

enum body_flow body_append(struct body *body, struct span bytes)
{
	CHECK(body->life == BODY_FILLING);
	if (!bytes.len)
		return BODY_GO;
	if (!body->file && !grow(body, (size_t)body->len + bytes.len))
		body_file_begin(body);
	if (body->file)
		return body_file_append(body, bytes);
	memcpy(body->bytes + body->len, bytes.ptr, bytes.len);
	body->len += bytes.len;
	return BODY_GO;
}

void body_on_resume(struct body *body, body_resume_fn *fn, void *arg)
{
	body->on_resume = fn;
	body->resume_arg = arg;
}

bool body_seal(struct body *body, body_sealed_fn *fn, void *arg)
{
	CHECK(body->life == BODY_FILLING);
	body->life = BODY_SEALING;
	if (body->file) {
		body->on_sealed = fn;
		body->sealed_arg = arg;
		body_file_seal(body);
		return body->life == BODY_SEALED;
	}
	if (body->cap - body->len > body->len / 4 + 512) {
		body->cap = (size_t)body->len;
		body->bytes = mem_realloc(body->bytes, body->cap);
		body_charge(body, body->cap);
	}
	body->checksum = record_body_sum(span_of(body->bytes, (size_t)body->len));
	body->life = BODY_SEALED;
	return true;
}

void body_drop_memory(struct body *body)
{
	mem_free(body->bytes);
	body->bytes = NULL;
	body->cap = 0;
	body_charge(body, 0);
}

static bool is_evictable(const struct body *body)
{
	return body->life == BODY_DURABLE && body->home != BODY_HOME_FILE && body->bytes &&
	       list_is_empty(&body->readers);
}

bool body_evict(struct body *body)
{
	if (!is_evictable(body))
		return false;
	body->home = BODY_HOME_JOURNAL;
	body_drop_memory(body);
	return true;
}

/* One that was given up before and read back is given up again: its next attempt is some time away. */
void body_consider_memory(struct body *body)
{
	if (body->home == BODY_HOME_JOURNAL || budget_level(body->store->budget) >= BUDGET_TIGHT)
		(void)body_evict(body);
}

void body_mark_durable(struct body *body)
{
	CHECK(body->life == BODY_SEALED && !body->err);
	body->life = BODY_DURABLE;
	body_consider_memory(body);
}

void body_mark_done(struct body *body)
{
	CHECK(body->life >= BODY_SEALED);
	body->life = BODY_DONE;
}

/* --- knowing --- */

const struct msg_id *body_id(const struct body *body)
{
	return &body->id;
}

uint64_t body_len(const struct body *body)
{
	return body->len;
}

enum err body_error(const struct body *body)
{
	return body->err;
}

uint64_t body_checksum(const struct body *body)
{
	CHECK(body->life >= BODY_SEALED);
	return body->checksum;
}

bool body_bytes(const struct body *body, struct span *bytes_out)
{
	CHECK(body->life >= BODY_SEALED);
	if (body->home == BODY_HOME_FILE || (!body->bytes && body->len))
		return false;
	*bytes_out = span_of(body->bytes, (size_t)body->len);
	return true;
}

struct journal_body body_for_journal(const struct body *body)
{
	struct journal_body to = { .len = body->len, .checksum = body->checksum };

	CHECK(body->life >= BODY_SEALED && !body->err);
	to.place = body->home == BODY_HOME_FILE ? JOURNAL_BODY_FILE : JOURNAL_BODY_INLINE;
	if (to.place == JOURNAL_BODY_INLINE)
		CHECK(body_bytes(body, &to.bytes));
	return to;
}

char *body_path(const struct body *body)
{
	struct buf path = { 0 };
	char *text;

	buf_printf(&path, "%s/%s", body->store->dir, msg_id_format(&body->id).text);
	text = mem_strndup(buf_span(&path).ptr, buf_len(&path));
	buf_fini(&path);
	return text;
}
