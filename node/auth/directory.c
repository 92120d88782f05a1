#include "auth/directory_internal.h"

#include "auth/account_entry.h"
#include "auth/pool.h"
#include "io/wall_clock.h"
#include "skein/proto/base/alloc.h"
#include "track/log.h"

#include <stdio.h>
#include <stdlib.h>

enum { GROUPS_RETRY_MS = 60000 };

/* One login or look-up, for one server after the other until one answers. */
struct inquiry {
	struct ldap_query query; /* that finds the account */
	const char *password;    /* NULL, as is `turn`: proved already */
	bool is_name_only;
	const struct pool_turn *turn;
	bool may_have_counted; /* by a server that did not answer */
	struct arena arena;    /* begins anew with each server */
	struct judgement *judgement;
};

static int answer_inquiry(
	struct directory_thread *thread, struct directory_server *server, void *arg, bool *is_final);

struct directory *directory_new(const struct directory_options *options)
{
	struct directory *directory = mem_zalloc(sizeof(*directory));
	const char *realm = options->domain.realm;

	directory->options = *options;
	directory->servers = dc_list_new(options->servers.count);
	for (size_t i = 0; realm[i] && i + 1 < sizeof(directory->realm); i++)
		directory->realm[i] = ascii_lower(realm[i]);
	CHECK(pthread_mutex_init(&directory->lock, NULL) == 0);
	directory->groups = group_list_new((struct text_list){ NULL, 0 });
	return directory;
}

void directory_free(struct directory **directory)
{
	if (!*directory)
		return;
	group_list_unref(&(*directory)->groups);
	dc_list_free(&(*directory)->servers);
	pthread_mutex_destroy(&(*directory)->lock);
	mem_free(*directory);
	*directory = NULL;
}

void directory_check_password(struct directory_thread *thread, const char *login, const char *password,
	const struct pool_turn *turn, struct judgement *judgement_out)
{
	const struct directory_options *options = &thread->directory->options;
	struct buf filter = { 0 };
	struct inquiry inquiry = { .password = password, .turn = turn, .judgement = judgement_out };

	judgement_set(judgement_out, VERDICT_REFUSED_PASSWORD, "no-such-user", NULL);
	if (*password && login_filter(span_of_str(login), &options->domain, &filter)) {
		buf_append_byte(&filter, '\0');
		inquiry.query = (struct ldap_query){ options->base, buf_span(&filter).ptr, LDAP_SCOPE_SUBTREE,
			account_attributes, 2, options->timeout_ms };
		judgement_set(judgement_out, VERDICT_CANNOT_SAY, "directory-unavailable", NULL);
		if (!directory_ask(thread, turn->deadline_ms, answer_inquiry, &inquiry))
			judgement_set(judgement_out, VERDICT_CANNOT_SAY, "directory-unavailable", NULL);
		judgement_out->may_have_counted =
			judgement_out->verdict == VERDICT_CANNOT_SAY && inquiry.may_have_counted;
	}
	arena_fini(&inquiry.arena);
	buf_fini(&filter);
}

/* False: this is nobody's key. */
static bool make_query(const struct directory *directory, enum directory_key key, const char *value,
	struct buf *text, struct ldap_query *query_out)
{
	struct sid sid;
	bool is_good = true;

	*query_out = (struct ldap_query){ directory->options.base, NULL, LDAP_SCOPE_SUBTREE,
		account_attributes, 2, directory->options.timeout_ms };
	if (key == DIRECTORY_BY_SID) {
		is_good = sid_from_text(span_of_str(value), &sid);
		buf_printf(text, "(&(sAMAccountType=805306368)(objectSid=%s))", is_good ? value : "");
	} else if (key == DIRECTORY_BY_ACCOUNT) {
		buf_append_str(text, "(&(sAMAccountType=805306368)(sAMAccountName=");
		login_append_escaped(text, span_of_str(value));
		buf_append_str(text, "))");
	} else {
		is_good = login_filter(span_of_str(value), &directory->options.domain, text);
	}
	buf_append_byte(text, '\0');
	query_out->filter = buf_span(text).ptr;
	return is_good;
}

void directory_find_name(struct directory_thread *thread, const char *login, uint64_t deadline_ms,
	struct judgement *judgement_out)
{
	struct buf filter = { 0 };
	struct inquiry inquiry = { .is_name_only = true, .judgement = judgement_out };

	judgement_set(judgement_out, VERDICT_REFUSED_PASSWORD, "no-such-user", NULL);
	if (make_query(thread->directory, DIRECTORY_BY_LOGIN, login, &filter, &inquiry.query) &&
		!directory_ask(thread, deadline_ms, answer_inquiry, &inquiry))
		judgement_set(judgement_out, VERDICT_CANNOT_SAY, "directory-unavailable", NULL);
	arena_fini(&inquiry.arena);
	buf_fini(&filter);
}

void directory_look_up(struct directory_thread *thread, enum directory_key key, const char *value,
	uint64_t deadline_ms, struct judgement *judgement_out)
{
	struct buf filter = { 0 };
	struct inquiry inquiry = { .judgement = judgement_out };

	judgement_set(judgement_out, VERDICT_REFUSED_PASSWORD, "no-such-user", NULL);
	if (make_query(thread->directory, key, value, &filter, &inquiry.query) &&
		!directory_ask(thread, deadline_ms, answer_inquiry, &inquiry))
		judgement_set(judgement_out, VERDICT_CANNOT_SAY, "directory-unavailable", NULL);
	arena_fini(&inquiry.arena);
	buf_fini(&filter);
}

/* ---- the account ---- */

/* Large lists come in parts. */
static int read_all_addresses(
	struct directory_thread *thread, LDAP *ld, struct arena *arena, struct account_entry *account)
{
	while (account->more_from && account->more_from < ACCOUNT_ADDRESSES_MAX) {
		char attribute[64];
		const char *attributes[] = { attribute, NULL };
		LDAPMessage *found, *entry;
		int rc;

		snprintf(attribute, sizeof(attribute), "proxyAddresses;range=%llu-*",
			(unsigned long long)account->more_from);
		rc = ldap_conn_search(ld,
			&(struct ldap_query){ account->dn, "(objectClass=*)", LDAP_SCOPE_BASE, attributes, 1,
				thread->directory->options.timeout_ms },
			&found);
		entry = rc == LDAP_SUCCESS ? ldap_first_entry(ld, found) : NULL;
		account->more_from = 0;
		if (entry)
			account_entry_read_more(ld, entry, arena, account);
		ldap_msgfree(found);
		if (rc != LDAP_SUCCESS)
			return rc;
	}
	return LDAP_SUCCESS;
}

/* How many there are goes to `count_out`; `account_out` is set when it is one. */
static int find_account(struct directory_thread *thread, LDAP *ld, struct inquiry *inquiry,
	struct account_entry *account_out, int *count_out)
{
	LDAPMessage *found;
	int rc = ldap_conn_search(ld, &inquiry->query, &found);

	*count_out = 0;
	if (rc == LDAP_SUCCESS)
		*count_out = ldap_count_entries(ld, found);
	if (*count_out == 1 && !account_entry_read(ld, ldap_first_entry(ld, found), wall_clock_ms() / 1000,
				       &inquiry->arena, account_out))
		*count_out = 0;
	ldap_msgfree(found);
	if (*count_out == 1)
		rc = read_all_addresses(thread, ld, &inquiry->arena, account_out);
	return rc;
}

static struct identity *make_identity(const struct directory *directory, const struct account_entry *account,
	enum account_state state, struct text_list groups)
{
	struct buf user = { 0 };
	char sid[SID_TEXT_SIZE];
	struct identity *identity;

	sid_format(&account->sid, sid);
	buf_printf(&user, "%s@%s%c", account->account, directory->realm, '\0');
	identity = identity_new(&(struct identity){
		.user = buf_span(&user).ptr,
		.sid = sid,
		.backend = "ldap",
		.state = state,
		.groups = groups,
		.addresses = { account->addresses, account->address_count },
	});
	buf_fini(&user);
	return identity;
}

/* ---- groups ---- */

void directory_set_groups(struct directory *directory, struct text_list names)
{
	struct group_list *list = group_list_new(names), *old;

	pthread_mutex_lock(&directory->lock);
	old = directory->groups;
	directory->groups = list;
	pthread_mutex_unlock(&directory->lock);
	group_list_unref(&old);
}

static struct group_list *take_groups(struct directory *directory)
{
	struct group_list *list;

	pthread_mutex_lock(&directory->lock);
	list = group_list_ref(directory->groups);
	pthread_mutex_unlock(&directory->lock);
	return list;
}

static int find_group(
	struct directory_thread *thread, LDAP *ld, const char *name, struct group_list *list, size_t index)
{
	static const char *const attributes[] = { "objectSid", NULL };
	const struct directory_options *options = &thread->directory->options;
	bool is_dn = strchr(name, '=') != NULL;
	const char *slash = strchr(name, '\\');
	struct buf filter = { 0 };
	LDAPMessage *found, *entry;
	struct sid sid;
	int rc;

	buf_append_str(&filter, "(&(objectClass=group)(sAMAccountName=");
	login_append_escaped(&filter, span_of_str(slash ? slash + 1 : name));
	buf_append_str(&filter, "))");
	buf_append_byte(&filter, '\0');
	rc = ldap_conn_search(ld,
		&(struct ldap_query){ is_dn ? name : options->base,
			is_dn ? "(objectClass=group)" : buf_span(&filter).ptr,
			is_dn ? LDAP_SCOPE_BASE : LDAP_SCOPE_SUBTREE, attributes, 2, options->timeout_ms },
		&found);
	buf_fini(&filter);
	/* A name that is no name of the directory's. */
	if (rc == LDAP_INVALID_DN_SYNTAX)
		rc = LDAP_SUCCESS;
	entry = rc == LDAP_SUCCESS && ldap_count_entries(ld, found) == 1 ? ldap_first_entry(ld, found) : NULL;
	if (entry) {
		struct berval **values = ldap_get_values_len(ld, entry, "objectSid");

		if (values && values[0] &&
			sid_from_bytes(span_of(values[0]->bv_val, values[0]->bv_len), &sid))
			group_list_found(list, index, &sid);
		ldap_value_free_len(values);
	}
	ldap_msgfree(found);
	return rc;
}

/* Takes the place of `old` unless somebody else was quicker. */
static void publish_groups(struct directory *directory, struct group_list *old, struct group_list *found)
{
	struct group_list *drop = found;

	pthread_mutex_lock(&directory->lock);
	if (directory->groups == old) {
		drop = directory->groups;
		directory->groups = found;
	}
	pthread_mutex_unlock(&directory->lock);
	group_list_unref(&drop);
}

/* Looks for the groups whose SIDs are not known; those that are not there once a minute. */
static int complete_groups(struct directory_thread *thread, LDAP *ld, struct group_list **list)
{
	uint64_t now_ms = pool_now_ms();
	struct group_list *found;
	int rc = LDAP_SUCCESS;

	if (!(*list)->missing || ((*list)->looked_at_ms && now_ms < (*list)->looked_at_ms + GROUPS_RETRY_MS))
		return LDAP_SUCCESS;
	found = group_list_copy(*list);
	found->looked_at_ms = now_ms;
	for (size_t i = 0; i < found->count && rc == LDAP_SUCCESS; i++) {
		if (found->items[i].sid.len)
			continue;
		rc = find_group(thread, ld, found->items[i].name, found, i);
		if (rc == LDAP_SUCCESS && !found->items[i].sid.len)
			log_event(thread->log, LOG_WARN, "directory-group-unknown",
				LOG_STR("group", found->items[i].name), LOG_END);
	}
	if (rc == LDAP_SUCCESS)
		publish_groups(thread->directory, *list, group_list_ref(found));
	group_list_unref(list);
	*list = found;
	return rc;
}

/* All SIDs of the account's token: nested groups, the primary one, built-in ones. Only a base search has it.
 */
static int read_token(struct directory_thread *thread, LDAP *ld, const char *dn, struct berval ***values_out)
{
	static const char *const attributes[] = { "tokenGroups", NULL };
	LDAPMessage *found, *entry;
	int rc = ldap_conn_search(ld,
		&(struct ldap_query){ dn, "(objectClass=*)", LDAP_SCOPE_BASE, attributes, 1,
			thread->directory->options.timeout_ms },
		&found);

	*values_out = NULL;
	entry = rc == LDAP_SUCCESS ? ldap_first_entry(ld, found) : NULL;
	if (entry)
		*values_out = ldap_get_values_len(ld, entry, "tokenGroups");
	ldap_msgfree(found);
	return rc;
}

/* NULL in `identity_out` with LDAP_SUCCESS: we may not read the groups. */
static int add_groups(struct directory_thread *thread, LDAP *ld, const struct account_entry *account,
	struct group_list *list, struct arena *arena, struct identity **identity_out)
{
	const char **names = arena_alloc(arena, (list->count + 1) * sizeof(*names));
	struct berval **values;
	struct span *sids;
	size_t count = 0;
	int rc = read_token(thread, ld, account->dn, &values);

	*identity_out = NULL;
	if (rc == LDAP_SUCCESS && values && values[0]) {
		count = (size_t)ldap_count_values_len(values);
		sids = arena_alloc(arena, count * sizeof(*sids));
		for (size_t i = 0; i < count; i++)
			sids[i] = span_of(values[i]->bv_val, values[i]->bv_len);
		count = group_list_match(list, sids, count, names);
		*identity_out = make_identity(
			thread->directory, account, account->state, (struct text_list){ names, count });
	}
	ldap_value_free_len(values);
	return rc;
}

static int read_identity(struct directory_thread *thread, LDAP *ld, const struct account_entry *account,
	struct arena *arena, struct identity **identity_out)
{
	struct group_list *list = take_groups(thread->directory);
	int rc = complete_groups(thread, ld, &list);

	*identity_out = NULL;
	if (rc == LDAP_SUCCESS && list->count)
		rc = add_groups(thread, ld, account, list, arena, identity_out);
	else if (rc == LDAP_SUCCESS)
		*identity_out = make_identity(
			thread->directory, account, account->state, (struct text_list){ NULL, 0 });
	group_list_unref(&list);
	return rc;
}

/* ---- the verdict ---- */

/* What Active Directory adds to a refused bind. All but the first two come only with the right password. */
static void judge_refusal(const struct directory *directory, const struct account_entry *account,
	unsigned data, struct judgement *judgement)
{
	static const struct {
		unsigned data;
		enum account_state state;
	} rows[] = {
		{ 0x530, ACCOUNT_HOURS },
		{ 0x531, ACCOUNT_WORKSTATION },
		{ 0x532, ACCOUNT_PASSWORD_EXPIRED },
		{ 0x533, ACCOUNT_DISABLED },
		{ 0x568, ACCOUNT_RESTRICTED },
		{ 0x701, ACCOUNT_EXPIRED },
		{ 0x773, ACCOUNT_MUST_CHANGE },
		{ 0x775, ACCOUNT_LOCKED },
	};
	const struct text_list none = { NULL, 0 };

	judgement_set(judgement, VERDICT_REFUSED_PASSWORD, "wrong-password",
		make_identity(directory, account, account->state, none));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].data == data)
			judgement_set_state(
				judgement, make_identity(directory, account, rows[i].state, none));
	judgement->code = data;
}

/* Takes as long as a wrong password does, so that nobody learns which names there are. */
static int refuse_unknown(struct directory_thread *thread, struct directory_server *server,
	struct inquiry *inquiry, int count, bool *is_final)
{
	struct directory_bind bind = { .password = inquiry->password };
	struct buf dn = { 0 };
	int rc = LDAP_SUCCESS;

	buf_printf(&dn, "CN=no-such-user,%s%c", thread->directory->options.base, '\0');
	bind.dn = buf_span(&dn).ptr;
	if (inquiry->password)
		rc = directory_bind_user(thread, server, &bind, is_final);
	buf_fini(&dn);
	judgement_set(inquiry->judgement, VERDICT_REFUSED_PASSWORD, count ? "ambiguous-name" : "no-such-user",
		NULL);
	return ldap_conn_is_trouble(rc) ? rc : LDAP_SUCCESS;
}

static int prove_password(struct directory_thread *thread, struct directory_server *server,
	struct inquiry *inquiry, const struct account_entry *account, bool *is_final)
{
	struct directory_bind bind = { account->dn, inquiry->password, inquiry->turn, 0, false };
	int rc = directory_bind_user(thread, server, &bind, is_final);

	inquiry->may_have_counted |= bind.is_unanswered;
	if (rc == LDAP_SUCCESS) {
		inquiry->may_have_counted = false;
		pool_settle(inquiry->turn);
	}
	if (rc == LDAP_INVALID_CREDENTIALS)
		judge_refusal(thread->directory, account, bind.data, inquiry->judgement);
	return rc;
}

static int answer_inquiry(
	struct directory_thread *thread, struct directory_server *server, void *arg, bool *is_final)
{
	struct inquiry *inquiry = arg;
	struct account_entry account;
	struct identity *identity;
	int count, rc;

	arena_reset(&inquiry->arena);
	rc = find_account(thread, server->service, inquiry, &account, &count);
	if (rc != LDAP_SUCCESS)
		return rc;
	if (count != 1)
		return refuse_unknown(thread, server, inquiry, count, is_final);
	if (inquiry->is_name_only) {
		judgement_set(inquiry->judgement, VERDICT_ACCEPTED, "named",
			make_identity(
				thread->directory, &account, account.state, (struct text_list){ NULL, 0 }));
		return LDAP_SUCCESS;
	}
	if (inquiry->password)
		rc = prove_password(thread, server, inquiry, &account, is_final);
	if (rc == LDAP_USER_CANCELLED) /* says nothing of the server */
		return LDAP_SUCCESS;
	if (rc != LDAP_SUCCESS)
		return rc;
	rc = read_identity(thread, server->service, &account, &inquiry->arena, &identity);
	if (rc != LDAP_SUCCESS)
		return rc;
	if (identity) {
		judgement_set_state(inquiry->judgement, identity);
	} else {
		log_event(thread->log, LOG_ERROR, "directory-groups-hidden", LOG_STR("server", server->uri),
			LOG_STR("dn", account.dn), LOG_END);
		judgement_set(inquiry->judgement, VERDICT_CANNOT_SAY, "groups-hidden", NULL);
	}
	return LDAP_SUCCESS;
}

/* ---- the domain's rule for wrong passwords ---- */

static int64_t number_of(LDAP *ld, LDAPMessage *entry, const char *attribute)
{
	struct berval **values = ldap_get_values_len(ld, entry, attribute);
	int64_t number = values && values[0] ? strtoll(values[0]->bv_val, NULL, 10) : 0;

	ldap_value_free_len(values);
	return number;
}

static int answer_lockout(
	struct directory_thread *thread, struct directory_server *server, void *arg, bool *is_final)
{
	static const char *const attributes[] = { "lockoutThreshold", "lockOutObservationWindow", NULL };
	const struct directory_options *options = &thread->directory->options;
	struct directory_lockout *lockout = arg;
	LDAPMessage *found, *entry;
	int rc = ldap_conn_search(server->service,
		&(struct ldap_query){ options->base, "(objectClass=domain)", LDAP_SCOPE_BASE, attributes, 1,
			options->timeout_ms },
		&found);

	(void)is_final;
	entry = rc == LDAP_SUCCESS ? ldap_first_entry(server->service, found) : NULL;
	if (entry) {
		int64_t threshold = number_of(server->service, entry, "lockoutThreshold");
		int64_t window = number_of(server->service, entry, "lockOutObservationWindow");

		/* Kept as a negative number of 100 ns. */
		lockout->threshold = threshold > 0 ? (uint64_t)threshold : 0;
		lockout->window_ms = window < 0 && window > INT64_MIN ? (uint64_t)-window / 10000 : 0;
	}
	ldap_msgfree(found);
	return rc;
}

enum err directory_read_lockout(
	struct directory_thread *thread, uint64_t deadline_ms, struct directory_lockout *lockout_out)
{
	*lockout_out = (struct directory_lockout){ 0, 0 };
	return directory_ask(thread, deadline_ms, answer_lockout, lockout_out) ? ERR_OK : ERR_TIMEOUT;
}
