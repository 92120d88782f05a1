"""Each alert fires when something makes its cause, is told once, and recovers when the cause is gone."""
import json
import re
import signal
import smtplib
import ssl
import subprocess

import pytest
from lab.wait import until

from alert_lab import Told, firing, leader, logged, policy, start
from more_sinks import apply
from receivers import WebReceiver
from support import send

RULES = """    deferrals: {above: 50%, minimum: 5, for: 0s}
    bounces: {above: 20%, minimum: 3, for: 0s}
    queue-age: {above: 2s, for: 0s}
    queue-size: {above: 3, for: 0s}
    sender-spike: {above: 5, minimum: 15}
    login-failures: {above: 3}
    login-failures-all: {above: 3}
    redis-memory: {above: 80%, for: 0s}
    policy-drift: {for: 2s}
    disk: {above: 80%, for: 0s}
"""
TLS = ssl.create_default_context()
TLS.check_hostname, TLS.verify_mode = False, ssl.CERT_NONE


@pytest.fixture(scope="module", name="receiver")
def fixture_receiver():
    receiver = WebReceiver()
    yield receiver
    receiver.stop()


@pytest.fixture(scope="module", name="cluster")
def fixture_cluster(module_clusters, receiver, tmp_path_factory):
    users = tmp_path_factory.mktemp("users") / "users"
    users.write_text("", encoding="utf-8")
    return start(module_clusters, receiver, RULES, auth={"backends": ["file"], "file": {"path": str(users)}})


@pytest.fixture(name="told")
def fixture_told(receiver):
    receiver.asked.clear()
    return Told(receiver)


def assert_once(cluster, told, *subjects):
    """Told and logged once each, and over."""
    for alert, subject in subjects:
        told.until_told(alert, subject, "recovered", 120)
        assert told.events(alert, subject) == ["fired", "recovered"]
        assert (alert, subject) not in firing(cluster)
        until(lambda: logged(cluster, "alert-recovered", alert, subject), 20, "its end is logged")
        assert logged(cluster, "alert-fired", alert, subject) == logged(cluster, "alert-recovered", alert, subject) == 1


def test_mail_that_is_put_off(cluster, told):
    cluster.sink.rules({"stage": "rcpt", "do": "reply 450 4.2.1 Busy"})
    for number in range(8):
        send(cluster.nodes[number % 3 + 1].smtp)
    subjects = [("deferrals", "cluster"), ("queue-size", "cluster"), ("queue-age", "cluster")]
    for alert, subject in subjects:
        notice = told.until_told(alert, subject, "fired")
        assert notice["severity"] == "warning" and notice["cure"] and notice["id"] and notice["since"] <= notice["at"]
    assert set(subjects) <= firing(cluster)
    node = leader(cluster)
    assert node.metric('skein_alerts_firing{alert="queue-size"}') == 1
    until(lambda: node.metric("skein_cluster_queue_messages") == 8, 20, "all of the queue is counted")
    assert node.metric("skein_cluster_queue_oldest_seconds") > 2
    cluster.sink.rules()
    assert_once(cluster, told, *subjects)


def test_mail_that_bounces(cluster, told):
    cluster.sink.rules({"stage": "rcpt", "do": "reply 550 5.1.1 Unknown", "times": 4})
    for _ in range(4):
        send(cluster.nodes[1].smtp, sender="")
    told.until_told("bounces", "cluster", "fired")
    cluster.sink.rules()
    assert_once(cluster, told, ("bounces", "cluster"))


def test_a_sender_that_sends_more_than_usual(cluster, told):
    name = "127.0.0.1 spike.example"
    for number in range(16):
        send(cluster.nodes[number % 3 + 1].smtp, sender="a@spike.example")
    notice = told.until_told("sender-spike", name, "fired")
    # The leader may look before the last one.
    assert re.match("1[56] messages in the last hour", notice["text"]), notice["text"]
    # Two hours pass for it.
    cluster.redis.ask("HINCRBY", f"skein:{{alerts}}:sender:{name}", "hour", "-2")
    assert_once(cluster, told, ("sender-spike", name))


def test_logins_that_fail(cluster, told):
    host, port = cluster.nodes[1].smtp.split(":")
    for _ in range(5):
        with smtplib.SMTP(host, int(port), timeout=20) as session:
            session.starttls(context=TLS)
            with pytest.raises(smtplib.SMTPAuthenticationError):
                session.login("joe", "wrong")
    subjects = [("login-failures", "user joe"), ("login-failures", "client 127.0.0.1"), ("login-failures-all", "cluster")]
    for alert, subject in subjects:
        told.until_told(alert, subject, "fired")
    assert_once(cluster, told, *subjects)


def test_redis_that_may_lose_mail(cluster, told):
    used = int(next(line for line in cluster.redis.ask("INFO", "memory").splitlines()
                    if line.startswith("used_memory:")).split(":")[1])
    causes = [("redis-unsafe", "eviction", ("maxmemory-policy", "allkeys-lru"), ("maxmemory-policy", "noeviction")),
              ("redis-unsafe", "persistence", ("appendonly", "no"), ("appendonly", "yes")),
              ("redis-memory", "cluster", ("maxmemory", str(used * 10 // 9)), ("maxmemory", "0"))]
    for alert, subject, cause, _ in causes:
        assert cluster.redis.ask("CONFIG", "SET", *cause) == "OK"
        told.until_told(alert, subject, "fired")
    for _, _, _, cure in causes:
        assert cluster.redis.ask("CONFIG", "SET", *cure) == "OK"
    assert_once(cluster, told, *[(alert, subject) for alert, subject, _, _ in causes])


def test_a_certificate_that_ends_soon(cluster, told, tmp_path):
    node, kept = cluster.nodes[2], (cluster.certificate.read_bytes(), cluster.key.read_bytes())
    files = tmp_path / "soon.pem", tmp_path / "soon.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3", "-subj", "/CN=localhost",
                    "-keyout", str(files[1]), "-out", str(files[0])], check=True, capture_output=True)
    cluster.certificate.write_bytes(files[0].read_bytes())
    cluster.key.write_bytes(files[1].read_bytes())
    node.signal(signal.SIGHUP)
    subject = f"{node.name} listeners"
    assert re.search("ends on .*, in [23] days; the bound is 14 days", told.until_told("certificate", subject, "fired")["text"])
    assert node.metric("skein_certificate_days") in (2, 3)
    cluster.certificate.write_bytes(kept[0])
    cluster.key.write_bytes(kept[1])
    node.signal(signal.SIGHUP)
    assert_once(cluster, told, ("certificate", subject))


def test_a_policy_that_nodes_refuse(cluster, told, receiver):
    number = int(cluster.redis.ask("HGET", "skein:{policy}", "number"))
    newer = "clients: []\nof-a-newer-skein: true\n"
    cluster.redis.ask("HSET", "skein:{policy}:texts", str(number + 1), newer)
    cluster.redis.ask("HSET", "skein:{policy}:notes", str(number + 1),
                      json.dumps({"at": 1, "author": "x", "comment": "", "size": len(newer)}))
    cluster.redis.ask("HSET", "skein:{policy}", "number", str(number + 1), "at", "1")
    subjects = [("policy-drift", node.name) for node in cluster.nodes.values()]
    for alert, subject in subjects:
        assert f"refuses version {number + 1}" in told.until_told(alert, subject, "fired")["text"]
    apply(cluster, policy(receiver.url(), RULES))
    assert_once(cluster, told, *subjects)


def test_a_disk_that_is_nearly_full(cluster, told):
    node = next(node for node in cluster.nodes.values() if node is not leader(cluster))
    free = int(subprocess.run(["df", "--output=avail", "-B1", str(node.spool)], check=True, capture_output=True,
                              text=True).stdout.split()[1])
    for share, event in ((0.9, "fired"), (0.1, "recovered")):
        node.stop()
        cluster.record["settings"]["journal"] = {"disk_free_min": f"{int(free * share) >> 20}MiB"}
        node.start()
        told.until_told("disk", node.name, event)
    del cluster.record["settings"]["journal"]
    assert_once(cluster, told, ("disk", node.name))


def test_a_node_that_is_lost_and_a_leader_that_changes(cluster, told):
    lost = leader(cluster)
    lost.kill()
    assert told.until_told("node-lost", lost.name, "fired")["severity"] == "critical"
    told.until_told("leader-change", "cluster", "fired")
    lost.start()
    told.until_told("node-lost", lost.name, "recovered")
    told.until_told("leader-change", "cluster", "recovered")
    assert told.events("node-lost", lost.name) == ["fired", "recovered"]
    assert told.events("leader-change", "cluster") == ["fired", "recovered"]


def test_mail_that_was_accepted_with_one_copy(cluster, told):
    cluster.redis.kill()
    until(lambda: cluster.nodes[1].metric("skein_redis_up") == 0, 20, "Redis is missed")
    send(cluster.nodes[1].smtp)
    cluster.redis.start()
    told.until_told("mail-degraded", "cluster", "fired")
    told.until_told("mail-degraded", "cluster", "recovered")
    assert told.events("mail-degraded", "cluster") == ["fired", "recovered"]
