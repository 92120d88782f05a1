#include "skein/proto/mail/date.h"

enum { DAY_S = 24 * 60 * 60 };

/* Of the years 1900 and 9999. */
static const int64_t first_s = -2208988800, last_s = 253402300799;

struct civil {
	int64_t year;
	unsigned month, day; /* from 1 */
};

/*
 * The Gregorian date of a day counted from 1970. Counted from March 1st of year 0, in eras of 400 years, a
 * leap day is always the last of its year.
 */
static struct civil civil_of(int64_t day)
{
	int64_t shifted = day + 719468; /* days from 0000-03-01 to 1970-01-01 */
	int64_t era = shifted / 146097;
	int64_t of_era = shifted % 146097;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	unsigned month = (unsigned)((5 * of_year + 2) / 153); /* 0 is March */

	return (struct civil){
		.year = year + era * 400 + (month >= 10),
		.month = month < 10 ? month + 3 : month - 9,
		.day = (unsigned)(of_year - (153 * month + 2) / 5 + 1),
	};
}

static int64_t clamp(int64_t value, int64_t min, int64_t max)
{
	return value < min ? min : value > max ? max : value;
}

void mail_date_append(struct buf *buf, int64_t unix_s, int offset_min)
{
	static const char days[7][4] = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" };
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep",
		"Oct", "Nov", "Dec" };
	int offset = (int)clamp(offset_min, -99 * 60 - 59, 99 * 60 + 59);
	int64_t local = clamp(clamp(unix_s, first_s, last_s) + offset * 60, first_s, last_s) - first_s;
	int64_t day = local / DAY_S;
	unsigned second = (unsigned)(local % DAY_S);
	unsigned minutes = (unsigned)(offset < 0 ? -offset : offset);
	struct civil civil;

	day += first_s / DAY_S;
	civil = civil_of(day);
	/* 1970 began with a Thursday; the sum is positive from 1900 on. */
	buf_printf(buf, "%s, %u %s %04u %02u:%02u:%02u %c%02u%02u", days[(day + 7 * 4000) % 7], civil.day,
		months[civil.month - 1], (unsigned)civil.year, second / 3600, second / 60 % 60, second % 60,
		offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

void mail_date_append_utc(struct buf *buf, int64_t unix_s)
{
	int64_t since_first = clamp(unix_s, first_s, last_s) - first_s;
	unsigned second = (unsigned)(since_first % DAY_S);
	struct civil civil = civil_of(since_first / DAY_S + first_s / DAY_S);

	buf_printf(buf, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)civil.year, civil.month, civil.day,
		second / 3600, second / 60 % 60, second % 60);
}

/* The day counted from 1970; civil_of() the other way round. */
static int64_t day_of(const struct civil *civil)
{
	int64_t year = civil->year - (civil->month <= 2);
	int64_t of_era = year % 400;
	unsigned month = civil->month > 2 ? civil->month - 3 : civil->month + 9;
	int64_t of_year = (153 * month + 2) / 5 + civil->day - 1;

	return year / 400 * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static unsigned number_at(struct span text, size_t at, size_t digits)
{
	unsigned value = 0;

	for (size_t i = at; i < at + digits; i++)
		value = value * 10 + (unsigned)(text.ptr[i] - '0');
	return value;
}

static bool is_utc_form(struct span text)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd";
	uint64_t fraction;

	if (text.len <= sizeof(form) - 1)
		return false;
	for (size_t i = 0; i < sizeof(form) - 1; i++) {
		bool is_digit = text.ptr[i] >= '0' && text.ptr[i] <= '9';

		if (form[i] == 'd' ? !is_digit : ascii_lower(text.ptr[i]) != ascii_lower(form[i]))
			return false;
	}
	text = span_drop(text, sizeof(form) - 1);
	if (text.len > 2 && text.ptr[0] == '.') {
		text.len--;
		return ascii_lower(text.ptr[text.len]) == 'z' &&
		       span_parse_u64(span_drop(text, 1), UINT64_MAX, &fraction);
	}
	return span_eq_nocase(text, SPAN_LIT("Z"));
}

bool mail_date_parse_utc(struct span text, int64_t *unix_s_out)
{
	struct civil civil, again;
	unsigned hour, minute, second;

	if (!is_utc_form(text))
		return false;
	civil = (struct civil){ number_at(text, 0, 4), number_at(text, 5, 2), number_at(text, 8, 2) };
	hour = number_at(text, 11, 2);
	minute = number_at(text, 14, 2);
	second = number_at(text, 17, 2);
	/* RFC 3339 5.6: 60 is a leap second. */
	if (civil.year < 1900 || civil.month < 1 || civil.month > 12 || civil.day < 1 || hour > 23 ||
		minute > 59 || second > 60)
		return false;
	again = civil_of(day_of(&civil));
	*unix_s_out = day_of(&civil) * DAY_S + hour * 3600 + minute * 60 + second;
	return again.month == civil.month && again.day == civil.day;
}
