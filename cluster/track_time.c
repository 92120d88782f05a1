/* Moments as text, by arithmetic: no clock and no time zone is asked. */
#include "skein/cluster/track_event.h"

enum { DAYS_TO_1970 = 719468, DAYS_PER_ERA = 146097 }; /* from 1 March of the year 0; of 400 years */

static void put_digits(char *at, unsigned width, uint64_t value)
{
	while (width) {
		at[--width] = (char)('0' + value % 10);
		value /= 10;
	}
}

/* Years begin in March, so that the odd day is the last one. */
static void put_date(uint64_t days, char out[10])
{
	uint64_t shifted = days + DAYS_TO_1970;
	uint64_t era = shifted / DAYS_PER_ERA, day = shifted % DAYS_PER_ERA;
	uint64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	uint64_t of_year = day - (365 * year + year / 4 - year / 100);
	uint64_t month = (5 * of_year + 2) / 153;

	put_digits(out, 4, era * 400 + year + (month >= 10));
	out[4] = '-';
	put_digits(out + 5, 2, month < 10 ? month + 3 : month - 9);
	out[7] = '-';
	put_digits(out + 8, 2, of_year - (153 * month + 2) / 5 + 1);
}

void track_time_format(uint64_t time_us, char out[TRACK_TIME_LEN])
{
	uint64_t seconds = time_us / 1000000;

	put_date(seconds / 86400, out);
	out[10] = 'T';
	put_digits(out + 11, 2, seconds / 3600 % 24);
	out[13] = ':';
	put_digits(out + 14, 2, seconds / 60 % 60);
	out[16] = ':';
	put_digits(out + 17, 2, seconds % 60);
	out[19] = '.';
	put_digits(out + 20, 6, time_us % 1000000);
	out[26] = 'Z';
}

/* ---- back ---- */

/* Where digits are, what else there is: a pattern of the text. */
static const char shape[] = "0000-00-00T00:00:00.000000Z";

static bool has_shape(struct span text)
{
	if (text.len != TRACK_TIME_LEN)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		bool is_digit = text.ptr[i] >= '0' && text.ptr[i] <= '9';

		if (shape[i] == '0' ? !is_digit : text.ptr[i] != shape[i])
			return false;
	}
	return true;
}

static uint64_t digits(struct span text, size_t at, size_t width)
{
	uint64_t value = 0;

	for (size_t i = at; i < at + width; i++)
		value = value * 10 + (uint64_t)(text.ptr[i] - '0');
	return value;
}

/* From 1 March of the year 0. */
static uint64_t days_of(uint64_t year, uint64_t month, uint64_t day)
{
	uint64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	year -= month <= 2;
	return year * 365 + year / 4 - year / 100 + year / 400 + of_year;
}

bool track_time_parse(struct span text, uint64_t *time_us_out)
{
	uint64_t year, month, day, hour, minute, second;

	if (!has_shape(text))
		return false;
	year = digits(text, 0, 4);
	month = digits(text, 5, 2);
	day = digits(text, 8, 2);
	hour = digits(text, 11, 2);
	minute = digits(text, 14, 2);
	second = digits(text, 17, 2);
	if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 ||
		second > 59)
		return false;
	*time_us_out =
		((days_of(year, month, day) - DAYS_TO_1970) * 86400 + hour * 3600 + minute * 60 + second) *
			1000000 +
		digits(text, 20, 6);
	return true;
}
