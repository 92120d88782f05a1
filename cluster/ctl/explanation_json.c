/* An explanation as JSON. */
#include "explanation.h"
#include "screen.h"

static const char *verdict_name(enum policy_verdict verdict)
{
	static const char *const names[] = {
		[POLICY_ALLOW] = "allow",
		[POLICY_DENY] = "deny",
		[POLICY_NEEDS_AUTH] = "needs-auth",
		[POLICY_NEEDS_TLS] = "needs-tls",
	};

	return names[verdict];
}

static const char *match_name(enum policy_match match)
{
	return match == POLICY_MATCHES ? "matches" : match == POLICY_DIFFERS ? "differs" : "open";
}

static json_t *text_or_null(const char *text)
{
	return text ? json_of_span(span_of_str(text)) : json_null();
}

static json_t *steps_json(const struct explanation *explanation)
{
	json_t *steps = json_array();

	for (size_t i = 0; i < explanation->step_count; i++) {
		const struct policy_step *step = &explanation->steps[i];

		json_array_append_new(
			steps, json_pack("{s:s, s:s, s:o, s:s}", "rule", step->rule->name, "match",
				       match_name(step->match), "condition",
				       step->match == POLICY_MATCHES
					       ? json_null()
					       : json_string(policy_condition_name(step->condition)),
				       "effect", policy_effect_name(step->rule->effect)));
	}
	return steps;
}

static json_t *address_json(const struct explained_address *address, struct span mailbox)
{
	return json_pack("{s:o, s:b, s:o}", "address", json_of_span(mailbox), "allowed", address->is_allowed,
		"by", text_or_null(address->entry));
}

static json_t *target_json(const struct route_target *target)
{
	unsigned port = explained_target_port(target);

	return json_pack("{s:s, s:s, s:o, s:s, s:o}", "place", route_place_names[target->place], "name",
		target->name, "port", port ? json_integer(port) : json_null(), "tls",
		route_tls_names[target->tls], "credentials",
		text_or_null(target->credentials ? target->credentials->name : NULL));
}

/* Without a name: the node's own. */
static json_t *route_json(const struct route *route)
{
	json_t *targets = json_array();

	for (size_t i = 0; route && i < route->target_count; i++)
		json_array_append_new(targets, target_json(&route->targets[i]));
	return json_pack("{s:o, s:o, s:o}", "name", text_or_null(route ? route->name : NULL), "order",
		text_or_null(route ? route_order_names[route->order] : NULL), "targets", targets);
}

static json_t *recipients_json(const struct explanation *explanation)
{
	json_t *recipients = json_array();

	for (size_t i = 0; explanation->has_recipients && i < explanation->asked->to.count; i++) {
		json_t *recipient =
			address_json(&explanation->recipients[i], explanation->asked->recipients[i]);

		json_object_set_new(recipient, "route",
			explanation->recipients[i].is_allowed ? route_json(explanation->routes[i])
							      : json_null());
		json_object_set_new(recipient, "signed_by",
			text_or_null(explanation->signings[i] ? explanation->signings[i]->domain : NULL));
		json_array_append_new(recipients, recipient);
	}
	return recipients;
}

static json_t *filters_json(const struct inspection *inspection)
{
	json_t *filters = json_array();

	for (size_t i = 0; i < inspection->filter_count; i++) {
		const struct inspection_filter *filter = inspection->filters[i];
		bool has_host = *filter->host != '\0';

		json_array_append_new(
			filters, json_pack("{s:s, s:o, s:o, s:o, s:s}", "name", filter->name, "host",
					 text_or_null(has_host ? filter->host : NULL), "port",
					 has_host ? json_integer(filter->port) : json_null(), "socket",
					 text_or_null(has_host ? NULL : filter->path), "on_error",
					 inspection_trouble_names[filter->on_error]));
	}
	return filters;
}

static json_t *inspection_json(const struct inspection *inspection)
{
	json_t *value;

	if (!inspection)
		return json_null();
	value = json_pack("{s:s}", "name", inspection->name);
	for (enum inspection_check check = 0; check < INSPECTION_CHECKS; check++)
		json_object_set_new(value, inspection_check_names[check],
			json_string(inspection_action_names[inspection->actions[check]]));
	json_object_set_new(value, "on_error", json_string(inspection_trouble_names[inspection->on_error]));
	json_object_set_new(value, "filters", filters_json(inspection));
	return value;
}

static json_t *size_json(const struct explanation *explanation)
{
	const struct policy_rule *rule = explanation->decision.rule;

	return json_pack("{s:o, s:o}", "max", json_of_u64(rule ? rule->size_max : 0), "allowed",
		explanation->has_size ? json_boolean(explanation->is_size_allowed) : json_null());
}

static json_t *limit_json(const struct explained_limit *limit)
{
	const struct limit_rule *rule = limit->rule;

	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:o, s:o}", "name", rule->name, "count",
		limit_unit_names[rule->unit], "key", limit_key_names[rule->key], "value",
		limit->missing ? json_null() : json_of_span(limit->value), "rate", json_of_u64(rule->rate),
		"period_ms", json_of_u64(rule->period_us / 1000), "burst", json_of_u64(rule->burst), "action",
		limit_action_names[rule->action], "used",
		limit->is_known ? json_of_u64(explained_limit_used(limit)) : json_null(), "refuses_ms",
		limit->is_known ? json_of_u64((explained_limit_wait_us(limit) + 999) / 1000) : json_null());
}

static json_t *limits_json(const struct explanation *explanation)
{
	json_t *limits = json_array();

	for (size_t i = 0; i < explanation->limit_count; i++)
		json_array_append_new(limits, limit_json(&explanation->limits[i]));
	return limits;
}

json_t *explanation_json(const struct explanation *explanation)
{
	const struct policy_decision *decision = &explanation->decision;
	json_t *value = json_pack("{s:o, s:s, s:o, s:o, s:b}", "version", json_of_u64(explanation->version),
		"verdict", verdict_name(decision->verdict), "rule",
		text_or_null(decision->rule ? decision->rule->name : NULL), "would_help",
		text_or_null(decision->hope ? decision->hope->name : NULL), "final", decision->open == 0);

	json_object_set_new(value, "steps", steps_json(explanation));
	json_object_set_new(value, "rules_of_other_networks", json_of_u64(explanation->elsewhere));
	json_object_set_new(value, "size", size_json(explanation));
	json_object_set_new(value, "sender",
		explanation->has_sender
			? address_json(&explanation->sender, explanation->asked->counted.sender)
			: json_null());
	json_object_set_new(value, "inspection", inspection_json(explanation->inspection));
	json_object_set_new(value, "recipients", recipients_json(explanation));
	json_object_set_new(value, "limits", limits_json(explanation));
	return value;
}
