#include "skein/proto/dmarc/record.h"

#include "skein/proto/wire/tag_list.h"

static const char *const policy_names[] = {
	[DMARC_POLICY_NONE] = "none",
	[DMARC_POLICY_QUARANTINE] = "quarantine",
	[DMARC_POLICY_REJECT] = "reject",
};

const char *dmarc_policy_name(enum dmarc_policy policy)
{
	return policy_names[policy];
}

/* What is read of a record before it is judged as a whole. */
struct reading {
	struct dmarc_record *record;
	struct span names[DMARC_TAGS_MAX];
	size_t count;
	bool has_policy_tag, has_policy, has_subdomain_policy, has_bad_policy;
};

static void tell(struct dmarc_record *record, struct span tag, const char *what)
{
	if (record->problem_count < DMARC_PROBLEMS_MAX)
		record->problems[record->problem_count++] = (struct dmarc_problem){ what, tag };
}

/* --- values -------------------------------------------------------------------------------------- */

static bool read_policy(struct span value, enum dmarc_policy *policy_out)
{
	for (size_t i = 0; i < ARRAY_LEN(policy_names); i++) {
		if (span_eq_nocase(value, span_of_str(policy_names[i]))) {
			*policy_out = (enum dmarc_policy)i;
			return true;
		}
	}
	return false;
}

static const char *read_own_policy(struct reading *reading, struct span value)
{
	reading->has_policy_tag = true;
	reading->has_policy = read_policy(value, &reading->record->policy);
	return reading->has_policy ? NULL : "it is not none, quarantine or reject";
}

static const char *read_subdomain_policy(struct reading *reading, struct span value)
{
	reading->has_subdomain_policy = read_policy(value, &reading->record->subdomain_policy);
	reading->has_bad_policy |= !reading->has_subdomain_policy;
	return reading->has_subdomain_policy ? NULL : "it is not none, quarantine or reject";
}

static const char *read_alignment(struct span value, enum dmarc_alignment *alignment)
{
	if (span_eq_nocase(value, SPAN_LIT("s")))
		*alignment = DMARC_STRICT;
	else if (span_eq_nocase(value, SPAN_LIT("r")))
		*alignment = DMARC_RELAXED;
	else
		return "it is neither r (relaxed) nor s (strict)";
	return NULL;
}

static const char *read_dkim_alignment(struct reading *reading, struct span value)
{
	return read_alignment(value, &reading->record->dkim_alignment);
}

static const char *read_spf_alignment(struct reading *reading, struct span value)
{
	return read_alignment(value, &reading->record->spf_alignment);
}

static const char *read_percent(struct reading *reading, struct span value)
{
	uint64_t percent;

	if (value.len > 3 || !span_parse_u64(value, 100, &percent))
		return "it is no number from 0 to 100";
	reading->record->percent = (unsigned)percent;
	return NULL;
}

static const char *read_interval(struct reading *reading, struct span value)
{
	uint64_t seconds;

	if (!span_parse_u64(value, UINT32_MAX, &seconds))
		return "it is no number of seconds";
	reading->record->report_interval_s = (uint32_t)seconds;
	return NULL;
}

/* Takes the next of "a:b". */
static bool take_word(struct span *list, struct span *word_out)
{
	size_t end = span_find(*list, ':');

	if (!list->len)
		return false;
	*word_out = span_trim(span_take(*list, end));
	*list = span_drop(*list, end < list->len ? end + 1 : end);
	return true;
}

static const char *read_failures(struct reading *reading, struct span value)
{
	static const char letters[] = "01ds";
	unsigned failures = 0;
	struct span word;

	while (take_word(&value, &word)) {
		const char *at = word.len == 1 ? memchr(letters, ascii_lower(word.ptr[0]), 4) : NULL;

		if (!at)
			return "it is no list of 0, 1, d and s, parted by colons";
		failures |= 1u << (at - letters);
	}
	if (!failures)
		return "it is empty";
	reading->record->failures = failures;
	return NULL;
}

static const char *read_format(struct reading *reading, struct span value)
{
	struct span word;

	(void)reading;
	while (take_word(&value, &word))
		if (!span_eq_nocase(word, SPAN_LIT("afrf")))
			return "the only format of failure reports is afrf";
	return NULL;
}

/* --- where reports go ---------------------------------------------------------------------------- */

static const struct {
	char letter;
	unsigned shift;
} units[] = { { 'k', 10 }, { 'm', 20 }, { 'g', 30 }, { 't', 40 } };

/* RFC 7489 6.2: "!" 1*DIGIT [ "k" / "m" / "g" / "t" ] */
static bool read_size(struct span text, uint64_t *size_out)
{
	unsigned shift = 0;

	for (size_t i = 0; text.len && i < ARRAY_LEN(units); i++)
		if (ascii_lower(text.ptr[text.len - 1]) == units[i].letter)
			shift = units[i].shift;
	if (shift)
		text = span_take(text, text.len - 1);
	if (!span_parse_u64(text, 1000000, size_out))
		return false;
	*size_out <<= shift;
	return true;
}

static bool is_printable(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
			return false;
	return true;
}

static bool read_uri(struct span text, struct dmarc_uri *uri)
{
	size_t colon = span_find(text, ':'), at;
	struct span address = span_drop(text, colon < text.len ? colon + 1 : colon);

	if (!colon || colon == text.len || !is_printable(text))
		return false;
	if (!span_eq_nocase(span_take(text, colon), SPAN_LIT("mailto")))
		return address.len > 0;
	address = span_take(address, span_find(address, '?'));
	at = span_find(address, '@');
	uri->host = span_drop(address, at < address.len ? at + 1 : at);
	return at > 0 && uri->host.len && span_find(uri->host, '@') == uri->host.len;
}

bool dmarc_uri_next(struct span *list, struct dmarc_uri *uri_out)
{
	size_t end = span_find(*list, ',');
	struct span item = span_trim(span_take(*list, end));
	size_t mark = span_find(item, '!');

	if (!list->len)
		return false;
	*list = span_drop(*list, end < list->len ? end + 1 : end);
	*uri_out = (struct dmarc_uri){ .text = span_take(item, mark) };
	uri_out->is_valid = read_uri(uri_out->text, uri_out) &&
			    (mark == item.len || read_size(span_drop(item, mark + 1), &uri_out->size_max));
	return true;
}

static bool has_valid_uri(struct span list)
{
	struct dmarc_uri uri;

	while (dmarc_uri_next(&list, &uri))
		if (uri.is_valid)
			return true;
	return false;
}

static const char *read_uris(struct span value, struct span *list_out)
{
	struct span rest = value;
	struct dmarc_uri uri;

	*list_out = value;
	if (!value.len)
		return "it is empty";
	while (dmarc_uri_next(&rest, &uri))
		if (!uri.is_valid)
			return "it has something that is no address such as mailto:postmaster@example.org";
	return NULL;
}

static const char *read_reports(struct reading *reading, struct span value)
{
	return read_uris(value, &reading->record->reports);
}

static const char *read_failure_reports(struct reading *reading, struct span value)
{
	return read_uris(value, &reading->record->failure_reports);
}

/* --- the record ---------------------------------------------------------------------------------- */

/* NULL, or what is wrong with the value, which then counts as not said. */
typedef const char *read_fn(struct reading *reading, struct span value);

static const struct {
	const char *name;
	read_fn *read;
} tags[] = {
	{ "p", read_own_policy },
	{ "sp", read_subdomain_policy },
	{ "adkim", read_dkim_alignment },
	{ "aspf", read_spf_alignment },
	{ "pct", read_percent },
	{ "ri", read_interval },
	{ "fo", read_failures },
	{ "rf", read_format },
	{ "rua", read_reports },
	{ "ruf", read_failure_reports },
};

static bool is_version(const struct tag *tag)
{
	return tag->is_pair && span_eq_nocase(tag->name, SPAN_LIT("v")) &&
	       span_eq(tag->value, SPAN_LIT("DMARC1"));
}

bool dmarc_record_is_one(struct span text)
{
	struct tag tag;

	return tag_list_next(&text, &tag) && is_version(&tag);
}

static bool is_seen(struct reading *reading, struct span name)
{
	for (size_t i = 0; i < reading->count; i++)
		if (span_eq_nocase(reading->names[i], name))
			return true;
	reading->names[reading->count++] = name;
	return false;
}

static void read_tag(struct reading *reading, const struct tag *tag)
{
	for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
		if (span_eq_nocase(tag->name, span_of_str(tags[i].name))) {
			const char *wrong = tags[i].read(reading, tag->value);

			if (wrong)
				tell(reading->record, tag->text, wrong);
			return;
		}
	}
	/* RFC 7489 6.3: unknown tags are ignored. That is no reason to keep quiet about a slip. */
	tell(reading->record, tag->text, "no such tag is known, and receivers ignore it");
}

/* False: it is no list of tags that counts at all. */
static bool read_tags(struct reading *reading, struct span rest)
{
	struct tag tag;

	for (size_t i = 1; tag_list_next(&rest, &tag); i++) {
		if (!tag.is_pair || !tag.name.len) {
			tell(reading->record, tag.text, "it is no tag: name=value");
			return false;
		}
		if (reading->count == DMARC_TAGS_MAX) {
			tell(reading->record, tag.text, "the record has too many tags");
			return false;
		}
		/* RFC 6376 3.2, which RFC 7489 6.3 takes over. */
		if (is_seen(reading, tag.name)) {
			tell(reading->record, tag.text, "the tag stands in the record twice");
			return false;
		}
		if (i > 1 && span_eq_nocase(tag.name, SPAN_LIT("p")))
			tell(reading->record, tag.text, "the policy (p=) does not stand right behind v=");
		read_tag(reading, &tag);
	}
	return true;
}

/* RFC 7489 6.6.3: without a good policy, but with somebody who wants reports, it is a p=none. */
static bool judge(struct reading *reading)
{
	struct dmarc_record *record = reading->record;

	if (!reading->has_policy_tag)
		tell(record, span_of("", 0), "the record has no policy (p=)");
	if (!reading->has_policy || reading->has_bad_policy) {
		record->policy = record->subdomain_policy = DMARC_POLICY_NONE;
		return has_valid_uri(record->reports);
	}
	if (!reading->has_subdomain_policy)
		record->subdomain_policy = record->policy;
	return true;
}

bool dmarc_record_parse(struct span text, struct dmarc_record *record_out)
{
	struct reading reading = { .record = record_out };
	struct tag version;

	*record_out = (struct dmarc_record){
		.percent = 100,
		.report_interval_s = 86400,
		.failures = DMARC_FAILURE_ALL,
	};
	if (text.len > DMARC_RECORD_LEN_MAX) {
		tell(record_out, span_of("", 0), "the record is too long");
		return false;
	}
	if (!tag_list_next(&text, &version) || !is_version(&version)) {
		tell(record_out, span_of("", 0), "the record does not begin with v=DMARC1");
		return false;
	}
	(void)is_seen(&reading, SPAN_LIT("v"));
	return read_tags(&reading, text) && judge(&reading);
}
