"""skeinctl against a real Redis with seeded nodes and messages: each command, as text, as JSON, and its exit codes."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

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
        give_up = time.monotonic() + DEADLINE_S
        while not self.answers():
            assert self.process.poll() is None, "redis-server ended"
            assert time.monotonic() < give_up, "redis-server does not listen"
            time.sleep(0.01)

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
        ("message", OLD, A, cluster.epoch_a, 90 * MINUTE, "app@x.example", "b@y.example", "c@y.example=greylisted"),
        ("message", MIDDLE, A, cluster.epoch_a, 2 * MINUTE, "app@x.example", "b@y.example"),
        ("message", NEW, B, cluster.epoch_b, 0, "cron@x.example", "b@y.example"),
        ("defer", OLD, A, cluster.epoch_a, 1, 10 * MINUTE))
    return cluster


def table(text):
    """Rows of a printed table as dicts; columns are where their titles begin, or end."""
    title, *lines = text.splitlines()
    return [dict(zip(title.split(), re.split(r"\s{2,}", line))) for line in lines if line]


# ---- status ----

def test_status_shows_the_cluster_at_a_glance(cluster):
    text = cluster.text("status")
    assert re.search(r"^Cluster +test-cluster, 4 shards$", text, re.M)
    assert re.search(r"^Nodes +2 alive, 0 dead, 0 left$", text, re.M)
    assert re.search(r"^Queue +0 due, 1 deferred, 2 owned, 0 held, 0 quarantined$", text, re.M)
    assert re.search(r"^Redis +7\.\S+ at 127.0.0.1 port \d+, .*noeviction, nothing on disk, 0 replicas$", text, re.M)
    assert "relay-b  alive  leader" in text


def test_status_as_json_has_all_of_it(cluster):
    status = cluster.json("status")
    assert status["cluster"]["id"] == "test-cluster" and status["cluster"]["shards"] == 4
    assert 0 <= status["cluster"]["renewed_ago_ms"] < 10_000
    assert status["leader"] == "relay-b"
    assert [(node["name"], node["owns"]) for node in status["nodes"]] == [("relay-a", 1), ("relay-b", 1)]
    assert status["queue"]["deferred"] == 1 and status["queue"]["owned"] == 2
    assert status["redis"]["persistent"] is False and status["redis"]["eviction"] == "noeviction"
    assert status["redis"]["memory_used"] > 0 and status["redis"]["memory_max"] is None


def test_status_warns_of_a_redis_that_loses_mail(tmp_path):
    redis = Redis(tmp_path, "--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru")
    try:
        (epoch,) = redis.seed(("cluster", 1), ("node", "relay-a", A))
        redis.seed(("renew", A, epoch))
        warnings = Ctl(redis).json("status")["warnings"]
        assert any("maxmemory-policy allkeys-lru" in warning for warning in warnings)
        assert any("nothing on disk and has no replica" in warning for warning in warnings)
    finally:
        redis.stop()


@contextlib.contextmanager
def node_connection(redis, name, source="127.0.0.1"):
    """A connection that a node would have, from one of loopback's addresses."""
    with socket.create_connection(("127.0.0.1", redis.port), source_address=(source, 0)) as conn:
        conn.sendall(f"CLIENT SETNAME {name}\r\n".encode())
        assert conn.recv(64) == b"+OK\r\n"
        yield


@pytest.mark.parametrize("source, independent, words", [
    ("127.0.0.1", False, "does not mean two independent places"),
    ("127.0.0.2", True, "250 means two independent places: a node's journal, and Redis on another host"),
])
def test_status_says_whether_250_means_two_independent_places(cluster, source, independent, words):
    with node_connection(cluster.redis, "relay-a", source), node_connection(cluster.redis, "relay-b", "127.0.0.3"):
        custody = cluster.json("status")["custody"]
        assert custody["independent"] is independent and words in custody["text"]
        assert words in cluster.text("status")


def test_status_says_so_when_independence_cannot_be_seen(cluster):
    assert cluster.json("status")["custody"]["independent"] is None


def test_status_is_negative_when_no_node_renews(redis):
    redis.seed(("cluster", 1), ("node", "relay-a", A))
    text = Ctl(redis).text("status", code=NEGATIVE)
    assert "no node has ever renewed its lease" in text


def test_status_is_negative_when_all_are_dead(redis):
    (epoch,) = redis.seed(("cluster", 1), ("node", "relay-a", A))
    redis.seed(("kill", A, epoch, 0))
    assert "no node is alive" in Ctl(redis).text("status", code=NEGATIVE)


def test_a_redis_without_a_cluster_is_named_and_left_alone(redis):
    assert "no cluster with the prefix" in Ctl(redis).complaint("status", code=NEGATIVE)
    assert "no cluster with the prefix" in Ctl(redis).complaint("nodes", code=NEGATIVE)


# ---- nodes ----

def test_nodes_are_a_table(cluster):
    text = cluster.text("nodes")
    assert text.splitlines()[0].split() == ["NAME", "STATE", "ROLE", "OWNS", "AWAITS", "VERSION", "POLICY", "SMTP", "ADMIN", "UUID"]
    assert re.search(rf"^relay-a  alive +1 +0  0.1.0 +- +192.0.2.1:25  192.0.2.1:8025  {A}$", text, re.M)


def test_nodes_as_json(cluster):
    first, second = cluster.json("nodes")
    assert first["uuid"] == A and first["state"] == "alive" and not first["leader"] and first["epoch"] == cluster.epoch_a
    assert second["leader"] and second["smtp"] == "192.0.2.1:25"


def test_a_dead_node_is_forgotten_on_demand_only(cluster):
    assert "is alive: drain it" in cluster.complaint("node", "forget", "relay-a", "--yes", code=NEGATIVE)
    cluster.redis.seed(("kill", A, cluster.epoch_a, 1))
    assert "--yes" in cluster.complaint("node", "forget", "relay-a", code=USAGE)
    assert "relay-a (" + A in cluster.text("node", "forget", "relay-a", "--yes")
    assert [node["name"] for node in cluster.json("nodes")] == ["relay-b"]
    assert [node["state"] for node in cluster.json("nodes", "--all")] == ["forgotten", "alive"]


def test_forget_as_json(cluster):
    cluster.redis.seed(("kill", A, cluster.epoch_a, 1))
    assert cluster.json("node", "forget", A[:8], "--yes") == {"name": "relay-a", "uuid": A, "state": "forgotten"}


def test_an_unknown_node_is_answered_with_those_there_are(cluster):
    complaint = cluster.complaint("drain", "relay-x", code=NEGATIVE)
    assert "no node \"relay-x\"; the cluster has: relay-a, relay-b" in complaint


# ---- drain ----

def test_a_drain_is_asked_for_and_called_off(cluster):
    assert "is asked to drain" in cluster.text("drain", "relay-a")
    assert "relay-a  alive, drain" in cluster.text("nodes")
    assert cluster.json("drain", "relay-a", "--cancel")["drain"] is False
    assert not cluster.json("nodes")[0]["drain"]


def test_waiting_for_a_drain_ends_in_time(cluster):
    assert "still owns 1" in cluster.text("drain", "relay-a", "--wait", "--timeout", "0", code=LATE)
    state = cluster.json("drain", "relay-a", "--wait", "--timeout", "0", code=LATE)
    assert state["drained"] is False and state["owns"] == 1


def test_a_node_is_not_drained_while_it_has_the_only_journal_copy(cluster):
    cluster.redis.seed(("settle", MIDDLE, A, "5"))
    text = cluster.text("drain", "relay-a", "--wait", "--timeout", "0", code=LATE)
    assert "keep its disk: 1 waiting messages" in text


def test_a_drain_is_over_when_nothing_depends_on_the_node(cluster):
    waiting = subprocess.Popen([CTL, "--redis", cluster.redis.address, "drain", "relay-a", "--wait"],
                               stdout=subprocess.PIPE, text=True)
    cluster.redis.seed(("settle", MIDDLE, A, "5"), ("settle", OLD, A, "55"))
    assert "relay-a is drained" in waiting.communicate(timeout=DEADLINE_S)[0]
    assert waiting.returncode == OK


# ---- queue list ----

def test_the_queue_is_listed(cluster):
    text = cluster.text("queue", "list")
    assert text.splitlines()[0].split() == ["ID", "STATE", "AGE", "SIZE", "TRIES", "NEXT", "FROM", "TO"]
    assert re.search(rf"^{OLD}  deferred  1h 30m  1.5 KiB +1  in 9m \d+s +<app@x.example> +<b@y.example> \+1$", text, re.M)
    assert re.search(rf"^{MIDDLE}  owned +2m  1.5 KiB +0  at relay-a ", text, re.M)
    assert len(text.splitlines()) == 4


def test_the_list_as_json(cluster):
    listed = cluster.json("queue", "list")
    assert listed["more"] is False
    rows = {row["id"]: row for row in listed["messages"]}
    assert rows.keys() == {OLD, MIDDLE, NEW}
    assert rows[OLD]["state"] == "deferred" and 0 < rows[OLD]["due_in_ms"] <= 10 * MINUTE
    assert rows[OLD]["recipient_count"] == 2 and rows[OLD]["sender"] == "app@x.example"
    assert rows[MIDDLE]["owner"] == {"name": "relay-a", "uuid": A} and rows[MIDDLE]["due_in_ms"] is None


@pytest.mark.parametrize("state, ids", [
    ("owned", {MIDDLE, NEW}), ("deferred", {OLD}), ("due", set()), ("held", set()), ("quarantined", set())])
def test_the_list_is_of_one_state_when_asked(cluster, state, ids):
    assert {row["id"] for row in cluster.json("queue", "list", "--state", state)["messages"]} == ids


def test_the_list_is_bounded_and_says_so(cluster):
    text = cluster.text("queue", "list", "--limit", "2")
    assert len(text.splitlines()) == 4
    assert "the first 2; there are more: --limit 20" in text
    assert cluster.json("queue", "list", "--limit", "2")["more"] is True
    assert cluster.json("queue", "list", "--limit", "3")["more"] is False


def test_the_list_is_sorted_by_age_before_it_is_cut(cluster):
    assert [row["id"] for row in cluster.json("queue", "list", "--sort", "age")["messages"]] == [OLD, MIDDLE, NEW]
    first = cluster.json("queue", "list", "--sort", "age", "--limit", "1")
    assert [row["id"] for row in first["messages"]] == [OLD] and first["more"] is True


def test_a_long_queue_is_walked_page_by_page(cluster):
    ids = [message_id(5000 + n, n % 4, n) for n in range(1000)]
    cluster.redis.seed(*[("message", text, B, cluster.epoch_b, 0, "s@x.example", "r@y.example") for text in ids])
    listed = cluster.json("queue", "list", "--limit", "5000")
    assert {row["id"] for row in listed["messages"]} == {*ids, OLD, MIDDLE, NEW} and not listed["more"]
    assert len(cluster.json("queue", "list")["messages"]) == 50
    assert cluster.json("status")["queue"]["owned"] == 1002


def test_an_empty_queue_says_so(redis):
    redis.seed(("cluster", 4))
    assert Ctl(redis).text("queue", "list") == "no messages\n"
    assert Ctl(redis).json("queue", "list") == {"messages": [], "more": False}


# ---- queue show ----

def test_a_message_is_shown_with_its_recipients(cluster):
    text = cluster.text("queue", "show", OLD.lower())
    assert re.search(r"^State +deferred, next try in 9m", text, re.M)
    assert re.search(r"^History +1 attempt, 0 takeovers after crashes$", text, re.M)
    assert re.search(r"^Age +1h 30m, expires in 23h 59m$", text, re.M)
    assert re.search(r"^Size +1.5 KiB, body in Redis$", text, re.M)
    assert re.search(r"^Journals +relay-a$", text, re.M)
    assert re.search(r"^From +<app@x.example>$", text, re.M)
    assert re.search(r"^Client +198.51.100.7, HELO app1.example$", text, re.M)
    assert re.search(r"^c@y.example  pending +1  451 4.7.1 greylisted \(mx.example\)$", text, re.M)


def test_what_is_settled_since_is_shown_as_such(cluster):
    cluster.redis.seed(("settle", OLD, A, "50"))
    shown = cluster.json("queue", "show", OLD)
    assert [recipient["state"] for recipient in shown["recipients"]] == ["delivered", "pending"]
    assert shown["pending_count"] == 1


def test_a_message_as_json(cluster):
    shown = cluster.json("queue", "show", OLD)
    assert shown["state"] == "deferred" and shown["body_in_redis"] is True and shown["hold"] is False
    assert shown["journals"] == [{"name": "relay-a", "uuid": A}] and shown["origin"]["name"] == "relay-a"
    assert shown["recipients"][1] == {
        "address": "c@y.example", "state": "pending", "attempts": 1, "code": 451,
        "reply": "451 4.7.1 greylisted (mx.example)", "remote": "mx.example"}


def test_a_message_that_ended_says_how(cluster):
    cluster.redis.seed(("settle", NEW, B, "5"))
    assert "it was delivered" in cluster.complaint("queue", "show", NEW, code=NEGATIVE)
    unknown = message_id(1, 2, 3)
    assert "is not in the queue" in cluster.complaint("queue", "show", unknown, code=NEGATIVE)


def test_many_recipients_are_cut_unless_asked_for(cluster):
    text_id = message_id(9000, 0, 9)
    cluster.redis.seed(("message", text_id, B, cluster.epoch_b, 0, "s@x.example", *[f"r{n}@y.example" for n in range(55)]))
    text = cluster.text("queue", "show", text_id)
    assert "the first 50 of 55 recipients: --all" in text and "r54@" not in text
    assert "r54@y.example" in cluster.text("queue", "show", text_id, "--all")


def test_replies_of_next_hops_cannot_steer_the_terminal(cluster):
    text_id = message_id(9000, 0, 9)
    cluster.redis.seed(("message", text_id, B, cluster.epoch_b, 0, "s@x.example", "r@y.example=\x1b[2Jgone"))
    assert "\x1b" not in cluster.text("queue", "show", text_id)
    assert "?[2Jgone" in cluster.text("queue", "show", text_id)


# ---- queue retry, hold, release, cancel ----

def states(cluster):
    return {row["id"]: row["state"] for row in cluster.json("queue", "list")["messages"]}


def test_retry_makes_deferred_messages_due(cluster):
    assert cluster.text("queue", "retry", OLD) == f"{OLD} is due now\n"
    assert states(cluster)[OLD] == "due"


def test_retry_leaves_alone_what_is_held_or_owned(cluster):
    assert cluster.text("queue", "retry", MIDDLE) == f"{MIDDLE} is being delivered at the moment\n"
    cluster.text("queue", "hold", OLD)
    assert "is held: skeinctl queue release" in cluster.text("queue", "retry", OLD, code=NEGATIVE)
    assert states(cluster)[OLD] == "held"


def test_hold_and_release(cluster):
    assert cluster.text("queue", "hold", OLD, MIDDLE) == (
        f"{OLD} is held\n{MIDDLE} will be held when its node lets go\n")
    assert states(cluster)[OLD] == "held"
    assert "held when it lets go" in cluster.text("queue", "show", MIDDLE)
    assert cluster.text("queue", "release", OLD) == f"{OLD} is released and due now\n"
    assert states(cluster)[OLD] == "due"


def test_cancel_ends_what_nobody_is_at(cluster):
    text = cluster.text("queue", "cancel", OLD, MIDDLE, "--yes")
    assert text.splitlines()[0] == f"{OLD} is cancelled"
    assert text.splitlines()[1].startswith(f"{MIDDLE} will be cancelled when its node lets go")
    assert "it was cancelled" in cluster.complaint("queue", "show", OLD, code=NEGATIVE)
    assert cluster.json("queue", "show", MIDDLE)["cancel"] is True


@pytest.mark.parametrize("verb", [["retry"], ["hold"], ["release"], ["cancel", "--yes"]], ids=" ".join)
def test_acting_on_what_is_gone_is_negative_and_does_the_rest(cluster, verb):
    unknown = message_id(1, 2, 3)
    answer = cluster.json("queue", *verb, unknown, OLD, code=NEGATIVE)
    assert [(row["id"], row["done"]) for row in answer["messages"]] == [(unknown, False), (OLD, True)]
    assert "is not in the queue" in answer["messages"][0]["result"]


@pytest.mark.parametrize("verb", [["retry"], ["hold"], ["release"], ["cancel", "--yes"]], ids=" ".join)
def test_no_message_is_touched_when_one_id_is_mistyped(cluster, verb):
    assert "no message id" in cluster.complaint("queue", *verb, OLD, "nonsense", code=USAGE)
    assert states(cluster)[OLD] == "deferred"


# ---- how it is called ----

@pytest.mark.parametrize("words, complaint", [
    ([], "which command?"),
    (["staus"], "did you mean \"status\"?"),
    (["queue", "lits"], "did you mean \"queue list\"?"),
    (["queue"], "queue what? list, show"),
    (["status", "now"], "takes no \"now\""),
    (["queue", "show"], "ID is missing: skeinctl queue show ID"),
    (["queue", "hold"], "ID is missing: skeinctl queue hold ID..."),
    (["queue", "list", "--state", "lost"], "none of due, deferred, owned, held, quarantined"),
    (["queue", "list", "--sort", "size"], "only \"age\""),
    (["queue", "list", "--limit", "0"], "no number from 1"),
    (["drain", "a", "--wait", "--cancel"], "drain NODE"),
    (["--nothing", "status"], "unknown option"),
])
def test_a_wrong_call_is_told_what_is_wrong_without_redis(words, complaint):
    ctl = Ctl(None)
    assert complaint in ctl.complaint(*words, code=USAGE, options=["--redis", "127.0.0.1:1"])


def all_commands(ctl):
    """The first screen names families; `help FAMILY` their commands."""
    families = re.findall(r"^  ([a-z]+)  +\S", ctl.text("--help", options=[]).split("Options")[0], re.M)
    commands = []
    for family in families:
        told = ctl.text("help", family, options=[])
        commands += [family] * told.startswith("skeinctl ") + re.findall(rf"^  ({family} [a-z]+)  +\S", told, re.M)
    return commands


def test_help_is_there_for_all_and_for_each():
    ctl = Ctl(None)
    text, commands = ctl.text("--help", options=[]), all_commands(ctl)
    assert len(commands) == 55 and "Exit codes" in text
    assert len(text.splitlines()) <= 75 and max(map(len, text.splitlines())) <= 80
    assert ctl.text("help", options=[]) == text
    for command in commands:
        told = ctl.text(*command.split(), "--help", options=[])
        assert told.startswith(f"skeinctl {command}")
        assert told == ctl.text("help", *command.split(), options=[])
    assert ctl.text("queue", "--help", options=[]) == ctl.text("help", "queue", options=[])
    assert ctl.text("--version", options=[]).startswith("skeinctl ")


def test_the_manual_has_every_command_and_exit_code():
    manual, text = (TOP / "docs" / "skeinctl.md").read_text(encoding="utf-8"), Ctl(None).text("--help", options=[])
    titles = [title for title in re.findall(r"^## (.*)$", manual, re.M) if title.islower()]
    assert sorted(titles) == sorted(all_commands(Ctl(None)))
    for option in re.findall(r"--[a-z-]+", text.split("Options")[1]):
        assert option in manual or option in ("--version",), option


def test_redis_is_found_by_environment_or_settings(cluster, tmp_path):
    assert cluster.text("nodes", options=[], environment={"SKEIN_REDIS": cluster.redis.address})
    settings = tmp_path / "node.yaml"
    settings.write_text(f"redis:\n  address: {cluster.redis.address}\n")
    assert cluster.text("nodes", options=["--config", str(settings)])
    assert "where is Redis?" in cluster.complaint("nodes", options=[], code=USAGE)


def test_an_unreachable_redis_has_its_own_exit_code():
    complaint = Ctl(None).complaint("status", options=["--redis", f"127.0.0.1:{free_port()}"], code=UNREACHABLE)
    assert "Connection refused; does Redis run there, and is --redis right?" in complaint


def test_a_replica_is_told_with_its_master(cluster, tmp_path):
    (tmp_path / "replica").mkdir()
    replica = Redis(tmp_path / "replica", "--replicaof", "127.0.0.1", str(cluster.redis.port))
    try:
        complaint = Ctl(replica).complaint("status", code=UNREACHABLE)
        assert f"is a replica of 127.0.0.1:{cluster.redis.port}" in complaint or "loading" in complaint
        assert "say that one with --redis" in complaint or "loading" in complaint
    finally:
        replica.stop()


def test_a_silent_redis_is_given_up(cluster):
    os.kill(cluster.redis.process.pid, signal.SIGSTOP)
    try:
        assert "no connection to Redis within 5000 ms" in cluster.complaint("status", code=UNREACHABLE)
    finally:
        os.kill(cluster.redis.process.pid, signal.SIGCONT)


def test_colour_is_for_terminals_that_want_it(cluster):
    assert "\x1b[" not in cluster.text("nodes")
    if not shutil.which("script"):
        pytest.skip("script(1) is not installed")
    command = f"{CTL} --redis {cluster.redis.address} nodes"

    def on_a_terminal(**environment):
        return subprocess.run(["script", "-qec", command, "/dev/null"], capture_output=True, text=True, check=True,
                              timeout=DEADLINE_S, env={"PATH": os.environ["PATH"], **environment}).stdout

    assert "\x1b[32malive" in on_a_terminal()
    assert "\x1b[" not in on_a_terminal(NO_COLOR="1")


def test_an_output_that_cannot_be_written_is_an_error(cluster):
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([CTL, "--redis", cluster.redis.address, "nodes"], stdout=full, stderr=subprocess.PIPE,
                              text=True, check=False, timeout=DEADLINE_S)
    assert done.returncode == REFUSED and "could not be written" in done.stderr


# ---- logging in ----

def test_user_and_password(tmp_path):
    redis = Redis(tmp_path, "--user", "default", "off", "--user", "op", "on", ">secret", "~*", "+@all")
    password = tmp_path / "password"
    ctl = Ctl(redis)
    try:
        password.write_text("secret\n")
        options = ["--redis", redis.address, "--redis-user", "op", "--redis-password-file", str(password)]
        assert "no cluster" in ctl.complaint("status", options=options, code=NEGATIVE)
        password.write_text("wrong\n")
        assert "check user and password" in ctl.complaint("status", options=options, code=UNREACHABLE)
        complaint = ctl.complaint("status", code=UNREACHABLE)
        assert "wants a password" in complaint and "say --redis-password-file FILE" in complaint
    finally:
        redis.stop()


def test_a_user_that_may_not_call_functions_is_told_so(tmp_path, redis):
    redis.seed(("cluster", 4), ("node", "relay-a", A))
    with socket.create_connection(("127.0.0.1", redis.port)) as conn:
        conn.sendall(b"ACL SETUSER op on >secret ~* +info +function +hmget +time\r\n")
        assert conn.recv(64) == b"+OK\r\n"
    password = tmp_path / "password"
    password.write_text("secret")
    options = ["--redis", redis.address, "--redis-user", "op", "--redis-password-file", str(password)]
    assert "NOPERM" in Ctl(redis).complaint("nodes", options=options, code=REFUSED)


def test_the_rights_in_the_manual_are_enough(cluster, tmp_path):
    manual = (TOP / "docs" / "skeinctl.md").read_text(encoding="utf-8")
    rights = re.search(r"^user operator (.*)$", manual, re.M)[1].replace("PASSWORD", "secret")
    with socket.create_connection(("127.0.0.1", cluster.redis.port)) as conn:
        conn.sendall(f"ACL SETUSER operator {rights}\r\n".encode())
        assert conn.recv(64) == b"+OK\r\n"
    (tmp_path / "password").write_text("secret")
    login = ["--redis", cluster.redis.address, "--redis-user", "operator",
             "--redis-password-file", str(tmp_path / "password")]
    for words in (["status"], ["nodes"], ["queue", "list"], ["queue", "show", OLD], ["queue", "retry", OLD],
                  ["queue", "hold", OLD], ["queue", "release", OLD], ["queue", "cancel", OLD, "--yes"], ["drain", "relay-a"]):
        cluster.text(*words, options=login)
    cluster.redis.seed(("kill", A, cluster.epoch_a, 1))
    cluster.text("node", "forget", "relay-a", "--yes", options=login)


def make_certificates(folder):
    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=DEADLINE_S)

    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=Test Authority", "-days", "2")
    for name, alt in ("server", "DNS:redis.example,IP:127.0.0.1"), ("client", "DNS:operator"):
        openssl("req", *new_key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / f"{name}.ext").write_text(f"subjectAltName={alt}\n")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", f"{name}.ext", "-out", f"{name}.crt")


def test_tls_with_both_certificates(tmp_path):
    make_certificates(tmp_path)
    files = {name: str(tmp_path / name) for name in ("ca.crt", "server.crt", "server.key", "client.crt", "client.key")}
    redis = Redis(tmp_path, "--tls-cert-file", files["server.crt"], "--tls-key-file", files["server.key"],
                  "--tls-ca-cert-file", files["ca.crt"], tls=True)
    ctl, base = Ctl(redis), ["--redis", redis.address]
    both = ["--tls-ca", files["ca.crt"], "--tls-cert", files["client.crt"], "--tls-key", files["client.key"]]
    try:
        assert "no cluster" in ctl.complaint("status", options=[*base, *both], code=NEGATIVE)
        assert "no cluster" in ctl.complaint(
            "status", options=[*base, *both, "--tls-name", "redis.example"], code=NEGATIVE)
        assert "hostname mismatch" in ctl.complaint(
            "status", options=[*base, *both, "--tls-name", "other.example"], code=UNREACHABLE)
        assert "certificate" in ctl.complaint("status", options=[*base, "--tls"], code=UNREACHABLE)
        ctl.complaint("status", options=[*base, "--tls-ca", files["ca.crt"]], code=UNREACHABLE)
        assert "cannot use /nowhere" in ctl.complaint("status", options=[*base, "--tls-ca", "/nowhere"], code=UNREACHABLE)
    finally:
        redis.stop()
