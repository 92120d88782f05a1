"""Clusters for the tests, as deploy/local makes them. What a test asks for and does not end is ended here."""
import contextlib
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "deploy" / "lib"))
sys.path.insert(0, str(TOP / "tests" / "lib"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from lab import ports  # noqa: E402
from lab.cluster import Cluster, build_folder  # noqa: E402

from directory_lab import DirectoryLab  # noqa: E402
from postfix import Postfix, why_not  # noqa: E402
from tally import CRASH  # noqa: E402

CRASH_LINES = 30  # How much of a log, from there on, says why.


@pytest.fixture(scope="session")
def skeind():
    """The program, for tests that start it by themselves."""
    program = build_folder() / "bin" / "skeind"
    if not program.exists():
        pytest.fail(f"there is no {program}: build first")
    return program


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    outcome = yield
    if outcome.get_result().when == "call":
        item.has_failed = outcome.get_result().failed


@contextlib.contextmanager
def clusters(request):
    """Yields make(nodes=, redis=, balancer=, settings=) -> a Cluster that is ready; ends all that it made."""
    made = []

    def make(**options):
        cluster = Cluster(pathlib.Path(tempfile.mkdtemp(prefix="test-", dir=ports.runtime_folder())))
        made.append(cluster)
        return cluster.up(**options)

    yield make
    crashes = [text for cluster in made for text in crash_reports(cluster)]
    for cluster in made:
        if cluster.record:
            if getattr(request.node, "has_failed", True) or crashes:
                show_logs(cluster)
            cluster.down()
    if crashes:
        pytest.fail("\n".join(crashes), pytrace=False)


@pytest.fixture
def new_cluster(request, skeind):
    """A factory, for one test."""
    with clusters(request) as make:
        yield make


@pytest.fixture(scope="module")
def module_clusters(request, skeind):
    """The same for all tests of a file."""
    with clusters(request) as make:
        yield make


@pytest.fixture
def cluster(new_cluster):
    """Three nodes, Redis, HAProxy, a sink."""
    return new_cluster()


@pytest.fixture
def alone(new_cluster):
    """One node without Redis, and a sink."""
    return new_cluster(nodes=1, redis=False, balancer=False)


@pytest.fixture
def postfix():
    """A real one; not started yet."""
    if why_not():
        pytest.skip(why_not())
    server = Postfix()
    yield server
    server.end()


@pytest.fixture(scope="session")
def domain():
    """The one Active Directory domain of all tests that want one. They leave it as it was."""
    lab = DirectoryLab()
    yield lab
    lab.end()


@pytest.fixture(scope="session")
def nodemailer(tmp_path_factory):
    """A folder in which node finds it."""
    if not shutil.which("npm"):
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("nodemailer")
    done = subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder),
                           "nodemailer@6"], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        pytest.skip("npm cannot install nodemailer here: " + " ".join(done.stderr.split())[:120])
    return folder


def crash_reports(cluster):
    """A text for each node whose log tells of one."""
    logs = {node.name: node.log.read_text(errors="replace").splitlines() for node in cluster.nodes.values()
            if node.log.exists()} if cluster.record else {}
    first = {name: next((at for at, line in enumerate(lines) if CRASH.search(line)), None) for name, lines in logs.items()}
    return ["\n".join([f"{name} broke; from its log:", *logs[name][at:at + CRASH_LINES]])
            for name, at in first.items() if at is not None]


def show_logs(cluster):
    for part in cluster.parts():
        if part.log.exists():
            print(f"--- {part.name}, end of its log")
            print("\n".join(part.log.read_text(errors="replace").splitlines()[-25:]))
