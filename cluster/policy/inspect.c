/* Inspections: the document's section `inspect` becomes `struct inspection`, and a message finds its own. */
#include "policy/route_internal.h"

#include <stdio.h>

/* RFC 5321 4.5.3.2.6: a client waits that long for the answer to its message. */
enum { CLIENT_WAIT_MS = 10 * 60 * 1000 };

struct compile {
	struct policy *policy;
	const struct policy_text *text;
	struct report *report;
	const struct table *rules; /* of clients, by name */
	struct place place;        /* of the entry at hand */
};

/* --- checks -------------------------------------------------------------------------------------- */

/* DMARC asks what SPF and DKIM have found: they are looked at for it where nothing is said. */
static enum inspection_action action_for_dmarc(
	struct compile *c, enum inspection_action own, const struct inspection_text *text, const char *key)
{
	if (own != INSPECTION_OFF || text->dmarc == INSPECTION_OFF)
		return own;
	if (report_was_given(c->report, place_below(&c->place, key)))
		report_error_at(c->report, place_below(&c->place, key),
			"is off, and dmarc goes by what it finds: leave the key out, or say tag");
	return INSPECTION_TAG;
}

static void compile_checks(
	struct compile *c, struct inspection *inspection, const struct inspection_text *text)
{
	enum inspection_action *actions = inspection->actions;

	if (text->dkim == INSPECTION_REJECT)
		report_error_at(c->report, place_below(&c->place, "dkim"),
			"cannot be reject: a bad signature is as good as none (RFC 6376 6.1). Say tag; "
			"dmarc: "
			"reject refuses where the domain wishes it");
	actions[INSPECTION_SPF] = action_for_dmarc(c, text->spf, text, "spf");
	actions[INSPECTION_DKIM] = action_for_dmarc(c, text->dkim, text, "dkim");
	actions[INSPECTION_DMARC] = text->dmarc;
	inspection->on_error = text->on_error;
	if (!actions[INSPECTION_SPF] && !actions[INSPECTION_DKIM] &&
		report_was_given(c->report, place_below(&c->place, "on_error")))
		report_error_at(c->report, place_below(&c->place, "on_error"),
			"has no effect: neither spf, dkim nor dmarc is on, and each filter has its own");
}

/* --- filters ------------------------------------------------------------------------------------- */

static const struct inspection_filter *find_filter(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->filter_count; i++)
		if (strcmp(policy->filters[i].name, name) == 0)
			return &policy->filters[i];
	return NULL;
}

static bool has_filter(
	const struct inspection_filter *const *filters, size_t count, const struct inspection_filter *filter)
{
	for (size_t i = 0; i < count; i++)
		if (filters[i] == filter)
			return true;
	return false;
}

static void check_wait(struct compile *c, const struct inspection *inspection)
{
	uint64_t total_ms = 0;

	for (size_t i = 0; i < inspection->filter_count; i++)
		total_ms += inspection->filters[i]->total_ms;
	if (total_ms > CLIENT_WAIT_MS)
		report_warning_at(c->report, place_below(&c->place, "filters"),
			"may take %llu minutes together, and clients wait for no more than %d (RFC 5321 "
			"4.5.3.2.6)",
			(unsigned long long)(total_ms + 59999) / 60000, CLIENT_WAIT_MS / 60000);
}

static void compile_filters(struct compile *c, struct inspection *inspection, struct text_list names)
{
	const struct inspection_filter **filters =
		arena_alloc(&c->policy->arena, (names.count + 1) * sizeof(*filters));
	struct name_list known = { c->policy->filters, c->policy->filter_count, sizeof(*c->policy->filters) };
	size_t count = 0;

	policy_check_not_empty(names, c->place.path, "filters", c->report);
	for (size_t i = 0; i < names.count; i++) {
		const struct inspection_filter *filter = find_filter(c->policy, names.items[i]);
		struct span name = span_of_str(names.items[i]);
		char key[32];

		snprintf(key, sizeof(key), "filters[%zu]", i);
		if (!filter)
			policy_complain_of_unknown(
				"is no filter", name, known, place_below(&c->place, key), c->report);
		else if (has_filter(filters, count, filter))
			report_error_at(c->report, place_below(&c->place, key), "%s is named twice",
				report_quote(name).text);
		else
			filters[count++] = filter;
	}
	inspection->filters = filters;
	inspection->filter_count = count;
	check_wait(c, inspection);
}

/* --- all of it ----------------------------------------------------------------------------------- */

static void compile_match(
	struct compile *c, struct policy_inspection *entry, const struct inspection_text *text)
{
	policy_compile_conditions(c->policy, c->text, &text->match, c->place.path, &entry->match, c->report);
	policy_check_not_empty(text->client, c->place.path, "match.client", c->report);
	entry->has_clients = text->client.count > 0;
	policy_compile_rule_names(c->policy, c->text, c->rules, text->client,
		place_below(&c->place, "match.client"), &entry->clients, c->report);
}

static void compile_inspection(struct compile *c, size_t number)
{
	const struct inspection_text *text = &c->text->inspect.items[number];
	struct policy_inspection *entry = &c->policy->inspections[number];
	struct inspection *inspection = &entry->shown;
	struct arena *arena = &c->policy->arena;

	snprintf(c->place.path, sizeof(c->place.path), "inspect[%zu]", number);
	inspection->name = arena_strdup(arena, span_of_str(*text->name ? text->name : c->place.path));
	inspection->comment = arena_strdup(arena, span_of_str(text->comment));
	inspection->number = number;
	compile_match(c, entry, text);
	compile_checks(c, inspection, text);
	compile_filters(c, inspection, text->filters);
	for (size_t i = 0; i < entry->match.networks.count; i++)
		network_tree_add(
			&c->policy->inspection_tree, &entry->match.networks.items[i], (uint32_t)number);
}

void policy_compile_inspections(struct policy *policy, const struct policy_text *text, struct report *report)
{
	struct table rules = policy_rule_names(text);
	struct compile c = { .policy = policy, .text = text, .report = report, .rules = &rules };

	policy->inspection_count = text->inspect.count;
	policy->inspections =
		arena_zalloc(&policy->arena, (text->inspect.count + 1) * sizeof(*policy->inspections));
	policy_compile_filters(policy, text, report);
	policy_check_names(NAMES_OF(text->inspect), "inspect", report);
	for (size_t i = 0; i < policy->inspection_count; i++)
		compile_inspection(&c, i);
	if (!network_tree_finish(&policy->inspection_tree))
		report_error_at(report, "inspect", "too many networks lie within one another");
	table_fini(&rules);
}

/* --- entries that nothing comes to --------------------------------------------------------------- */

/* Of looks into the tree: with long lists in many entries it is not looked at to the end. */
enum { SHADOW_WORK_MAX = 1000000 };

static bool covers(const struct policy *policy, const struct policy_inspection *outer,
	const struct policy_inspection *inner, size_t *work)
{
	unsigned network = 1u << POLICY_NETWORK;

	*work += 1;
	if (outer->has_clients &&
		!(inner->has_clients && pattern_set_covers(&outer->clients, &inner->clients)))
		return false;
	if (!policy_conditions_cover(&outer->match, &inner->match))
		return false;
	if (!(outer->match.asked & network))
		return true;
	*work += inner->match.networks.count;
	return (inner->match.asked & network) &&
	       policy_networks_cover(&policy->inspection_tree, (uint32_t)outer->shown.number, &inner->match);
}

/* The first earlier entry that covers it; NULL: none, or it was too much to look at. */
static const struct policy_inspection *find_cover(const struct policy *policy, size_t number, size_t *work)
{
	for (size_t i = 0; i < number && *work < SHADOW_WORK_MAX; i++)
		if (covers(policy, &policy->inspections[i], &policy->inspections[number], work))
			return &policy->inspections[i];
	return NULL;
}

void policy_check_inspection_shadows(const struct policy *policy, struct report *report)
{
	size_t work = 0;

	for (size_t i = 1; i < policy->inspection_count; i++) {
		const struct policy_inspection *outer = find_cover(policy, i, &work);
		char place[32];

		if (!outer)
			continue;
		snprintf(place, sizeof(place), "inspect[%zu]", i);
		report_warning_at(report, place, "never counts: \"%s\" before it takes all that it would",
			outer->shown.name);
	}
}

/* --- questions ----------------------------------------------------------------------------------- */

/* But for networks. */
static bool takes(
	const struct policy_inspection *entry, const struct policy_subject *subject, struct span client_rule)
{
	for (enum policy_condition condition = 0; condition < POLICY_CONDITIONS; condition++)
		if ((entry->match.asked & 1u << condition) &&
			!policy_condition_is_met(&entry->match, subject, condition))
			return false;
	return !entry->has_clients || pattern_set_find(&entry->clients, client_rule) != NULL;
}

const struct inspection *policy_find_inspection(
	const struct policy *policy, const struct policy_subject *subject, struct span client_rule)
{
	struct network_hits around = network_tree_find(&policy->inspection_tree, subject->address);

	for (size_t i = 0; i < policy->inspection_count; i++) {
		const struct policy_inspection *entry = &policy->inspections[i];
		bool is_near = around.count && *around.numbers == i;

		if (is_near) {
			around.numbers++;
			around.count--;
		}
		if ((is_near || !(entry->match.asked & 1u << POLICY_NETWORK)) &&
			takes(entry, subject, client_rule))
			return &entry->shown;
	}
	return NULL;
}

size_t policy_inspection_count(const struct policy *policy)
{
	return policy->inspection_count;
}

const struct inspection *policy_inspection(const struct policy *policy, size_t number)
{
	return &policy->inspections[number].shown;
}
