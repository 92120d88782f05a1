#include "auth/identity.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/arena.h"

#include <stdatomic.h>

struct counted_identity {
	struct identity public;
	atomic_uint refs;
	struct arena arena;
};

static struct counted_identity *counted(const struct identity *identity)
{
	return (struct counted_identity *)(uintptr_t)identity;
}

static struct text_list copy_list(struct arena *arena, struct text_list from)
{
	const char **items = arena_alloc(arena, (from.count + 1) * sizeof(*items));

	for (size_t i = 0; i < from.count; i++)
		items[i] = arena_strdup(arena, span_of_str(from.items[i]));
	return (struct text_list){ items, from.count };
}

struct identity *identity_new(const struct identity *fields)
{
	struct counted_identity *identity = mem_zalloc(sizeof(*identity));
	struct arena *arena = &identity->arena;

	identity->refs = 1;
	identity->public = (struct identity){
		.user = arena_strdup(arena, span_of_str(fields->user)),
		.sid = arena_strdup(arena, span_of_str(fields->sid)),
		.backend = fields->backend,
		.state = fields->state,
		.groups = copy_list(arena, fields->groups),
		.addresses = copy_list(arena, fields->addresses),
	};
	return &identity->public;
}

struct identity *identity_ref(struct identity *identity)
{
	atomic_fetch_add(&counted(identity)->refs, 1);
	return identity;
}

void identity_unref(struct identity **identity_ptr)
{
	struct counted_identity *identity;

	if (!*identity_ptr)
		return;
	identity = counted(*identity_ptr);
	*identity_ptr = NULL;
	if (atomic_fetch_sub(&identity->refs, 1) > 1)
		return;
	arena_fini(&identity->arena);
	mem_free(identity);
}

static bool has(struct text_list list, const char *text)
{
	for (size_t i = 0; i < list.count; i++)
		if (span_eq_nocase(span_of_str(list.items[i]), span_of_str(text)))
			return true;
	return false;
}

bool identity_is_member(const struct identity *identity, const char *group)
{
	return has(identity->groups, group);
}

bool identity_has_address(const struct identity *identity, const char *address)
{
	return has(identity->addresses, address);
}

void judgement_set(
	struct judgement *judgement, enum verdict verdict, const char *why, struct identity *identity)
{
	identity_unref(&judgement->identity);
	*judgement = (struct judgement){ .verdict = verdict, .why = why, .identity = identity };
}

void judgement_set_state(struct judgement *judgement, struct identity *identity)
{
	enum account_state state = identity->state;

	judgement_set(judgement, state == ACCOUNT_OK ? VERDICT_ACCEPTED : VERDICT_REFUSED_STATE,
		account_state_why(state), identity);
}

void judgement_fini(struct judgement *judgement)
{
	identity_unref(&judgement->identity);
}

const char *account_state_why(enum account_state state)
{
	static const char *const words[ACCOUNT_STATE_COUNT] = {
		[ACCOUNT_OK] = "accepted",
		[ACCOUNT_DISABLED] = "account-disabled",
		[ACCOUNT_LOCKED] = "account-locked",
		[ACCOUNT_EXPIRED] = "account-expired",
		[ACCOUNT_PASSWORD_EXPIRED] = "password-expired",
		[ACCOUNT_MUST_CHANGE] = "password-must-change",
		[ACCOUNT_HOURS] = "logon-hours",
		[ACCOUNT_WORKSTATION] = "logon-workstation",
		[ACCOUNT_RESTRICTED] = "account-restricted",
	};

	return words[state];
}
