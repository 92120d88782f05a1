"""What the tests said: counts, and what is worth telling at the end."""
import collections
import re

CMOCKA_COUNT = re.compile(r"^\[  (PASSED|FAILED|SKIPPED)\s+\] (\d+) test\(s\)", re.M)
CMOCKA_NAME = re.compile(r"^\[  (FAILED|SKIPPED)\s+\] (\w+)$", re.M)
# What is found in the log, or in a failure, of a program that a sanitizer or an invariant has ended.
CRASH = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|broken invariant")
# Of a system test, `test` is its file and its name as pytest takes them.
Failure = collections.namedtuple("Failure", "name output which test")


class Tally:
    def __init__(self):
        self.passed = 0
        self.failures, self.unsteady, self.skips = [], [], []

    @property
    def failed(self):
        return len(self.failures)

    def fail(self, name, output="", which=None, test=None):
        self.failures.append(Failure(name, output, which, test))

    def call_unsteady(self, failure):
        """It has passed when it was run once more."""
        self.failures.remove(failure)
        self.unsteady.append(failure)
        self.passed += 1

    def skip(self, name, reason):
        self.skips.append((name, " ".join(reason.split())))

    def join(self, more):
        self.passed += more.passed
        self.failures += more.failures
        self.skips += more.skips

    def sum(self):
        text = f"{self.passed} passed, {self.failed} failed"
        return text + (f", {len(self.skips)} skipped" if self.skips else "")


def count_program(case, which, tally):
    """One program of ctest: its cmocka tests where it tells them, else itself."""
    name = f"{case.get('name')} [{which.name}]"
    output = case.findtext("system-out") or ""
    counts = collections.Counter()
    for kind, number in CMOCKA_COUNT.findall(output):
        counts[kind] += int(number)
    names = {kind: {test for other, test in CMOCKA_NAME.findall(output) if other == kind} for kind in counts}
    ran = case.get("status") == "run"
    tally.passed += counts["PASSED"] if counts else int(ran)
    for test in sorted(names.get("SKIPPED", ())):
        tally.skip(f"{name}: {test}", reason_in(output))
    if case.get("status") in ("notrun", "disabled"):
        tally.skip(name, case.findtext("skipped") or reason_in(output))
    elif not ran:
        for test in sorted(names.get("FAILED", ())) or ["the program"]:
            tally.fail(f"{name}: {test}", output)


def reason_in(output):
    """A test that skips itself prints "skipped: ..." before."""
    found = re.search(r"skipped: (.*)", output)
    return found[1] if found else "no reason given"


def count_case(case, which, tally):
    name = f"{case.get('classname').rpartition('.')[2]}: {case.get('name')} [{which.name}]"
    # A test and its end may fail, each for a reason of its own.
    bad = [found.text or found.get("message", "") for kind in ("failure", "error") for found in case.findall(kind)]
    if bad:
        test = f"tests/system/{case.get('classname').rpartition('.')[2]}.py::{case.get('name')}"
        tally.fail(name, "\n".join(bad), which, test)
    elif case.find("skipped") is not None:
        tally.skip(name, case.find("skipped").get("message", "no reason given"))
    else:
        tally.passed += 1
