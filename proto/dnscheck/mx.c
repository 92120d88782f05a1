/* Whether reports about our mail, and answers to it, can come back. */
#include "dnscheck/dns_check_internal.h"

#include "skein/proto/dns/name.h"

static void tell(struct check *check, enum dns_severity severity, struct span what, struct span found,
	struct span publish)
{
	dns_check_tell(check, &(struct dns_finding){ .severity = severity,
				      .where = check->request->domain,
				      .what = what,
				      .found = found,
				      .publish = publish });
}

static struct span zone_mx(struct check *check)
{
	struct span domain = check->request->domain;

	return dns_check_text(check, "%.*s. IN MX 10 mail.%.*s.\n", SPAN_ARGS(domain), SPAN_ARGS(domain));
}

/* RFC 5321 5.1: the domain is its own host then. */
static void check_implicit(struct check *check)
{
	bool has_address;

	if (!dns_check_addresses(check, check->request->domain, NULL, &has_address))
		return;
	if (has_address)
		tell(check, DNS_CHECK_WARN,
			SPAN_LIT("there is no MX, and mail for it goes to the address of its name: say which "
				 "host takes it"),
			span_of("", 0), zone_mx(check));
	else
		tell(check, DNS_CHECK_FAIL,
			SPAN_LIT("there is no MX: reports and answers cannot come back, and many refuse mail "
				 "from "
				 "such a domain. Name the host that takes its mail"),
			span_of("", 0), zone_mx(check));
}

static void check_hosts(struct check *check, const struct dns_fact *hosts)
{
	struct buf missing = { 0 };
	bool is_known = true, has_address;

	for (size_t i = 0; i < hosts->count && i < DNS_CHECK_MX_MAX; i++) {
		if (!dns_check_addresses(check, hosts->records[i], NULL, &has_address))
			is_known = false;
		else if (!has_address)
			buf_printf(&missing, "%s%.*s", buf_len(&missing) ? ", " : "",
				SPAN_ARGS(hosts->records[i]));
	}
	if (is_known && buf_len(&missing))
		tell(check, DNS_CHECK_FAIL,
			dns_check_text(check,
				"no address is known of %.*s: give it one, or name the host that takes the "
				"mail",
				SPAN_ARGS(buf_span(&missing))),
			dns_check_list(check, hosts), zone_mx(check));
	else if (is_known)
		dns_check_tell_ok(check, check->request->domain, "its mail goes to %.*s%s",
			SPAN_ARGS(dns_name_without_dot(hosts->records[0])),
			hosts->count > 1 ? " and others" : "");
	buf_fini(&missing);
}

static bool is_null_mx(const struct dns_fact *hosts)
{
	for (size_t i = 0; i < hosts->count; i++)
		if (!dns_name_without_dot(hosts->records[i]).len || span_eq(hosts->records[i], SPAN_LIT(".")))
			return true;
	return false;
}

void dns_check_mx(struct check *check)
{
	const struct dns_fact *hosts;

	if (!dns_check_get(check, DNS_FACT_MX, check->request->domain, &hosts))
		return;
	if (!hosts->count)
		check_implicit(check);
	else if (is_null_mx(hosts))
		tell(check, DNS_CHECK_FAIL,
			SPAN_LIT("a null MX says that it takes no mail: reports and answers cannot come "
				 "back, and "
				 "many refuse mail from it (RFC 7505 4.2)"),
			dns_check_list(check, hosts), zone_mx(check));
	else
		check_hosts(check, hosts);
}
