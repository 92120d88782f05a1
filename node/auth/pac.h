/* pac: the part of a ticket's privilege attributes that names the account ([MS-PAC] 2.10). Pure. */
#ifndef NODE_AUTH_PAC_H
#define NODE_AUTH_PAC_H

#include "auth/sid.h"

/*
 * `upn_dns_info` is the whole UPN_DNS_INFO. False: it is damaged, or has no SID, as from domain controllers
 * without the updates of November 2021.
 */
bool pac_read_sid(struct span upn_dns_info, struct sid *sid_out) WARN_UNUSED;

#endif
