"""skeinctl doctor: with everything well, and with each fault made on purpose."""
import contextlib
import datetime
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from lab.wait import until
import pytest

from ctl_lab import A, B, CTL, DEADLINE_S, NEGATIVE, OK, OLD, UNREACHABLE, Ctl, Redis
from test_skeinctl_secret import make_key

DAY = 86_400_000
LEADER, META = "skein:{meta}:leader", "skein:{meta}"
GOOD = ("--appendonly", "yes", "--maxmemory", "256mb", "--maxmemory-policy", "noeviction")


def load(**changes):
    """What a node tells with each renewal: node/run/membership.c."""
    good = {"policy": 0, "policy_refused": 0, "time_ms": int(time.time() * 1000), "ready": "ready",
            "disk_free": 50 << 30, "disk_min": 1 << 30, "journal": 1 << 20, "journal_max": 1 << 30, "wait_replicas": 0}
    return json.dumps({**good, **changes})


class DoctorCtl(Ctl):
    def __init__(self, redis, folder):
        super().__init__(redis)
        self.folder = folder

    def cli(self, *words):
        done = subprocess.run(["redis-cli", "-p", str(self.redis.port), *map(str, words)], capture_output=True, text=True,
                              timeout=DEADLINE_S, check=True)
        return done.stdout.strip()

    def tell(self, node, **changes):
        self.cli("HSET", f"skein:{{meta}}:node:{node}", "load", load(**changes))

    def examine(self, *options, redis=None):
        """(exit code, rows)."""
        done = self.run(*options, "doctor", "--json", options=["--redis", redis or self.redis.address])
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)["checks"]


@pytest.fixture(name="ctl")
def fixture_ctl(tmp_path):
    folder = tmp_path / "redis"
    folder.mkdir()
    redis = Redis(folder, *GOOD)
    ctl = DoctorCtl(redis, tmp_path)
    ctl.epochs = redis.seed(("cluster", 4), ("node", "relay-a", A), ("node", "relay-b", B))
    redis.seed(("renew", A, ctl.epochs[0]), ("renew", B, ctl.epochs[1]), ("lead", B, ctl.epochs[1]))
    for node in (A, B):
        ctl.tell(node)
        ctl.cli("HSET", f"skein:{{meta}}:node:{node}", "address", "127.0.0.1:1")  # Nobody is there.
    yield ctl
    redis.stop()


def found(rows, group, check, state):
    return [row for row in rows if (row["group"], row["check"], row["state"]) == (group, check, state)]


def assert_row(answer, group, check, state, text):
    """One row says so, with a cure where something is to do."""
    code, rows = answer
    rows = found(rows, group, check, state)
    assert any(text in row["what"] for row in rows), answer[1]
    assert state == "skipped" or all(row["cure"] for row in rows)
    if state in ("warn", "fail"):
        assert code == NEGATIVE


def test_a_cluster_that_is_well_has_one_thing_to_do(ctl):
    """One Redis alone, as there is in this test, is a warning."""
    code, rows = ctl.examine()
    bad = [(row["group"], row["check"]) for row in rows if row["state"] in ("warn", "fail")]
    assert bad == [("redis", "replicas")], rows
    assert code == NEGATIVE
    groups = [row["group"] for row in rows]
    assert sorted(set(groups), key=groups.index) == ["redis", "rights", "nodes", "mail", "secrets", "certificates", "host"]
    assert_row((code, rows), "host", "descriptors", "skipped", "--config")
    text = ctl.text("doctor", code=NEGATIVE)
    assert "WARN  redis         replicas      no replica" in text and "-> a replica, and redis.wait_replicas" in text
    assert text.splitlines()[-1].endswith("1 warnings, 0 failures, 4 not looked at"), text


def test_with_a_replica_that_nodes_wait_for_nothing_is_left_to_do(ctl, tmp_path):
    folder = tmp_path / "replica"
    folder.mkdir()
    replica = Redis(folder, "--replicaof", f"127.0.0.1 {ctl.redis.port}")
    try:
        until(lambda: "state=online" in ctl.cli("INFO", "replication"), DEADLINE_S, "the replica is there")
        assert_row(ctl.examine(), "nodes", "replicas", "warn", "does not wait for replicas")
        for node in (A, B):
            ctl.tell(node, wait_replicas=1)
        code, rows = ctl.examine()
        assert code == OK, rows
        ctl.tell(A, wait_replicas=2)
        assert_row(ctl.examine(), "nodes", "replicas", "fail", "relay-a waits for 2 replicas, and there are 1")
    finally:
        replica.stop()


REDIS_FAULTS = [
    ("persistence", ("appendonly", "no"), "fail", "nothing is kept on disk"),
    ("persistence", ("appendfsync", "no"), "warn", "appendfsync no"),
    ("eviction", ("maxmemory-policy", "allkeys-lru"), "fail", "throws mail away"),
    ("memory", ("maxmemory", "0"), "warn", "no maxmemory"),
    ("clients", ("maxclients", "1"), "warn", "of at most 1"),
]


@pytest.mark.parametrize("check, setting, state, text", REDIS_FAULTS)
def test_each_wrong_setting_of_redis_is_found(ctl, check, setting, state, text):
    if check == "clients":
        ctl.cli("CONFIG", "SET", "maxclients", "1")
    else:
        ctl.cli("CONFIG", "SET", *setting)
    assert_row(ctl.examine(), "redis", check, state, text)


def test_snapshots_alone_are_a_warning(ctl):
    ctl.cli("CONFIG", "SET", "appendonly", "no")
    ctl.cli("CONFIG", "SET", "save", "3600 1")
    assert_row(ctl.examine(), "redis", "persistence", "warn", "snapshots only")


def test_a_snapshot_that_failed_is_a_failure(ctl):
    ctl.cli("CONFIG", "SET", "appendonly", "no")
    shutil.rmtree(ctl.folder / "redis")
    ctl.cli("BGSAVE")
    until(lambda: "rdb_last_bgsave_status:err" in ctl.cli("INFO", "persistence"), DEADLINE_S, "the snapshot failed")
    assert_row(ctl.examine(), "redis", "persistence", "fail", "the last snapshot failed")


@pytest.mark.parametrize("room, state", [(1.12, "warn"), (1.0, "fail")])
def test_memory_that_is_nearly_used_up(ctl, room, state):
    ctl.cli("EVAL", "redis.call('SET', KEYS[1], string.rep('x', 64 * 1024 * 1024))", 1, "ballast")
    used = int(next(line for line in ctl.cli("INFO", "memory").splitlines() if line.startswith("used_memory:"))[12:])
    ctl.cli("CONFIG", "SET", "maxmemory", int(used * room))
    assert_row(ctl.examine(), "redis", "memory", state, "further messages")


@contextlib.contextmanager
def slow_way(port, seconds):
    """A way to Redis that takes its time; yields its address."""
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source, sink, delay):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                time.sleep(delay)
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def serve():
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", port))
                for pair in ((client, server, seconds), (server, client, 0)):
                    threading.Thread(target=pump, args=pair, daemon=True).start()
    threading.Thread(target=serve, daemon=True).start()
    try:
        yield "127.0.0.1:%d" % listener.getsockname()[1]
    finally:
        listener.close()


def test_a_slow_redis_is_told(ctl):
    with slow_way(ctl.redis.port, 0.01) as address:
        assert_row(ctl.examine(redis=address), "redis", "latency", "warn", "100 calls from here: median 1")


def test_missing_rights_are_named(ctl):
    ctl.cli("ACL", "SETUSER", "skein", "on", ">secret", "~skein:*", "+@all", "-wait", "-config")
    (ctl.folder / "password").write_text("secret\n")
    answer = ctl.examine("--redis-user", "skein", "--redis-password-file", str(ctl.folder / "password"))
    assert_row(answer, "rights", "commands", "fail", "the user skein may not: WAIT 0, CONFIG GET")
    ctl.cli("ACL", "SETUSER", "skein", "+wait", "+config|get")
    answer = ctl.examine("--redis-user", "skein", "--redis-password-file", str(ctl.folder / "password"))
    assert found(answer[1], "rights", "commands", "ok")


def test_a_redis_that_is_not_there_and_one_without_a_cluster(ctl):
    ctl.cli("DEL", META)
    code, rows = ctl.examine()
    assert code == NEGATIVE and found(rows, "redis", "reach", "fail")
    ctl.redis.stop()
    code, rows = ctl.examine()
    assert code == UNREACHABLE and found(rows, "redis", "reach", "fail")


# --- nodes

NODE_FAULTS = [
    ("ready", {"ready": "disk"}, "warn", "relay-a takes no mail: disk"),
    ("policy", {"policy": 3}, "warn", "relay-a runs version 3 of the policy, the cluster has 0"),
    ("policy", {"policy": 3, "policy_refused": 4}, "fail", "cannot run version 4"),
    ("disk", {"disk_free": 3 << 29}, "warn", "relay-a: 1.5 GiB free"),
    ("disk", {"disk_free": 1 << 29}, "fail", "relay-a: 512.0 MiB free"),
    ("disk", {"journal": 15 << 26}, "warn", "90% of journal.size_max"),
    ("replicas", {"wait_replicas": 1}, "fail", "relay-a waits for 1 replicas, and there are 0"),
    ("clocks", {"time_ms": -20_000}, "warn", "relay-a is 2"),
    ("clocks", {"time_ms": 3_600_000}, "fail", "ahead of Redis"),
]


@pytest.mark.parametrize("check, told, state, text", NODE_FAULTS)
def test_what_nodes_tell_of_themselves(ctl, check, told, state, text):
    if "time_ms" in told:
        told = {"time_ms": int(time.time() * 1000) + told["time_ms"]}
    ctl.tell(A, **told)
    answer = ctl.examine()
    assert_row(answer, "nodes", check, state, text)
    assert not [row for row in found(answer[1], "nodes", check, state) if "relay-b" in row["what"]]


def test_dead_and_drained_nodes(ctl):
    ctl.redis.seed(("kill", A, ctl.epochs[0], 1))
    answer = ctl.examine()
    assert_row(answer, "nodes", "alive", "warn", "one node is alive")
    assert_row(answer, "nodes", "alive", "warn", "relay-a is dead")
    ctl.text("drain", "relay-b")
    assert_row(ctl.examine(), "nodes", "alive", "warn", "relay-b is drained")
    ctl.redis.seed(("kill", B, ctl.epochs[1], 1))
    assert_row(ctl.examine(), "nodes", "alive", "fail", "no node is alive")


def test_silent_nodes_and_no_leader(ctl):
    ctl.cli("DEL", LEADER)
    assert_row(ctl.examine(), "nodes", "alive", "warn", "nobody leads")
    ctl.cli("HSET", META, "written", int(time.time() * 1000) - 60_000)
    assert_row(ctl.examine(), "nodes", "alive", "fail", "none reaches this Redis")


def test_versions_that_differ_and_libraries_that_nobody_uses(ctl):
    ctl.cli("HSET", f"skein:{{meta}}:node:{A}", "version", "0.0.9")
    ctl.cli("FUNCTION", "LOAD", "#!lua name=skein_00000000\nredis.register_function('skein_00000000_x', "
                                "function() return 1 end)")
    answer = ctl.examine()
    assert_row(answer, "nodes", "versions", "warn", "nodes run different versions")
    assert_row(answer, "nodes", "versions", "warn", "skein_00000000")


# --- mail

def test_old_mail_and_next_hops_that_are_down(ctl):
    ctl.redis.seed(("message", OLD, A, ctl.epochs[0], 2 * DAY, "a@x.example", "b@y.example"),
                   ("hop", "mx1.partner:25", 2, 600_000, "relay-a", "connection refused"))
    answer = ctl.examine()
    assert_row(answer, "mail", "age", "warn", "1 of 1 messages have waited for more than a day, the oldest for 2d")
    assert_row(answer, "mail", "next hops", "warn", "mx1.partner:25 is down, says relay-a: connection refused")


def test_messages_in_quarantine(ctl):
    ctl.redis.seed(("message", OLD, A, ctl.epochs[0], 0, "a@x.example", "b@y.example"))
    ctl.redis.seed(("defer", OLD, A, ctl.epochs[0], 1, 600_000))
    ctl.text("queue", "hold", OLD)
    assert found(ctl.examine()[1], "mail", "held", "ok")[0]["what"] == "none in quarantine, 1 held"
    # As a sweep notes it when the owner has died too often: cluster/redis/functions/record.lua.
    ctl.cli("ZADD", ctl.cli("KEYS", "skein:*held"), "XX", "1", OLD)
    assert_row(ctl.examine(), "mail", "held", "fail", "1 message in quarantine")


def test_what_the_leader_found_of_domains(ctl):
    assert_row(ctl.examine(), "mail", "dns", "skipped", "has not looked yet")
    domains = [{"domain": "good.example", "worst": "ok", "findings": []},
               {"domain": "bad.example", "worst": "fail", "findings": []}]
    ctl.cli("HSET", "skein:{daily}:dns", "number", 1, "at", int(time.time() * 1000), "by", "relay-a", "text",
            json.dumps({"domains": domains[:1]}))
    assert found(ctl.examine()[1], "mail", "dns", "ok")
    ctl.cli("HSET", "skein:{daily}:dns", "at", int(time.time() * 1000) - 4 * DAY, "text", json.dumps({"domains": domains}))
    answer = ctl.examine()
    assert_row(answer, "mail", "dns", "fail", "bad.example: its DNS is not as it should be")
    assert_row(answer, "mail", "dns", "warn", "has not looked for days")


# --- secrets

def test_secrets_want_the_key_of_the_cluster(ctl):
    right, wrong = ctl.folder / "right", ctl.folder / "wrong"
    make_key(right)
    make_key(wrong)
    subprocess.run([CTL, "--redis", ctl.redis.address, "--key-file", str(right), "secret", "set", "relay-password"],
                   input="correct horse", text=True, check=True, capture_output=True, timeout=DEADLINE_S)
    assert_row(ctl.examine(), "secrets", "key", "skipped", "there are 1")
    assert found(ctl.examine("--key-file", str(right))[1], "secrets", "key", "ok")
    assert_row(ctl.examine("--key-file", str(wrong)), "secrets", "key", "fail", "relay-password")
    assert_row(ctl.examine("--key-file", str(ctl.folder / "none")), "secrets", "key", "fail", "none")


# --- certificates

def certificate(folder, days):
    """A chain file that ends in so many days."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "relay.example")])
    now = datetime.datetime.now(datetime.timezone.utc)
    built = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
             .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=90))
             .not_valid_after(now + datetime.timedelta(days=days, hours=1)).sign(key, hashes.SHA256()))
    file = folder / f"{days}.pem"
    file.write_bytes(built.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return str(file)


@contextlib.contextmanager
def smtp_server(chain, greets=True):
    """Does STARTTLS, or TLS from the first byte; yields its address. Without a chain it only closes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def speak(link):
        if greets:
            link.sendall(b"220 relay ESMTP\r\n")
            link.recv(1000)
            link.sendall(b"250-relay\r\n250 STARTTLS\r\n")
            link.recv(1000)
            link.sendall(b"220 Go ahead\r\n")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        with context.wrap_socket(link, server_side=True) as tls:
            tls.recv(1000)

    def serve():
        with contextlib.suppress(OSError):
            while True:
                link, _ = listener.accept()
                with link, contextlib.suppress(OSError):
                    if chain:
                        speak(link)
    threading.Thread(target=serve, daemon=True).start()
    try:
        yield "127.0.0.1:%d" % listener.getsockname()[1]
    finally:
        listener.close()


@pytest.mark.parametrize("days, greets, state, text", [
    (90, True, "ok", "relay-a: good for 90 days"), (90, False, "ok", "good for 90 days"),
    (10, True, "warn", "good for 10 days"), (1, True, "fail", "good for 1 days"), (-2, True, "fail", "it has expired")])
def test_certificates_that_end(ctl, days, greets, state, text):
    with smtp_server(certificate(ctl.folder, days), greets) as address:
        ctl.cli("HSET", f"skein:{{meta}}:node:{A}", "address", address)
        code, rows = ctl.examine()
    assert any(text in row["what"] for row in found(rows, "certificates", "expiry", state)), rows
    assert code == NEGATIVE


def test_a_listener_for_a_balancer_alone_is_not_judged(ctl):
    with smtp_server(None) as address:
        ctl.cli("HSET", f"skein:{{meta}}:node:{A}", "address", address.replace("127.0.0.1", "0.0.0.0"), "admin",
                "127.0.0.1:8025")
        assert_row(ctl.examine(), "certificates", "expiry", "skipped", f"{address} neither greets nor speaks TLS")


# --- the host

def config(ctl, spool, connections=100):
    file = ctl.folder / "skeind.yaml"
    file.write_text(f"node:\n  spool: {spool}\nlimits:\n  connections: {connections}\n")
    return ["--config", str(file)]


def test_the_host_of_a_node_is_looked_at(ctl):
    spool = ctl.folder / "spool"
    spool.mkdir()
    _, rows = ctl.examine(*config(ctl, spool))
    checks = [row["check"] for row in rows if row["group"] == "host"]
    assert checks == ["descriptors", "backlog", "ports", "core dumps", "time", "spool", "sync"]
    assert found(rows, "host", "descriptors", "ok") and "this shell" in found(rows, "host", "descriptors", "ok")[0]["what"]
    sync = next(row for row in rows if row["check"] == "sync")
    assert "20 syncs of 4096 bytes: median" in sync["what"]


def test_faults_of_the_host(ctl):
    assert_row(ctl.examine(*config(ctl, "/dev/shm", 100_000_000)), "host", "descriptors", "warn", "100002000 wanted")
    if os.path.ismount("/dev/shm"):
        assert_row(ctl.examine(*config(ctl, "/dev/shm")), "host", "spool", "fail", "/dev/shm: tmpfs")
    assert_row(ctl.examine(*config(ctl, "/proc")), "host", "sync", "skipped", "nothing can be written")
    assert_row(ctl.examine(*config(ctl, ctl.folder / "none")), "host", "spool", "skipped", "No such file")
