#include "spf/check_internal.h"

#include "spf/name_internal.h"

/* RFC 7208 5.5, 4.6.4: no more than the first ten, and an error is as good as no name. */
static void on_names(struct spf_check *check, const struct spf_answer *answer)
{
	struct check_client *client = &check->client;
	size_t count = answer->count < SPF_NAMES_MAX ? answer->count : SPF_NAMES_MAX;

	client->is_known = true;
	for (size_t i = 0; i < count; i++) {
		struct span name = name_without_dot(answer->records[i]);

		if (name_is_askable(name))
			client->names[client->count++] = arena_dup(&check->arena, name);
	}
}

static void on_addresses(struct spf_check *check, const struct spf_answer *answer)
{
	struct check_client *client = &check->client;
	unsigned bits = (unsigned)check->values.client_len * 8;

	client->states[client->asked] = check_has_client(check, answer, bits) ? NAME_VALIDATED : NAME_REFUTED;
}

static void ask_names(struct spf_check *check)
{
	struct buf name = { 0 };

	macro_expand_name(SPAN_LIT("%{ir}.%{v}.arpa"), &check->values, &name);
	check_ask(check, SPF_QUERY_PTR, arena_dup(&check->arena, buf_span(&name)), on_names);
	buf_fini(&name);
}

static enum client_name_rank get_rank(struct span name, struct span domain)
{
	if (span_eq_nocase(name, domain))
		return RANK_EQUAL;
	return name_is_within(name, domain) ? RANK_WITHIN : RANK_ANY;
}

/* Names are validated when they would decide, so nobody is asked about the others. */
bool check_find_client_name(
	struct spf_check *check, struct span domain, enum client_name_rank furthest, struct span *name_out)
{
	struct check_client *client = &check->client;

	*name_out = span_of(NULL, 0);
	if (!client->is_known) {
		ask_names(check);
		return false;
	}
	for (unsigned rank = RANK_EQUAL; rank <= furthest; rank++) {
		for (unsigned i = 0; i < client->count; i++) {
			if (get_rank(client->names[i], domain) != rank || client->states[i] == NAME_REFUTED)
				continue;
			if (client->states[i] == NAME_VALIDATED) {
				*name_out = client->names[i];
				return true;
			}
			client->asked = i;
			check_ask_addresses(check, client->names[i], on_addresses);
			return false;
		}
	}
	return true;
}
