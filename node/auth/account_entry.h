/* account_entry: what a directory's entry says of an account. */
#ifndef NODE_AUTH_ACCOUNT_ENTRY_H
#define NODE_AUTH_ACCOUNT_ENTRY_H

#include "auth/identity.h"
#include "auth/sid.h"
#include "skein/proto/base/arena.h"

#include <ldap.h>

enum { ACCOUNT_ADDRESSES_MAX = 5000 };

/* All of it in the arena. */
struct account_entry {
	const char *dn, *account;
	struct sid sid;
	enum account_state state;
	const char **addresses;
	size_t address_count;
	uint64_t more_from; /* the server keeps more proxyAddresses, from this one on; 0: all are here */
};

/* What to ask for; ends with NULL. */
extern const char *const account_attributes[];

/* False: it is no user's entry. `now_s` is the time since 1970, for accounts that expire. */
bool account_entry_read(
	LDAP *ld, LDAPMessage *entry, uint64_t now_s, struct arena *arena, struct account_entry *account_out);
/* Adds the next part of the proxyAddresses, and sets `more_from`. */
void account_entry_read_more(
	LDAP *ld, LDAPMessage *entry, struct arena *arena, struct account_entry *account);

#endif
