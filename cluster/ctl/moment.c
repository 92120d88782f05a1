#include "moment.h"

#include "option.h"

#include <stdio.h>
#include <time.h>

enum { TEXT_MAX = 32 };

uint64_t moment_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static bool read_parts(const char *text, uint64_t now_us, bool is_utc, struct tm *parts)
{
	static const char *const forms[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M",
		"%Y-%m-%d %H:%M", "%Y-%m-%d", "%H:%M:%S", "%H:%M" };
	time_t now = (time_t)(now_us / 1000000);

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		const char *end;

		memset(parts, 0, sizeof(*parts));
		if (forms[i][1] == 'H') {
			if (!(is_utc ? gmtime_r(&now, parts) : localtime_r(&now, parts)))
				return false;
			parts->tm_sec = 0;
		}
		end = strptime(text, forms[i], parts);
		if (end && !*end)
			return true;
	}
	return false;
}

bool moment_parse(const char *text, uint64_t now_us, bool is_utc, uint64_t *us_out)
{
	char plain[TEXT_MAX];
	size_t len = strlen(text);
	struct tm parts;
	uint64_t ms;
	time_t seconds;

	if (option_duration(text, &ms)) {
		*us_out = now_us > ms * 1000 ? now_us - ms * 1000 : 0;
		return true;
	}
	if (!len || len >= sizeof(plain))
		return false;
	snprintf(plain, sizeof(plain), "%s", text);
	if (plain[len - 1] == 'Z') {
		plain[len - 1] = '\0';
		is_utc = true;
	}
	if (!read_parts(plain, now_us, is_utc, &parts))
		return false;
	parts.tm_isdst = -1;
	seconds = is_utc ? timegm(&parts) : mktime(&parts);
	if (seconds < 0)
		return false;
	*us_out = (uint64_t)seconds * 1000000;
	return true;
}

bool moment_argument(const char *option, const char *text, bool is_utc, uint64_t *us_out, struct buf *why)
{
	if (!text || moment_parse(text, moment_now_us(), is_utc, us_out))
		return true;
	buf_printf(why,
		"--%s: \"%s\" is no time: 90s, 30m, 1h, 2d (ago), 14:30, 2026-11-27, \"2026-11-27 14:30\"",
		option, text);
	return false;
}

void moment_append(uint64_t us, bool is_utc, struct buf *out)
{
	time_t seconds = (time_t)(us / 1000000);
	char text[TEXT_MAX];
	struct tm parts;

	if (!(is_utc ? gmtime_r(&seconds, &parts) : localtime_r(&seconds, &parts)) ||
		!strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &parts)) {
		buf_append_str(out, "?");
		return;
	}
	buf_printf(out, "%s.%03u%s", text, (unsigned)(us / 1000 % 1000), is_utc ? "Z" : "");
}
