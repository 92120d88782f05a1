#include "alerts/alert_ledger.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/check.h"
#include "skein/proto/base/table.h"

#include <pthread.h>
#include <stdlib.h>

struct row {
	struct span name;
	uint64_t count;
};

struct alert_ledger {
	pthread_mutex_t lock;
	uint64_t seed[2];
	struct table names[ALERT_LEDGER_SIDES]; /* values are rows */
	struct arena arenas[ALERT_LEDGER_SIDES];
};

struct alert_ledger *alert_ledger_new(const uint64_t seed[2])
{
	struct alert_ledger *ledger = mem_zalloc(sizeof(*ledger));

	CHECK(pthread_mutex_init(&ledger->lock, NULL) == 0);
	memcpy(ledger->seed, seed, sizeof(ledger->seed));
	for (size_t i = 0; i < ALERT_LEDGER_SIDES; i++)
		table_init(&ledger->names[i], seed);
	return ledger;
}

void alert_ledger_free(struct alert_ledger **pointer)
{
	struct alert_ledger *ledger = *pointer;

	*pointer = NULL;
	if (!ledger)
		return;
	for (size_t i = 0; i < ALERT_LEDGER_SIDES; i++) {
		table_fini(&ledger->names[i]);
		arena_fini(&ledger->arenas[i]);
	}
	pthread_mutex_destroy(&ledger->lock);
	mem_free(ledger);
}

/* Printable, in small letters; what is too long is cut. */
static size_t append(char *out, size_t len, struct span text)
{
	for (size_t i = 0; i < text.len && len < ALERT_TELL_NAME_MAX; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		out[len++] = c < ' ' || c == 0x7f ? '?' : ascii_lower(text.ptr[i]);
	}
	return len;
}

static void count(struct alert_ledger *ledger, enum alert_ledger_side side, struct span name)
{
	struct table *names = &ledger->names[side];
	struct row *row;

	pthread_mutex_lock(&ledger->lock);
	row = table_get(names, name);
	if (!row && names->count < ALERT_LEDGER_NAMES_MAX) {
		row = arena_zalloc(&ledger->arenas[side], sizeof(*row));
		row->name = arena_dup(&ledger->arenas[side], name);
		table_put(names, row->name, row);
	}
	if (row)
		row->count++;
	pthread_mutex_unlock(&ledger->lock);
}

static struct span domain_of(struct span address)
{
	size_t at = address.len;

	while (at > 0 && address.ptr[at - 1] != '@')
		at--;
	return address.len ? span_drop(address, at) : SPAN_LIT("<>");
}

void alert_ledger_sent(struct alert_ledger *ledger, const char *user, const char *client, struct span sender)
{
	char name[ALERT_TELL_NAME_MAX];
	size_t len;

	if (!ledger)
		return;
	len = append(name, 0, span_of_str(*user ? user : client));
	len = append(name, len, SPAN_LIT(" "));
	len = append(name, len, domain_of(sender));
	count(ledger, ALERT_LEDGER_SENDERS, span_of(name, len));
}

void alert_ledger_login_failed(struct alert_ledger *ledger, const char *user, const char *client)
{
	char name[ALERT_TELL_NAME_MAX];
	size_t len;

	if (!ledger)
		return;
	len = append(name, 0, SPAN_LIT("client "));
	len = append(name, len, span_of_str(client));
	count(ledger, ALERT_LEDGER_LOGINS, span_of(name, len));
	if (!*user)
		return;
	len = append(name, 0, SPAN_LIT("user "));
	len = append(name, len, span_of_str(user));
	count(ledger, ALERT_LEDGER_LOGINS, span_of(name, len));
}

static int compare_counts(const void *left, const void *right)
{
	const struct alert_count *a = left, *b = right;

	return (a->step < b->step) - (a->step > b->step);
}

struct alert_counts alert_ledger_take(
	struct alert_ledger *ledger, enum alert_ledger_side side, struct arena *arena)
{
	struct table *names = &ledger->names[side];
	struct alert_counts taken = { .count = 0 };
	struct alert_count *counts;
	const struct row *row;
	size_t cursor = 0;

	pthread_mutex_lock(&ledger->lock);
	counts = arena_alloc(arena, (names->count + 1) * sizeof(*counts));
	while ((row = table_next(names, &cursor)))
		counts[taken.count++] = (struct alert_count){ arena_dup(arena, row->name), row->count };
	table_fini(names);
	table_init(names, ledger->seed);
	arena_reset(&ledger->arenas[side]);
	pthread_mutex_unlock(&ledger->lock);
	qsort(counts, taken.count, sizeof(*counts), compare_counts);
	if (taken.count > ALERT_TELL_NAMES_MAX)
		taken.count = ALERT_TELL_NAMES_MAX;
	taken.items = counts;
	return taken;
}
