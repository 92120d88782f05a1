#include "skein/proto/wire/tls_report.h"

#include "skein/proto/base/base64.h"
#include "skein/proto/base/utf8.h"
#include "skein/proto/mail/date.h"

#include <inttypes.h>

enum { BASE64_LINE = 76 };

/* --- JSON ---------------------------------------------------------------------------------------- */

static void append_text(struct buf *out, struct span text)
{
	bool is_utf8 = utf8_is_valid(text);

	buf_append_byte(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		unsigned char byte = (unsigned char)text.ptr[i];

		if (byte == '"' || byte == '\\')
			buf_printf(out, "\\%c", byte);
		else if (byte < 0x20 || byte == 0x7f)
			buf_printf(out, "\\u%04x", byte);
		else
			buf_append_byte(out, byte < 0x80 || is_utf8 ? (char)byte : '?');
	}
	buf_append_byte(out, '"');
}

/* `name` with what stands before it: ",\"contact-info\":". */
static void append_member(struct buf *out, const char *name, struct span text)
{
	buf_append_str(out, name);
	append_text(out, text);
}

static void append_list(struct buf *out, const char *name, const struct span *texts, size_t count)
{
	buf_append_str(out, name);
	buf_append_byte(out, '[');
	for (size_t i = 0; i < count; i++) {
		buf_append_str(out, i ? "," : "");
		append_text(out, texts[i]);
	}
	buf_append_byte(out, ']');
}

static void append_failure(struct buf *out, const struct tls_report_failure *failure)
{
	append_member(out, "{\"result-type\":", failure->result);
	if (failure->sending_ip.len)
		append_member(out, ",\"sending-mta-ip\":", failure->sending_ip);
	if (failure->host.len)
		append_member(out, ",\"receiving-mx-hostname\":", failure->host);
	if (failure->receiving_ip.len)
		append_member(out, ",\"receiving-ip\":", failure->receiving_ip);
	buf_printf(out, ",\"failed-session-count\":%" PRIu64 "}", failure->count);
}

static void append_policy(struct buf *out, const struct tls_report_policy *policy)
{
	append_member(out, "{\"policy\":{\"policy-type\":", policy->type);
	if (policy->string_count)
		append_list(out, ",\"policy-string\":", policy->strings, policy->string_count);
	append_member(out, ",\"policy-domain\":", policy->domain);
	if (policy->host_count)
		append_list(out, ",\"mx-host\":", policy->hosts, policy->host_count);
	buf_printf(out,
		"},\"summary\":{\"total-successful-session-count\":%" PRIu64
		",\"total-failure-session-count\":%" PRIu64 "}",
		policy->good, policy->failed);
	for (size_t i = 0; i < policy->failure_count; i++) {
		buf_append_str(out, i ? "," : ",\"failure-details\":[");
		append_failure(out, &policy->failures[i]);
	}
	buf_append_str(out, policy->failure_count ? "]}" : "}");
}

void tls_report_append(const struct tls_report *report, struct buf *out)
{
	append_member(out, "{\"organization-name\":", report->organization);
	buf_append_str(out, ",\"date-range\":{\"start-datetime\":\"");
	mail_date_append_utc(out, report->day_s);
	buf_append_str(out, "\",\"end-datetime\":\"");
	mail_date_append_utc(out, report->day_s + TLS_REPORT_DAY_S - 1);
	append_member(out, "\"},\"contact-info\":", report->contact);
	append_member(out, ",\"report-id\":", report->id);
	buf_append_str(out, ",\"policies\":[");
	for (size_t i = 0; i < report->policy_count; i++) {
		buf_append_str(out, i ? "," : "");
		append_policy(out, &report->policies[i]);
	}
	buf_append_str(out, "]}");
}

/* --- the mail ------------------------------------------------------------------------------------ */

void tls_report_append_name(const struct tls_report_mail *mail, struct buf *out)
{
	buf_printf(out, "%.*s!%.*s!%" PRId64 "!%" PRId64 ".json%s", SPAN_ARGS(mail->submitter),
		SPAN_ARGS(mail->domain), mail->day_s, mail->day_s + TLS_REPORT_DAY_S - 1,
		mail->is_gzip ? ".gz" : "");
}

/* RFC 8460 5.3: who is told must be able to find it without a look inside. */
static void append_header(const struct tls_report_mail *mail, struct buf *out)
{
	buf_printf(out, "From: <%.*s>\r\nTo: <%.*s>\r\nDate: ", SPAN_ARGS(mail->from), SPAN_ARGS(mail->to));
	mail_date_append(out, mail->now_s, mail->offset_min);
	buf_printf(out,
		"\r\nSubject: Report Domain: %.*s\r\n Submitter: %.*s\r\n Report-ID: <%.*s>\r\n"
		"Message-ID: <%.*s>\r\n"
		"TLS-Report-Domain: %.*s\r\nTLS-Report-Submitter: %.*s\r\n",
		SPAN_ARGS(mail->domain), SPAN_ARGS(mail->submitter), SPAN_ARGS(mail->report_id),
		SPAN_ARGS(mail->message_id), SPAN_ARGS(mail->domain), SPAN_ARGS(mail->submitter));
	/* RFC 8460 3: it is to arrive despite the trouble that it tells of. RFC 8689 5 */
	buf_append_str(out, "TLS-Required: No\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n");
	buf_printf(out,
		"Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n boundary=\"%s\"\r\n"
		"Content-Language: en-us\r\n\r\n",
		mail->boundary);
}

static void append_base64(struct buf *out, struct span bytes)
{
	size_t piece = BASE64_LINE / 4 * 3;

	while (bytes.len) {
		struct span line = span_take(bytes, bytes.len < piece ? bytes.len : piece);

		base64_encode(out, line);
		buf_append_str(out, "\r\n");
		bytes = span_drop(bytes, line.len);
	}
}

void tls_report_append_mail(const struct tls_report_mail *mail, struct buf *out)
{
	append_header(mail, out);
	buf_printf(out,
		"--%s\r\nContent-Type: text/plain; charset=\"us-ascii\"\r\n"
		"Content-Transfer-Encoding: 7bit\r\n\r\n"
		"This is an aggregate TLS report from %.*s\r\nabout %.*s.\r\n\r\n",
		mail->boundary, SPAN_ARGS(mail->submitter), SPAN_ARGS(mail->domain));
	buf_printf(out,
		"--%s\r\nContent-Type: application/tlsrpt+%s\r\nContent-Transfer-Encoding: base64\r\n"
		"Content-Disposition: attachment;\r\n filename=\"",
		mail->boundary, mail->is_gzip ? "gzip" : "json");
	tls_report_append_name(mail, out);
	buf_append_str(out, "\"\r\n\r\n");
	append_base64(out, mail->content);
	buf_printf(out, "\r\n--%s--\r\n", mail->boundary);
}
