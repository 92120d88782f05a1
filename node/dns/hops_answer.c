#include "dns/hops_internal.h"

#include "skein/proto/base/buf.h"
#include "skein/proto/dns/name.h"

enum { PORT_SMTP = 25, PORT_SMTPS = 465 };

/* RFC 3463, RFC 7505 and their registry. */
static const struct enhanced_code bad_destination = { 5, 1, 2 };
static const struct enhanced_code null_mx = { 5, 1, 10 };
static const struct enhanced_code no_answer = { 4, 4, 3 };
static const struct enhanced_code unable_to_route = { 5, 4, 4 };
static const struct enhanced_code loop = { 5, 4, 6 };

void hops_fail(struct hops_search *search, struct enhanced_code enhanced, const char *fmt, ...)
{
	struct dns_hops *hops = search->hops;
	struct buf why = { 0 };
	va_list args;

	/* An author's mistake must not send back everybody's mail. */
	if (search->request.target->place != ROUTE_DIRECT)
		enhanced.class = 4;
	va_start(args, fmt);
	buf_vprintf(&why, fmt, args);
	va_end(args);
	hops->outcome = enhanced.class == 5 ? HOPS_PERMANENT : HOPS_TEMPORARY;
	hops->enhanced = enhanced;
	hops->why = arena_strdup(&hops->arena, buf_span(&why));
	hops->count = 0;
	buf_fini(&why);
}

void hops_fail_by_answer(struct hops_search *search, const struct dns_answer *answer, const char *what)
{
	const char *domain = search->hops->domain;

	if (answer->status == DNS_NXDOMAIN)
		hops_fail(search, bad_destination, "%s does not exist (NXDOMAIN)", domain);
	else if (answer->status == DNS_NODATA)
		hops_fail(search, bad_destination, "%s has no %s records", domain, what);
	else if (answer->is_bogus)
		hops_fail(search, no_answer, "%s: %s records fail DNSSEC validation: %s", domain, what,
			answer->why);
	else
		hops_fail(search, no_answer, "%s: %s records cannot be looked up: %s", domain, what,
			answer->why);
}

/* --- which hosts -------------------------------------------------------------------------------- */

static bool judge_choice(struct hops_search *search, const char *what)
{
	const char *domain = search->hops->domain;

	switch (search->choice.verdict) {
	case MX_HOSTS:
		return true;
	case MX_NULL:
		hops_fail(search, null_mx, "%s takes no mail: its %s record says so", domain, what);
		return false;
	case MX_LOOP:
		hops_fail(search, loop, "mail for %s loops back to this host", domain);
		return false;
	case MX_UNUSABLE:
		break;
	}
	hops_fail(search, unable_to_route, "%s: no %s record names a host", domain, what);
	return false;
}

bool hops_take_mx(struct hops_search *search, const struct dns_answer *answer)
{
	struct arena *arena = &search->hops->arena;
	struct dns_mx *records = arena_alloc(arena, answer->count * sizeof(*records));
	size_t count = 0;

	for (size_t i = 0; i < answer->count; i++) {
		if (dns_mx_parse(answer->records[i], arena, &records[count]))
			count++;
	}
	if (count)
		mx_choose(records, count, &search->request.self->names, random_u64(search->request.random),
			&search->choice);
	else
		search->choice.verdict = MX_UNUSABLE;
	return judge_choice(search, "MX");
}

bool hops_take_srv(struct hops_search *search, const struct dns_answer *answer)
{
	struct arena *arena = &search->hops->arena;
	struct dns_srv *records = arena_alloc(arena, answer->count * sizeof(*records));
	size_t count = 0;

	for (size_t i = 0; i < answer->count; i++) {
		if (dns_srv_parse(answer->records[i], arena, &records[count]))
			count++;
	}
	if (count)
		mx_choose_srv(records, count, random_u64(search->request.random), &search->choice);
	else
		search->choice.verdict = MX_UNUSABLE;
	return judge_choice(search, "SRV");
}

bool hops_take_implicit(struct hops_search *search)
{
	mx_choose_implicit(search->hops->domain, &search->request.self->names, &search->choice);
	return judge_choice(search, "MX");
}

/* --- which addresses ---------------------------------------------------------------------------- */

static uint16_t choose_port(const struct hops_search *search, const struct mx_host *host)
{
	const struct route_target *target = search->request.target;

	if (host->port)
		return host->port;
	return target->port ? target->port : target->tls_first ? PORT_SMTPS : PORT_SMTP;
}

static struct address make_address(const struct dns_ip *ip, uint16_t port)
{
	struct address address = { 0 };

	if (ip->len == 4) {
		address.v4.sin_family = AF_INET;
		address.v4.sin_port = htons(port);
		memcpy(&address.v4.sin_addr, ip->bytes, 4);
	} else {
		address.v6.sin6_family = AF_INET6;
		address.v6.sin6_port = htons(port);
		memcpy(&address.v6.sin6_addr, ip->bytes, 16);
	}
	return address;
}

/* Nobody can be there: 0.0.0.0/8, multicast and above; ::, ff00::/8. */
static bool is_no_host(const struct dns_ip *ip)
{
	static const uint8_t none[16];

	if (ip->len == 4)
		return ip->bytes[0] == 0 || ip->bytes[0] >= 224;
	return ip->bytes[0] == 0xff || memcmp(ip->bytes, none, sizeof(none)) == 0;
}

/* Of one family, from a place by chance on, so that hosts with many addresses share the load. */
static size_t take_addresses(struct hops_search *search, const struct host_lookup *lookup, size_t family,
	struct dns_ip out[HOP_IPS_MAX])
{
	const struct dns_answer *answer = lookup->answer;
	size_t count = 0, begin;

	if (lookup->given.len) {
		out[0] = lookup->given;
		return 1;
	}
	if (!answer || answer->status != DNS_OK)
		return 0;
	begin = random_u32(search->request.random) % answer->count;
	for (size_t i = 0; i < answer->count && count < HOP_IPS_MAX; i++) {
		struct span rdata = answer->records[(begin + i) % answer->count];

		if (dns_ip_parse(family == FAMILY_V4 ? DNS_A : DNS_AAAA, rdata, &out[count]) &&
			!is_no_host(&out[count]))
			count++;
	}
	return count;
}

static void interleave(
	struct dns_hop *hop, struct dns_ip ips[FAMILIES][HOP_IPS_MAX], const size_t counts[FAMILIES])
{
	for (size_t i = 0; i < HOP_IPS_MAX; i++) {
		for (size_t family = 0; family < FAMILIES; family++) {
			if (i < counts[family] && hop->address_count < HOP_IPS_MAX)
				hop->addresses[hop->address_count++] =
					make_address(&ips[family][i], hop->port);
		}
	}
}

/* False: the host has no address that is known now. */
static bool fill_hop(struct hops_search *search, size_t index, struct dns_hop *hop)
{
	const struct mx_host *host = &search->choice.hosts[index];
	struct dns_ip ips[FAMILIES][HOP_IPS_MAX];
	size_t counts[FAMILIES];

	*hop = (struct dns_hop){ .host = host->name,
		.alias = host->name,
		.preference = host->preference,
		.port = choose_port(search, host),
		.has_secure_addresses = true };
	for (size_t family = 0; family < FAMILIES; family++) {
		const struct host_lookup *lookup = &search->lookups[index][family];

		counts[family] = take_addresses(search, lookup, family, ips[family]);
		if (lookup->given.len) {
			hop->is_address = true;
			hop->has_secure_addresses = false;
		}
		if (!counts[family] || !lookup->answer)
			continue;
		hop->alias = arena_strdup(&search->hops->arena, span_of_str(lookup->answer->name));
		hop->has_secure_addresses = hop->has_secure_addresses && lookup->answer->is_secure;
		if (lookup->answer->ttl_s < search->ttl_s)
			search->ttl_s = lookup->answer->ttl_s;
	}
	interleave(hop, ips, counts);
	hop->is_named_secure = search->is_named_secure;
	hop->is_secure = hop->has_secure_addresses && search->is_named_secure;
	return hop->address_count > 0;
}

static bool is_self(const struct hops_search *search, const struct dns_hop *hop)
{
	for (size_t i = 0; i < hop->address_count; i++) {
		if (dns_self_is_at(search->request.self, &hop->addresses[i]))
			return true;
	}
	return false;
}

/* Why no host has an address: not known now, or known not to have one. */
static void fail_without_address(struct hops_search *search)
{
	const char *domain = search->hops->domain;
	bool is_alone = search->choice.count == 1 && strcmp(search->choice.hosts[0].name, domain) == 0;

	for (size_t i = 0; i < search->choice.count * FAMILIES; i++) {
		const struct dns_answer *answer = search->lookups[i / FAMILIES][i % FAMILIES].answer;
		const char *host = search->choice.hosts[i / FAMILIES].name;

		if (answer && (answer->status == DNS_SERVFAIL || answer->status == DNS_TIMEOUT)) {
			hops_fail(search, no_answer, "%s: the address of %s %s: %s", domain, host,
				answer->is_bogus ? "fails DNSSEC validation" : "cannot be looked up",
				answer->why);
			return;
		}
	}
	if (is_alone)
		hops_fail(search, bad_destination, "%s has neither MX nor address records", domain);
	else
		hops_fail(search, unable_to_route, "no mail host of %s has an address", domain);
}

void hops_gather(struct hops_search *search)
{
	struct dns_hops *hops = search->hops;

	for (size_t i = 0; i < search->choice.count; i++) {
		struct dns_hop *hop = &hops->hops[hops->count];

		if (!fill_hop(search, i, hop))
			continue;
		if (is_self(search, hop)) {
			mx_cut(&search->choice, i);
			while (hops->count && hops->hops[hops->count - 1].preference >= hop->preference)
				hops->count--;
			break;
		}
		hops->count++;
	}
	if (hops->count)
		return;
	if (search->choice.verdict == MX_LOOP)
		(void)judge_choice(search, "MX");
	else
		fail_without_address(search);
}
