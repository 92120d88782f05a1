"""skeinctl against a real Redis with seeded nodes and messages: what its tests start from."""
import json
import os
import pathlib
import re
import socket
import subprocess

import pytest
from lab.wait import until

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SKEIN_BUILD", TOP / "build"))
CTL, SEED = BUILD / "bin" / "skeinctl", BUILD / "tests" / "seed_queue"
OK, NEGATIVE, USAGE, UNREACHABLE, REFUSED, LATE = range(6)
A, B = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
MINUTE = 60_000
DEADLINE_S = 30


def message_id(unix_ms, shard, random):
    """As cluster/msg_id.c makes it."""
    number, text = unix_ms << 80 | shard << 64 | random, ""
    for _ in range(26):
        number, digit = number >> 5, number & 31
        text = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"[digit] + text
    return text


OLD, MIDDLE, NEW = message_id(1000, 1, 1), message_id(2000, 3, 2), message_id(3000, 0, 3)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Redis:
    def __init__(self, folder, *options, tls=False):
        self.port = free_port()
        ports = ["--port", "0", "--tls-port", str(self.port)] if tls else ["--port", str(self.port)]
        self.process = subprocess.Popen(
            ["redis-server", "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", "--protected-mode", "no",
             *ports, *options],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: self.answers() or self.process.poll() is not None, DEADLINE_S, "redis-server listens")
        assert self.process.poll() is None, "redis-server ended"

    def answers(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def seed(self, *steps):
        """The numbers that the steps print."""
        lines = "".join("\t".join(map(str, step)) + "\n" for step in steps)
        done = subprocess.run([SEED, str(self.port)], input=lines, capture_output=True, text=True, check=False,
                              timeout=DEADLINE_S)
        assert done.returncode == 0, done.stderr
        return [int(word) for word in done.stdout.split()]


class Ctl:
    def __init__(self, redis):
        self.redis = redis

    def run(self, *words, options=None, environment=None):
        options = ["--redis", self.redis.address] if options is None else options
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **(environment or {})}
        return subprocess.run([CTL, *options, *words], capture_output=True, text=True, timeout=DEADLINE_S, check=False,
                              env=environment)

    def text(self, *words, code=OK, **options):
        done = self.run(*words, **options)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def json(self, *words, code=OK):
        return json.loads(self.text(*words, "--json", code=code))

    def complaint(self, *words, code, **options):
        done = self.run(*words, **options)
        assert done.returncode == code, done.stdout + done.stderr
        assert done.stdout == "" and done.stderr.startswith("skeinctl: ") and done.stderr.count("\n") == 1
        return done.stderr


@pytest.fixture(name="redis")
def fixture_redis(tmp_path):
    redis = Redis(tmp_path)
    yield redis
    redis.stop()


@pytest.fixture(name="cluster")
def fixture_cluster(redis):
    """Two nodes, relay-b leads. OLD is deferred, with a reply; MIDDLE is relay-a's, NEW relay-b's."""
    cluster = Ctl(redis)
    (cluster.epoch_a, cluster.epoch_b) = redis.seed(
        ("cluster", 4), ("node", "relay-a", A), ("node", "relay-b", B))
    redis.seed(
        ("renew", A, cluster.epoch_a), ("renew", B, cluster.epoch_b), ("lead", B, cluster.epoch_b),
        ("message", OLD, A, cluster.epoch_a, 90 * MINUTE, "app@x.example", "b@y.example", "c@y.example=4.7.1 greylisted"),
        ("message", MIDDLE, A, cluster.epoch_a, 2 * MINUTE, "app@x.example", "b@y.example"),
        ("message", NEW, B, cluster.epoch_b, 0, "cron@x.example", "b@y.example"),
        ("defer", OLD, A, cluster.epoch_a, 1, 10 * MINUTE))
    return cluster


def table(text):
    """Rows of a printed table as dicts; columns are where their titles begin, or end."""
    title, *lines = text.splitlines()
    return [dict(zip(title.split(), re.split(r"\s{2,}", line))) for line in lines if line]


def states(cluster):
    return {row["id"]: row["state"] for row in cluster.json("queue", "list")["messages"]}


def all_commands(ctl):
    """The first screen names families; `help FAMILY` their commands."""
    families = re.findall(r"^  ([a-z]+)  +\S", ctl.text("--help", options=[]).split("Options")[0], re.M)
    commands = []
    for family in families:
        told = ctl.text("help", family, options=[])
        commands += [family] * told.startswith("skeinctl ") + re.findall(rf"^  ({family} [a-z]+)  +\S", told, re.M)
    return commands
