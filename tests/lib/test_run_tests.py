#!/usr/bin/python3
"""What is tried twice and what is not: the runner must not make good what is bad."""
import contextlib
import io
import unittest
import unittest.mock
import xml.etree.ElementTree as xml

import run_tests
from tally import Tally, count_case

CASE = '<testcase classname="test_x" name="{}">{}</testcase>'
LATE = "<failure>not within 20 s: it arrives</failure>"
RACE = "<error>node1 broke; from its log: WARNING: ThreadSanitizer: data race</error>"


class Repeat(unittest.TestCase):
    def run_after(self, cases, passes=True):
        """(the tally, what was tried again) after these cases of system tests, each of which then passes, or fails."""
        tally, asked = Tally(), []

        def again(_, words, name):
            asked.extend(words)
            found = Tally()
            if passes:
                found.passed = 1
            else:
                found.fail(name)
            return found

        for number, case in enumerate(cases):
            count_case(xml.fromstring(CASE.format(f"t{number}", case)), run_tests.TSAN, tally)
        with unittest.mock.patch.object(run_tests, "run_pytest", again), contextlib.redirect_stdout(io.StringIO()):
            run_tests.repeat(tally)
        return tally, asked

    def test_who_passes_alone_is_unsteady(self):
        tally, asked = self.run_after(["", LATE])
        self.assertEqual(asked, ["tests/system/test_x.py::t1"])
        self.assertEqual((tally.passed, tally.failed), (2, 0))
        self.assertIn("it arrives", tally.unsteady[0].output)

    def test_who_fails_again_has_failed(self):
        tally, asked = self.run_after([LATE], passes=False)
        self.assertEqual((len(asked), tally.passed, tally.failed, tally.unsteady), (1, 0, 1, []))

    def test_a_node_that_broke_is_not_tried_twice(self):
        for case in (RACE, LATE + RACE):
            tally, asked = self.run_after([case])
            self.assertEqual((asked, tally.failed), ([], 1))

    def test_a_program_of_ctest_is_not_tried_twice(self):
        tally = Tally()
        tally.fail("unit/x [gcc]: y", "boom")
        run_tests.repeat(tally)
        self.assertEqual((tally.failed, tally.unsteady), (1, []))

    def test_where_much_failed_nothing_is_tried_twice(self):
        tally, asked = self.run_after([LATE] * (run_tests.REPEATED_MAX + 1))
        self.assertEqual((asked, tally.failed), ([], run_tests.REPEATED_MAX + 1))


if __name__ == "__main__":
    unittest.main()
