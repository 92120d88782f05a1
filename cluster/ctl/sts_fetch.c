#include "sts_fetch.h"

#include "skein/proto/base/arena.h"
#include "skein/proto/wire/mta_sts.h"

#include <curl/curl.h>

static size_t on_data(char *data, size_t size, size_t count, void *arg)
{
	struct buf *policy = arg;

	if (buf_len(policy) + size * count > MTA_STS_POLICY_LEN_MAX)
		return 0;
	buf_append(policy, span_of(data, size * count));
	return size * count;
}

static struct curl_slist *list_of(const char *head, struct span tail)
{
	struct buf text = { 0 };
	struct curl_slist *list;

	buf_append_str(&text, head);
	buf_append(&text, tail);
	buf_append_byte(&text, '\0');
	list = curl_slist_append(NULL, buf_span(&text).ptr);
	CHECK(list);
	buf_fini(&text);
	return list;
}

/* Our DNS has found the addresses; libcurl asks nobody. */
static struct curl_slist *set_way(CURL *curl, const struct sts_fetch_options *options, struct span host,
	struct span addresses, struct arena *arena)
{
	struct buf head = { 0 };
	struct curl_slist *way;

	if (options->connect) {
		way = list_of("::", span_of_str(options->connect));
		(void)curl_easy_setopt(curl, CURLOPT_CONNECT_TO, way);
		return way;
	}
	buf_printf(&head, "%.*s:443:", SPAN_ARGS(host));
	way = list_of(arena_strdup(arena, buf_span(&head)), addresses);
	buf_fini(&head);
	(void)curl_easy_setopt(curl, CURLOPT_RESOLVE, way);
	return way;
}

static bool is_plain_text(const char *type)
{
	struct span text = span_of_str(type ? type : "");

	return span_eq_nocase(span_trim(span_take(text, span_find(text, ';'))), SPAN_LIT("text/plain"));
}

static bool judge(CURL *curl, CURLcode code, const char *error, struct buf *why)
{
	const char *type = NULL;
	long status = 0;

	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
	if (code == CURLE_WRITE_ERROR)
		buf_append_str(why, "it is longer than 64 KiB");
	else if (code != CURLE_OK)
		buf_append_str(why, error[0] ? error : curl_easy_strerror(code));
	else if (status != 200)
		buf_printf(why, "the server says %ld; 200 is wanted", status);
	else if (!is_plain_text(type))
		buf_printf(why, "its type is %s; text/plain is wanted", type ? type : "not said");
	return !buf_len(why);
}

bool sts_fetch(const struct sts_fetch_options *options, struct span domain, struct span addresses,
	uint64_t timeout_ms, struct buf *policy_out, struct buf *why_out)
{
	char error[CURL_ERROR_SIZE] = "";
	struct arena arena = { 0 };
	struct buf text = { 0 };
	struct span host;
	CURL *curl = curl_easy_init();
	struct curl_slist *way;
	bool is_good;

	CHECK(curl);
	buf_printf(&text, "mta-sts.%.*s", SPAN_ARGS(domain));
	host = arena_dup(&arena, buf_span(&text));
	buf_clear(&text);
	buf_printf(&text, "https://%.*s/.well-known/mta-sts.txt", SPAN_ARGS(host));
	way = set_way(curl, options, host, addresses, &arena);
	(void)curl_easy_setopt(curl, CURLOPT_URL, arena_strdup(&arena, buf_span(&text)));
	(void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
	(void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	(void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, policy_out);
	if (options->ca_file)
		(void)curl_easy_setopt(curl, CURLOPT_CAINFO, options->ca_file);
	is_good = judge(curl, curl_easy_perform(curl), error, why_out);
	curl_slist_free_all(way);
	curl_easy_cleanup(curl);
	arena_fini(&arena);
	buf_fini(&text);
	return is_good;
}
