"""skeinctl status, nodes, drain: each command as text, as JSON, and its exit codes."""
import contextlib
import re
import socket
import subprocess

import pytest

from ctl_lab import (  # noqa: F401
    A, CTL, Ctl, DEADLINE_S, LATE, MIDDLE, NEGATIVE, OK, OLD, Redis, USAGE, fixture_cluster, fixture_redis)


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
