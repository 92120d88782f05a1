/* What server.h promises of the content that a message may have when it was accepted. */
#ifndef TESTS_FUZZ_CLEAN_H
#define TESTS_FUZZ_CLEAN_H

#include "skein/proto/base/check.h"
#include "skein/proto/base/span.h"

static inline void check_clean(struct span content)
{
	for (size_t i = 0; i < content.len; i++) {
		CHECK(content.ptr[i] != '\0');
		if (content.ptr[i] == '\n')
			CHECK(i > 0 && content.ptr[i - 1] == '\r');
		if (content.ptr[i] == '\r')
			CHECK(i + 1 < content.len && content.ptr[i + 1] == '\n');
	}
	if (content.len)
		CHECK(content.ptr[content.len - 1] == '\n');
}

#endif
