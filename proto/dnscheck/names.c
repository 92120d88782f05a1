/* Whether the addresses that we send from have names that lead back to them, and so has the name we say. */
#include "dnscheck/dns_check_internal.h"

#include "skein/proto/dns/name.h"

static struct span text_of_ip(struct check *check, const struct dns_ip *ip)
{
	struct buf text = { 0 };

	dns_check_append_ip(ip, &text);
	return dns_check_keep(check, &text);
}

/* RFC 1035 3.5, RFC 3596 2.5 */
static struct span reverse_name(struct check *check, const struct dns_ip *ip)
{
	struct buf name = { 0 };

	for (int i = ip->len - 1; i >= 0; i--) {
		if (ip->len == 4)
			buf_printf(&name, "%u.", (unsigned)ip->bytes[i]);
		else
			buf_printf(&name, "%x.%x.", ip->bytes[i] & 15u, ip->bytes[i] >> 4);
	}
	buf_append_str(&name, ip->len == 4 ? "in-addr.arpa" : "ip6.arpa");
	return dns_check_keep(check, &name);
}

static bool is_helo_usable(struct check *check)
{
	return dns_name_is_host(check->request->helo) &&
	       span_find(check->request->helo, '.') < check->request->helo.len;
}

static struct span zone_ptr(struct check *check, struct span where)
{
	if (!is_helo_usable(check))
		return span_of("", 0);
	return dns_check_text(
		check, "%.*s. IN PTR %.*s.\n", SPAN_ARGS(where), SPAN_ARGS(check->request->helo));
}

/* Whether one of the names leads back to the address. */
static void confirm(
	struct check *check, const struct dns_ip *ip, struct span where, const struct dns_fact *names)
{
	struct span name = names->records[0];
	bool is_back = false;

	for (size_t i = 0; i < names->count && i < DNS_CHECK_MX_MAX && !is_back; i++)
		if (!dns_check_addresses(check, names->records[i], ip, &is_back))
			return;
	if (is_back)
		dns_check_tell_ok(check, where, "%.*s is %.*s, and back", SPAN_ARGS(text_of_ip(check, ip)),
			SPAN_ARGS(name));
	else
		dns_check_tell(check,
			&(struct dns_finding){ .severity = DNS_CHECK_FAIL,
				.where = where,
				.what = dns_check_text(check, "%.*s does not lead back to %.*s",
					SPAN_ARGS(name), SPAN_ARGS(text_of_ip(check, ip))),
				.found = dns_check_list(check, names),
				.publish = dns_name_is_host(name)
						   ? dns_check_zone_ip(check, dns_name_without_dot(name), ip)
						   : zone_ptr(check, where) });
}

static void check_egress(struct check *check, const struct dns_ip *ip)
{
	struct span where = reverse_name(check, ip);
	const struct dns_fact *names;

	if (!dns_check_get(check, DNS_FACT_PTR, where, &names))
		return;
	if (names->count)
		confirm(check, ip, where, names);
	else
		dns_check_tell(
			check, &(struct dns_finding){ .severity = DNS_CHECK_FAIL,
				       .where = where,
				       .what = dns_check_text(check,
					       "%.*s has no name (PTR), and many refuse mail from there; "
					       "who gave you the address publishes it",
					       SPAN_ARGS(text_of_ip(check, ip))),
				       .publish = zone_ptr(check, where) });
}

void dns_check_reverse(struct check *check)
{
	for (size_t i = 0; i < check->request->egress_count; i++)
		check_egress(check, &check->request->egress[i]);
}

static void tell_helo(struct check *check, struct span what, struct span publish)
{
	dns_check_tell(check, &(struct dns_finding){ .severity = DNS_CHECK_FAIL,
				      .where = check->request->helo,
				      .what = what,
				      .publish = publish });
}

void dns_check_helo(struct check *check)
{
	struct span helo = check->request->helo, missing = { "", 0 };
	bool has_any, has_one;

	if (!helo.len)
		return;
	if (!is_helo_usable(check)) {
		tell_helo(check,
			SPAN_LIT("it is no full host name, and many refuse who says such a name in EHLO: set "
				 "node.hostname"),
			span_of("", 0));
		return;
	}
	if (!dns_check_addresses(check, helo, NULL, &has_any))
		return;
	for (size_t i = 0; i < check->request->egress_count; i++) {
		const struct dns_ip *ip = &check->request->egress[i];

		if (!dns_check_addresses(check, helo, ip, &has_one))
			return;
		if (!has_one)
			missing = dns_check_text(check, "%.*s%.*s", SPAN_ARGS(missing),
				SPAN_ARGS(dns_check_zone_ip(check, helo, ip)));
	}
	if (!has_any)
		tell_helo(check, SPAN_LIT("the name that we say in EHLO has no address"), missing);
	else if (missing.len)
		tell_helo(check, SPAN_LIT("the name that we say in EHLO is not that of every address"),
			missing);
	else
		dns_check_tell_ok(check, helo, "the name that we say in EHLO is that of the addresses");
}
