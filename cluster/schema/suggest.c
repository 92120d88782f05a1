#include "skein/cluster/schema/suggest.h"

enum { KEY_MAX = 40 };

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Levenshtein's; both texts are at most KEY_MAX long. */
static unsigned distance(struct span a, struct span b)
{
	unsigned row[KEY_MAX + 1];

	for (unsigned k = 0; k <= b.len; k++)
		row[k] = k;
	for (unsigned i = 1; i <= a.len; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned k = 1; k <= b.len; k++) {
			unsigned change = diagonal + (ascii_lower(a.ptr[i - 1]) != b.ptr[k - 1]);

			diagonal = row[k];
			row[k] = least(change, row[k] + 1, row[k - 1] + 1);
		}
	}
	return row[b.len];
}

static struct span nearest_sibling(const struct setting_table *table, struct span prefix, struct span key)
{
	unsigned best_distance = key.len < 4 ? 2 : 3; /* what is nearer than this is near */
	struct span best = { 0 };

	for (size_t i = 0; i < table->count; i++) {
		struct span path = span_of_str(table->rows[i].path);
		struct span sibling;
		unsigned away;

		if (!span_starts_with(path, prefix))
			continue;
		sibling = span_drop(path, prefix.len);
		sibling = span_take(sibling, span_find(sibling, '.'));
		away = sibling.len <= KEY_MAX ? distance(key, sibling) : best_distance;
		if (away < best_distance) {
			best_distance = away;
			best = sibling;
		}
	}
	return best;
}

static bool ends_with_component(struct span path, struct span key)
{
	return path.len > key.len && path.ptr[path.len - key.len - 1] == '.' &&
	       span_eq(span_drop(path, path.len - key.len), key);
}

struct span suggest_key(const struct setting_table *table, struct span prefix, struct span key)
{
	struct span found = { 0 };

	if (!key.len || key.len > KEY_MAX)
		return found;
	found = nearest_sibling(table, prefix, key);
	for (size_t i = 0; !found.len && i < table->count; i++)
		if (ends_with_component(span_of_str(table->rows[i].path), key))
			found = span_of_str(table->rows[i].path);
	return found;
}
