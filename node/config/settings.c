#include "config/settings_internal.h"

#include "skein/cluster/schema/value.h"
#include "skein/proto/base/alloc.h"

#include <sched.h>
#include <stdio.h>
#include <unistd.h>

/* More would wait for the disk and Redis, not for processors. */
enum { AUTO_WORKERS_MAX = 32 };

struct settings *settings_new(void)
{
	struct settings *settings = mem_zalloc(sizeof(*settings));

	schema_preset(&schema, &settings->arena, (char *)settings);
	settings_derive(settings);
	return settings;
}

void settings_free(struct settings **settings)
{
	if (!*settings)
		return;
	arena_fini(&(*settings)->arena);
	mem_free(*settings);
	*settings = NULL;
}

bool settings_has_redis(const struct settings *settings)
{
	return *settings->redis.address.host || settings->redis.sentinels.count;
}

bool settings_read_sentinel(
	const char *text, struct arena *arena, struct endpoint *endpoint_out, struct buf *why)
{
	static const struct setting_row row = { .type = SETTING_ENDPOINT, .max = 300 };

	return value_parse(&row, span_of_str(text), arena, endpoint_out, why);
}

/* The host's name with what a domain name cannot have replaced. */
static const char *host_name(struct arena *arena, size_t len_max)
{
	char name[256] = "";

	if (gethostname(name, sizeof(name) - 1) != 0 || !*name)
		return "localhost";
	for (char *at = name; *at; at++) {
		bool is_edge = at == name || !at[1] || at[-1] == '.' || at[1] == '.';
		char c = ascii_lower(*at);

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
			    (!is_edge && (c == '-' || c == '.'))))
			*at = is_edge ? 'x' : '-';
	}
	return arena_strdup(arena, span_of(name, strnlen(name, len_max)));
}

static uint64_t count_processors(void)
{
	cpu_set_t set;
	int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	return count > AUTO_WORKERS_MAX ? AUTO_WORKERS_MAX : (uint64_t)count;
}

static void name_listeners(struct settings *settings)
{
	struct listener_settings *items = (struct listener_settings *)(uintptr_t)settings->listeners.items;

	for (size_t i = 0; i < settings->listeners.count; i++) {
		char name[32];

		if (*items[i].name)
			continue;
		snprintf(name, sizeof(name), "smtp-%zu", i + 1);
		items[i].name = arena_strdup(&settings->arena, span_of_str(name));
	}
}

void settings_derive(struct settings *settings)
{
	if (!*settings->node.name)
		settings->node.name = host_name(&settings->arena, 64);
	if (!*settings->node.hostname)
		settings->node.hostname = host_name(&settings->arena, 253);
	if (!settings->node.workers)
		settings->node.workers = count_processors();
	name_listeners(settings);
}

static bool is_equal(const struct setting_row *row, const void *a, const void *b)
{
	struct buf text_a = { 0 }, text_b = { 0 };
	bool is_same;

	value_print(row, a, &text_a);
	value_print(row, b, &text_b);
	is_same = span_eq(buf_span(&text_a), buf_span(&text_b));
	buf_fini(&text_a);
	buf_fini(&text_b);
	return is_same;
}

static const struct setting_table *hook_table(void)
{
	size_t i = 0;

	while (strcmp(schema.rows[i].path, "tracking.hooks") != 0)
		i++;
	return schema.rows[i].items;
}

bool settings_hook_is_same(const struct hook_settings *a, const struct hook_settings *b)
{
	const struct setting_table *table = hook_table();

	for (size_t i = 0; i < table->count; i++) {
		const struct setting_row *row = &table->rows[i];

		if (!is_equal(row, (const char *)a + row->offset, (const char *)b + row->offset))
			return false;
	}
	return true;
}

void settings_reload(
	struct settings *loaded, const struct settings *running, settings_changed_fn *on_changed, void *arg)
{
	for (size_t i = 0; i < schema.count; i++) {
		const struct setting_row *row = &schema.rows[i];
		void *field = (char *)loaded + row->offset;
		const void *old = (const char *)running + row->offset;

		if (is_equal(row, field, old))
			continue;
		if (!row->is_reloadable)
			value_copy(row, old, &loaded->arena, field);
		on_changed(arg, row->path, row->is_reloadable);
	}
}
