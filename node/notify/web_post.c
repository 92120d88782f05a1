#include "notify/web_post.h"

#include "config/secret.h"
#include "notify/notifier_internal.h"
#include "skein/proto/base/alloc.h"

#include <errno.h>
#include <stdio.h>

enum { HEADER_MAX = 256, TOO_LARGE = 413 };

/* What is wrong is the request itself: it will be the same the next time. */
static const unsigned hopeless[] = { 400, 406, 410, 411, TOO_LARGE, 414, 415, 422, 431 };

struct web_post {
	struct notifier *notifier;
	struct fetch *fetch;
	struct loop_task failed; /* before anything was sent */
	uint64_t *wait_ms_out;
	bool *too_large_out;
	notify_fn *fn;
	void *arg;
	char why[NOTIFY_WHY_MAX];
};

static void post_free(struct web_post *post)
{
	fetch_cancel(&post->fetch);
	loop_task_cancel(&post->failed);
	mem_free(post);
}

void web_post_cancel(struct web_post **post)
{
	if (*post)
		post_free(*post);
	*post = NULL;
}

static void finish(struct web_post *post, enum notify_end end, uint64_t wait_ms)
{
	if (post->wait_ms_out)
		*post->wait_ms_out = wait_ms;
	post->fn(post->arg, end, post->why);
	post_free(post);
}

static void on_failed(void *arg)
{
	finish(arg, NOTIFY_LATER, 0);
}

static enum notify_end judge(const struct fetch_result *result)
{
	if (result->outcome == FETCH_REFUSED)
		return NOTIFY_NEVER;
	if (result->outcome != FETCH_ANSWERED)
		return NOTIFY_LATER;
	if (result->status >= 200 && result->status < 300)
		return NOTIFY_SENT;
	for (size_t i = 0; i < ARRAY_LEN(hopeless); i++)
		if (hopeless[i] == result->status)
			return NOTIFY_NEVER;
	return NOTIFY_LATER;
}

static void on_result(void *arg, const struct fetch_result *result)
{
	struct web_post *post = arg;
	enum notify_end how = judge(result);

	post->fetch = NULL;
	if (post->too_large_out)
		*post->too_large_out = result->outcome == FETCH_ANSWERED && result->status == TOO_LARGE;
	if (result->outcome != FETCH_ANSWERED)
		snprintf(post->why, sizeof(post->why), "%s", result->why);
	else if (how != NOTIFY_SENT)
		snprintf(post->why, sizeof(post->why), "the server answered %u", result->status);
	finish(post, how, result->retry_after_s * 1000);
}

/* --- the secret ------------------------------------------------------------------------------------- */

static bool is_printable(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] < ' ' || text.ptr[i] > '~')
			return false;
	return text.len > 0 && text.len <= WEB_POST_SECRET_MAX;
}

/* NULL: post->why says why there is none. */
static const struct secret_value *find_secret(struct web_post *post, const struct web_post_secret *secret)
{
	struct secrets *secrets = post->notifier->options.secrets;
	const struct secret_value *value;
	struct buf why = { 0 };

	if (!secret->name || !*secret->name)
		return secret_value_ref(secret->value);
	value = secrets_get(secrets, secret->name);
	if (value)
		return value;
	secrets_explain(secrets, secret->name, &why);
	snprintf(post->why, sizeof(post->why), "%.*s", SPAN_ARGS(buf_span(&why)));
	buf_fini(&why);
	return NULL;
}

/* "NAME: SECRET", NUL-terminated, to be wiped. False: post->why says why not. */
static bool write_secret(struct web_post *post, const struct web_post_secret *secret, struct buf *out)
{
	const struct secret_value *value = find_secret(post, secret);
	struct span text;

	if (!value)
		return false;
	text = span_trim(secret_value_text(value));
	if (is_printable(text)) {
		/* It does not move while it grows, so that no copy is left behind. */
		buf_reserve(out, HEADER_MAX + 2 + text.len);
		buf_printf(out, "%.*s ", HEADER_MAX, secret->header);
		buf_append(out, text);
		buf_append_byte(out, '\0');
	} else {
		snprintf(post->why, sizeof(post->why),
			"the secret is not one line of ASCII of at most %d characters", WEB_POST_SECRET_MAX);
	}
	secret_value_unref(&value);
	return buf_len(out) > 0;
}

static void wipe(struct buf *buf)
{
	if (buf->base)
		mem_wipe(buf->base, buf->cap);
	buf_fini(buf);
}

const struct secret_value *web_post_read_secret(const char *path, struct buf *why_out)
{
	const struct secret_value *value;
	char *text = NULL;
	enum err err = secret_read(path, &text);

	if (err) {
		buf_printf(why_out, "%s: %s", path,
			err == ERR_IO ? strerror(errno) : "it must hold one line, the secret");
		return NULL;
	}
	value = secret_value_new(span_of_str(path), span_of_str(text));
	secret_free(&text);
	return value;
}

/* --- the beginning ------------------------------------------------------------------------------------ */

static void fetch(struct web_post *post, const struct web_post_request *request, const char *secret)
{
	const char *headers[WEB_POST_HEADERS_MAX + 3];
	char type[HEADER_MAX];
	struct fetch_request wanted = {
		.method = "POST",
		.url = request->url,
		.may_be_clear = true,
		.is_kept = true,
		.ca_file = request->ca_file && *request->ca_file ? request->ca_file : NULL,
		.headers = headers,
		.body = request->body,
		.timeout_ms = request->timeout_ms,
		.fn = on_result,
		.arg = post,
	};

	CHECK(request->header_count <= WEB_POST_HEADERS_MAX);
	snprintf(type, sizeof(type), "Content-Type: %s", request->content_type);
	headers[wanted.header_count++] = type;
	/* Not sent: libcurl would wait a second for the answer to it that many servers never give. */
	headers[wanted.header_count++] = "Expect:";
	for (size_t i = 0; i < request->header_count; i++)
		headers[wanted.header_count++] = request->headers[i];
	if (secret)
		headers[wanted.header_count++] = secret;
	post->fetch = fetch_start(post->notifier->fetcher, &wanted);
}

struct web_post *web_post_start(struct notifier *notifier, const struct web_post_request *request)
{
	struct web_post *post = mem_zalloc(sizeof(*post));
	struct buf secret = { 0 };

	post->notifier = notifier;
	post->fn = request->fn;
	post->arg = request->arg;
	post->wait_ms_out = request->wait_ms_out;
	post->too_large_out = request->too_large_out;
	loop_task_init(&post->failed, on_failed, post);
	if (!request->secret.header)
		fetch(post, request, NULL);
	else if (write_secret(post, &request->secret, &secret))
		fetch(post, request, buf_span(&secret).ptr);
	else
		loop_defer(notifier->options.loop, &post->failed);
	wipe(&secret);
	return post;
}
