#!/usr/bin/python3
"""Builds Skein three times (plain, with ASan and UBSan, with TSan), runs every test, and counts.

Unit tests, lint, simulation, dialogues and fuzz corpora are ctest's, in each build; the system tests are pytest's, on
the plain build, and those marked `sanitize` again on the two others. The exit code is 1 when anything failed.
"""
import argparse
import collections
import concurrent.futures
import contextlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as xml

TOP = pathlib.Path(__file__).resolve().parents[2]
Build = collections.namedtuple("Build", "name folder options")
PLAIN = Build("gcc", "build", ["-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DSKEIN_SANITIZE="])
ASAN = Build("gcc, ASan and UBSan", "build-asan", ["-DCMAKE_BUILD_TYPE=Debug", "-DSKEIN_SANITIZE=address,undefined"])
TSAN = Build("gcc, TSan", "build-tsan", ["-DCMAKE_BUILD_TYPE=Debug", "-DSKEIN_SANITIZE=thread"])
JOBS = str(os.cpu_count() or 2)
LANES = 2
DOMAIN_FILES = ("test_auth", "test_directory_", "test_guessing")
CMOCKA_COUNT = re.compile(r"^\[  (PASSED|FAILED|SKIPPED)\s+\] (\d+) test\(s\)", re.M)
CMOCKA_NAME = re.compile(r"^\[  (FAILED|SKIPPED)\s+\] (\w+)$", re.M)
SANITIZER_OPTIONS = {
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}


class Tally:
    """Counts, and what is worth telling at the end."""

    def __init__(self):
        self.passed = self.failed = 0
        self.failures, self.skips = [], []

    def fail(self, name, output=""):
        self.failed += 1
        self.failures.append((name, output))

    def skip(self, name, reason):
        self.skips.append((name, " ".join(reason.split())))

    def join(self, more):
        self.passed += more.passed
        self.failed += more.failed
        self.failures += more.failures
        self.skips += more.skips

    def sum(self):
        text = f"{self.passed} passed, {self.failed} failed"
        return text + (f", {len(self.skips)} skipped" if self.skips else "")


class Step:
    """Prints one line: what is done, how it ended, how long it took."""

    def __init__(self, text):
        self.text, self.began = text, time.monotonic()

    def end(self, result):
        print(f"{self.text:44} {result:34} {time.monotonic() - self.began:5.0f} s", flush=True)


def run(command, **options):
    return subprocess.run(command, cwd=TOP, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          **options)


def build(which, politely):
    """What it printed, where it does not compile; "" when it does."""
    prefix = ["nice", "-n", "19"] if politely else []
    done = run([*prefix, "cmake", "-S", ".", "-B", which.folder, "-G", "Ninja", *which.options])
    if done.returncode == 0:
        done = run([*prefix, "ninja", "-C", which.folder])
    return done.stdout[-6000:] or "no word" if done.returncode else ""


class Builds:
    """One after the other, in the order in which they are begun."""

    def __init__(self):
        self.pool = concurrent.futures.ThreadPoolExecutor(1)
        self.begun = {}

    def begin(self, which, politely=False):
        if which.name not in self.begun:
            self.begun[which.name] = self.pool.submit(build, which, politely)

    def has(self, which):
        """Waits for it. False, after printing why, when it does not compile."""
        step = Step(f"build  {which.name}")
        self.begin(which)
        trouble = self.begun[which.name].result()
        step.end("FAILED" if trouble else "ok")
        print(trouble, end="")
        return not trouble


@contextlib.contextmanager
def domain():
    """One Active Directory for all tests of this run; whoever comes first starts it."""
    if os.environ.get("ADLAB_STATE"):
        yield
        return
    folder = tempfile.mkdtemp(prefix="adlab-", dir="/tmp")
    os.environ["ADLAB_STATE"] = f"{folder}/lab"
    try:
        yield
    finally:
        if os.path.isdir(os.environ["ADLAB_STATE"]):
            run([str(TOP / "tests" / "lib" / "adlab"), "clean"])
        del os.environ["ADLAB_STATE"]
        os.rmdir(folder)


def run_ctest(which, tally, options):
    step, before = Step(f"ctest  {which.name}"), Tally()
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        command = ["ctest", "--test-dir", which.folder, "-j", JOBS, "--output-junit", report.name,
                   "--test-output-size-passed", "1000000", "--test-output-size-failed", "1000000"]
        command += ["-L", "fast"] if options.fast else []
        # A directory under a sanitizer's load answers too late for what these tests wait for.
        command += [] if which is PLAIN else ["-LE", "lab"]
        command += ["-R", options.only] if options.only else []
        done = run(command, env=dict(os.environ, **SANITIZER_OPTIONS))
        try:
            cases = xml.parse(report.name).getroot().iter("testcase")
            for case in cases:
                count_program(case, which, before)
        except xml.ParseError:
            before.fail(f"ctest, {which.name}", done.stdout)
    step.end(before.sum())
    add(tally, before)


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


def system_files(marker):
    """What one pytest is given, one after the other: a file each, but those that change the domain together."""
    files = sorted((TOP / "tests" / "system").glob("test_*.py"), key=lambda path: -path.stat().st_size)
    files = [path for path in files if not marker or marker in path.read_text(encoding="utf-8")]
    shared = [path for path in files if path.name.startswith(DOMAIN_FILES)]
    return ([shared] if shared else []) + [[path] for path in files if path not in shared]


def run_files(which, options, marker, files):
    found = Tally()
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        command = ["/usr/bin/python3", "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report.name}",
                   *map(str, files)]
        command += ["-m", marker] if marker else []
        command += ["-k", options.only] if options.only else []
        environment = dict(os.environ, SKEIN_BUILD=str(TOP / which.folder), **SANITIZER_OPTIONS)
        done = run(command, env=environment)
        try:
            for case in xml.parse(report.name).getroot().iter("testcase"):
                count_case(case, which, found)
        except xml.ParseError:
            found.fail(f"pytest, {which.name}, {files[0].name}", done.stdout)
    if done.returncode not in (0, 1, 5) and not found.failed:
        found.fail(f"pytest, {which.name}, {files[0].name}", done.stdout)
    return found


def run_pytest(which, tally, options, marker=None):
    """Some at a time: these tests wait more than they work."""
    step, before = Step(f"system {which.name}"), Tally()
    with concurrent.futures.ThreadPoolExecutor(LANES) as lanes:
        for found in lanes.map(lambda files: run_files(which, options, marker, files), system_files(marker)):
            before.join(found)
    step.end(before.sum())
    add(tally, before)


def count_case(case, which, tally):
    name = f"{case.get('classname').rpartition('.')[2]}: {case.get('name')} [{which.name}]"
    bad = next((case.find(kind) for kind in ("failure", "error") if case.find(kind) is not None), None)
    if bad is not None:
        tally.fail(name, bad.text or bad.get("message", ""))
    elif case.find("skipped") is not None:
        tally.skip(name, case.find("skipped").get("message", "no reason given"))
    else:
        tally.passed += 1


def add(tally, more):
    """What failed is named at once: the end, which has the output, may be far."""
    for name, _ in more.failures:
        print(f"    FAILED {name}", flush=True)
    tally.join(more)


def main():
    parser = argparse.ArgumentParser(prog="tests/run", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fast", action="store_true", help="the plain build and its fast tests only: a minute")
    parser.add_argument("--only", metavar="PATTERN", help="tests whose name fits (ctest -R, pytest -k)")
    options = parser.parse_args()
    began, tally, builds = time.monotonic(), Tally(), Builds()
    wanted = [PLAIN] if options.fast else [PLAIN, ASAN, TSAN]
    for which in wanted:
        if not builds.has(which):
            tally.fail(f"build, {which.name}")
            continue
        with domain():
            run_ctest(which, tally, options)
            if not options.fast:
                # The system tests leave the processors idle half the time.
                for later in wanted:
                    builds.begin(later, politely=True)
                run_pytest(which, tally, options, None if which is PLAIN else "sanitize")
    tell(tally, time.monotonic() - began)
    return 1 if tally.failed or not tally.passed else 0


def tell(tally, seconds):
    for name, output in tally.failures:
        print(f"\nFAILED {name}")
        print("\n".join("    " + line for line in output.strip().splitlines()[-40:]))
    if tally.skips:
        print()
    for name, reason in tally.skips:
        print(f"skipped {name}: {reason}")
    print(f"\n{seconds / 60:.1f} minutes")
    print(tally.sum())


if __name__ == "__main__":
    sys.exit(main())
