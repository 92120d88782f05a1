#include "http/fetch.h"

#include "dns/address_search.h"
#include "skein/proto/base/alloc.h"

#include <curl/curl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { PORT = 443, CLEAR_PORT = 80 };

/*
 * A fetch: its URL is taken apart → A and AAAA of the host → libcurl's transfer, told the addresses → the
 * answer. Its one deadline is over all of it. libcurl says which sockets to watch and when to call it again;
 * it is never called from inside its own callbacks.
 */
struct fetcher {
	struct loop *loop;
	struct resolver *resolver;
	char *ca_file;
	CURLM *multi;
	struct loop_timer timer; /* libcurl's */
	unsigned under_way;
};

struct fetch {
	struct fetcher *fetcher;
	fetch_fn *fn;
	void *arg;
	CURL *easy;
	struct curl_slist *headers, *addresses;
	char *url, *host, *body;
	size_t body_len;
	uint16_t port;
	struct buf answer;
	size_t answer_max;
	struct address_search *search;
	struct loop_timer deadline;
	struct loop_task done;
	bool is_added; /* to the multi handle */
	enum fetch_outcome outcome;
	char why[FETCH_WHY_MAX];
	char error[CURL_ERROR_SIZE];
};

struct watched {
	uv_poll_t poll;
	struct fetcher *fetcher;
	curl_socket_t fd;
};

/* --- the end of one ----------------------------------------------------------------------------- */

static void wipe_list(struct curl_slist *list)
{
	for (struct curl_slist *it = list; it; it = it->next)
		OPENSSL_cleanse(it->data, strlen(it->data));
	curl_slist_free_all(list);
}

static void free_text(char *text, size_t len)
{
	if (text)
		OPENSSL_cleanse(text, len);
	mem_free(text);
}

static void fetch_free(struct fetch *fetch)
{
	struct fetcher *fetcher = fetch->fetcher;

	loop_timer_cancel(fetcher->loop, &fetch->deadline);
	loop_task_cancel(&fetch->done);
	address_search_cancel(&fetch->search);
	if (fetch->is_added)
		curl_multi_remove_handle(fetcher->multi, fetch->easy);
	curl_easy_cleanup(fetch->easy);
	wipe_list(fetch->headers);
	wipe_list(fetch->addresses);
	free_text(fetch->body, fetch->body_len);
	free_text(fetch->url, strlen(fetch->url));
	mem_free(fetch->host);
	if (buf_len(&fetch->answer))
		OPENSSL_cleanse((void *)(uintptr_t)buf_span(&fetch->answer).ptr, buf_len(&fetch->answer));
	buf_fini(&fetch->answer);
	fetcher->under_way--;
	mem_free(fetch);
}

void fetch_cancel(struct fetch **fetch)
{
	if (*fetch)
		fetch_free(*fetch);
	*fetch = NULL;
}

static void on_done(void *arg)
{
	struct fetch *fetch = arg;
	struct fetch_result result = { .outcome = fetch->outcome, .content_type = "", .why = fetch->why };
	const char *type = NULL;
	long status = 0;
	curl_off_t wait_s = 0;

	if (fetch->outcome == FETCH_ANSWERED) {
		curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
		curl_easy_getinfo(fetch->easy, CURLINFO_CONTENT_TYPE, &type);
		result.status = (unsigned)status;
		result.content_type = type ? type : "";
		curl_easy_getinfo(fetch->easy, CURLINFO_RETRY_AFTER, &wait_s);
		result.retry_after_s = wait_s > 0 ? (uint64_t)wait_s : 0;
		result.body = buf_span(&fetch->answer);
		result.why = "";
	}
	/* The callback may look at everything, and the fetch is over for its owner. */
	fetch->fn(fetch->arg, &result);
	fetch_free(fetch);
}

static void end(struct fetch *fetch, enum fetch_outcome outcome, const char *why)
{
	size_t len = 0;

	fetch->outcome = outcome;
	for (; why[len] && len < sizeof(fetch->why) - 1; len++)
		fetch->why[len] = why[len] < ' ' || why[len] > '~' ? '?' : why[len];
	fetch->why[len] = '\0';
	loop_timer_cancel(fetch->fetcher->loop, &fetch->deadline);
	loop_defer(fetch->fetcher->loop, &fetch->done);
}

static void on_deadline(void *arg)
{
	end(arg, FETCH_UNREACHABLE, "no answer in time");
}

/* --- libcurl and the loop ------------------------------------------------------------------------ */

static void judge(struct fetch *fetch, CURLcode code)
{
	const char *text = fetch->error[0] ? fetch->error : curl_easy_strerror(code);

	if (fetch->outcome == FETCH_TOO_LONG || code == CURLE_FILESIZE_EXCEEDED)
		end(fetch, FETCH_TOO_LONG, "the answer is too long");
	else if (code == CURLE_OK)
		end(fetch, FETCH_ANSWERED, "");
	else if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CONNECT_ERROR)
		end(fetch, FETCH_UNTRUSTED, text);
	else
		end(fetch, FETCH_UNREACHABLE, text);
}

static void collect(struct fetcher *fetcher)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(fetcher->multi, &left))) {
		struct fetch *fetch = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&fetch);
		judge(fetch, message->data.result);
	}
}

static void act(struct fetcher *fetcher, curl_socket_t fd, int events)
{
	int running;

	curl_multi_socket_action(fetcher->multi, fd, events, &running);
	collect(fetcher);
}

static void on_timer(void *arg)
{
	act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct watched *watched = poll->data;
	int what = status < 0 ? CURL_CSELECT_ERR : 0;

	what |= events & UV_READABLE ? CURL_CSELECT_IN : 0;
	what |= events & UV_WRITABLE ? CURL_CSELECT_OUT : 0;
	act(watched->fetcher, watched->fd, what);
}

static void on_poll_closed(uv_handle_t *handle)
{
	mem_free(handle->data);
}

static struct watched *watch(struct fetcher *fetcher, curl_socket_t fd)
{
	struct watched *watched = mem_zalloc(sizeof(*watched));

	watched->fetcher = fetcher;
	watched->fd = fd;
	CHECK(uv_poll_init_socket(&fetcher->loop->uv, &watched->poll, fd) == 0);
	watched->poll.data = watched;
	curl_multi_assign(fetcher->multi, fd, watched);
	return watched;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct fetcher *fetcher = arg;
	struct watched *watched = socket_arg;
	int events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (!watched)
			return 0;
		curl_multi_assign(fetcher->multi, fd, NULL);
		uv_close((uv_handle_t *)&watched->poll, on_poll_closed);
		return 0;
	}
	if (!watched)
		watched = watch(fetcher, fd);
	events |= what & CURL_POLL_IN ? UV_READABLE : 0;
	events |= what & CURL_POLL_OUT ? UV_WRITABLE : 0;
	uv_poll_start(&watched->poll, events, on_poll);
	return 0;
}

static int on_wanted_timer(CURLM *multi, long delay_ms, void *arg)
{
	struct fetcher *fetcher = arg;

	(void)multi;
	if (delay_ms < 0)
		loop_timer_cancel(fetcher->loop, &fetcher->timer);
	else
		loop_timer_set(fetcher->loop, &fetcher->timer, (uint64_t)delay_ms);
	return 0;
}

static void init_once(void)
{
	CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

struct fetcher *fetcher_new(const struct fetcher_options *options)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct fetcher *fetcher = mem_zalloc(sizeof(*fetcher));

	pthread_once(&once, init_once);
	fetcher->loop = options->loop;
	fetcher->resolver = options->resolver;
	fetcher->ca_file = options->ca_file ? mem_strdup(options->ca_file) : NULL;
	/* One for all: it keeps the authorities that it has read. */
	fetcher->multi = curl_multi_init();
	CHECK(fetcher->multi);
	loop_timer_init(&fetcher->timer, on_timer, fetcher);
	curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETDATA, fetcher);
	curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERFUNCTION, on_wanted_timer);
	curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERDATA, fetcher);
	return fetcher;
}

void fetcher_free(struct fetcher **pointer)
{
	struct fetcher *fetcher = *pointer;

	*pointer = NULL;
	if (!fetcher)
		return;
	CHECK(fetcher->under_way == 0);
	curl_multi_cleanup(fetcher->multi);
	loop_timer_cancel(fetcher->loop, &fetcher->timer);
	mem_free(fetcher->ca_file);
	mem_free(fetcher);
}

/* --- the transfer -------------------------------------------------------------------------------- */

static size_t on_bytes(char *bytes, size_t size, size_t count, void *arg)
{
	struct fetch *fetch = arg;
	size_t len = size * count;

	if (!fetch->answer_max)
		return len;
	if (len > fetch->answer_max - buf_len(&fetch->answer)) {
		fetch->outcome = FETCH_TOO_LONG;
		return 0;
	}
	buf_append(&fetch->answer, span_of(bytes, len));
	return len;
}

/* "+HOST:PORT:ADDRESS,ADDRESS": the plus lets it be forgotten a minute later. */
static void tell_addresses(struct fetch *fetch, const struct address_list *found)
{
	struct buf entry = { 0 };

	buf_printf(&entry, "+%s:%u:", fetch->host, (unsigned)fetch->port);
	for (size_t i = 0; i < found->count; i++) {
		char text[ADDRESS_TEXT_SIZE];
		bool is_v6 = found->items[i].sa.sa_family == AF_INET6;

		address_format_ip(&found->items[i], text);
		buf_printf(&entry, is_v6 ? "%s[%s]" : "%s%s", i ? "," : "", text);
	}
	buf_append_byte(&entry, '\0');
	fetch->addresses = curl_slist_append(NULL, buf_span(&entry).ptr);
	curl_easy_setopt(fetch->easy, CURLOPT_RESOLVE, fetch->addresses);
	buf_fini(&entry);
}

static void begin_transfer(struct fetch *fetch)
{
	if (curl_multi_add_handle(fetch->fetcher->multi, fetch->easy) != CURLM_OK) {
		end(fetch, FETCH_REFUSED, "the request cannot be made");
		return;
	}
	fetch->is_added = true;
}

static void set_options(struct fetch *fetch, const struct fetch_request *request)
{
	const char *ca_file = request->ca_file ? request->ca_file : fetch->fetcher->ca_file;
	CURL *easy = fetch->easy;

	curl_easy_setopt(easy, CURLOPT_PRIVATE, fetch);
	curl_easy_setopt(easy, CURLOPT_URL, fetch->url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, request->may_be_clear ? "http,https" : "https");
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, request->is_kept ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	if (ca_file) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, fetch->error);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, fetch);
	curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)request->answer_max);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "Skein/" SKEIN_VERSION);
	if (strcmp(request->method, "POST") == 0) {
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, fetch->body ? fetch->body : "");
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)fetch->body_len);
	}
	if (fetch->headers)
		curl_easy_setopt(easy, CURLOPT_HTTPHEADER, fetch->headers);
}

/* --- the name ------------------------------------------------------------------------------------- */

static void on_found(void *arg, const struct address_list *found, const char *why)
{
	struct fetch *fetch = arg;

	fetch->search = NULL;
	if (!found->count) {
		end(fetch, FETCH_UNREACHABLE, why);
		return;
	}
	tell_addresses(fetch, found);
	begin_transfer(fetch);
}

static void look_up(struct fetch *fetch)
{
	const struct address_request request = {
		.loop = fetch->fetcher->loop,
		.resolver = fetch->fetcher->resolver,
		.host = fetch->host,
		.port = fetch->port,
		.fn = on_found,
		.arg = fetch,
	};

	fetch->search = address_search_start(&request);
}

/* --- the beginning --------------------------------------------------------------------------------- */

static bool get_part(CURLU *parts, CURLUPart part, char **text_out)
{
	char *text = NULL;
	bool has_it = curl_url_get(parts, part, &text, 0) == CURLUE_OK && text;

	*text_out = has_it ? mem_strdup(text) : NULL;
	curl_free(text);
	return has_it;
}

/* Host and port of the URL. False: it is none for us. */
static bool take_apart(struct fetch *fetch, bool may_be_clear)
{
	CURLU *parts = curl_url();
	char *scheme = NULL, *user = NULL, *port = NULL;
	bool is_good, is_clear;

	CHECK(parts);
	is_good = strlen(fetch->url) <= FETCH_URL_MAX &&
		  curl_url_set(parts, CURLUPART_URL, fetch->url, 0) == CURLUE_OK &&
		  get_part(parts, CURLUPART_SCHEME, &scheme) &&
		  get_part(parts, CURLUPART_HOST, &fetch->host) && !get_part(parts, CURLUPART_USER, &user);
	is_clear = is_good && may_be_clear && strcasecmp(scheme, "http") == 0;
	is_good = is_good && (is_clear || strcasecmp(scheme, "https") == 0);
	fetch->port = is_clear ? CLEAR_PORT : PORT;
	if (is_good && get_part(parts, CURLUPART_PORT, &port))
		fetch->port = (uint16_t)strtoul(port, NULL, 10);
	mem_free(scheme);
	mem_free(user);
	mem_free(port);
	curl_url_cleanup(parts);
	return is_good;
}

static bool is_address(const char *host)
{
	struct address address;

	return *host == '[' || address_parse(span_of_str(host), PORT, &address) == ERR_OK;
}

struct fetch *fetch_start(struct fetcher *fetcher, const struct fetch_request *request)
{
	struct fetch *fetch = mem_zalloc(sizeof(*fetch));

	CHECK(request->header_count <= FETCH_HEADERS_MAX);
	fetch->fetcher = fetcher;
	fetcher->under_way++;
	fetch->fn = request->fn;
	fetch->arg = request->arg;
	fetch->answer_max = request->answer_max;
	fetch->url = mem_strdup(request->url);
	fetch->body_len = request->body.len;
	fetch->body = request->body.len ? mem_dup(request->body.ptr, request->body.len) : NULL;
	for (size_t i = 0; i < request->header_count; i++)
		fetch->headers = curl_slist_append(fetch->headers, request->headers[i]);
	loop_timer_init(&fetch->deadline, on_deadline, fetch);
	loop_task_init(&fetch->done, on_done, fetch);
	fetch->easy = curl_easy_init();
	CHECK(fetch->easy);
	set_options(fetch, request);
	loop_timer_set(fetcher->loop, &fetch->deadline, request->timeout_ms);
	if (!take_apart(fetch, request->may_be_clear))
		end(fetch, FETCH_REFUSED,
			request->may_be_clear ? "not the URL of a web server"
					      : "not the URL of an HTTPS server");
	else if (is_address(fetch->host))
		begin_transfer(fetch);
	else
		look_up(fetch);
	return fetch;
}
