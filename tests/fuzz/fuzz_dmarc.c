/*
 * Any answers to an evaluation of DMARC. The first line is the domain of From, the second the one of SPF and
 * DKIM; each further one answers a question: "n" none, "t" an error, anything else records parted by tabs.
 * Checked: questions are two at most and can be asked, and what a verdict promises.
 */
#include "skein/proto/base/check.h"
#include "skein/proto/dmarc/dmarc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECORDS_MAX = 4 };

static struct span take_until(struct span *rest, char byte)
{
	struct span taken = span_take(*rest, span_find(*rest, byte));

	*rest = span_drop(*rest, taken.len < rest->len ? taken.len + 1 : taken.len);
	return taken;
}

static struct dmarc_answer make_answer(struct span line, struct span records[RECORDS_MAX])
{
	struct dmarc_answer answer = { DMARC_ANSWER_RECORDS, records, 0 };

	if (span_eq(line, SPAN_LIT("n")))
		answer.status = DMARC_ANSWER_NONE;
	else if (span_eq(line, SPAN_LIT("t")))
		answer.status = DMARC_ANSWER_TEMPERROR;
	while (line.len && answer.count < RECORDS_MAX)
		records[answer.count++] = take_until(&line, '\t');
	return answer;
}

static void check_record(const struct dmarc_record *record)
{
	struct span lists[2] = { record->reports, record->failure_reports };
	struct dmarc_uri uri;

	CHECK(record->policy <= DMARC_POLICY_REJECT && record->subdomain_policy <= DMARC_POLICY_REJECT);
	CHECK(record->percent <= 100 && record->failures > 0 && record->failures < 16);
	CHECK(record->problem_count <= DMARC_PROBLEMS_MAX);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		while (dmarc_uri_next(&lists[i], &uri))
			CHECK(uri.text.len <= record->reports.len + record->failure_reports.len);
}

static void check_verdict(const struct dmarc_verdict *verdict)
{
	bool is_judged = verdict->result == DMARC_PASS || verdict->result == DMARC_FAIL;

	CHECK(dmarc_result_name(verdict->result));
	CHECK((verdict->problem == NULL) == is_judged);
	CHECK((verdict->result == DMARC_PASS) == (verdict->spf_is_aligned || verdict->aligned_dkim.len));
	CHECK(!is_judged || verdict->policy_domain.len);
	if (is_judged)
		check_record(&verdict->record);
	CHECK(dmarc_disposition(verdict, 7) <= verdict->policy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_of((const char *)data, size), name, identity;
	struct dmarc_request request = { .from_domain = take_until(&rest, '\n') };
	struct dmarc_check *check;
	unsigned questions = 0;

	identity = take_until(&rest, '\n');
	request.spf_domain = identity;
	request.dkim_domains = &identity;
	request.dkim_count = 1;
	check = dmarc_check_new(&request);
	while (dmarc_check_question(check, &name)) {
		struct span records[RECORDS_MAX];
		struct dmarc_answer answer = make_answer(take_until(&rest, '\n'), records);

		CHECK(++questions <= 2);
		CHECK(name.len > 7 && name.len <= DMARC_DOMAIN_LEN_MAX);
		dmarc_check_answer(check, &answer);
	}
	check_verdict(dmarc_check_verdict(check));
	dmarc_check_free(&check);
	return 0;
}
