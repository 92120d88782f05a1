/* Documents, and what the policy's compiler tells of them. */
#ifndef TESTS_POLICY_ROWS_H
#define TESTS_POLICY_ROWS_H

#include "cmocka_all.h"

#include "skein/cluster/policy.h"

struct policy_row {
	const char *text, *told;
};

static void check_rows(const struct policy_row *rows, size_t count, bool is_policy)
{
	for (size_t i = 0; i < count; i++) {
		struct report report = { 0 };
		struct policy *policy = policy_parse(span_of_str(rows[i].text), "p.yaml", &report);

		if (!span_eq(buf_span(&report.text), span_of_str(rows[i].told)))
			fail_msg("%s\ntells:\n%.*s\nnot:\n%s", rows[i].text,
				SPAN_ARGS(buf_span(&report.text)), rows[i].told);
		assert_int_equal(policy != NULL, is_policy);
		policy_free(&policy);
		report_fini(&report);
	}
}

#endif
