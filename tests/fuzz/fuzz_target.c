/* Any text as the URL of a webhook or a collector: what is taken names a host and a port, and nothing of a
 * login. */
#include "notify/target.h"

#include "skein/proto/base/alloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *url = mem_strndup((const char *)data, size);
	struct target target;

	if (!target_parse(url, &target)) {
		CHECK(target.port && target.host[0] && strlen(target.host) <= TARGET_HOST_MAX);
		CHECK(!strpbrk(target.host, "@/?# "));
	}
	mem_free(url);
	return 0;
}
