/*
 * Fetches by HTTPS as the node does, for tests/system/test_fetch.py:
 *
 *     fetch SERVER CA
 *
 * SERVER: of the DNS. Then lines of standard input, each answered by a line of JSON:
 *
 *     GET MAX TIMEOUT_MS URL
 *     POST MAX TIMEOUT_MS URL BODY
 *     DROP MAX TIMEOUT_MS URL      begins and cancels
 */
#include "http/fetch.h"
#include "skein/proto/base/alloc.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { LINE_MAX_LEN = 8192 };

static void print(json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII);

	puts(text);
	fflush(stdout);
	free(text);
	json_decref(json);
}

static void on_result(void *arg, const struct fetch_result *result)
{
	static const char *const names[] = { "answered", "unreachable", "untrusted", "too-long", "refused" };
	struct loop *loop = arg;

	print(json_pack("{ss si ss ss# ss}", "outcome", names[result->outcome], "status", (int)result->status,
		"type", result->content_type, "body", result->body.len ? result->body.ptr : "",
		(int)result->body.len, "why", result->why));
	loop_stop(loop);
}

static void obey(struct fetcher *fetcher, struct loop *loop, char *line)
{
	static const char *const headers[] = { "Content-Type: text/x-test", "X-Test: yes" };
	char *rest, *method = strtok_r(line, " \n", &rest), *max = strtok_r(NULL, " \n", &rest);
	char *timeout = strtok_r(NULL, " \n", &rest), *url = strtok_r(NULL, " \n", &rest);
	char *body = strtok_r(NULL, "\n", &rest);
	bool is_drop = strcmp(method, "DROP") == 0;
	const struct fetch_request request = {
		.method = is_drop ? "GET" : method,
		.url = url,
		.headers = headers,
		.header_count = ARRAY_LEN(headers),
		.body = span_of_str(body ? body : ""),
		.answer_max = strtoul(max, NULL, 10),
		.timeout_ms = strtoul(timeout, NULL, 10),
		.fn = on_result,
		.arg = loop,
	};
	struct fetch *fetch = fetch_start(fetcher, &request);

	if (is_drop) {
		fetch_cancel(&fetch);
		print(json_pack("{sb}", "dropped", 1));
	} else {
		loop_run(loop);
	}
}

int main(int argc, char **argv)
{
	static struct loop loop;
	struct settings *settings = settings_new();
	struct fetcher_options options = { .loop = &loop };
	struct fetcher *fetcher;
	struct buf why = { 0 };
	char line[LINE_MAX_LEN];

	if (argc != 3 || loop_init(&loop) != ERR_OK)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	settings->dns.servers.items = (const char *const *)&argv[1];
	settings->dns.servers.count = 1;
	settings->dns.trust_anchor = "";
	options.resolver = resolver_new(settings, &why);
	options.ca_file = argv[2];
	fetcher = fetcher_new(&options);
	while (fgets(line, sizeof(line), stdin))
		obey(fetcher, &loop, line);
	fetcher_free(&fetcher);
	resolver_free(&options.resolver);
	loop_fini(&loop);
	buf_fini(&why);
	settings_free(&settings);
	return 0;
}
