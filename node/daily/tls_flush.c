#include "daily/tls_flush.h"

#include "io/random.h"
#include "skein/proto/base/alloc.h"

struct tls_flush {
	struct tls_flush_options options;
	struct loop_timer timer;
	struct random random;
	struct list rows; /* tls_ledger_row.link: taken, not sent yet */
	bool is_asking;
};

static void flush(void *arg);

struct tls_flush *tls_flush_new(const struct tls_flush_options *options)
{
	struct tls_flush *self = mem_zalloc(sizeof(*self));

	self->options = *options;
	random_seed(&self->random);
	list_init(&self->rows);
	loop_timer_init(&self->timer, flush, self);
	loop_timer_set(options->loop, &self->timer, options->interval_ms);
	return self;
}

static void drop(struct list *link)
{
	list_remove(link);
	tls_ledger_row_free(LIST_ENTRY(link, struct tls_ledger_row, link));
}

void tls_flush_free(struct tls_flush **pointer)
{
	struct tls_flush *self = *pointer;

	*pointer = NULL;
	if (!self)
		return;
	CHECK(!self->is_asking);
	LIST_EACH_SAFE(it, &self->rows)
	drop(it);
	loop_timer_cancel(self->options.loop, &self->timer);
	mem_free(self);
}

void tls_flush_poke(struct tls_flush *self)
{
	if (self)
		loop_timer_set(self->options.loop, &self->timer, 0);
}

static void on_added(void *arg, const struct outcome *outcome)
{
	struct tls_flush *self = arg;

	(void)outcome;
	self->is_asking = false;
	if (!list_is_empty(&self->rows))
		tls_flush_poke(self);
}

/* Some of the rows; copied by the call. */
static void send_some(struct tls_flush *self)
{
	struct tls_count *counts = mem_alloc(TLS_COUNTS_ADD_MAX * sizeof(*counts));
	struct tls_counts_add args = { counts, 0, self->options.delay_ms, random_u32(&self->random) };
	struct list sent;

	list_init(&sent);
	LIST_EACH_SAFE(it, &self->rows)
	{
		if (args.count == TLS_COUNTS_ADD_MAX)
			break;
		counts[args.count++] = LIST_ENTRY(it, struct tls_ledger_row, link)->count;
		list_remove(it);
		list_push_back(&sent, it);
	}
	self->is_asking = tls_counts_add(self->options.link, &args, loop_boottime_ms(), on_added, self);
	LIST_EACH_SAFE(it, &sent)
	drop(it);
	mem_free(counts);
}

static void flush(void *arg)
{
	struct tls_flush *self = arg;
	uint64_t pause_ms = self->options.interval_ms;

	if (!self->is_asking && redis_link_is_ready(self->options.link)) {
		if (list_is_empty(&self->rows))
			tls_ledger_take(self->options.ledger, &self->rows);
		if (!list_is_empty(&self->rows))
			send_some(self);
	}
	loop_timer_set(
		self->options.loop, &self->timer, pause_ms - random_u32(&self->random) % (pause_ms / 4));
}
