/*
 * Puts questions to the node's resolver, for tests/system/test_dns.py:
 *
 *     dns_ask SERVER ANCHOR DNSSEC INSECURE TIMEOUT_MS LISTENER
 *
 * "" where there is none. Then lines of standard input, each answered by a line of JSON:
 *
 *     ask NAME TYPE
 *     many COUNT NAME TYPE         at once: how many answers of which status came
 *     spread COUNT NAME TYPE       the same, of 0.NAME, 1.NAME and so on
 *     drop NAME TYPE               asks and cancels
 *     tlsa PORT HOST
 *     hops PLACE PORT NAME DOMAIN  of a route's target; "-" for ""
 *
 * The first line that it writes says whether there is a resolver.
 */
#include "dns/hops.h"
#include "dns/tlsa.h"
#include "skein/proto/base/alloc.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

enum { LINE_MAX_LEN = 2048, WORDS_MAX = 5 };

struct tool {
	struct loop loop;
	struct resolver *resolver;
	struct settings *settings;
	struct dns_self *self;
	struct random random;
	size_t waiting;
	size_t seen[DNS_TIMEOUT + 1];
};

static const char *const status_names[] = { "ok", "nxdomain", "nodata", "servfail", "timeout" };

static void print(json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII);

	puts(text);
	fflush(stdout);
	free(text);
	json_decref(json);
}

static enum dns_type find_type(const char *name)
{
	static const enum dns_type types[] = { DNS_A, DNS_CNAME, DNS_PTR, DNS_MX, DNS_TXT, DNS_AAAA, DNS_SRV,
		DNS_TLSA };

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (strcmp(dns_type_name(types[i]), name) == 0)
			return types[i];
	}
	return (enum dns_type)0;
}

static void one_less(struct tool *tool)
{
	if (--tool->waiting == 0)
		loop_stop(&tool->loop);
}

/* --- ask ---------------------------------------------------------------------------------------- */

static json_t *hex_of(struct span bytes)
{
	struct buf text = { 0 };
	json_t *json;

	for (size_t i = 0; i < bytes.len; i++)
		buf_printf(&text, "%02x", (unsigned char)bytes.ptr[i]);
	json = json_stringn(bytes.len ? buf_span(&text).ptr : "", buf_len(&text));
	buf_fini(&text);
	return json;
}

static void on_answer(void *arg, struct dns_answer *answer)
{
	json_t *records = json_array();

	for (size_t i = 0; i < answer->count; i++)
		json_array_append_new(records, hex_of(answer->records[i]));
	print(json_pack("{ss sb sb si ss ss so}", "status", status_names[answer->status], "secure",
		(int)answer->is_secure, "bogus", (int)answer->is_bogus, "ttl", (int)answer->ttl_s, "name",
		answer->name, "why", answer->why, "records", records));
	one_less(arg);
}

static void on_many(void *arg, struct dns_answer *answer)
{
	struct tool *tool = arg;

	tool->seen[answer->status]++;
	one_less(tool);
}

static void ask(struct tool *tool, size_t count, const char *name, const char *type, dns_answer_fn *fn)
{
	const struct dns_asker asker = { .loop = &tool->loop, .fn = fn, .arg = tool };

	tool->waiting = count;
	for (size_t i = 0; i < count; i++)
		(void)resolver_ask(tool->resolver, name, find_type(type), &asker);
	loop_run(&tool->loop);
}

static void print_seen(const struct tool *tool)
{
	json_t *json = json_object();

	for (size_t i = 0; i < ARRAY_LEN(tool->seen); i++) {
		if (tool->seen[i])
			json_object_set_new(json, status_names[i], json_integer((json_int_t)tool->seen[i]));
	}
	print(json);
}

static void ask_many(struct tool *tool, size_t count, const char *name, const char *type)
{
	memset(tool->seen, 0, sizeof(tool->seen));
	ask(tool, count, name, type, on_many);
	print_seen(tool);
}

static void ask_spread(struct tool *tool, size_t count, const char *name, const char *type)
{
	const struct dns_asker asker = { .loop = &tool->loop, .fn = on_many, .arg = tool };
	char other[LINE_MAX_LEN];

	memset(tool->seen, 0, sizeof(tool->seen));
	tool->waiting = count;
	for (size_t i = 0; i < count; i++) {
		(void)snprintf(other, sizeof(other), "%zu.%s", i, name);
		(void)resolver_ask(tool->resolver, other, find_type(type), &asker);
	}
	loop_run(&tool->loop);
	print_seen(tool);
}

static void on_dropped(void *arg, struct dns_answer *answer)
{
	(void)arg;
	(void)answer;
	check_failed(__FILE__, __LINE__, "a cancelled question is not answered");
}

static void drop(struct tool *tool, const char *name, const char *type)
{
	const struct dns_asker asker = { .loop = &tool->loop, .fn = on_dropped };
	struct dns_question *question = resolver_ask(tool->resolver, name, find_type(type), &asker);

	dns_question_cancel(&question);
	print(json_pack("{sb}", "dropped", 1));
}

/* --- hops --------------------------------------------------------------------------------------- */

static json_t *describe_hop(const struct dns_hop *hop)
{
	json_t *addresses = json_array();
	char text[ADDRESS_TEXT_SIZE];

	for (size_t i = 0; i < hop->address_count; i++)
		json_array_append_new(addresses, json_string(address_format(&hop->addresses[i], text)));
	return json_pack("{ss ss si si sb sb sb so}", "host", hop->host, "alias", hop->alias, "port",
		(int)hop->port, "preference", (int)hop->preference, "secure", (int)hop->is_secure,
		"secure_addresses", (int)hop->has_secure_addresses, "is_address", (int)hop->is_address,
		"addresses", addresses);
}

static void on_hops(void *arg, struct dns_hops *hops)
{
	static const char *const outcomes[] = { "found", "temporary", "permanent" };
	json_t *list = json_array();
	struct buf code = { 0 };

	enhanced_code_append(&code, hops->enhanced);
	for (size_t i = 0; i < hops->count; i++)
		json_array_append_new(list, describe_hop(&hops->hops[i]));
	print(json_pack("{ss ss# ss ss sI so}", "outcome", outcomes[hops->outcome], "code",
		buf_span(&code).ptr, (int)buf_len(&code), "why", hops->why, "domain", hops->domain, "keep_ms",
		(json_int_t)hops->keep_ms, "hops", list));
	buf_fini(&code);
	dns_hops_free(&hops);
	one_less(arg);
}

static void find_hops(struct tool *tool, char *const words[WORDS_MAX])
{
	struct route_target target = { .name = words[3] };
	const struct hops_request request = { .resolver = tool->resolver,
		.self = tool->self,
		.target = &target,
		.domain = span_of_str(words[4]),
		.loop = &tool->loop,
		.random = &tool->random,
		.fn = on_hops,
		.arg = tool };

	while (target.place < ROUTE_PLACES && strcmp(route_place_names[target.place], words[1]) != 0)
		target.place++;
	target.port = (uint16_t)strtoul(words[2], NULL, 10);
	tool->waiting = 1;
	(void)hops_start(&request);
	loop_run(&tool->loop);
}

/* --- tlsa --------------------------------------------------------------------------------------- */

static void on_tlsa(void *arg, struct tlsa_set *set)
{
	static const char *const outcomes[] = { "none", "usable", "unusable", "failed" };
	json_t *list = json_array();

	for (size_t i = 0; i < set->count; i++)
		json_array_append_new(
			list, json_pack("[i i i o]", set->records[i].usage, set->records[i].selector,
				      set->records[i].matching, hex_of(set->records[i].association)));
	print(json_pack("{ss ss ss so}", "outcome", outcomes[set->outcome], "base", set->base, "why",
		set->why, "records", list));
	tlsa_set_free(&set);
	one_less(arg);
}

static void on_tlsa_hops(void *arg, struct dns_hops *hops)
{
	struct tool *tool = arg;
	const struct tlsa_request request = { .resolver = tool->resolver,
		.loop = &tool->loop,
		.hop = &hops->hops[0],
		.fn = on_tlsa,
		.arg = tool };

	CHECK(hops->count == 1);
	(void)tlsa_start(&request);
	dns_hops_free(&hops);
}

static void find_tlsa(struct tool *tool, const char *port, const char *host)
{
	const struct route_target target = {
		.place = ROUTE_HOST, .name = host, .port = (uint16_t)strtoul(port, NULL, 10)
	};
	const struct hops_request request = { .resolver = tool->resolver,
		.self = tool->self,
		.target = &target,
		.loop = &tool->loop,
		.random = &tool->random,
		.fn = on_tlsa_hops,
		.arg = tool };

	tool->waiting = 1;
	(void)hops_start(&request);
	loop_run(&tool->loop);
}

/* --- lines -------------------------------------------------------------------------------------- */

static size_t split(char *line, char *words[WORDS_MAX])
{
	size_t count = 0;

	line[strcspn(line, "\n")] = '\0';
	for (char *save, *word = strtok_r(line, " ", &save); word && count < WORDS_MAX;
		word = strtok_r(NULL, " ", &save))
		words[count++] = strcmp(word, "-") == 0 ? word + 1 : word;
	return count;
}

static void obey(struct tool *tool, char *line)
{
	char *words[WORDS_MAX] = { 0 };
	size_t count = split(line, words);

	/* The loop stood still while we waited for the line. */
	uv_update_time(&tool->loop.uv);
	if (count == 3 && strcmp(words[0], "ask") == 0)
		ask(tool, 1, words[1], words[2], on_answer);
	else if (count == 4 && strcmp(words[0], "many") == 0)
		ask_many(tool, strtoul(words[1], NULL, 10), words[2], words[3]);
	else if (count == 4 && strcmp(words[0], "spread") == 0)
		ask_spread(tool, strtoul(words[1], NULL, 10), words[2], words[3]);
	else if (count == 3 && strcmp(words[0], "drop") == 0)
		drop(tool, words[1], words[2]);
	else if (count == 3 && strcmp(words[0], "tlsa") == 0)
		find_tlsa(tool, words[1], words[2]);
	else if (count == 5 && strcmp(words[0], "hops") == 0)
		find_hops(tool, words);
	else
		print(json_pack("{ss}", "error", "not a command"));
}

static void configure(
	struct settings *settings, char **arguments, const char *lists[2], struct listener_settings *listener)
{
	struct address address;

	lists[0] = arguments[0];
	lists[1] = arguments[3];
	settings->dns.servers = (struct text_list){ &lists[0], *lists[0] != '\0' };
	settings->dns.trust_anchor = arguments[1];
	settings->dns.dnssec = strcmp(arguments[2], "off") == 0          ? DNS_DNSSEC_OFF
			       : strcmp(arguments[2], "permissive") == 0 ? DNS_DNSSEC_PERMISSIVE
									 : DNS_DNSSEC_ON;
	settings->dns.insecure_domains = (struct text_list){ &lists[1], *lists[1] != '\0' };
	settings->dns.timeout_ms = strtoul(arguments[4], NULL, 10);
	settings->node.hostname = "relay.example";
	if (address_parse(span_of_str(arguments[5]), 0, &address) == ERR_OK) {
		char text[ADDRESS_TEXT_SIZE];

		listener->address = (struct endpoint){
			arena_strdup(&settings->arena, span_of_str(address_format_ip(&address, text))),
			address_port(&address)
		};
		settings->listeners = (struct listener_list){ listener, 1 };
	}
}

int main(int argc, char **argv)
{
	static struct tool tool;
	struct listener_settings listener = { 0 };
	const char *lists[2];
	char line[LINE_MAX_LEN];
	struct buf why = { 0 };

	if (argc != 7)
		return 2;
	tool.settings = settings_new();
	configure(tool.settings, argv + 1, lists, &listener);
	random_seed(&tool.random);
	tool.self = dns_self_new(tool.settings);
	tool.resolver = resolver_new(tool.settings, &why);
	print(json_pack("{ss#}", "why", buf_len(&why) ? buf_span(&why).ptr : "", (int)buf_len(&why)));
	if (tool.resolver && loop_init(&tool.loop) == ERR_OK) {
		while (fgets(line, sizeof(line), stdin))
			obey(&tool, line);
		resolver_free(&tool.resolver);
		loop_fini(&tool.loop);
	}
	buf_fini(&why);
	dns_self_free(&tool.self);
	settings_free(&tool.settings);
	return 0;
}
