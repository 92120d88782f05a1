#!/usr/bin/python3
"""Each rule sees what it forbids, and lets pass what it does not."""
import unittest

from doc_rules import check

TREE = {
    "node/run/node.c": 'static void begin_drain(struct node *node)\n{\n\tlog_event(node->log, is_on ? LOG_INFO : LOG_WARN, '
                       'is_on ? "leaving" : "not-leaving", LOG_STR("why", "other-text"), LOG_END);\n\tstop(node);\n}\n',
    "cluster/redis/functions/accept.lua": "function accept.adopt(k, args)\nend\nlocal function merge(k)\nend\n",
    "tests/system/test_drain.py": "def drain():\n    pass\n",
    "docs/flow.md": None,
    "docs/decisions/ring.md": None,
    "README.md": None,
}
EVENTS = "| `leaving` | info |\n| `not-leaving` | warn |\n"

ROWS = [
    # rules that must fire, path, text
    ({"files_exist"}, "README.md", "see `node/run/gone.c`"),
    ({"files_exist"}, "README.md", "see gone.c and uv.h"),
    ({"files_exist"}, "docs/flow.md", "`docs/none.md` says so."),
    ({"files_exist"}, "docs/flow.md", "test_gone.py proves it"),
    (set(), "docs/flow.md", "`node/run/node.c`, node.c, test_drain.py, /etc/skein/skeind.yaml, <uv.h>, e.g. hiredis.h."),
    ({"links_lead_somewhere"}, "docs/flow.md", "[a](decisions/none.md)"),
    (set(), "docs/flow.md", "[a](decisions/ring.md#part) [b](../README.md) [c](https://example.org/x) [d](decisions)"),
    ({"functions_exist"}, "docs/flow.md", "`node/run/node.c: end_drain`"),
    ({"functions_exist"}, "docs/flow.md", "`node.c: begin_drain, end_drain`"),
    ({"functions_exist"}, "docs/flow.md", "```\nA -> B   node.c: end_drain\n```"),
    # Called there, defined elsewhere.
    ({"functions_exist"}, "docs/flow.md", "`node.c: stop`"),
    ({"functions_exist"}, "docs/flow.md", "`accept.lua: accept.keep`"),
    (set(), "docs/flow.md", "`node.c: begin_drain`, `accept.lua: accept.adopt, merge`, `test_drain.py: drain`"),
    (set(), "docs/flow.md", "node.c: drain comes first"),
    (set(), "docs/operations.md", EVENTS),
    ({"events_are_told"}, "docs/operations.md", EVENTS + "| `gone` | info |\n"),
    ({"events_are_told"}, "docs/operations.md", "| `leaving` | info |\n"),
    (set(), "docs/flow.md", "| `gone` | info |\n"),
]


class Rules(unittest.TestCase):
    def test_each_row_breaks_the_rules_it_names_and_no_other(self):
        for rules, path, text in ROWS:
            with self.subTest(path=path, text=text):
                self.assertEqual({name for _, name, _ in check(path, text, TREE)}, rules)

    def test_a_broken_rule_is_told_with_its_line(self):
        self.assertEqual(check("docs/flow.md", "a\n\n`node.c: end_drain`\n", TREE),
                         [(3, "functions_exist", "there is no end_drain() in node.c")])


if __name__ == "__main__":
    unittest.main()
