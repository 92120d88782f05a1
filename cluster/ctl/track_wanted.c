#include "track_wanted.h"

bool track_wanted_is_said(const struct track_wanted *wanted)
{
	return wanted->id.len || wanted->from.len || wanted->to.len || wanted->user.len || wanted->has_client;
}

static bool is_domain(struct span text)
{
	return text.len && text.ptr[0] == '@';
}

static bool is_address(struct span wanted, struct span address)
{
	return is_domain(wanted) ? span_eq_nocase(span_drop(wanted, 1), track_domain(address))
				 : span_eq_nocase(wanted, address);
}

static bool has_recipient(struct span wanted, struct span recipients)
{
	struct span word;

	while (track_next_word(&recipients, &word))
		if (is_address(wanted, word))
			return true;
	return false;
}

static bool is_client(const struct network *wanted, struct span client)
{
	struct network network;

	return network_parse(client, &network) && network_contains(wanted, &network);
}

/* A report is told of by its own id and by its original's. */
static bool is_id(struct span wanted, const struct track_event *event)
{
	return span_eq_nocase(wanted, event->text[TRACK_ID]) ||
	       (event->kind == TRACK_BOUNCE && span_eq_nocase(wanted, event->text[TRACK_ABOUT]));
}

/* What nodes do by themselves is no mail: a search by time alone is not about it. */
static bool is_of_mail(const struct track_event *event)
{
	return event->kind != TRACK_NODE && event->kind != TRACK_POLICY;
}

bool track_wanted_matches(const struct track_wanted *wanted, const struct track_event *event)
{
	return event->time_us >= wanted->since_us && (is_of_mail(event) || track_wanted_is_said(wanted)) &&
	       (!wanted->until_us || event->time_us < wanted->until_us) &&
	       (!wanted->id.len || is_id(wanted->id, event)) &&
	       (!wanted->from.len || is_address(wanted->from, event->text[TRACK_SENDER])) &&
	       (!wanted->to.len || has_recipient(wanted->to, event->text[TRACK_RECIPIENT])) &&
	       (!wanted->user.len || span_eq_nocase(wanted->user, event->text[TRACK_USER])) &&
	       (!wanted->has_client || is_client(&wanted->client, event->text[TRACK_CLIENT]));
}

static uint64_t address_term(struct span text, enum track_term_kind whole, enum track_term_kind domain)
{
	return is_domain(text) ? track_term(domain, span_drop(text, 1)) : track_term(whole, text);
}

/* Of a network wider than that of neighbours there is no term. */
static bool client_term(const struct network *client, uint64_t *term_out)
{
	char text[NETWORK_TEXT_LEN + 1];
	struct network neighbours = network_neighbours(client);
	unsigned widest = network_is_v4(client) ? NETWORK_V4 + 24 : 64;
	bool is_one = client->prefix == 128;

	if (client->prefix < widest)
		return false;
	network_format(is_one ? client : &neighbours, text);
	*term_out = track_term(is_one ? TRACK_TERM_CLIENT : TRACK_TERM_NEIGHBOURS, span_of_str(text));
	return true;
}

size_t track_wanted_terms(const struct track_wanted *wanted, uint64_t terms[TRACK_WANTED_TERMS])
{
	size_t count = 0;

	if (wanted->id.len)
		terms[count++] = track_term(TRACK_TERM_ID, wanted->id);
	if (wanted->from.len)
		terms[count++] = address_term(wanted->from, TRACK_TERM_SENDER, TRACK_TERM_SENDER_DOMAIN);
	if (wanted->to.len)
		terms[count++] = address_term(wanted->to, TRACK_TERM_RECIPIENT, TRACK_TERM_RECIPIENT_DOMAIN);
	if (wanted->user.len)
		terms[count++] = track_term(TRACK_TERM_USER, wanted->user);
	if (wanted->has_client && client_term(&wanted->client, &terms[count]))
		count++;
	return count;
}
