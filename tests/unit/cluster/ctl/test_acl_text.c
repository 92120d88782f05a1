#include "cmocka_all.h"

#include "acl_text.h"

struct row {
	enum acl_edit edit;
	const char *network, *before, *after, *why; /* one of the last two */
};

#define HEAD                                                                                                 \
	"clients:\n  - name: other\n    match: {network: 192.0.2.0/24}\n  - name: r # n\xc3\xb6te\n    "     \
	"match:\n      network:"
#define TAIL "    effect: allow # end\n"

static void check(const struct row *row, size_t index)
{
	struct buf text = { 0 }, why = { 0 };
	struct cidr network;
	bool is_ok;

	assert_null(cidr_parse(span_of_str(row->network), &network));
	is_ok = acl_text_edit(span_of_str(row->before), row->edit, SPAN_LIT("r"), &network, &text, &why);
	if (is_ok != (row->after != NULL) || !span_eq(is_ok ? buf_span(&text) : buf_span(&why),
						     span_of_str(is_ok ? row->after : row->why)))
		fail_msg("row %zu:\n%.*s%.*s", index, SPAN_ARGS(buf_span(&text)), SPAN_ARGS(buf_span(&why)));
	buf_fini(&text);
	buf_fini(&why);
}

static void one_entry_changes_and_nothing_else(void **state)
{
	static const struct row rows[] = {
		{ ACL_ADD, "10.2.0.0/16", HEAD "\n        - 10.1.0.0/16 # one\n" TAIL,
			HEAD "\n        - 10.1.0.0/16 # one\n        - 10.2.0.0/16\n" TAIL, NULL },
		{ ACL_ADD, "2001:db8::/32", HEAD "\n      - 10.1.0.0/16\n      # more to come\n\n" TAIL,
			HEAD "\n      - 10.1.0.0/16\n      - '2001:db8::/32'\n      # more to come\n\n" TAIL,
			NULL },
		{ ACL_ADD, "10.2.0.0/16", HEAD "\n        - 10.1.0.0/16",
			HEAD "\n        - 10.1.0.0/16\n        - 10.2.0.0/16\n", NULL },
		{ ACL_ADD, "10.2.0.0/16", HEAD " [10.1.0.0/16, 'list:x'] # two\n" TAIL,
			HEAD " [10.1.0.0/16, 'list:x', 10.2.0.0/16] # two\n" TAIL, NULL },
		{ ACL_ADD, "10.2.0.0/16", HEAD " [\n 10.1.0.0/16,\n ]\n" TAIL,
			HEAD " [\n 10.1.0.0/16, 10.2.0.0/16,\n ]\n" TAIL, NULL },
		{ ACL_ADD, "::1", HEAD " '10.1.0.0/16' # one\n" TAIL,
			HEAD " ['10.1.0.0/16', '::1/128'] # one\n" TAIL, NULL },
		{ ACL_ADD, "10.1.0.0/16", HEAD " [10.1.0.0/16]\n" TAIL, NULL,
			"10.1.0.0/16 is there already" },
		{ ACL_ADD, "10.1.2.3/32", HEAD " 10.1.2.3\n" TAIL, NULL, "10.1.2.3/32 is there already" },
		{ ACL_ADD, "192.0.2.0/24", HEAD " 10.1.2.3\n" TAIL, HEAD " [10.1.2.3, 192.0.2.0/24]\n" TAIL,
			NULL },
		{ ACL_ADD, "10.1.0.0/16", "clients:\n  - {name: r, effect: allow}\n", NULL,
			"the rule \"r\" has no match.network: it is about clients from everywhere" },
		{ ACL_ADD, "10.1.0.0/16", "clients: []\n", NULL, "there is no rule \"r\"" },
		{ ACL_REMOVE, "10.1.0.0/16",
			HEAD "\n        - 10.1.0.0/16 # one\n        - 10.2.0.0/16 # two\n" TAIL,
			HEAD "\n        - 10.2.0.0/16 # two\n" TAIL, NULL },
		{ ACL_REMOVE, "10.2.0.0/16",
			HEAD "\n        - 10.1.0.0/16\n        # about two\n        - 10.2.0.0/16\n" TAIL,
			HEAD "\n        - 10.1.0.0/16\n        # about two\n" TAIL, NULL },
		{ ACL_REMOVE, "10.1.0.0/16", HEAD " [10.1.0.0/16, 10.2.0.0/16, 10.3.0.0/16]\n" TAIL,
			HEAD " [10.2.0.0/16, 10.3.0.0/16]\n" TAIL, NULL },
		{ ACL_REMOVE, "10.2.0.0/16", HEAD " [10.1.0.0/16, 10.2.0.0/16, 10.3.0.0/16]\n" TAIL,
			HEAD " [10.1.0.0/16, 10.3.0.0/16]\n" TAIL, NULL },
		{ ACL_REMOVE, "10.3.0.0/16", HEAD " [10.1.0.0/16, 10.2.0.0/16, 10.3.0.0/16]\n" TAIL,
			HEAD " [10.1.0.0/16, 10.2.0.0/16]\n" TAIL, NULL },
		{ ACL_REMOVE, "10.9.0.0/16", HEAD " [10.1.0.0/16]\n" TAIL, NULL, "10.9.0.0/16 is not there" },
		{ ACL_REMOVE, "10.1.0.0/16", HEAD " [10.1.0.0/16]\n" TAIL, NULL,
			"10.1.0.0/16 is the only network of the rule: take the rule out, with skeinctl "
			"policy "
			"edit" },
		{ ACL_REMOVE, "10.1.0.0/16", HEAD " 10.1.0.0/16\n" TAIL, NULL,
			"10.1.0.0/16 is the only network of the rule: take the rule out, with skeinctl "
			"policy "
			"edit" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(&rows[i], i);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_entry_changes_and_nothing_else),
	};

	return cmocka_run_group_tests_name("acl_text", tests, NULL, NULL);
}
