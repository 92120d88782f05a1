/* header_seen: what a header list shows, as one text. */
#ifndef TESTS_LIB_HEADER_SEEN_H
#define TESTS_LIB_HEADER_SEEN_H

#include "cmocka_all.h"

#include "skein/proto/base/buf.h"
#include "skein/proto/mail/header_list.h"

/* "Name=value|Name=value|" */
static inline void assert_seen(const struct header_list *list, const char *wanted)
{
	struct buf seen = { 0 };

	for (size_t i = 0; i < header_list_count(list); i++) {
		struct span name, value;

		if (header_list_get(list, i, &name, &value))
			buf_printf(&seen, "%.*s=%.*s|", SPAN_ARGS(name), SPAN_ARGS(value));
	}
	buf_append_byte(&seen, '\0');
	assert_string_equal(seen.base, wanted);
	buf_fini(&seen);
}

#endif
