/*
 * Tells somebody outside as the node does, for tests/system/test_notify.py:
 *
 *     notify CA TIMEOUT_MS URL [QUEUE_BYTES]
 *
 * Each line of standard input is told at once, without waiting for the one before: as the body of a POST with
 * the secret of the file SKEIN_TEST_SECRET, or as the text of a syslog message. Each end is told by a line of
 * JSON. Runs until the end of the input, and all is told.
 */
#include "config/settings.h"
#include "notify/syslog.h"
#include "notify/target.h"
#include "io/stream.h"
#include "notify/web_post.h"
#include "skein/proto/base/alloc.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct teller {
	struct loop loop;
	struct notifier *notifier;
	struct syslog *syslog;
	const char *url, *ca;
	uint64_t timeout_ms;
	const struct secret_value *secret;
	struct buf input;
	unsigned under_way;
	bool is_over;
	uv_poll_t poll;
} self;

struct told {
	char *text;
	uint64_t wait_ms;
};

static void on_end(void *arg, enum notify_end end, const char *why)
{
	static const char *const names[] = { "sent", "later", "never" };
	struct told *told = arg;
	json_t *json = json_pack("{ss ss ss sI}", "text", told->text, "end", names[end], "why", why,
		"wait_ms", (json_int_t)told->wait_ms);
	char *line = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);

	puts(line);
	fflush(stdout);
	free(line);
	json_decref(json);
	mem_free(told->text);
	mem_free(told);
	if (--self.under_way == 0 && self.is_over)
		loop_stop(&self.loop);
}

static void tell(char *text)
{
	static const char *const headers[] = { "Skein-Batch: 7" };
	struct told *told = mem_zalloc(sizeof(*told));
	const struct syslog_param params[] = { { "id", span_of_str(text) } };
	const struct syslog_message message = {
		.severity = SYSLOG_NOTICE,
		.time_us = 1606233600123456,
		.kind = SPAN_LIT("TEST"),
		.params = params,
		.param_count = 1,
		.text = span_of_str(text),
	};
	const struct web_post_request request = {
		.url = self.url,
		.ca_file = self.ca,
		.content_type = "application/json",
		.headers = headers,
		.header_count = 1,
		.secret = { self.secret ? "Authorization: Bearer" : NULL, NULL, self.secret },
		.body = span_of_str(text),
		.timeout_ms = self.timeout_ms,
		.wait_ms_out = &told->wait_ms,
		.fn = on_end,
		.arg = told,
	};

	told->text = mem_strdup(text);
	self.under_way++;
	if (self.syslog)
		syslog_send(self.syslog, &message, on_end, told);
	else
		web_post_start(self.notifier, &request);
}

static void on_input(uv_poll_t *poll, int status, int events)
{
	char bytes[4096];
	ssize_t count = read(STDIN_FILENO, bytes, sizeof(bytes));
	size_t end;

	(void)status, (void)events;
	if (count <= 0) {
		uv_close((uv_handle_t *)poll, NULL);
		self.is_over = true;
		if (!self.under_way)
			loop_stop(&self.loop);
		return;
	}
	buf_append(&self.input, span_of(bytes, (size_t)count));
	while ((end = span_find(buf_span(&self.input), '\n')) < buf_len(&self.input)) {
		char *text = mem_strndup(buf_span(&self.input).ptr, end);

		buf_consume(&self.input, end + 1);
		tell(text);
		mem_free(text);
	}
}

static bool prepare(int argc, char **argv, struct resolver *resolver, struct buf *why)
{
	const struct notifier_options options = { &self.loop, resolver, NULL, "test-node" };
	struct syslog_options syslog = { .facility = 2, .app = "skein", .queue_bytes = 1000000 };
	const char *path = getenv("SKEIN_TEST_SECRET");
	struct target target;
	const char *wrong = target_parse(argv[3], &target);

	self.ca = syslog.ca_file = argv[1];
	self.timeout_ms = syslog.timeout_ms = strtoul(argv[2], NULL, 10);
	self.url = syslog.url = argv[3];
	if (argc > 4)
		syslog.queue_bytes = strtoul(argv[4], NULL, 10);
	if (wrong) {
		buf_append_str(why, wrong);
		return false;
	}
	self.notifier = notifier_new(&options);
	if (path && !(self.secret = web_post_read_secret(path, why)))
		return false;
	return target_is_web(&target) || (self.syslog = syslog_new(self.notifier, &syslog, why));
}

int main(int argc, char **argv)
{
	struct settings *settings = settings_new();
	struct resolver *resolver;
	struct buf why = { 0 };

	if (argc < 4 || loop_init(&self.loop) != ERR_OK)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	settings->dns.trust_anchor = "";
	resolver = resolver_new(settings, &why);
	if (!resolver || !prepare(argc, argv, resolver, &why)) {
		fprintf(stderr, "%.*s\n", SPAN_ARGS(buf_span(&why)));
		return 1;
	}
	CHECK(uv_poll_init(&self.loop.uv, &self.poll, STDIN_FILENO) == 0);
	uv_poll_start(&self.poll, UV_READABLE, on_input);
	loop_run(&self.loop);
	syslog_free(&self.syslog);
	notifier_free(&self.notifier);
	if (self.secret)
		secret_value_unref(&self.secret);
	resolver_free(&resolver);
	stream_abort_all(&self.loop);
	loop_fini(&self.loop);
	buf_fini(&self.input);
	buf_fini(&why);
	settings_free(&settings);
	return 0;
}
