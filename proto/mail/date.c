#include "skein/proto/mail/date.h"

enum { DAY_S = 24 * 60 * 60 };

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
	const int64_t first = -2208988800, last = 253402300799; /* of the years 1900 and 9999 */
	int offset = (int)clamp(offset_min, -99 * 60 - 59, 99 * 60 + 59);
	int64_t local = clamp(clamp(unix_s, first, last) + offset * 60, first, last) - first;
	int64_t day = local / DAY_S;
	unsigned second = (unsigned)(local % DAY_S);
	unsigned minutes = (unsigned)(offset < 0 ? -offset : offset);
	struct civil civil;

	day += first / DAY_S;
	civil = civil_of(day);
	/* 1970 began with a Thursday; the sum is positive from 1900 on. */
	buf_printf(buf, "%s, %u %s %04u %02u:%02u:%02u %c%02u%02u", days[(day + 7 * 4000) % 7], civil.day,
		months[civil.month - 1], (unsigned)civil.year, second / 3600, second / 60 % 60, second % 60,
		offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
}
