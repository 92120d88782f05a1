#include "suggest.h"

#include <string.h>

enum { WORD_MAX = 31, SLIPS_MAX = 2 };

static size_t min_of(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Optimal string alignment. */
size_t suggest_distance(const char *a, const char *b)
{
	size_t rows[WORD_MAX + 1][WORD_MAX + 1];
	size_t a_len = strlen(a), b_len = strlen(b);

	if (a_len > WORD_MAX || b_len > WORD_MAX)
		return WORD_MAX;
	for (size_t i = 0; i <= a_len; i++)
		rows[i][0] = i;
	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		for (size_t j = 1; j <= b_len; j++) {
			size_t best = min_of(rows[i - 1][j], rows[i][j - 1]) + 1;

			best = min_of(best, rows[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = min_of(best, rows[i - 2][j - 2] + 1);
			rows[i][j] = best;
		}
	}
	return rows[a_len][b_len];
}

const char *suggest_word(const char *typed, const char *const *words, size_t word_count)
{
	size_t allowed = min_of(SLIPS_MAX, (strlen(typed) + 2) / 3);
	const char *best = NULL;

	for (size_t i = 0; i < word_count; i++) {
		size_t slips = suggest_distance(typed, words[i]);

		if (slips <= allowed) {
			best = words[i];
			allowed = slips ? slips - 1 : 0;
			if (slips == 0)
				break;
		}
	}
	return best;
}
