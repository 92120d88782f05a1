#include "dns_senders.h"

#include "skein/proto/base/alloc.h"

enum ctl_exit dns_senders_load(
	struct dns_senders *senders, struct session *session, const struct secret_keys *keys)
{
	struct policy_file file = { .version = { 0, 0 } };
	enum ctl_exit exit = policy_file_load_current(&file, session);

	if (!exit) {
		senders->policy = policy_file_check(&file, "policy");
		exit = senders->policy ? dkim_rows_load(&senders->keys, session, keys) : CTL_NEGATIVE;
	}
	policy_file_fini(&file);
	return exit;
}

void dns_senders_fini(struct dns_senders *senders)
{
	if (senders->policy)
		policy_free(&senders->policy);
	dkim_rows_fini(&senders->keys);
}

static bool signs(const struct policy_signing *signing, const struct dkim_row *row)
{
	bool is_selected = signing->selectors.count == 0;

	for (size_t i = 0; i < signing->selectors.count && !is_selected; i++)
		is_selected = span_eq_nocase(row->name.selector, span_of_str(signing->selectors.items[i]));
	return is_selected && row->state == DKIM_STATE_ACTIVE &&
	       span_eq_nocase(row->name.domain, span_of_str(signing->domain));
}

size_t dns_senders_keys(const struct dns_senders *senders, struct span domain, struct dns_check_key *keys_out)
{
	char *lower = mem_strndup(domain.ptr, domain.len);
	struct span author = span_of(lower, domain.len);
	const struct policy_signing *signing;
	size_t count = 0;

	for (size_t i = 0; i < domain.len; i++)
		lower[i] = ascii_lower(lower[i]);
	signing = policy_signing_for(senders->policy, &author, 1, author);
	for (size_t i = 0; signing && i < senders->keys.count && count < DNS_CHECK_KEYS_MAX; i++) {
		const struct dkim_row *row = &senders->keys.rows[i];

		if (signs(signing, row))
			keys_out[count++] = (struct dns_check_key){
				.domain = row->name.domain, .selector = row->name.selector, .key = row->key
			};
	}
	mem_free(lower);
	return count;
}
