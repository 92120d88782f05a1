#include "inspect/findings.h"

#include "inspect/dmarc_lookup.h"
/* Of several signatures the best counts. */
enum dkim_result findings_dkim(const struct findings *findings, size_t *index_out)
{
	static const unsigned rank[] = {
		[DKIM_RESULT_PASS] = 0,
		[DKIM_RESULT_TEMPERROR] = 1,
		[DKIM_RESULT_FAIL] = 2,
		[DKIM_RESULT_PERMERROR] = 3,
		[DKIM_RESULT_NEUTRAL] = 4,
	};
	size_t best = 0;

	*index_out = findings->dkim_count;
	if (findings->is_unread)
		return DKIM_RESULT_TEMPERROR;
	if (!findings->dkim_count)
		return findings->dkim_why ? DKIM_RESULT_NEUTRAL : DKIM_RESULT_NONE;
	for (size_t i = 1; i < findings->dkim_count; i++)
		if (rank[findings->dkim[i].result] < rank[findings->dkim[best].result])
			best = i;
	*index_out = best;
	return findings->dkim[best].result;
}

/*
 * Whether something that was not found out could have made it pass. Only what stands for the domain: whoever
 * signs in the name of a domain whose servers are silent gets nothing by it.
 */
static bool is_in_doubt(const struct findings *findings, const struct dmarc_verdict *verdict)
{
	if (findings->is_unread)
		return true;
	if (findings->spf && findings->spf->result == SPF_TEMPERROR &&
		dmarc_is_aligned(findings->spf->domain, verdict->from_domain, verdict->record.spf_alignment))
		return true;
	for (size_t i = 0; i < findings->dkim_count; i++)
		if (findings->dkim[i].result == DKIM_RESULT_TEMPERROR &&
			dmarc_is_aligned(findings->dkim[i].domain, verdict->from_domain,
				verdict->record.dkim_alignment))
			return true;
	return false;
}

static const struct dmarc_verdict *judge(const struct findings *findings, struct dmarc_lookup *lookup)
{
	struct span domains[DKIM_SIGNATURES_MAX];
	struct dmarc_request request = { .dkim_domains = domains };

	if (findings->spf && findings->spf->result == SPF_PASS)
		request.spf_domain = findings->spf->domain;
	for (size_t i = 0; i < findings->dkim_count; i++)
		if (findings->dkim[i].result == DKIM_RESULT_PASS)
			domains[request.dkim_count++] = findings->dkim[i].domain;
	return dmarc_lookup_judge(lookup, &request);
}

static bool is_worse(enum dmarc_result result, enum dmarc_policy disposition, const struct findings *than)
{
	static const unsigned rank[] = {
		[DMARC_PASS] = 0,
		[DMARC_NONE] = 1,
		[DMARC_PERMERROR] = 2,
		[DMARC_TEMPERROR] = 3,
		[DMARC_FAIL] = 4,
	};

	if (!than->dmarc)
		return true;
	if (rank[result] != rank[than->dmarc_result])
		return rank[result] > rank[than->dmarc_result];
	return disposition > than->disposition;
}

void findings_add_author(struct findings *findings, struct dmarc_lookup *lookup, uint32_t random)
{
	const struct dmarc_verdict *verdict = judge(findings, lookup);
	enum dmarc_policy disposition = dmarc_disposition(verdict, random);
	enum dmarc_result result = verdict->result;
	const char *why = verdict->problem;

	if (result == DMARC_FAIL && is_in_doubt(findings, verdict)) {
		result = DMARC_TEMPERROR;
		why = "SPF or DKIM of this domain cannot be looked up now";
		disposition = DMARC_POLICY_NONE;
	}
	if (!is_worse(result, disposition, findings))
		return;
	findings->dmarc = verdict;
	findings->dmarc_result = result;
	findings->dmarc_why = why;
	findings->disposition = disposition;
}
