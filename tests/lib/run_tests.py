#!/usr/bin/python3
"""Builds Skein three times (plain, with ASan and UBSan, with TSan), runs every test, and counts.

Unit tests, lint, simulation, dialogues and fuzz corpora are ctest's, in each build; the system tests are pytest's, on
the plain build, and those marked `sanitize` again on the two others. All but the plain build's ctest is work for lanes,
side by side. The exit code is 1 when anything failed.
"""
import argparse
import collections
import concurrent.futures
import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as xml

from tally import CRASH, Tally, count_case, count_program

TOP = pathlib.Path(__file__).resolve().parents[2]
Build = collections.namedtuple("Build", "name folder options")
PLAIN = Build("gcc", "build", ("-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DSKEIN_SANITIZE="))
# Optimised as far as a report still tells the line: half the time, of which sanitizers take much.
SANITIZED = ("-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_C_FLAGS_DEBUG=-O1 -g1")
ASAN = Build("gcc, ASan and UBSan", "build-asan", (*SANITIZED, "-DSKEIN_SANITIZE=address,undefined"))
TSAN = Build("gcc, TSan", "build-tsan", (*SANITIZED, "-DSKEIN_SANITIZE=thread"))
JOBS = str(os.cpu_count() or 2)
LANES = 4
# About how many seconds each of these takes: who takes longest begins first, and none is left alone at the end.
LONG = {
    "test_alerts": 180, "test_provider_habits": 140, "test_package": 140, "test_next_hop_login": 105,
    "test_transport_security": 95, "test_sentinel": 90, "test_rolling_restart": 85, "test_extensions": 80,
    "test_next_hop_limits": 75, "test_alerts_causes": 70, "test_cut_through": 70, "test_postfix": 65,
    "test_getting_started": 65, "test_dkim": 60, "test_shared_tokens": 60, "test_hop_loss": 55, "test_delivery": 55,
    "test_deploy": 50, "test_doctor": 50, "test_node_loss": 50, "test_large": 40, "test_drain_and_join": 40,
    "test_authentication": 40, "test_tls": 40, "test_redis_loss": 40, "test_shared_policies": 35, "test_guessing": 35,
    "test_skeinctl_user": 35, "test_trace": 35, "test_balancers": 35, "test_skeinctl_terminal": 35,
    "test_policy_nodes": 30, "test_dns_watch": 30, "test_routes": 30, "test_alerts_notices": 30, "test_explain_agrees": 30,
}
CTEST_SECONDS, OTHER_SECONDS = 250, 20
# Files that change the same thing: the domain; the build's package. Those of a row run one after the other.
CHAINS = [("test_auth", "test_directory_", "test_guessing"), ("test_package", "test_getting_started")]
REPEATED_MAX, OUTPUT_LINES = 10, 40
SANITIZER_OPTIONS = {
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}


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
    prefix = ["nice", "-n", "10"] if politely else []
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
        self.begun[which.name] = self.pool.submit(self._run, which, politely)

    @staticmethod
    def _run(which, politely):
        step = Step(f"build  {which.name}")
        trouble = build(which, politely)
        step.end("FAILED" if trouble else "ok")
        print(trouble, end="")
        return not trouble

    def is_done(self, which):
        return self.begun[which.name].done()

    def when_done(self, which, then):
        """`then` is called by another thread, or at once."""
        self.begun[which.name].add_done_callback(lambda _: then())

    def has(self, which):
        """Waits for it. False: it does not compile, and why has been told."""
        return self.begun[which.name].result()


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


@contextlib.contextmanager
def bytecode():
    """One folder for what Python compiles: hundreds of sinks and pytests share it, and the sources stay clean."""
    with tempfile.TemporaryDirectory(prefix="pycache-", ignore_cleanup_errors=True) as folder:
        os.environ["PYTHONPYCACHEPREFIX"] = folder
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        yield


def run_ctest(which, options, jobs):
    found = Tally()
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        command = ["ctest", "--test-dir", which.folder, "-j", jobs, "--output-junit", report.name,
                   "--test-output-size-passed", "1000000", "--test-output-size-failed", "1000000"]
        command += ["-L", "fast"] if options.fast else []
        # A directory under a sanitizer's load answers too late for what these tests wait for.
        command += [] if which is PLAIN else ["-LE", "lab"]
        command += ["-R", options.only] if options.only else []
        done = run(command, env=dict(os.environ, **SANITIZER_OPTIONS))
        try:
            cases = xml.parse(report.name).getroot().iter("testcase")
            for case in cases:
                count_program(case, which, found)
        except xml.ParseError:
            found.fail(f"ctest, {which.name}", done.stdout)
    return found


# Of one lane: `run` returns a Tally. `step` is the line that it counts for, `seconds` what it may take.
Job = collections.namedtuple("Job", "step which seconds run")


def ctest_job(which, options, jobs="1"):
    return Job(f"ctest  {which.name}", which, CTEST_SECONDS, lambda: run_ctest(which, options, jobs))


def system_jobs(which, options, marker=None):
    """A file each, but those of a chain together."""
    paths = sorted((TOP / "tests" / "system").glob("test_*.py"))
    paths = [path for path in paths if not marker or marker in path.read_text(encoding="utf-8")]
    chains = [[path for path in paths if path.name.startswith(names)] for names in CHAINS]
    alone = [[path] for path in paths if not any(path in chain for chain in chains)]
    return [Job(f"system {which.name}", which, seconds_of(files, marker),
                lambda files=files: run_files(which, options, marker, files)) for files in chains + alone if files]


def seconds_of(files, marker):
    return sum(OTHER_SECONDS if marker else LONG.get(path.stem, OTHER_SECONDS) for path in files)


def run_files(which, options, marker, files):
    words = [*map(str, files)]
    words += ["-m", marker] if marker else []
    words += ["-k", options.only] if options.only else []
    return run_pytest(which, words, files[0].name)


def run_pytest(which, words, name):
    found = Tally()
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        command = ["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report.name}"]
        done = run([*command, *words], env=dict(os.environ, SKEIN_BUILD=str(TOP / which.folder), **SANITIZER_OPTIONS))
        try:
            for case in xml.parse(report.name).getroot().iter("testcase"):
                count_case(case, which, found)
        except xml.ParseError:
            found.fail(f"pytest, {which.name}, {name}", done.stdout)
    if done.returncode not in (0, 1, 5) and not found.failed:
        found.fail(f"pytest, {which.name}, {name}", done.stdout)
    return found


def repeat(tally):
    """System tests that failed among others, once more and alone: who passes now is told of as unsteady. A node that
    broke did so, whatever happens the next time; where much failed, something is simply wrong."""
    failed = [failure for failure in tally.failures if failure.test and not CRASH.search(failure.output)]
    if not failed or len(tally.failures) > REPEATED_MAX:
        return
    step = Step("again, alone")
    for failure in failed:
        found = run_pytest(failure.which, [failure.test], failure.name)
        if found.passed and not found.failed:
            tally.call_unsteady(failure)
    step.end(f"{len(tally.unsteady)} unsteady, {tally.failed} failed")


class Lanes:
    """Jobs side by side: these tests wait more than they work. Each begins when its build is there."""

    def __init__(self, builds, jobs, tally):
        self.builds, self.tally = builds, tally
        self.waiting = sorted(jobs, key=lambda job: -job.seconds)
        self.steps, self.sums = {}, collections.defaultdict(Tally)
        self.left = collections.Counter(job.step for job in jobs)
        self.changed = threading.Condition()

    def run(self):
        for which in {job.which for job in self.waiting}:
            self.builds.when_done(which, self._notify)
        with concurrent.futures.ThreadPoolExecutor(LANES) as lanes:
            for done in [lanes.submit(self._lane) for _ in range(LANES)]:
                done.result()

    def _notify(self):
        with self.changed:
            self.changed.notify_all()

    def _lane(self):
        while job := self._next():
            self._end(job, job.run() if self.builds.has(job.which) else None)

    def _next(self):
        with self.changed:
            while self.waiting:
                job = next((job for job in self.waiting if self.builds.is_done(job.which)), None)
                if job:
                    self.waiting.remove(job)
                    self.steps.setdefault(job.step, Step(job.step))
                    return job
                self.changed.wait()
            return None

    def _end(self, job, found):
        with self.changed:
            if found:
                self.sums[job.step].join(found)
            self.left[job.step] -= 1
            if not self.left[job.step] and job.step in self.sums:
                self.steps[job.step].end(self.sums[job.step].sum())
                add(self.tally, self.sums[job.step])


def add(tally, more):
    """What failed is named at once: the end, which has the output, may be far."""
    for failure in more.failures:
        print(f"    FAILED {failure.name}", flush=True)
    tally.join(more)


def main():
    parser = argparse.ArgumentParser(prog="tests/run", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fast", action="store_true", help="the plain build and its fast tests only: a minute")
    parser.add_argument("--only", metavar="PATTERN", help="tests whose name fits (ctest -R, pytest -k)")
    parser.add_argument("--strict", action="store_true", help="a system test that fails is not tried once more, alone")
    options = parser.parse_args()
    began, tally, builds = time.monotonic(), Tally(), Builds()
    with domain(), bytecode():
        builds.begin(PLAIN)
        jobs = []
        for which in () if options.fast else (ASAN, TSAN):
            builds.begin(which, politely=True)
            jobs += [ctest_job(which, options), *system_jobs(which, options, "sanitize")]
        if not options.fast:
            jobs += system_jobs(PLAIN, options)
        # The plain build's is first and alone: what is simply broken is known soon.
        Lanes(builds, [ctest_job(PLAIN, options, JOBS)], tally).run()
        Lanes(builds, jobs, tally).run()
        if not options.strict:
            repeat(tally)
    for which in (PLAIN,) if options.fast else (PLAIN, ASAN, TSAN):
        if not builds.has(which):
            tally.fail(f"build, {which.name}")
    tell(tally, time.monotonic() - began)
    return 1 if tally.failed or not tally.passed else 0


def tell(tally, seconds):
    for what, failures in (("UNSTEADY", tally.unsteady), ("FAILED", tally.failures)):
        for failure in failures:
            print(f"\n{what} {failure.name}")
            print("\n".join("    " + line for line in failure.output.strip().splitlines()[-OUTPUT_LINES:]))
    if tally.skips:
        print()
    for name, reason in tally.skips:
        print(f"skipped {name}: {reason}")
    print(f"\n{seconds / 60:.1f} minutes")
    if tally.unsteady:
        print(f"{len(tally.unsteady)} of those that passed failed first, among the others: see UNSTEADY")
    print(tally.sum())


if __name__ == "__main__":
    sys.exit(main())
