/*
 * What must hold between settings, each rule with the setting that most likely has to change.
 */
#include "config/load.h"
#include "config/settings_internal.h"
#include "io/address.h"
#include "skein/cluster/schema/value.h"
#include "skein/proto/dns/name.h"
#include "skein/proto/dns/rdata.h"
#include "skein/proto/smtp/address.h"

#include <stdio.h>

static void require_at_most(
	struct report *report, uint64_t value, uint64_t limit, const char *path, const char *what)
{
	if (value > limit)
		report_error_at(report, path, "must not be larger than %s", what);
}

static void require_pair(
	struct report *report, const char *a, const char *a_path, const char *b, const char *b_path)
{
	if (*a && !*b)
		report_error_at(report, a_path, "needs %s too", b_path);
	if (*b && !*a)
		report_error_at(report, b_path, "needs %s too", a_path);
}

static void check_counts(const struct settings *settings, struct report *report)
{
	if (!settings->listeners.count)
		report_error_at(report, "listeners", "nothing to listen on");
	/* A policy may have routes for everything. */
	if (!settings->route.next_hops.count && !settings_has_redis(settings) && !settings->policy.file[0])
		report_error_at(report, "route.next_hops", "nowhere to send mail to");
}

static bool is_same_endpoint(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && strcmp(a->host, b->host) == 0;
}

static void check_client_certificates(
	const struct listener_settings *listener, size_t index, struct report *report)
{
	char path[64];

	snprintf(path, sizeof(path), "listeners[%zu].client_certificate", index);
	if (listener->client_certificate != TLS_CLIENT_CERTIFICATE_NONE && listener->tls == LISTENER_TLS_NONE)
		report_error_at(report, path, "needs tls: starttls or tls: implicit");
	if (listener->client_certificate == TLS_CLIENT_CERTIFICATE_REQUIRE && !*listener->client_ca)
		report_error_at(report, path, "require needs client_ca too");
	snprintf(path, sizeof(path), "listeners[%zu].client_ca", index);
	if (*listener->client_ca && listener->client_certificate == TLS_CLIENT_CERTIFICATE_NONE)
		report_warning_at(report, path, "has no effect: client_certificate is none");
}

static void check_listener_tls(const struct settings *settings, size_t index, struct report *report)
{
	const struct listener_settings *listener = &settings->listeners.items[index];
	bool is_old = listener->tls_minimum == LISTENER_TLS_MINIMUM_1_0 ||
		      listener->tls_minimum == LISTENER_TLS_MINIMUM_1_1;
	char path[64];

	snprintf(path, sizeof(path), "listeners[%zu].tls", index);
	if (listener->tls != LISTENER_TLS_NONE && !*settings->tls.certificate &&
		!settings->tls.certificates.count)
		report_error_at(report, path, "needs tls.certificate and tls.key");
	snprintf(path, sizeof(path), "listeners[%zu].tls_minimum", index);
	if (is_old && listener->tls != LISTENER_TLS_NONE)
		report_warning_at(report, path,
			"TLS 1.0 and 1.1 are broken, and weak ciphers and signatures are allowed with them: "
			"only "
			"for old devices in a network of their own");
	check_client_certificates(listener, index, report);
}

static void check_certificates(const struct settings *settings, struct report *report)
{
	require_pair(report, settings->tls.certificate, "tls.certificate", settings->tls.key, "tls.key");
	if (*settings->tls.certificate && settings->tls.certificates.count)
		report_error_at(report, "tls.certificates",
			"is instead of tls.certificate and tls.key: give one or the other, not both");
}

static void check_listener(const struct settings *settings, size_t index, struct report *report)
{
	const struct listener_settings *listener = &settings->listeners.items[index];
	char path[64];

	for (size_t i = 0; i < index; i++) {
		const struct listener_settings *other = &settings->listeners.items[i];

		snprintf(path, sizeof(path), "listeners[%zu].address", index);
		if (is_same_endpoint(&listener->address, &other->address))
			report_error_at(report, path, "is also the address of listeners[%zu]", i);
		snprintf(path, sizeof(path), "listeners[%zu].name", index);
		if (strcmp(listener->name, other->name) == 0)
			report_error_at(report, path, "is also the name of listeners[%zu]", i);
	}
	check_listener_tls(settings, index, report);
	snprintf(path, sizeof(path), "listeners[%zu].address", index);
	if (is_same_endpoint(&listener->address, &settings->admin.listen))
		report_error_at(report, path, "is also admin.listen");
}

static void check_hops(const struct settings *settings, struct report *report)
{
	for (size_t i = 0; i < settings->route.next_hops.count; i++) {
		const struct hop_settings *hop = &settings->route.next_hops.items[i];
		struct endpoint endpoint = { hop->host, (uint16_t)hop->port };

		for (size_t k = 0; k < settings->listeners.count; k++) {
			char path[64];

			snprintf(path, sizeof(path), "route.next_hops[%zu]", i);
			if (is_same_endpoint(&endpoint, &settings->listeners.items[k].address))
				report_error_at(report, path, "is this node's listeners[%zu]", k);
		}
	}
}

static void check_relay(const struct settings *settings, struct report *report)
{
	for (size_t i = 0; i < settings->relay.allow.count; i++)
		if (settings->relay.allow.items[i].prefix == 0)
			report_warning_at(report, "relay.allow", "lets the whole internet relay");
}

static void check_dns(const struct settings *settings, struct report *report)
{
	for (size_t i = 0; i < settings->dns.servers.count; i++) {
		struct span server = span_of_str(settings->dns.servers.items[i]);
		struct address address;

		if (address_parse(server, 53, &address))
			report_error_at(report, "dns.servers", "%s is not an address such as 192.0.2.1",
				report_quote(server).text);
	}
	for (size_t i = 0; i < settings->dns.insecure_domains.count; i++) {
		struct span domain = span_of_str(settings->dns.insecure_domains.items[i]);

		if (!dns_name_is_host(domain))
			report_error_at(report, "dns.insecure_domains", "%s is not a domain",
				report_quote(domain).text);
	}
	if (settings->dns.insecure_domains.count && !*settings->dns.trust_anchor)
		report_warning_at(report, "dns.insecure_domains",
			"has no effect: without dns.trust_anchor nothing is validated");
}

static void check_dns_watch(const struct settings *settings, struct report *report)
{
	for (size_t i = 0; i < settings->dns_watch.domains.count; i++) {
		struct span domain = span_of_str(settings->dns_watch.domains.items[i]);

		if (!dns_name_is_host(domain))
			report_error_at(report, "dns_watch.domains",
				"%s is not a domain; one in other letters is wanted as xn--...",
				report_quote(domain).text);
	}
	for (size_t i = 0; i < settings->dns_watch.egress.count; i++) {
		struct span text = span_of_str(settings->dns_watch.egress.items[i]);
		struct dns_ip ip;

		if (!dns_ip_of_text(text, &ip))
			report_error_at(report, "dns_watch.egress", "%s is not an address such as 192.0.2.1",
				report_quote(text).text);
	}
}

static void check_mailbox(struct report *report, const char *text, const char *path)
{
	struct span rest = span_of_str(text);
	struct smtp_address address;

	if (*text && (!smtp_path_take(&rest, &address) || rest.len || address.has_utf8 ||
			     address.kind != SMTP_ADDRESS_MAILBOX || address.text.len != strlen(text) ||
			     address.domain_kind != SMTP_DOMAIN_NAME))
		report_error_at(report, path, "%s is not an address such as tls-reports@example.com",
			report_quote(span_of_str(text)).text);
}

static void check_tls_reports(const struct settings *settings, struct report *report)
{
	check_mailbox(report, settings->tls_reports.from, "tls_reports.from");
	check_mailbox(report, settings->tls_reports.contact, "tls_reports.contact");
	if (*settings->tls_reports.from && !settings_has_redis(settings))
		report_error_at(report, "tls_reports.from",
			"needs redis.address or redis.sentinels: a day is summed up there");
}

static void check_durations(const struct settings *settings, struct report *report)
{
	require_at_most(report, settings->retry.first_ms, settings->retry.max_ms, "retry.first", "retry.max");
	require_at_most(
		report, settings->retry.max_ms, settings->retry.expire_ms, "retry.max", "retry.expire");
	require_at_most(
		report, settings->retry.warn_ms, settings->retry.expire_ms, "retry.warn", "retry.expire");
	require_at_most(report, settings->route.breaker.pause_first_ms, settings->route.breaker.pause_max_ms,
		"route.breaker.pause_first", "route.breaker.pause_max");
	require_at_most(report, settings->redis.reconnect_first_ms, settings->redis.reconnect_max_ms,
		"redis.reconnect_first", "redis.reconnect_max");
	require_at_most(report, settings->limits.idle_timeout_ms, settings->limits.data_timeout_ms,
		"limits.idle_timeout", "limits.data_timeout");
	/* Two renewals may fail before the node stops. */
	require_at_most(report, settings->lease.renew_ms * 3, settings->lease.ttl_ms, "lease.renew",
		"a third of lease.ttl");
	require_at_most(report, settings->lease.margin_ms * 4, settings->lease.ttl_ms, "lease.margin",
		"a quarter of lease.ttl");
}

static void check_sizes(const struct settings *settings, struct report *report)
{
	require_at_most(report, settings->limits.connections_per_client, settings->limits.connections,
		"limits.connections_per_client", "limits.connections");
	require_at_most(report, settings->limits.header_size, settings->limits.message_size,
		"limits.header_size", "limits.message_size");
	require_at_most(report, settings->memory.body, settings->memory.budget / 16, "memory.body",
		"a sixteenth of memory.budget");
	/* A record holds a body that stayed in memory and its envelope, and lies in one segment. */
	require_at_most(report, settings->memory.body, settings->journal.segment_size / 4, "memory.body",
		"a quarter of journal.segment_size");
	/* One that is written and one that is emptied. */
	require_at_most(report, settings->journal.segment_size * 2 * settings->node.workers,
		settings->journal.size_max, "journal.segment_size", "journal.size_max / 2 / node.workers");
}

static void check_sentinels(const struct settings *settings, struct report *report)
{
	struct arena arena = { 0 };
	struct buf why = { 0 };
	struct endpoint endpoint;

	if (settings->redis.sentinels.count && *settings->redis.address.host)
		report_error_at(report, "redis.sentinels",
			"is in place of redis.address: the Sentinels tell it. Give one of the two");
	for (size_t i = 0; i < settings->redis.sentinels.count; i++) {
		buf_clear(&why);
		if (!settings_read_sentinel(settings->redis.sentinels.items[i], &arena, &endpoint, &why))
			report_error_at(report, "redis.sentinels", "%.*s", SPAN_ARGS(buf_span(&why)));
	}
	if (*settings->redis.sentinel_user && !*settings->redis.sentinel_password_file)
		report_error_at(report, "redis.sentinel_user", "needs redis.sentinel_password_file too");
	if (*settings->redis.sentinel_password_file && !settings->redis.sentinels.count)
		report_warning_at(report, "redis.sentinel_password_file",
			"has no effect: there are no redis.sentinels");
	if (settings->redis.sentinels.count && !settings->redis.wait_replicas)
		report_warning_at(report, "redis.wait_replicas",
			"is 0: a failover loses the last writes, and a master that is cut off goes on "
			"renewing leases. Set it to 1");
	buf_fini(&why);
	arena_fini(&arena);
}

static void check_redis(const struct settings *settings, struct report *report)
{
	bool has_tls = *settings->redis.tls.ca || *settings->redis.tls.certificate ||
		       *settings->redis.tls.server_name;

	require_pair(report, settings->redis.tls.certificate, "redis.tls.certificate",
		settings->redis.tls.key, "redis.tls.key");
	if (*settings->redis.user && !*settings->redis.password_file)
		report_error_at(report, "redis.user", "needs redis.password_file too");
	if (has_tls && !settings->redis.tls.enabled)
		report_warning_at(report, "redis.tls", "has no effect: redis.tls.enabled is false");
	check_sentinels(settings, report);
	if (settings_has_redis(settings) && *settings->policy.file)
		report_error_at(report, "policy.file",
			"is for a node without redis.address or redis.sentinels; a cluster has one policy: "
			"skeinctl policy "
			"apply");
	if (settings_has_redis(settings))
		return;
	if (settings->redundancy == REDUNDANCY_REQUIRED)
		report_error_at(report, "redundancy", "required needs redis.address or redis.sentinels");
	if (settings->redis.wait_replicas)
		report_error_at(report, "redis.wait_replicas", "needs redis.address or redis.sentinels");
}

static bool has_backend(const struct settings *settings, enum auth_backend backend)
{
	for (size_t i = 0; i < settings->auth.backends.count; i++)
		if (strcmp(settings->auth.backends.items[i], auth_backend_names[backend]) == 0)
			return true;
	return false;
}

static bool is_backend(const char *name)
{
	for (size_t i = 0; i < AUTH_BACKEND_COUNT; i++)
		if (strcmp(name, auth_backend_names[i]) == 0)
			return true;
	return false;
}

static bool is_any_listener_tls(const struct settings *settings)
{
	for (size_t i = 0; i < settings->listeners.count; i++)
		if (settings->listeners.items[i].tls != LISTENER_TLS_NONE)
			return true;
	return false;
}

static void check_backends(const struct settings *settings, struct report *report)
{
	const struct text_list *list = &settings->auth.backends;

	for (size_t i = 0; i < list->count; i++) {
		if (!is_backend(list->items[i]))
			report_error_at(report, "auth.backends",
				"%s is not one of ldap, file, winbind, kerberos",
				report_quote(span_of_str(list->items[i])).text);
		for (size_t k = 0; k < i; k++)
			if (strcmp(list->items[i], list->items[k]) == 0)
				report_error_at(report, "auth.backends", "%s is there twice", list->items[i]);
	}
	if (list->count && !is_any_listener_tls(settings))
		report_warning_at(
			report, "auth.backends", "has no effect: no listener has TLS, and AUTH needs it");
}

static void check_mechanisms(const struct settings *settings, struct report *report)
{
	static const enum auth_backend needs[SASL_MECHANISM_COUNT] = {
		[SASL_SCRAM_SHA_256_PLUS] = AUTH_FILE,
		[SASL_SCRAM_SHA_256] = AUTH_FILE,
		[SASL_GSSAPI] = AUTH_KERBEROS,
		[SASL_NTLM] = AUTH_WINBIND,
		[SASL_LOGIN] = AUTH_LDAP, /* or AUTH_FILE */
		[SASL_PLAIN] = AUTH_LDAP,
	};

	for (size_t i = 0; i < settings->auth.mechanisms.count; i++) {
		struct span name = span_of_str(settings->auth.mechanisms.items[i]);
		enum sasl_mechanism mechanism;

		if (!sasl_mechanism_find(name, &mechanism))
			report_error_at(report, "auth.mechanisms", "%s is not one that this node knows",
				report_quote(name).text);
		else if (!has_backend(settings, needs[mechanism]) &&
			 (needs[mechanism] != AUTH_LDAP || !has_backend(settings, AUTH_FILE)))
			report_error_at(report, "auth.mechanisms", "%s needs %s in auth.backends",
				settings->auth.mechanisms.items[i], auth_backend_names[needs[mechanism]]);
	}
}

static void require_given(
	struct report *report, const char *value, const char *path, enum auth_backend backend)
{
	if (!*value)
		report_error_at(
			report, path, "is missing: auth.backends has %s", auth_backend_names[backend]);
}

static void check_bind_password(const struct settings *settings, struct report *report)
{
	bool has_file = *settings->auth.ldap.password_file, has_secret = *settings->auth.ldap.bind_secret;

	if (has_file && has_secret)
		report_error_at(report, "auth.ldap.bind_secret",
			"is instead of auth.ldap.password_file: give one or the other, not both");
	if (has_secret && !settings_has_redis(settings))
		report_error_at(report, "auth.ldap.bind_secret",
			"needs redis.address or redis.sentinels: secrets are a cluster's");
	if (has_secret && !*settings->cluster.key_file)
		report_error_at(
			report, "auth.ldap.bind_secret", "needs cluster.key_file, which opens secrets");
	if (!has_secret && !has_file)
		report_error_at(report, "auth.ldap.password_file",
			"is missing, or auth.ldap.bind_secret in its place: auth.backends has ldap");
}

static void check_ldap(const struct settings *settings, struct report *report)
{
	const char *scheme = settings->auth.ldap.start_tls ? "ldap://" : "ldaps://";

	require_given(
		report, settings->auth.ldap.servers.count ? "some" : "", "auth.ldap.servers", AUTH_LDAP);
	require_given(report, settings->auth.ldap.ca, "auth.ldap.ca", AUTH_LDAP);
	require_given(report, settings->auth.ldap.bind_dn, "auth.ldap.bind_dn", AUTH_LDAP);
	check_bind_password(settings, report);
	require_given(report, settings->auth.ldap.base, "auth.ldap.base", AUTH_LDAP);
	require_given(report, settings->auth.ldap.realm, "auth.ldap.realm", AUTH_LDAP);
	/* A bind without TLS has sent the password before it is refused. */
	for (size_t i = 0; i < settings->auth.ldap.servers.count; i++) {
		struct span uri = span_of_str(settings->auth.ldap.servers.items[i]);

		if (!span_starts_with(uri, span_of_str(scheme)) || uri.len == strlen(scheme) ||
			span_find(uri, ' ') < uri.len)
			report_error_at(report, "auth.ldap.servers",
				"%s is not a URI such as %sdc1.example.com%s", report_quote(uri).text, scheme,
				settings->auth.ldap.start_tls ? "" : "; ldap:// needs auth.ldap.start_tls");
	}
	require_at_most(report, settings->auth.ldap.timeout_ms, settings->auth.timeout_ms,
		"auth.ldap.timeout", "auth.timeout");
}

static void check_auth(const struct settings *settings, struct report *report)
{
	bool has_ldap = has_backend(settings, AUTH_LDAP);

	check_backends(settings, report);
	check_mechanisms(settings, report);
	if (has_ldap)
		check_ldap(settings, report);
	if (has_backend(settings, AUTH_FILE))
		require_given(report, settings->auth.file.path, "auth.file.path", AUTH_FILE);
	if (has_backend(settings, AUTH_KERBEROS))
		require_given(report, settings->auth.kerberos.keytab, "auth.kerberos.keytab", AUTH_KERBEROS);
	/* Both say who somebody is; whether he may is in the directory. */
	if (!has_ldap && (has_backend(settings, AUTH_WINBIND) || has_backend(settings, AUTH_KERBEROS)))
		report_error_at(report, "auth.backends", "winbind and kerberos need ldap too");
}

static void check_tracking(const struct settings *settings, struct report *report)
{
	if (settings->tracking.redact == TRACK_REDACT_HASHED && !*settings->tracking.redact_key_file)
		report_error_at(report, "tracking.redact_key_file",
			"is missing: tracking.redact is hashed. Make one line of random text: openssl rand "
			"-base64 32");
}

void settings_check_rules(const struct settings *settings, struct report *report)
{
	check_counts(settings, report);
	check_certificates(settings, report);
	for (size_t i = 0; i < settings->listeners.count; i++)
		check_listener(settings, i, report);
	check_hops(settings, report);
	check_relay(settings, report);
	check_dns(settings, report);
	check_dns_watch(settings, report);
	check_tls_reports(settings, report);
	check_durations(settings, report);
	check_sizes(settings, report);
	check_redis(settings, report);
	check_auth(settings, report);
	check_tracking(settings, report);
	settings_check_hooks(settings, report);
}
