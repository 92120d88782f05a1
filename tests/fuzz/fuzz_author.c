#include "skein/proto/base/check.h"
#include "skein/proto/mail/author.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_special(char c)
{
	return c && strchr(" \t\r\n@<>,;:[\"(", c);
}

/* What is found is bounded, in lower case, and found once. */
static void check(const struct author_domains *domains)
{
	CHECK(domains->count <= AUTHOR_DOMAINS_MAX);
	for (size_t i = 0; i < domains->count; i++) {
		struct span domain = author_domain(domains, i);

		CHECK(domain.len > 0 && domain.len <= AUTHOR_DOMAIN_MAX);
		for (size_t k = 0; k < domain.len; k++)
			CHECK(domain.ptr[k] == ascii_lower(domain.ptr[k]) && !is_special(domain.ptr[k]));
		for (size_t k = 0; k < i; k++)
			CHECK(!span_eq(domain, author_domain(domains, k)));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of((const char *)data, size);
	struct author_domains domains = { .count = 0 };

	author_domains_add(&domains, text);
	check(&domains);
	author_domains_add_address(&domains, text);
	CHECK(domains.count <= AUTHOR_DOMAINS_MAX);
	return 0;
}
