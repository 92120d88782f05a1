#include "config/vault.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/check.h"

#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* The leak check of sanitizers attaches to its own process. */
#if defined(__SANITIZE_ADDRESS__)
#define IS_TRACED_AT_EXIT true
#else
#define IS_TRACED_AT_EXIT false
#endif

void *vault_alloc(size_t size)
{
	void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(pages != MAP_FAILED);
	CHECK(madvise(pages, size, MADV_DONTDUMP) == 0);
	(void)mlock(pages, size);
	return pages;
}

void vault_free(void *ptr, size_t size)
{
	if (!ptr)
		return;
	mem_wipe(ptr, size);
	CHECK(munmap(ptr, size) == 0);
}

void vault_forgo_core_dumps(void)
{
	const struct rlimit none = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &none);
	/* A dump that goes to a program minds no limit; nor does a debugger of the same user. */
	if (!IS_TRACED_AT_EXIT)
		(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
