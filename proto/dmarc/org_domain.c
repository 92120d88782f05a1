#include "skein/proto/dmarc/org_domain.h"

#include <libpsl.h>

enum { NAME_LEN_MAX = 253 };

static struct span without_dot(struct span name)
{
	return name.len && name.ptr[name.len - 1] == '.' ? span_take(name, name.len - 1) : name;
}

/* libpsl wants lower case. False: it is nothing that libpsl is to see. */
static bool copy_lower(struct span domain, char copy[NAME_LEN_MAX + 1])
{
	if (domain.len > NAME_LEN_MAX)
		return false;
	for (size_t i = 0; i < domain.len; i++) {
		if (domain.ptr[i] <= ' ' || domain.ptr[i] > '~')
			return false;
		copy[i] = ascii_lower(domain.ptr[i]);
	}
	copy[domain.len] = '\0';
	return true;
}

struct span dmarc_org_domain(struct span domain)
{
	char copy[NAME_LEN_MAX + 1];
	const char *found;

	domain = without_dot(domain);
	if (!copy_lower(domain, copy))
		return domain;
	/* It points into `copy`, so that its length tells where the end begins. */
	found = psl_registrable_domain(psl_builtin(), copy);
	return found ? span_drop(domain, domain.len - strlen(found)) : domain;
}

bool dmarc_is_same_org(struct span a, struct span b)
{
	return span_eq_nocase(dmarc_org_domain(a), dmarc_org_domain(b));
}
