#include "skein/proto/wire/mta_sts.h"

#include "skein/proto/wire/tag_list.h"

static const char *const mode_names[] = {
	[MTA_STS_NONE] = "none",
	[MTA_STS_TESTING] = "testing",
	[MTA_STS_ENFORCE] = "enforce",
};

const char *mta_sts_mode_name(enum mta_sts_mode mode)
{
	return mode_names[mode];
}

/* --- the record ---------------------------------------------------------------------------------- */

static bool is_version(struct span name, struct span value)
{
	return span_eq(name, SPAN_LIT("v")) && span_eq(value, SPAN_LIT("STSv1"));
}

bool mta_sts_record_is_one(struct span text)
{
	struct tag tag;

	return tag_list_next(&text, &tag) && is_version(tag.name, tag.value);
}

static bool is_alphanumeric(char c)
{
	char lower = ascii_lower(c);

	return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9');
}

/* RFC 8461 3.1: 1*32(ALPHA / DIGIT) */
static bool is_id(struct span value)
{
	for (size_t i = 0; i < value.len; i++)
		if (!is_alphanumeric(value.ptr[i]))
			return false;
	return value.len > 0 && value.len <= MTA_STS_ID_LEN_MAX;
}

const char *mta_sts_record_parse(struct span text, struct span *id_out)
{
	struct tag tag;
	bool has_id = false;

	if (!tag_list_next(&text, &tag) || !is_version(tag.name, tag.value))
		return "it does not begin with v=STSv1";
	while (tag_list_next(&text, &tag)) {
		if (!tag.is_pair || !tag.name.len)
			return "it has something that is no tag: name=value";
		if (!span_eq(tag.name, SPAN_LIT("id")))
			continue;
		if (has_id)
			return "it has two ids";
		if (!is_id(tag.value))
			return "its id is not of 1 to 32 letters and digits";
		*id_out = tag.value;
		has_id = true;
	}
	return has_id ? NULL : "it has no id";
}

/* --- the policy ---------------------------------------------------------------------------------- */

struct reading {
	struct mta_sts_policy *policy;
	struct span *patterns;
	bool has_version, has_mode, has_age;
};

static const char *read_version(struct reading *reading, struct span value)
{
	reading->has_version = true;
	return span_eq(value, SPAN_LIT("STSv1")) ? NULL : "the version is not STSv1";
}

/* RFC 8461 3.2: of a field that is there twice the first one counts, but for mx. */
static const char *read_mode(struct reading *reading, struct span value)
{
	if (reading->has_mode)
		return NULL;
	reading->has_mode = true;
	for (size_t i = 0; i < ARRAY_LEN(mode_names); i++) {
		if (span_eq(value, span_of_str(mode_names[i]))) {
			reading->policy->mode = (enum mta_sts_mode)i;
			return NULL;
		}
	}
	return "the mode is not enforce, testing or none";
}

static const char *read_age(struct reading *reading, struct span value)
{
	uint64_t seconds;

	if (reading->has_age)
		return NULL;
	reading->has_age = true;
	if (value.len > 10 || !span_parse_u64(value, UINT64_MAX, &seconds))
		return "max_age is no number of seconds";
	/* RFC 8461 3.2: 31557600 at most; longer is no reason to have no policy at all. */
	reading->policy->max_age_s = (uint32_t)(seconds < MTA_STS_AGE_MAX_S ? seconds : MTA_STS_AGE_MAX_S);
	return NULL;
}

/* Labels of letters, digits, hyphens and underscores. */
static bool is_host(struct span name)
{
	size_t label = 0;

	for (size_t i = 0; i < name.len; i++) {
		if (name.ptr[i] == '.'
				? !label
				: !is_alphanumeric(name.ptr[i]) && name.ptr[i] != '-' && name.ptr[i] != '_')
			return false;
		label = name.ptr[i] == '.' ? 0 : label + 1;
		if (label > 63)
			return false;
	}
	return label > 0 && name.len <= 253;
}

static const char *read_pattern(struct reading *reading, struct span value)
{
	bool is_wildcard = span_starts_with(value, SPAN_LIT("*."));

	if (!is_host(is_wildcard ? span_drop(value, 2) : value))
		return "mx is no host name, and no host name behind \"*.\"";
	if (reading->policy->pattern_count == MTA_STS_PATTERNS_MAX)
		return "there are too many mx";
	reading->patterns[reading->policy->pattern_count++] = value;
	return NULL;
}

typedef const char *read_fn(struct reading *reading, struct span value);

static const struct {
	struct span name;
	read_fn *read;
} fields[] = {
	{ { "version", 7 }, read_version },
	{ { "mode", 4 }, read_mode },
	{ { "max_age", 7 }, read_age },
	{ { "mx", 2 }, read_pattern },
};

static bool take_line(struct span *rest, struct span *line_out)
{
	size_t end = span_find(*rest, '\n');

	if (!rest->len)
		return false;
	*line_out = span_take(*rest, end);
	if (line_out->len && line_out->ptr[line_out->len - 1] == '\r')
		line_out->len--;
	*rest = span_drop(*rest, end < rest->len ? end + 1 : end);
	return true;
}

/* NULL, or what is wrong. Fields that nobody knows are ignored (RFC 8461 3.2), and so are empty lines. */
static const char *read_line(struct reading *reading, struct span line)
{
	size_t colon = span_find(line, ':');
	struct span name = span_trim(span_take(line, colon));

	if (!span_trim(line).len)
		return NULL;
	if (colon == line.len || !name.len)
		return "the line is no \"field: value\"";
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (span_eq(name, fields[i].name))
			return fields[i].read(reading, span_trim(span_drop(line, colon + 1)));
	return NULL;
}

static const char *missing(const struct reading *reading)
{
	if (!reading->has_version)
		return "the version is missing: version: STSv1";
	if (!reading->has_mode)
		return "the mode is missing: mode: enforce";
	if (!reading->has_age)
		return "the time is missing for which it counts: max_age: 604800";
	if (!reading->policy->pattern_count && reading->policy->mode != MTA_STS_NONE)
		return "there is no mx";
	return NULL;
}

bool mta_sts_policy_parse(struct span text, struct arena *arena, struct mta_sts_policy *policy_out,
	struct mta_sts_problem *problem_out)
{
	struct reading reading = { .policy = policy_out };
	struct span line;

	*policy_out = (struct mta_sts_policy){ .mode = MTA_STS_NONE };
	*problem_out = (struct mta_sts_problem){ NULL, 0 };
	if (text.len > MTA_STS_POLICY_LEN_MAX) {
		problem_out->what = "the policy is too long";
		return false;
	}
	reading.patterns = arena_alloc(arena, MTA_STS_PATTERNS_MAX * sizeof(*reading.patterns));
	policy_out->patterns = reading.patterns;
	for (unsigned number = 1; take_line(&text, &line); number++) {
		const char *wrong = read_line(&reading, line);

		if (wrong) {
			*problem_out = (struct mta_sts_problem){ wrong, number };
			return false;
		}
	}
	problem_out->what = missing(&reading);
	return !problem_out->what;
}

static struct span without_dot(struct span name)
{
	return name.len && name.ptr[name.len - 1] == '.' ? span_take(name, name.len - 1) : name;
}

static bool matches(struct span pattern, struct span host)
{
	size_t dot = span_find(host, '.');

	if (!span_starts_with(pattern, SPAN_LIT("*.")))
		return span_eq_nocase(pattern, host);
	return dot > 0 && dot < host.len && span_eq_nocase(span_drop(pattern, 2), span_drop(host, dot + 1));
}

bool mta_sts_policy_has(const struct mta_sts_policy *policy, struct span host)
{
	for (size_t i = 0; i < policy->pattern_count; i++)
		if (matches(policy->patterns[i], without_dot(host)))
			return true;
	return false;
}

/* --- for how long -------------------------------------------------------------------------------- */

enum mta_sts_freshness mta_sts_freshness(
	const struct mta_sts_kept *kept, struct span record_id, uint64_t now_s)
{
	/* A clock that was set back makes nothing older. */
	uint64_t age_s = now_s > kept->fetched_at_s ? now_s - kept->fetched_at_s : 0;

	if (age_s >= kept->max_age_s)
		return MTA_STS_EXPIRED;
	/* Long before its end, so that who blocks one fetch does not end it (RFC 8461 10.2). */
	if ((record_id.len && !span_eq(record_id, kept->id)) || age_s >= kept->max_age_s / 2)
		return MTA_STS_REFRESH;
	return MTA_STS_FRESH;
}
