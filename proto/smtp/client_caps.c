#include "smtp/client_internal.h"

typedef void caps_param_fn(struct smtp_client_caps *caps, struct span params);

/* The next word; the rest starts behind it. */
static struct span take_word(struct span *rest)
{
	struct span word;

	*rest = span_trim(*rest);
	word = span_take(*rest, span_find(*rest, ' '));
	*rest = span_drop(*rest, word.len);
	return word;
}

/* RFC 1870 4: no number, and zero, mean that no bound is told. */
static void parse_size(struct smtp_client_caps *caps, struct span params)
{
	(void)span_parse_u64(take_word(&params), UINT64_MAX, &caps->size_max);
}

static void parse_limit(struct span word, struct span name, uint32_t *limit_out)
{
	uint64_t value;

	if (span_starts_with_nocase(word, name) &&
		span_parse_u64(span_drop(word, name.len), UINT32_MAX, &value) && value)
		*limit_out = (uint32_t)value;
}

/* RFC 9422: names we do not know are passed over. */
static void parse_limits(struct smtp_client_caps *caps, struct span params)
{
	for (struct span word = take_word(&params); word.len; word = take_word(&params)) {
		parse_limit(word, SPAN_LIT("MAILMAX="), &caps->mail_max);
		parse_limit(word, SPAN_LIT("RCPTMAX="), &caps->rcpt_max);
		parse_limit(word, SPAN_LIT("RCPTDOMAINMAX="), &caps->domain_max);
	}
}

/* RFC 2852 3: no number, and zero, mean that any time will do. */
static void parse_deliver_by(struct smtp_client_caps *caps, struct span params)
{
	uint64_t value;

	if (span_parse_u64(take_word(&params), DELIVER_BY_SECONDS_MAX, &value))
		caps->deliver_by_min_s = (uint32_t)value;
}

/* RFC 4422 3.1: 1 to 20 upper-case letters, digits, hyphens, underscores. */
static bool is_mechanism(struct span word)
{
	for (size_t i = 0; i < word.len; i++) {
		char c = ascii_lower(word.ptr[i]);

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
			return false;
	}
	return word.len >= 1 && word.len <= 20;
}

static void parse_auth(struct smtp_client_caps *caps, struct span params)
{
	size_t used = 0;

	for (struct span word = take_word(&params); word.len; word = take_word(&params)) {
		if (!is_mechanism(word) || used + 1 + word.len >= sizeof(caps->auth))
			continue;
		if (used)
			caps->auth[used++] = ' ';
		for (size_t i = 0; i < word.len; i++) {
			char c = word.ptr[i];

			caps->auth[used++] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
		}
		caps->auth[used] = '\0';
	}
}

static const struct {
	const char *name;
	unsigned flag;
	caps_param_fn *parse;
} keywords[] = {
	{ "PIPELINING", SMTP_CAP_PIPELINING, NULL },
	{ "SIZE", SMTP_CAP_SIZE, parse_size },
	{ "8BITMIME", SMTP_CAP_8BITMIME, NULL },
	{ "SMTPUTF8", SMTP_CAP_SMTPUTF8, NULL },
	{ "DSN", SMTP_CAP_DSN, NULL },
	{ "CHUNKING", SMTP_CAP_CHUNKING, NULL },
	{ "STARTTLS", SMTP_CAP_STARTTLS, NULL },
	{ "ENHANCEDSTATUSCODES", SMTP_CAP_ENHANCED, NULL },
	{ "LIMITS", SMTP_CAP_LIMITS, parse_limits },
	{ "AUTH", SMTP_CAP_AUTH, parse_auth },
	{ "REQUIRETLS", SMTP_CAP_REQUIRETLS, NULL },
	{ "MT-PRIORITY", SMTP_CAP_MT_PRIORITY, NULL },
	{ "DELIVERBY", SMTP_CAP_DELIVERBY, parse_deliver_by },
};

static void parse_line(struct smtp_client_caps *caps, struct span line)
{
	struct span keyword = take_word(&line);

	for (size_t i = 0; i < ARRAY_LEN(keywords); i++) {
		if (!span_eq_nocase(keyword, span_of_str(keywords[i].name)))
			continue;
		/* Said twice, the first counts. */
		if (!(caps->flags & keywords[i].flag) && keywords[i].parse)
			keywords[i].parse(caps, line);
		caps->flags |= keywords[i].flag;
	}
}

void smtp_client_caps_parse(struct smtp_client_caps *caps, struct span text, bool has_tls)
{
	*caps = (struct smtp_client_caps){ 0 };
	/* The first line is the hop's name and greeting. */
	for (size_t end = span_find(text, '\n'); end < text.len; end = span_find(text, '\n')) {
		text = span_drop(text, end + 1);
		parse_line(caps, span_take(text, span_find(text, '\n')));
	}
	if (!has_tls)
		caps->flags &= ~(unsigned)SMTP_CAP_REQUIRETLS;
}
