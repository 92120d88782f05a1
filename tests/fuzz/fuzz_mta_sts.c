/*
 * A record of MTA-STS or TLS-RPT, a line, then the text of a policy. Checked: what is good keeps its bounds,
 * and a policy means the hosts that it names.
 */
#include "skein/proto/base/check.h"
#include "skein/proto/wire/mta_sts.h"
#include "skein/proto/wire/tls_rpt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_records(struct span text)
{
	struct span found, uri;

	if (!mta_sts_record_parse(text, &found)) {
		CHECK(mta_sts_record_is_one(text));
		CHECK(found.len > 0 && found.len <= MTA_STS_ID_LEN_MAX);
	}
	if (!tls_rpt_record_parse(text, &found)) {
		CHECK(tls_rpt_record_is_one(text) && found.len > 0);
		while (tls_rpt_uri_next(&found, &uri))
			CHECK(uri.len > 0);
	}
}

static void check_policy(const struct mta_sts_policy *policy)
{
	CHECK(mta_sts_mode_name(policy->mode));
	CHECK(policy->max_age_s <= MTA_STS_AGE_MAX_S);
	CHECK(policy->pattern_count > 0 || policy->mode == MTA_STS_NONE);
	CHECK(policy->pattern_count <= MTA_STS_PATTERNS_MAX);
	for (size_t i = 0; i < policy->pattern_count; i++)
		CHECK(policy->patterns[i].ptr[0] == '*' || mta_sts_policy_has(policy, policy->patterns[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of((const char *)data, size);
	size_t end = span_find(text, '\n');
	struct arena arena = { 0 };
	struct mta_sts_policy policy;
	struct mta_sts_problem problem;

	check_records(span_take(text, end));
	if (mta_sts_policy_parse(span_drop(text, end < text.len ? end + 1 : end), &arena, &policy, &problem))
		check_policy(&policy);
	else
		CHECK(problem.what);
	arena_fini(&arena);
	return 0;
}
