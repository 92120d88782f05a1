/* suggest: which of some words a mistyped one was meant to be. */
#ifndef CTL_SUGGEST_H
#define CTL_SUGGEST_H

#include <stddef.h>

/* The nearest word, or NULL when none is near: within two slips (a third of a short word's letters). */
const char *suggest_word(const char *typed, const char *const *words, size_t word_count);
/* Letters to insert, drop, change, or swap with a neighbour. Words longer than 31 are never near. */
size_t suggest_distance(const char *a, const char *b);

#endif
