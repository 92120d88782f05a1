#include "skein/proto/wire/syslog.h"

#include "skein/proto/base/utf8.h"
#include "skein/proto/mail/date.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf"
#define YEAR_9999_END_S 253402300799 /* RFC 3339 writes no later ones */

enum { VERSION = 1, DELETE = 0x7f };

static const char *const facilities[SYSLOG_FACILITY_COUNT] = {
	"kern",
	"user",
	"mail",
	"daemon",
	"auth",
	"syslog",
	"lpr",
	"news",
	"uucp",
	"cron",
	"authpriv",
	"ftp",
	"ntp",
	"audit",
	"alert",
	"clock",
	"local0",
	"local1",
	"local2",
	"local3",
	"local4",
	"local5",
	"local6",
	"local7",
};

/* --- header ---------------------------------------------------------------------------------------- */

/* PRINTUSASCII; what is not becomes "?". */
static void write_word(struct span word, size_t len_max, struct buf *out)
{
	if (!word.len)
		buf_append_byte(out, '-');
	for (size_t i = 0; i < word.len && i < len_max; i++)
		buf_append_byte(out, word.ptr[i] > ' ' && word.ptr[i] <= '~' ? word.ptr[i] : '?');
	buf_append_byte(out, ' ');
}

static void write_time(uint64_t time_us, struct buf *out)
{
	uint64_t seconds = time_us / 1000000;

	if (!time_us || seconds > YEAR_9999_END_S) {
		buf_append_str(out, "- ");
		return;
	}
	mail_date_append_utc(out, (int64_t)seconds);
	buf_truncate(out, buf_len(out) - 1);
	buf_printf(out, ".%06uZ ", (unsigned)(time_us % 1000000));
}

/* --- text ------------------------------------------------------------------------------------------ */

/* The next character of the text as it is written: itself, each of its bytes as "#ooo" where it is no text to
 * be seen, or "?" for a byte that is no UTF-8. */
static size_t write_char(struct span text, bool is_param, struct buf *out)
{
	char first = text.ptr[0];
	uint32_t code;
	size_t len = utf8_next(text, &code);

	if (!len) {
		buf_append_byte(out, '?');
		return 1;
	}
	if (utf8_is_unseen(code)) {
		for (size_t i = 0; i < len; i++)
			buf_printf(out, "#%03o", (unsigned char)text.ptr[i]);
		return len;
	}
	if (is_param && (first == '"' || first == '\\' || first == ']'))
		buf_append_byte(out, '\\');
	buf_append(out, span_take(text, len));
	return len;
}

/* False: it does not fit below `size_max` of *out, and is not there. */
static bool write_param(const struct syslog_param *param, size_t size_max, struct buf *out)
{
	size_t before = buf_len(out);

	buf_printf(out, " %s=\"", param->name);
	for (struct span rest = param->value; rest.len && buf_len(out) <= size_max;)
		rest = span_drop(rest, write_char(rest, true, out));
	buf_append_byte(out, '"');
	if (buf_len(out) <= size_max)
		return true;
	buf_truncate(out, before);
	return false;
}

static void write_params(const struct syslog_record *record, size_t size_max, struct buf *out)
{
	size_t before = buf_len(out);

	if (record->element) {
		buf_printf(out, "[%s", record->element);
		for (size_t i = 0; i < record->param_count; i++)
			(void)write_param(&record->params[i], size_max - 1, out);
		buf_append_byte(out, ']');
	}
	if (buf_len(out) == before)
		buf_append_byte(out, '-');
}

static bool is_ascii(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] > DELETE)
			return false;
	return true;
}

static void write_text(struct span text, size_t size_max, struct buf *out)
{
	size_t fits = buf_len(out);

	if (!text.len)
		return;
	buf_append_byte(out, ' ');
	if (!is_ascii(text))
		buf_append_str(out, BYTE_ORDER_MARK);
	while (text.len && buf_len(out) <= size_max) {
		text = span_drop(text, write_char(text, false, out));
		if (buf_len(out) <= size_max)
			fits = buf_len(out);
	}
	buf_truncate(out, fits);
}

void syslog_write(const struct syslog_record *record, size_t size_max, struct buf *out)
{
	size_t end = buf_len(out) + size_max;

	CHECK(record->facility < SYSLOG_FACILITY_COUNT && size_max >= SYSLOG_SIZE_MIN);
	buf_printf(out, "<%u>%u ", record->facility * 8 + (unsigned)record->severity, VERSION);
	write_time(record->time_us, out);
	write_word(record->host, SYSLOG_HOST_MAX, out);
	write_word(record->app, SYSLOG_APP_MAX, out);
	write_word(record->process, SYSLOG_PROCESS_MAX, out);
	write_word(record->kind, SYSLOG_KIND_MAX, out);
	write_params(record, end, out);
	write_text(record->text, end, out);
}

void syslog_frame(struct span message, struct buf *out)
{
	buf_append_u64(out, message.len);
	buf_append_byte(out, ' ');
	buf_append(out, message);
}

/* --- facilities ------------------------------------------------------------------------------------- */

bool syslog_facility_parse(struct span name, unsigned *facility_out)
{
	for (unsigned i = 0; i < SYSLOG_FACILITY_COUNT; i++) {
		if (!span_eq(span_of_str(facilities[i]), name))
			continue;
		*facility_out = i;
		return true;
	}
	return false;
}

const char *syslog_facility_name(unsigned facility)
{
	return facilities[facility];
}
