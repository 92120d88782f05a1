#include "spf/check_internal.h"

#include "spf/name_internal.h"

/* RFC 7208 6.2: whatever goes wrong here, there is no explanation, and the result stands. */
static void on_explanation(struct spf_check *check, const struct spf_answer *answer)
{
	bool is_fit = answer->count == 1 && answer->records[0].len <= SPF_RECORD_LEN_MAX &&
		      !macro_check(answer->records[0], MACRO_EXPLANATION);

	if (is_fit)
		check->explanation = arena_dup(&check->arena, answer->records[0]);
	check->stage = is_fit ? STAGE_EXPLAIN_TEXT : STAGE_DONE;
}

void check_run_explain_name(struct spf_check *check)
{
	struct span name;

	if (!check_expand_name(check, check_top(check)->record.exp.domain, &name))
		return;
	if (name_is_askable(name))
		check_ask(check, SPF_QUERY_TXT, name, on_explanation);
	else
		check->stage = STAGE_DONE;
}

void check_run_explain_text(struct spf_check *check)
{
	struct buf text = { 0 };
	struct span name;

	/* For its %{p}; the name itself is of no use. */
	if (!check_expand_name(check, check->explanation, &name))
		return;
	macro_expand_text(check->explanation, &check->values, SPF_EXPLANATION_LEN_MAX, &text);
	check->verdict.explanation = arena_dup(&check->arena, buf_span(&text));
	check->stage = STAGE_DONE;
	buf_fini(&text);
}
