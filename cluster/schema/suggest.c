#include "skein/cluster/schema/suggest.h"

enum { KEY_MAX = 40, SLIPS_MAX = 2, KEYS_MAX = 24 };

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Letters to insert, drop, change, or swap with a neighbour; both texts are at most KEY_MAX long. */
static unsigned count_slips(struct span a, struct span b)
{
	unsigned rows[KEY_MAX + 1][KEY_MAX + 1];

	for (unsigned i = 0; i <= a.len; i++)
		rows[i][0] = i;
	for (unsigned k = 0; k <= b.len; k++)
		rows[0][k] = k;
	for (unsigned i = 1; i <= a.len; i++) {
		for (unsigned k = 1; k <= b.len; k++) {
			char typed = ascii_lower(a.ptr[i - 1]), meant = ascii_lower(b.ptr[k - 1]);
			unsigned best = least(rows[i - 1][k], rows[i][k - 1]) + 1;

			best = least(best, rows[i - 1][k - 1] + (typed != meant));
			if (i > 1 && k > 1 && typed == ascii_lower(b.ptr[k - 2]) &&
				ascii_lower(a.ptr[i - 2]) == meant)
				best = least(best, rows[i - 2][k - 2] + 1);
			rows[i][k] = best;
		}
	}
	return rows[a.len][b.len];
}

struct suggestion suggest_begin(struct span typed)
{
	unsigned allowed = least(SLIPS_MAX, ((unsigned)least((unsigned)typed.len, KEY_MAX) + 2) / 3);

	return (struct suggestion){ typed, { 0 }, allowed + 1 };
}

void suggest_offer(struct suggestion *suggestion, struct span word)
{
	unsigned slips;

	if (suggestion->typed.len > KEY_MAX || word.len > KEY_MAX)
		return;
	slips = count_slips(suggestion->typed, word);
	if (slips < suggestion->best_slips) {
		suggestion->best_slips = slips;
		suggestion->best = word;
	}
}

/* The key that the row has, or lies in, in the section that `prefix` names with its dot. Empty: it is
 * elsewhere. */
static struct span key_below(const struct setting_row *row, struct span prefix)
{
	struct span path = span_of_str(row->path);

	if (!span_starts_with(path, prefix))
		return (struct span){ 0 };
	path = span_drop(path, prefix.len);
	return span_take(path, span_find(path, '.'));
}

static struct span nearest_sibling(const struct setting_table *table, struct span prefix, struct span key)
{
	struct suggestion suggestion = suggest_begin(key);

	for (size_t i = 0; i < table->count; i++) {
		struct span found = key_below(&table->rows[i], prefix);

		if (found.len)
			suggest_offer(&suggestion, found);
	}
	return suggestion.best;
}

/* "password" where there is a "password_file". */
static struct span longer_sibling(const struct setting_table *table, struct span prefix, struct span key)
{
	for (size_t i = 0; i < table->count; i++) {
		struct span found = key_below(&table->rows[i], prefix);

		if (found.len > key.len && found.ptr[key.len] == '_' && span_starts_with(found, key))
			return found;
	}
	return (struct span){ 0 };
}

bool suggest_all(const struct setting_table *table, struct span prefix, struct buf *out)
{
	struct span last = { 0 };
	size_t count = 0, from = buf_len(out);

	for (size_t i = 0; i < table->count; i++) {
		struct span found = key_below(&table->rows[i], prefix);

		/* What is in one section stands together in a table. */
		if (!found.len || span_eq(found, last))
			continue;
		if (++count > KEYS_MAX) {
			buf_truncate(out, from);
			return false;
		}
		buf_printf(out, last.len ? ", %.*s" : "%.*s", SPAN_ARGS(found));
		last = found;
	}
	return count > 0;
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
	if (!found.len)
		found = longer_sibling(table, prefix, key);
	for (size_t i = 0; !found.len && i < table->count; i++)
		if (ends_with_component(span_of_str(table->rows[i].path), key))
			found = span_of_str(table->rows[i].path);
	return found;
}
