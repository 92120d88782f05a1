#include "auth/account_entry.h"

#include <stdlib.h>

/* [MS-ADTS] 2.2.16 */
enum { UAC_DISABLED = 0x2, UAC_LOCKED = 0x10, UAC_PASSWORD_EXPIRED = 0x800000 };

#define FILETIME_NEVER  INT64_MAX
#define FILETIME_1970   116444736000000000 /* 100 ns since 1601 */
#define FILETIME_SECOND 10000000

const char *const account_attributes[] = { "sAMAccountName", "objectSid", "userAccountControl",
	"msDS-User-Account-Control-Computed", "accountExpires", "pwdLastSet", "mail", "proxyAddresses",
	NULL };

static const char *read_text(LDAP *ld, LDAPMessage *entry, const char *attribute, struct arena *arena)
{
	struct berval **values = ldap_get_values_len(ld, entry, attribute);
	const char *text =
		values && values[0] ? arena_strdup(arena, span_of(values[0]->bv_val, values[0]->bv_len)) : "";

	ldap_value_free_len(values);
	return text;
}

static int64_t read_number(LDAP *ld, LDAPMessage *entry, const char *attribute, struct arena *arena)
{
	return strtoll(read_text(ld, entry, attribute, arena), NULL, 10);
}

static bool has_attribute(LDAP *ld, LDAPMessage *entry, const char *attribute)
{
	struct berval **values = ldap_get_values_len(ld, entry, attribute);
	bool is_there = values && values[0];

	ldap_value_free_len(values);
	return is_there;
}

static bool read_sid(LDAP *ld, LDAPMessage *entry, struct sid *sid_out)
{
	struct berval **values = ldap_get_values_len(ld, entry, "objectSid");
	bool is_good =
		values && values[0] && sid_from_bytes(span_of(values[0]->bv_val, values[0]->bv_len), sid_out);

	ldap_value_free_len(values);
	return is_good;
}

/* userAccountControl alone only tells who is disabled. */
static enum account_state read_state(LDAP *ld, LDAPMessage *entry, uint64_t now_s, struct arena *arena)
{
	int64_t uac = read_number(ld, entry, "userAccountControl", arena);
	int64_t computed = read_number(ld, entry, "msDS-User-Account-Control-Computed", arena);
	int64_t expires = read_number(ld, entry, "accountExpires", arena);
	int64_t now = (int64_t)now_s * FILETIME_SECOND + FILETIME_1970;

	if (uac & UAC_DISABLED)
		return ACCOUNT_DISABLED;
	if (computed & UAC_LOCKED)
		return ACCOUNT_LOCKED;
	if (expires != 0 && expires != FILETIME_NEVER && expires < now)
		return ACCOUNT_EXPIRED;
	if (computed & UAC_PASSWORD_EXPIRED)
		return has_attribute(ld, entry, "pwdLastSet") &&
				       read_number(ld, entry, "pwdLastSet", arena) == 0
			       ? ACCOUNT_MUST_CHANGE
			       : ACCOUNT_PASSWORD_EXPIRED;
	return ACCOUNT_OK;
}

static const char *lower_case(struct arena *arena, struct span text)
{
	char *copy = arena_strdup(arena, text);

	for (char *at = copy; *at; at++)
		*at = ascii_lower(*at);
	return copy;
}

static void add_address(struct arena *arena, struct account_entry *account, struct span text, bool is_main)
{
	const char *address;

	if (!text.len || account->address_count == ACCOUNT_ADDRESSES_MAX)
		return;
	address = lower_case(arena, text);
	for (size_t i = 0; i < account->address_count; i++)
		if (strcmp(account->addresses[i], address) == 0)
			return;
	if (is_main && account->address_count) {
		account->addresses[account->address_count++] = account->addresses[0];
		account->addresses[0] = address;
	} else {
		account->addresses[account->address_count++] = address;
	}
}

/* "SMTP:main", "smtp:other"; X500, SIP and others are no addresses of ours. */
static void add_proxy_address(struct arena *arena, struct account_entry *account, struct span value)
{
	if (span_starts_with_nocase(value, SPAN_LIT("smtp:")))
		add_address(arena, account, span_drop(value, 5), span_starts_with(value, SPAN_LIT("SMTP:")));
}

/* Of "proxyAddresses;range=0-1499" 1500; of "...;range=1500-*", and without a range, 0. */
static uint64_t next_of_range(const char *attribute)
{
	const char *dash = strrchr(attribute, '-');

	return strstr(attribute, ";range=") && dash && dash[1] != '*' ? strtoull(dash + 1, NULL, 10) + 1 : 0;
}

void account_entry_read_more(LDAP *ld, LDAPMessage *entry, struct arena *arena, struct account_entry *account)
{
	BerElement *walk = NULL;

	account->more_from = 0;
	for (char *name = ldap_first_attribute(ld, entry, &walk); name;
		name = ldap_next_attribute(ld, entry, walk)) {
		struct berval **values = NULL;

		if (strncasecmp(name, "proxyAddresses", strlen("proxyAddresses")) == 0)
			values = ldap_get_values_len(ld, entry, name);
		for (size_t i = 0; values && values[i]; i++)
			add_proxy_address(arena, account, span_of(values[i]->bv_val, values[i]->bv_len));
		/* The plain name stands beside the range without values. */
		if (values && values[0])
			account->more_from = next_of_range(name);
		ldap_value_free_len(values);
		ldap_memfree(name);
	}
	ber_free(walk, 0);
}

bool account_entry_read(
	LDAP *ld, LDAPMessage *entry, uint64_t now_s, struct arena *arena, struct account_entry *account_out)
{
	char *dn = ldap_get_dn(ld, entry);

	*account_out = (struct account_entry){ .dn = arena_strdup(arena, span_of_str(dn ? dn : "")) };
	ldap_memfree(dn);
	account_out->account = lower_case(arena, span_of_str(read_text(ld, entry, "sAMAccountName", arena)));
	if (!*account_out->dn || !*account_out->account || !read_sid(ld, entry, &account_out->sid))
		return false;
	account_out->state = read_state(ld, entry, now_s, arena);
	account_out->addresses = arena_alloc(arena, ACCOUNT_ADDRESSES_MAX * sizeof(*account_out->addresses));
	add_address(arena, account_out, span_of_str(read_text(ld, entry, "mail", arena)), true);
	account_entry_read_more(ld, entry, arena, account_out);
	return true;
}
