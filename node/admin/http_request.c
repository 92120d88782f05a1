#include "admin/http_request.h"

#include "skein/proto/base/check.h"

#include <http_parser.h>

enum {
	OK = 200,
	BAD_REQUEST = 400,
	METHOD_NOT_ALLOWED = 405,
	CONTENT_TOO_LARGE = 413,
	HEAD_TOO_LARGE = 431,
	VERSION_NOT_SUPPORTED = 505
};

/* What our own look at the head finds. */
struct head {
	struct span target;
	bool is_http_1_0;
	unsigned fields, hosts;
};

/* What http-parser finds. */
struct verdict {
	bool is_complete, has_body, keep_alive;
};

static bool find_head(struct span bytes, struct span *head_out, unsigned *status_out);
static unsigned check_lines(struct span lines, struct head *head);
static unsigned check_by_parser(struct span bytes, struct http_request *request);

enum parse_result http_request_parse(
	struct span bytes, struct http_request *request_out, unsigned *status_out)
{
	struct head head = { 0 };
	struct span lines;

	*status_out = OK;
	if (!find_head(bytes, &lines, status_out))
		return *status_out == OK ? PARSE_MORE : PARSE_BAD;
	*request_out = (struct http_request){ .len = lines.len };
	*status_out = check_lines(lines, &head);
	if (*status_out != OK)
		return PARSE_BAD;
	request_out->path = span_take(head.target, span_find(head.target, '?'));
	*status_out = check_by_parser(lines, request_out);
	return *status_out == OK ? PARSE_DONE : PARSE_BAD;
}

/* ---- the bytes ---- */

/* A line ends in CRLF; neither comes alone, and no other control character but the tab comes at all. */
static bool is_allowed(struct span bytes, size_t at)
{
	unsigned char c = (unsigned char)bytes.ptr[at];

	if (c == '\n')
		return at > 0 && bytes.ptr[at - 1] == '\r';
	if (at > 0 && bytes.ptr[at - 1] == '\r')
		return false;
	return c == '\r' || c == '\t' || (c >= ' ' && c != 0x7f);
}

/*
 * Finds the empty line that ends the head. Bytes that no head may hold are refused as soon as they are seen:
 * with bare LFs the end would never come.
 */
static bool find_head(struct span bytes, struct span *head_out, unsigned *status_out)
{
	for (size_t at = 0; at < bytes.len; at++) {
		if (at >= HTTP_HEAD_MAX) {
			*status_out = HEAD_TOO_LARGE;
			return false;
		}
		if (!is_allowed(bytes, at)) {
			*status_out = BAD_REQUEST;
			return false;
		}
		if (bytes.ptr[at] == '\n' && at >= 3 && bytes.ptr[at - 2] == '\n') {
			*head_out = span_take(bytes, at + 1);
			return true;
		}
	}
	return false;
}

/* ---- the lines ---- */

static bool is_token_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* The length of the token at the start. RFC 9110 5.6.2 */
static size_t token_len(struct span span)
{
	size_t len = 0;

	while (len < span.len && is_token_char(span.ptr[len]))
		len++;
	return len;
}

/* "HTTP/1.0" and "HTTP/1.1" are spoken, other digits are another protocol, the rest is noise. */
static unsigned check_version(struct span version, struct head *head)
{
	head->is_http_1_0 = span_eq(version, SPAN_LIT("HTTP/1.0"));
	if (head->is_http_1_0 || span_eq(version, SPAN_LIT("HTTP/1.1")))
		return OK;
	if (version.len == 8 && span_starts_with(version, SPAN_LIT("HTTP/")) && version.ptr[6] == '.')
		return VERSION_NOT_SUPPORTED;
	return BAD_REQUEST;
}

/* METHOD SP /target SP HTTP/1.x, and nothing else between or around. RFC 9112 3 */
static unsigned check_request_line(struct span line, struct head *head)
{
	size_t method_len = token_len(line);
	size_t target_len;

	if (method_len == 0 || method_len == line.len || line.ptr[method_len] != ' ')
		return BAD_REQUEST;
	line = span_drop(line, method_len + 1);
	target_len = span_find(line, ' ');
	if (target_len == line.len || !span_starts_with(line, SPAN_LIT("/")))
		return BAD_REQUEST;
	head->target = span_take(line, target_len);
	if (span_find(head->target, '\t') < target_len)
		return BAD_REQUEST;
	return check_version(span_drop(line, target_len + 1), head);
}

/* A name or an address with or without a port: nothing that a list or a path could be made of. RFC 9112 3.2
 */
static bool is_host(struct span value)
{
	for (size_t i = 0; i < value.len; i++)
		if (!is_token_char(value.ptr[i]) && !strchr(":[]()=;", value.ptr[i]))
			return false;
	return value.len > 0;
}

/* A name that runs up to its colon; a line that starts with a space would go on with the one before. */
static unsigned check_field(struct span line, struct head *head)
{
	size_t name_len = token_len(line);

	if (name_len == 0 || name_len == line.len || line.ptr[name_len] != ':')
		return BAD_REQUEST;
	if (++head->fields > HTTP_FIELDS_MAX)
		return HEAD_TOO_LARGE;
	if (span_eq_nocase(span_take(line, name_len), SPAN_LIT("Host"))) {
		head->hosts++;
		if (!is_host(span_trim(span_drop(line, name_len + 1))))
			return BAD_REQUEST;
	}
	return OK;
}

/* `lines` is a whole head, its empty line included. */
static unsigned check_lines(struct span lines, struct head *head)
{
	bool is_first = true;
	unsigned status = OK;

	while (status == OK) {
		size_t len = span_find(lines, '\r');
		struct span line = span_take(lines, len);

		if (len == 0 && !is_first)
			break;
		status = is_first ? check_request_line(line, head) : check_field(line, head);
		is_first = false;
		lines = span_drop(lines, len + 2);
	}
	/* RFC 9112 3.2: exactly one, but HTTP/1.0 knew no Host (a plain "option httpchk" sends none). */
	if (status == OK && head->hosts != 1 && !(head->is_http_1_0 && head->hosts == 0))
		return BAD_REQUEST;
	return status;
}

/* ---- the meaning ---- */

static int on_headers_complete(http_parser *parser)
{
	struct verdict *verdict = parser->data;

	verdict->is_complete = true;
	verdict->has_body = parser->uses_transfer_encoding ||
			    ((parser->flags & F_CONTENTLENGTH) && parser->content_length > 0);
	verdict->keep_alive = http_should_keep_alive(parser);
	return 1; /* no body follows: one that does is refused by has_body */
}

static unsigned check_by_parser(struct span bytes, struct http_request *request)
{
	static const http_parser_settings settings = { .on_headers_complete = on_headers_complete };
	struct verdict verdict = { 0 };
	http_parser parser;

	http_parser_init(&parser, HTTP_REQUEST);
	parser.data = &verdict;
	if (http_parser_execute(&parser, &settings, bytes.ptr, bytes.len) != bytes.len ||
		HTTP_PARSER_ERRNO(&parser) != HPE_OK || parser.upgrade || !verdict.is_complete)
		return BAD_REQUEST;
	if (verdict.has_body)
		return CONTENT_TOO_LARGE;
	if (parser.method != HTTP_GET && parser.method != HTTP_HEAD)
		return METHOD_NOT_ALLOWED;
	request->is_head = parser.method == HTTP_HEAD;
	request->keep_alive = verdict.keep_alive;
	return OK;
}
