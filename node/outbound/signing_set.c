#include "outbound/signing_set.h"

#include "skein/cluster/dkim_secret.h"
#include "skein/cluster/secret_store.h"
#include "skein/proto/base/alloc.h"

struct signing_key {
	struct dkim_secret_name name; /* in the set's arena */
	struct dkim_key *key;
};

struct signing_set {
	atomic_uint refs;
	uint64_t number;
	struct policy_snapshot *policy;
	struct arena arena;
	struct signing_entry *entries; /* as the policy's */
	struct signing_key *keys;
	size_t key_count;
	const char *why_none;
};

struct signing_slot {
	pthread_mutex_t lock; /* of current */
	struct signing_set *current;
	struct log *log;
	uint64_t number;
};

/* --- keys --------------------------------------------------------------------------------------- */

static void tell_unusable(struct log *log, struct span name, const char *why)
{
	log_event(log, LOG_ERROR, "dkim-key-unusable", LOG_SPAN("name", name), LOG_STR("why", why), LOG_END);
}

static void add_key(struct signing_set *set, const struct secret_value *value, struct log *log)
{
	struct span secret_name = secret_value_name(value);
	struct dkim_secret_name name;
	struct dkim_secret secret;
	struct dkim_key *key;
	const char *why;

	if (!dkim_secret_name_parse(secret_name, &name))
		return;
	if (!dkim_secret_parse(secret_value_text(value), &secret)) {
		tell_unusable(log, secret_name, "was not made by skeinctl dkim create");
		return;
	}
	if (secret.state != DKIM_STATE_ACTIVE)
		return;
	if (dkim_key_parse(secret.pem, &key, &why)) {
		tell_unusable(log, secret_name, why);
		return;
	}
	name.domain = arena_dup(&set->arena, name.domain);
	name.selector = arena_dup(&set->arena, name.selector);
	set->keys[set->key_count++] = (struct signing_key){ name, key };
}

static void add_keys(struct signing_set *set, struct secrets *secrets, struct log *log)
{
	const struct secret_value *values[SECRETS_MAX];
	size_t count = secrets_get_all(secrets, values);

	set->keys = mem_alloc((count + 1) * sizeof(*set->keys));
	for (size_t i = 0; i < count; i++) {
		add_key(set, values[i], log);
		secret_value_unref(&values[i]);
	}
}

/* --- entries ------------------------------------------------------------------------------------ */

static bool is_selected(const struct policy_signing *signing, struct span selector)
{
	for (size_t i = 0; i < signing->selectors.count; i++)
		if (span_eq_nocase(span_of_str(signing->selectors.items[i]), selector))
			return true;
	return !signing->selectors.count;
}

static const struct dkim_signed_name *names_of(struct signing_set *set, const struct policy_signing *signing)
{
	size_t count = signing->headers.count;
	struct dkim_signed_name *names = count ? arena_alloc(&set->arena, count * sizeof(*names)) : NULL;

	for (size_t i = 0; i < count; i++)
		names[i] = (struct dkim_signed_name){ signing->headers.items[i], true };
	return names;
}

static void add_rule(
	struct signing_entry *entry, struct dkim_rule *rules, const struct dkim_rule *rule, struct log *log)
{
	const char *fault = dkim_rule_fault(rule);

	if (!fault && entry->rule_count == DKIM_RULES_MAX)
		fault = "is one more than the eight that sign a message; retire one";
	if (fault)
		tell_unusable(log, rule->selector, fault);
	else
		rules[entry->rule_count++] = *rule;
}

static void fill_entry(struct signing_set *set, const struct policy_signing *signing, struct log *log)
{
	struct signing_entry *entry = &set->entries[signing->number];
	struct dkim_rule *rules = arena_alloc(&set->arena, DKIM_RULES_MAX * sizeof(*rules));
	struct dkim_rule rule = {
		.domain = span_of_str(signing->domain),
		.identity = span_of_str(signing->identity),
		.header_canon = signing->is_header_simple ? DKIM_SIMPLE : DKIM_RELAXED,
		.body_canon = signing->is_body_simple ? DKIM_SIMPLE : DKIM_RELAXED,
		.names = names_of(set, signing),
		.name_count = signing->headers.count,
		.lifetime_s = signing->lifetime_s,
	};

	entry->rules = rules;
	entry->lifetime_s = signing->lifetime_s;
	for (size_t i = 0; i < set->key_count; i++) {
		rule.key = set->keys[i].key;
		rule.selector = set->keys[i].name.selector;
		if (span_eq(set->keys[i].name.domain, rule.domain) && is_selected(signing, rule.selector))
			add_rule(entry, rules, &rule, log);
	}
}

static const char *why_none(struct secrets *secrets)
{
	switch (secrets_state(secrets)) {
	case SECRETS_STANDALONE:
		return "a node that stands alone has no keys; they need redis.address and cluster.key_file";
	case SECRETS_NO_KEY:
		return "keys cannot be opened without cluster.key_file";
	case SECRETS_AWAITED:
		return "the keys are not read from Redis yet";
	case SECRETS_LOADED:
		break;
	}
	return "the domain has no active key: see skeinctl dkim list";
}

/* --- sets --------------------------------------------------------------------------------------- */

/* Moves the policy in. */
static struct signing_set *make_set(
	struct signing_slot *slot, struct policy_snapshot *policy, struct secrets *secrets)
{
	struct signing_set *set = mem_zalloc(sizeof(*set));
	const struct policy_signing *signings;
	size_t count;

	signings = policy_signings(policy->policy, &count);
	atomic_init(&set->refs, 1);
	set->number = ++slot->number;
	set->policy = policy;
	set->why_none = why_none(secrets);
	set->entries = arena_zalloc(&set->arena, count * sizeof(*set->entries));
	add_keys(set, secrets, slot->log);
	for (size_t i = 0; i < count; i++)
		fill_entry(set, &signings[i], slot->log);
	return set;
}

void signing_set_unref(struct signing_set **set_ptr)
{
	struct signing_set *set = *set_ptr;

	*set_ptr = NULL;
	if (!set || atomic_fetch_sub(&set->refs, 1) != 1)
		return;
	for (size_t i = 0; i < set->key_count; i++)
		dkim_key_free(&set->keys[i].key);
	mem_free(set->keys);
	policy_snapshot_unref(&set->policy);
	arena_fini(&set->arena);
	mem_free(set);
}

uint64_t signing_set_number(const struct signing_set *set)
{
	return set->number;
}

const struct signing_entry *signing_set_find(
	const struct signing_set *set, const struct span *authors, size_t author_count, struct span sender)
{
	const struct policy_signing *signing =
		policy_signing_for(set->policy->policy, authors, author_count, sender);

	return signing ? &set->entries[signing->number] : NULL;
}

const char *signing_set_why_none(const struct signing_set *set)
{
	return set->why_none;
}

/* --- the slot ----------------------------------------------------------------------------------- */

struct signing_slot *signing_slot_new(struct log *log)
{
	struct signing_slot *slot = mem_zalloc(sizeof(*slot));

	CHECK(pthread_mutex_init(&slot->lock, NULL) == 0);
	slot->log = log;
	return slot;
}

void signing_slot_free(struct signing_slot **slot)
{
	if (!*slot)
		return;
	signing_set_unref(&(*slot)->current);
	pthread_mutex_destroy(&(*slot)->lock);
	mem_free(*slot);
	*slot = NULL;
}

void signing_slot_refresh(struct signing_slot *slot, struct policy_slot *policy, struct secrets *secrets)
{
	struct policy_snapshot *snapshot = policy_slot_get(policy);
	struct signing_set *set = NULL, *old;
	size_t count;

	(void)policy_signings(snapshot->policy, &count);
	if (count)
		set = make_set(slot, snapshot, secrets);
	else
		policy_snapshot_unref(&snapshot);
	pthread_mutex_lock(&slot->lock);
	old = slot->current;
	slot->current = set;
	pthread_mutex_unlock(&slot->lock);
	signing_set_unref(&old);
}

struct signing_set *signing_slot_get(struct signing_slot *slot)
{
	struct signing_set *set;

	pthread_mutex_lock(&slot->lock);
	set = slot->current;
	if (set)
		atomic_fetch_add(&set->refs, 1);
	pthread_mutex_unlock(&slot->lock);
	return set;
}
