/* dns_findings: what a check of a domain's DNS has found, for people and for programs. */
#ifndef CTL_DNS_FINDINGS_H
#define CTL_DNS_FINDINGS_H

#include "skein/proto/dnscheck/dns_check.h"

#include <jansson.h>

/* A table of all, then what to do about those that are not ok. */
void dns_findings_print(const char *domain, const struct dns_report *report);
json_t *dns_findings_json(const char *domain, const struct dns_report *report);

#endif
