/* Credentials: what a table cannot see of how the cluster logs in where it delivers to. */
#include "policy/route_internal.h"
#include "skein/cluster/secret.h"

#include <stdio.h>

static bool is_https_url(struct span url)
{
	struct span host = url;

	if (!span_starts_with(url, SPAN_LIT("https://")) || span_find(url, '#') < url.len)
		return false;
	host = span_drop(url, strlen("https://"));
	host = span_take(host, span_find(host, '/'));
	return host.len && host.ptr[0] != ':' && span_find(host, '@') == host.len &&
	       span_find(host, '?') == host.len;
}

/* A token, or a password: what belongs to the other would be left unused without a word. */
static void check_token(const struct credentials_text *text, struct place *place, struct report *report)
{
	bool has_url = *text->token_url != '\0';

	if (text->mechanism == ROUTE_AUTH_XOAUTH2 && !has_url)
		report_error_at(report, place_below(place, "mechanism"),
			"xoauth2 needs token_url, where its tokens come from");
	if (text->mechanism != ROUTE_AUTH_XOAUTH2 && text->mechanism != ROUTE_AUTH_AUTO && has_url)
		report_error_at(report, place_below(place, "token_url"),
			"has no effect: %s logs in with a password, xoauth2 with a token",
			route_mechanism_names[text->mechanism]);
	if (has_url && !is_https_url(span_of_str(text->token_url)))
		report_error_at(report, place_below(place, "token_url"),
			"expected a URL such as https://login.example.org/token, got %s",
			report_quote(span_of_str(text->token_url)).text);
	if (has_url && !*text->client_id)
		report_error_at(report, place_below(place, "token_url"), "needs client_id too");
	if (!has_url && *text->client_id)
		report_error_at(report, place_below(place, "client_id"), "needs token_url too");
	if (!has_url && *text->scope)
		report_error_at(report, place_below(place, "scope"), "needs token_url too");
}

static void check_secret(const struct credentials_text *text, struct place *place, struct report *report)
{
	if (!secret_name_is_valid(span_of_str(text->secret)))
		report_error_at(report, place_below(place, "secret"),
			"%s is no name of a secret: the first character is a letter or a digit",
			report_quote(span_of_str(text->secret)).text);
}

void policy_compile_credentials(struct policy *policy, const struct policy_text *text, struct report *report)
{
	struct arena *arena = &policy->arena;
	size_t count = text->credentials.count;

	policy->credentials = arena_zalloc(arena, (count + 1) * sizeof(*policy->credentials));
	policy->credentials_count = count;
	for (size_t i = 0; i < count; i++) {
		const struct credentials_text *from = &text->credentials.items[i];
		struct place place;

		snprintf(place.path, sizeof(place.path), "credentials.%s", from->name);
		check_token(from, &place, report);
		check_secret(from, &place, report);
		policy->credentials[i] = (struct route_credentials){
			.name = arena_strdup(arena, span_of_str(from->name)),
			.mechanism = from->mechanism,
			.user = arena_strdup(arena, span_of_str(from->user)),
			.secret = arena_strdup(arena, span_of_str(from->secret)),
			.token_url = arena_strdup(arena, span_of_str(from->token_url)),
			.client_id = arena_strdup(arena, span_of_str(from->client_id)),
			.scope = arena_strdup(arena, span_of_str(from->scope)),
		};
	}
}

const struct route_credentials *policy_find_credentials(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->credentials_count; i++)
		if (strcmp(policy->credentials[i].name, name) == 0)
			return &policy->credentials[i];
	return NULL;
}
