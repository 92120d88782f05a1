/* cmocka wants its four standard headers first; a test includes this instead of remembering that. */
#ifndef TESTS_LIB_CMOCKA_ALL_H
#define TESTS_LIB_CMOCKA_ALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Compares a span with a string literal, and shows both when they differ. */
#define assert_span_equal(actual, text)                                                                      \
	do {                                                                                                 \
		struct span seen_ = (actual);                                                                \
		struct span wanted_ = span_of_str(text);                                                     \
		if (!span_eq(seen_, wanted_))                                                                \
			fail_msg("got \"%.*s\", expected \"%.*s\"", SPAN_ARGS(seen_), SPAN_ARGS(wanted_));   \
	} while (0)

#endif
