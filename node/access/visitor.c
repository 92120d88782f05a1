#include "access/visitor.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/arena.h"

void visitor_fini(struct visitor *visitor)
{
	mem_free(visitor->helo);
	mem_free(visitor->cert_subject);
	if (visitor->snapshot)
		policy_snapshot_unref(&visitor->snapshot);
}

static const struct span *spans_of(struct arena *arena, struct text_list list)
{
	struct span *spans = list.count ? arena_alloc(arena, list.count * sizeof(*spans)) : NULL;

	for (size_t i = 0; i < list.count; i++)
		spans[i] = span_of_str(list.items[i]);
	return spans;
}

static struct policy_subject subject_of(const struct visitor *visitor, struct arena *arena)
{
	return (struct policy_subject){
		.address = visitor->address,
		.listener = span_of_str(visitor->listener),
		.tls = visitor->tls,
		.cert_subject = span_of_str(visitor->cert_subject),
		.cert_sha256 = span_of_str(visitor->cert_sha256),
		.user = span_of_str(visitor->user),
		.groups = spans_of(arena, visitor->groups),
		.group_count = visitor->groups.count,
		.addresses = spans_of(arena, visitor->addresses),
		.address_count = visitor->addresses.count,
		.helo = span_of_str(visitor->helo),
		.later = visitor->later,
	};
}

void visitor_ask(struct visitor *visitor, struct policy_slot *slot)
{
	struct arena arena = { 0 };
	const struct policy_subject subject = subject_of(visitor, &arena);

	if (visitor->snapshot)
		policy_snapshot_unref(&visitor->snapshot);
	visitor->snapshot = policy_slot_get(slot);
	policy_decide(visitor->snapshot->policy, &subject, &visitor->decision);
	arena_fini(&arena);
}

bool visitor_may_send_as(const struct visitor *visitor, struct span sender)
{
	struct arena arena = { 0 };
	const struct policy_subject subject = subject_of(visitor, &arena);
	const char *entry;
	bool may = policy_sender_allowed(
		visitor->snapshot->policy, &visitor->decision, &subject, sender, &entry);

	arena_fini(&arena);
	return may;
}

bool visitor_may_send_to(const struct visitor *visitor, struct span address)
{
	const char *entry;

	return policy_recipient_allowed(visitor->snapshot->policy, &visitor->decision, address, &entry);
}

uint64_t visitor_size_max(const struct visitor *visitor)
{
	return visitor->decision.rule ? visitor->decision.rule->size_max : 0;
}

const struct inspection *visitor_inspection(const struct visitor *visitor)
{
	struct arena arena = { 0 };
	const struct policy_subject subject = subject_of(visitor, &arena);
	const struct inspection *inspection = policy_find_inspection(
		visitor->snapshot->policy, &subject, span_of_str(visitor_rule(visitor)));

	arena_fini(&arena);
	return inspection;
}

const char *visitor_rule(const struct visitor *visitor)
{
	return visitor->decision.rule ? visitor->decision.rule->name : "";
}
