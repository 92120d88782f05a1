#include "dns/context.h"

#include "dns/anchor.h"
#include "io/address.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unbound.h>
#include <unistd.h>

enum { DNS_PORT = 53 };

/*
 * What ub_ctx_set_option() takes without an error and without effect: zones that libunbound answers by itself
 * unless told not to. Private networks and test domains are what a relay of an organisation asks about.
 */
static const char zone_lines[] = "server:\n"
				 "  unblock-lan-zones: yes\n"
				 "  insecure-lan-zones: yes\n"
				 "  local-zone: \"test.\" nodefault\n"
				 "  local-zone: \"home.arpa.\" nodefault\n";

static const struct {
	const char *name, *value;
} options[] = {
	{ "use-syslog:", "no" },
	/* A server on this host is as good as any. */
	{ "do-not-query-localhost:", "no" },
	/* A dead server is given up after some seconds and not after seventeen. */
	{ "outbound-msg-retry:", "3" },
	/* And found again as soon as it answers: what is known of its slowness does not last. */
	{ "infra-host-ttl:", "10" },
	{ "infra-keep-probing:", "yes" },
};

static int set_zones(struct ub_ctx *ctx)
{
	char path[40];
	int fd = memfd_create("dns-zones", MFD_CLOEXEC), rc = UB_READFILE;

	if (fd < 0)
		return rc;
	if (write(fd, zone_lines, sizeof(zone_lines) - 1) == (ssize_t)sizeof(zone_lines) - 1) {
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		rc = ub_ctx_config(ctx, path);
	}
	close(fd);
	return rc;
}

static int set_options(struct ub_ctx *ctx)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		int rc = ub_ctx_set_option(ctx, options[i].name, options[i].value);

		if (rc)
			return rc;
	}
	return set_zones(ctx);
}

/* libunbound writes the port behind an "@". */
static int add_server(struct ub_ctx *ctx, const char *server)
{
	char ip[ADDRESS_TEXT_SIZE], text[ADDRESS_TEXT_SIZE + 8];
	struct address address;

	if (address_parse(span_of_str(server), DNS_PORT, &address))
		return UB_SYNTAX;
	(void)snprintf(text, sizeof(text), "%s@%u", address_format_ip(&address, ip), address_port(&address));
	return ub_ctx_set_fwd(ctx, text);
}

static bool set_servers(struct ub_ctx *ctx, const struct text_list *servers, struct buf *why_out)
{
	int rc;

	for (size_t i = 0; i < servers->count; i++) {
		rc = add_server(ctx, servers->items[i]);
		if (rc) {
			buf_printf(why_out, "dns.servers: %s: %s", servers->items[i], ub_strerror(rc));
			return false;
		}
	}
	rc = servers->count ? 0 : ub_ctx_resolvconf(ctx, NULL);
	if (rc)
		buf_printf(why_out, "/etc/resolv.conf: %s: set dns.servers", ub_strerror(rc));
	return !rc;
}

static bool set_dnssec(struct ub_ctx *ctx, const struct settings *settings, struct buf *why_out)
{
	int rc = 0;

	if (!*settings->dns.trust_anchor || settings->dns.dnssec == DNS_DNSSEC_OFF)
		return true;
	buf_printf(why_out, "dns.trust_anchor: %s: ", settings->dns.trust_anchor);
	if (!dns_anchor_check(settings->dns.trust_anchor, why_out))
		return false;
	buf_clear(why_out);
	rc = ub_ctx_add_ta_file(ctx, settings->dns.trust_anchor);
	if (!rc && settings->dns.dnssec == DNS_DNSSEC_PERMISSIVE)
		rc = ub_ctx_set_option(ctx, "val-permissive-mode:", "yes");
	if (rc)
		buf_printf(why_out, "dns.trust_anchor: %s: %s", settings->dns.trust_anchor, ub_strerror(rc));
	for (size_t i = 0; !rc && i < settings->dns.insecure_domains.count; i++) {
		const char *domain = settings->dns.insecure_domains.items[i];

		rc = ub_ctx_set_option(ctx, "domain-insecure:", domain);
		if (rc)
			buf_printf(why_out, "dns.insecure_domains: %s: %s", domain, ub_strerror(rc));
	}
	return !rc;
}

/* Last: it makes the context final. Mail can go without it. */
static void set_hosts(struct ub_ctx *ctx, struct buf *why_out)
{
	int rc = ub_ctx_hosts(ctx, NULL);

	if (rc && rc != UB_READFILE)
		buf_printf(why_out, "/etc/hosts counts up to a line with an error only: %s", ub_strerror(rc));
}

struct ub_ctx *dns_context_new(const struct settings *settings, struct buf *why_out)
{
	struct ub_ctx *ctx = ub_ctx_create();
	int rc;

	if (!ctx) {
		buf_append_str(why_out, "the resolver cannot be made");
		return NULL;
	}
	/* What it would say on standard error is no line of our log. */
	(void)ub_ctx_debugout(ctx, NULL);
	rc = set_options(ctx);
	if (!rc)
		rc = ub_ctx_async(ctx, 1);
	if (rc)
		buf_printf(why_out, "the resolver cannot be set up: %s", ub_strerror(rc));
	if (!rc && set_servers(ctx, &settings->dns.servers, why_out) && set_dnssec(ctx, settings, why_out)) {
		set_hosts(ctx, why_out);
		return ctx;
	}
	ub_ctx_delete(ctx);
	return NULL;
}
