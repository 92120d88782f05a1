#include "skein/cluster/schema/value.h"

#include "skein/cluster/schema/cidr.h"
#include "skein/cluster/schema/report.h"

#include <arpa/inet.h>

struct unit {
	const char *name;
	uint64_t factor;
};

/* Largest first. */
static const struct unit size_units[] = {
	{ "TiB", 1ull << 40 },
	{ "GiB", 1ull << 30 },
	{ "MiB", 1ull << 20 },
	{ "KiB", 1ull << 10 },
	{ "B", 1 },
};
static const struct unit duration_units[] = {
	{ "d", 86400000 },
	{ "h", 3600000 },
	{ "m", 60000 },
	{ "s", 1000 },
	{ "ms", 1 },
};

_Static_assert(ARRAY_LEN(size_units) == ARRAY_LEN(duration_units), "value_units() gives one count for both");

static bool parse_text(
	const struct setting_row *row, struct span text, struct arena *arena, void *field, struct buf *why);
static bool parse_bool(struct span text, void *field, struct buf *why);
static bool parse_enum(const struct setting_row *row, struct span text, void *field, struct buf *why);
static bool parse_number(const struct setting_row *row, struct span text, void *field, struct buf *why);
static bool parse_endpoint(
	const struct setting_row *row, struct span text, struct arena *arena, void *field, struct buf *why);

bool value_parse(
	const struct setting_row *row, struct span text, struct arena *arena, void *field, struct buf *why)
{
	switch (row->type) {
	case SETTING_STRING:
	case SETTING_TEXT:
	case SETTING_NAME:
	case SETTING_PREFIX:
	case SETTING_DOMAIN:
	case SETTING_HOST:
	case SETTING_PATH:
		return parse_text(row, text, arena, field, why);
	case SETTING_BOOL:
		return parse_bool(text, field, why);
	case SETTING_INTEGER:
	case SETTING_SIZE:
	case SETTING_DURATION:
		return parse_number(row, text, field, why);
	case SETTING_ENUM:
		return parse_enum(row, text, field, why);
	case SETTING_LISTEN:
	case SETTING_ENDPOINT:
		return parse_endpoint(row, text, arena, field, why);
	case SETTING_STRINGS:
	case SETTING_NETWORKS:
	case SETTING_SECTIONS:
	case SETTING_NAMED:
		break;
	}
	CHECK(false);
	return false;
}

static bool is_alnum(char c)
{
	return (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || (c >= '0' && c <= '9');
}

static bool is_all_of(struct span text, const char *also)
{
	for (size_t i = 0; i < text.len; i++)
		if (!is_alnum(text.ptr[i]) && (!text.ptr[i] || !strchr(also, text.ptr[i])))
			return false;
	return true;
}

static bool is_all_within(struct span text, unsigned char low)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] < low || text.ptr[i] == 0x7f)
			return false;
	return true;
}

static bool is_address(struct span text, int family)
{
	unsigned char bytes[16];
	char copy[INET6_ADDRSTRLEN];

	if (text.len >= sizeof(copy) || (text.len && memchr(text.ptr, '\0', text.len)))
		return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	return inet_pton(family, copy, bytes) == 1;
}

/* RFC 1123 2.1: labels of letters, digits and hyphens; the last is not all digits, or it would be an address.
 */
static bool is_domain(struct span text)
{
	struct span label = text;

	if (!text.len || text.len > 253)
		return false;
	for (;;) {
		size_t len = span_find(text, '.');

		label = span_take(text, len);
		if (!len || len > 63 || !is_all_of(label, "-") || label.ptr[0] == '-' ||
			label.ptr[len - 1] == '-')
			return false;
		if (len == text.len)
			break;
		text = span_drop(text, len + 1);
	}
	for (size_t i = 0; i < label.len; i++)
		if (label.ptr[i] < '0' || label.ptr[i] > '9')
			return true;
	return false;
}

static bool is_host(struct span text)
{
	return is_domain(text) || is_address(text, AF_INET) || is_address(text, AF_INET6);
}

/* What is wrong with the characters, NULL when nothing. */
static const char *text_fault(enum setting_type type, struct span text)
{
	switch (type) {
	case SETTING_NAME:
		return is_all_of(text, ".-_") ? NULL : "may only have letters, digits, '.', '-' and '_'";
	case SETTING_PREFIX:
		return is_all_of(text, ".-_:") ? NULL
					       : "may only have letters, digits, '.', '-', '_' and ':'";
	case SETTING_DOMAIN:
		return is_domain(text) ? NULL : "is not a domain name";
	case SETTING_HOST:
		return is_host(text) ? NULL : "is not a domain name or an IP address";
	case SETTING_TEXT:
	case SETTING_PATH:
		return is_all_within(text, 0x20) ? NULL : "has a control character";
	default:
		return is_all_within(text, 0x21) ? NULL : "has a space or a control character";
	}
}

static bool parse_text(
	const struct setting_row *row, struct span text, struct arena *arena, void *field, struct buf *why)
{
	/* Not setting a thing is done by leaving it out; the empty text is what that looks like inside. */
	const char *fault = text.len ? text_fault(row->type, text) : "is empty";
	const char *copy;

	if (!text.len && row->preset && !*row->preset)
		fault = NULL;
	if (!fault && text.len > row->max)
		fault = "is too long";
	if (fault) {
		buf_printf(why, "%s %s", report_quote(text).text, fault);
		return false;
	}
	copy = arena_strdup(arena, text);
	memcpy(field, &copy, sizeof(copy));
	return true;
}

static bool parse_bool(struct span text, void *field, struct buf *why)
{
	bool value = span_eq(text, SPAN_LIT("true"));

	if (!value && !span_eq(text, SPAN_LIT("false"))) {
		buf_printf(why, "expected true or false, got %s", report_quote(text).text);
		return false;
	}
	memcpy(field, &value, sizeof(value));
	return true;
}

static bool parse_enum(const struct setting_row *row, struct span text, void *field, struct buf *why)
{
	for (unsigned i = 0; i < row->name_count; i++) {
		if (span_eq(text, span_of_str(row->names[i]))) {
			memcpy(field, &i, sizeof(i));
			return true;
		}
	}
	buf_printf(why, "%s is not one of ", report_quote(text).text);
	for (unsigned i = 0; i < row->name_count; i++)
		buf_printf(why, "%s%s", i ? ", " : "", row->names[i]);
	return false;
}

static const struct unit *units_of(enum setting_type type)
{
	return type == SETTING_SIZE ? size_units : type == SETTING_DURATION ? duration_units : NULL;
}

void value_print_number(enum setting_type type, uint64_t number, struct buf *out)
{
	const struct unit *unit = units_of(type);

	if (!unit) {
		buf_append_u64(out, number);
		return;
	}
	if (!number)
		unit += type == SETTING_SIZE ? 4 : 3; /* 0B, 0s */
	while (number % unit->factor)
		unit++;
	buf_append_u64(out, number / unit->factor);
	buf_append_str(out, unit->name);
}

/* 0 when the text is none of the units. A size without a unit is in bytes; a duration needs one. */
static uint64_t factor_of(enum setting_type type, struct span name)
{
	const struct unit *units = units_of(type);

	if (!name.len && type != SETTING_DURATION)
		return 1;
	for (size_t i = 0; units && i < ARRAY_LEN(size_units); i++)
		if (span_eq(name, span_of_str(units[i].name)))
			return units[i].factor;
	return 0;
}

static const char *number_expected(enum setting_type type)
{
	switch (type) {
	case SETTING_SIZE:
		return "a size such as 512B, 64KiB, 20MiB or 1GiB";
	case SETTING_DURATION:
		return "a duration such as 500ms, 5s, 3m, 2h or 1d";
	default:
		return "an integer";
	}
}

static bool parse_number(const struct setting_row *row, struct span text, void *field, struct buf *why)
{
	struct span digits = text;
	uint64_t value, factor;

	digits.len = 0;
	while (digits.len < text.len && text.ptr[digits.len] >= '0' && text.ptr[digits.len] <= '9')
		digits.len++;
	factor = factor_of(row->type, span_drop(text, digits.len));
	if (!digits.len || !factor) {
		buf_printf(why, "expected %s, got %s", number_expected(row->type), report_quote(text).text);
		return false;
	}
	/* Some read 010 as ten and some as eight. */
	if (digits.len > 1 && digits.ptr[0] == '0') {
		buf_printf(why, "%s starts with a zero", report_quote(text).text);
		return false;
	}
	if (!span_parse_u64(digits, row->max / factor, &value) || value * factor < row->min) {
		buf_printf(why, "%.*s is outside ", (int)(text.len > 40 ? 40 : text.len), text.ptr);
		value_print_number(row->type, row->min, why);
		buf_append_str(why, "..");
		value_print_number(row->type, row->max, why);
		return false;
	}
	value *= factor;
	memcpy(field, &value, sizeof(value));
	return true;
}

/* Splits at the last colon; takes the brackets off. False when there is no such shape. */
static bool split_endpoint(struct span text, struct span *host_out, struct span *port_out)
{
	size_t colon = text.len;

	while (colon && text.ptr[colon - 1] != ':')
		colon--;
	if (!colon)
		return false;
	*host_out = span_take(text, colon - 1);
	*port_out = span_drop(text, colon);
	if (host_out->len > 2 && host_out->ptr[0] == '[' && host_out->ptr[host_out->len - 1] == ']') {
		*host_out = span_take(span_drop(*host_out, 1), host_out->len - 2);
		return is_address(*host_out, AF_INET6);
	}
	return span_find(*host_out, ':') == host_out->len;
}

static bool parse_endpoint(
	const struct setting_row *row, struct span text, struct arena *arena, void *field, struct buf *why)
{
	bool is_listen = row->type == SETTING_LISTEN;
	struct endpoint endpoint = { "", 0 };
	struct span host, port_text;
	uint64_t port;

	if (!text.len && row->preset && !*row->preset) {
		memcpy(field, &endpoint, sizeof(endpoint));
		return true;
	}
	if (!split_endpoint(text, &host, &port_text) || !is_host(host) || (is_listen && is_domain(host))) {
		buf_printf(why, "expected %s, got %s",
			is_listen ? "an address and port such as 127.0.0.1:25 or [::]:25"
				  : "host and port such as redis.example:6379, 127.0.0.1:6379 or [::1]:6379",
			report_quote(text).text);
		return false;
	}
	if (!span_parse_u64(port_text, 65535, &port) || !port || port_text.ptr[0] == '0') {
		buf_printf(why, "the port in %s is not 1..65535", report_quote(text).text);
		return false;
	}
	endpoint = (struct endpoint){ arena_strdup(arena, host), (uint16_t)port };
	memcpy(field, &endpoint, sizeof(endpoint));
	return true;
}

struct value_list value_get_list(const void *field)
{
	struct value_list list;

	memcpy(&list, field, sizeof(list));
	return list;
}

void value_set_list(void *field, struct value_list list)
{
	memcpy(field, &list, sizeof(list));
}

static void print_endpoint(const struct endpoint *endpoint, struct buf *out)
{
	bool is_v6 = strchr(endpoint->host, ':') != NULL;

	/* In quotes, because a bracket begins a list in YAML. */
	if (*endpoint->host)
		buf_printf(out, is_v6 ? "'[%s]:%u'" : "%s:%u", endpoint->host, endpoint->port);
}

static void print_networks(struct value_list list, struct buf *out)
{
	const struct cidr *networks = list.items;

	for (size_t i = 0; i < list.count; i++)
		buf_printf(out, "%s'%s'", i ? ", " : "", cidr_format(&networks[i]).text);
}

static void print_texts(struct value_list list, struct buf *out)
{
	const char *const *texts = list.items;

	for (size_t i = 0; i < list.count; i++)
		buf_printf(out, "%s'%s'", i ? ", " : "", texts[i]);
}

static void print_sections(const struct setting_table *table, struct value_list list, struct buf *out)
{
	for (size_t i = 0; i < list.count; i++) {
		const char *item = (const char *)list.items + i * table->item_size;

		buf_append_str(out, i ? ", {" : "{");
		for (size_t k = 0; k < table->count; k++) {
			buf_printf(out, "%s%s: ", k ? ", " : "", table->rows[k].path);
			value_print(&table->rows[k], item + table->rows[k].offset, out);
		}
		buf_append_byte(out, '}');
	}
}

void value_print(const struct setting_row *row, const void *field, struct buf *out)
{
	switch (row->type) {
	case SETTING_STRING:
	case SETTING_TEXT:
	case SETTING_NAME:
	case SETTING_PREFIX:
	case SETTING_DOMAIN:
	case SETTING_HOST:
	case SETTING_PATH:
		buf_append_str(out, *(const char *const *)field);
		break;
	case SETTING_BOOL:
		buf_append_str(out, *(const bool *)field ? "true" : "false");
		break;
	case SETTING_INTEGER:
	case SETTING_SIZE:
	case SETTING_DURATION:
		value_print_number(row->type, *(const uint64_t *)field, out);
		break;
	case SETTING_ENUM:
		buf_append_str(out, row->names[*(const unsigned *)field]);
		break;
	case SETTING_LISTEN:
	case SETTING_ENDPOINT:
		print_endpoint(field, out);
		break;
	case SETTING_STRINGS:
		buf_append_byte(out, '[');
		print_texts(value_get_list(field), out);
		buf_append_byte(out, ']');
		break;
	case SETTING_NETWORKS:
		buf_append_byte(out, '[');
		print_networks(value_get_list(field), out);
		buf_append_byte(out, ']');
		break;
	case SETTING_SECTIONS:
	case SETTING_NAMED:
		buf_append_byte(out, '[');
		print_sections(row->items, value_get_list(field), out);
		buf_append_byte(out, ']');
		break;
	}
}

static void copy_text(const char *const *from, struct arena *arena, const char **to)
{
	*to = arena_strdup(arena, span_of_str(*from));
}

static void copy_texts(struct value_list from, struct arena *arena, struct value_list *to)
{
	const char *const *texts = from.items;
	const char **copies = arena_zalloc(arena, from.count * sizeof(*copies));

	for (size_t i = 0; i < from.count; i++)
		copy_text(&texts[i], arena, &copies[i]);
	*to = (struct value_list){ copies, from.count };
}

static void copy_sections(
	const struct setting_table *table, struct value_list from, struct arena *arena, struct value_list *to)
{
	char *items = arena_zalloc(arena, from.count * table->item_size);

	for (size_t i = 0; i < from.count * table->count; i++) {
		const struct setting_row *row = &table->rows[i % table->count];
		size_t at = i / table->count * table->item_size + row->offset;

		value_copy(row, (const char *)from.items + at, arena, items + at);
	}
	*to = (struct value_list){ items, from.count };
}

static size_t scalar_size(enum setting_type type)
{
	return type == SETTING_BOOL   ? sizeof(bool)
	       : type == SETTING_ENUM ? sizeof(unsigned)
				      : sizeof(uint64_t);
}

void value_copy(const struct setting_row *row, const void *from, struct arena *arena, void *to)
{
	struct value_list list;

	switch (row->type) {
	case SETTING_STRING:
	case SETTING_TEXT:
	case SETTING_NAME:
	case SETTING_PREFIX:
	case SETTING_DOMAIN:
	case SETTING_HOST:
	case SETTING_PATH:
		copy_text(from, arena, to);
		break;
	case SETTING_BOOL:
	case SETTING_INTEGER:
	case SETTING_SIZE:
	case SETTING_DURATION:
	case SETTING_ENUM:
		memcpy(to, from, scalar_size(row->type));
		break;
	case SETTING_LISTEN:
	case SETTING_ENDPOINT:
		*(struct endpoint *)to = *(const struct endpoint *)from;
		copy_text(&((const struct endpoint *)from)->host, arena, &((struct endpoint *)to)->host);
		break;
	case SETTING_STRINGS:
		copy_texts(value_get_list(from), arena, &list);
		value_set_list(to, list);
		break;
	case SETTING_NETWORKS:
		list = value_get_list(from);
		list.items = arena_dup(arena, span_of(list.items, list.count * sizeof(struct cidr))).ptr;
		value_set_list(to, list);
		break;
	case SETTING_SECTIONS:
	case SETTING_NAMED:
		copy_sections(row->items, value_get_list(from), arena, &list);
		value_set_list(to, list);
		break;
	}
}
