"""Nodes come and go in good order: nothing is lost, and nothing arrives twice."""
import json

from lab import admin
from lab.burst import Burst
from lab.wait import until
import pytest

from support import SLOW_SINK, settle, waiting_on

MESSAGES = 1500


@pytest.mark.sanitize
def test_a_node_that_is_told_to_end_hands_over_and_exits_cleanly(cluster, record_property):
    cluster.sink.rules(SLOW_SINK)
    leaver = cluster.nodes[2]
    burst = Burst(cluster.record["lb"], MESSAGES).start()
    burst.until_acknowledged(MESSAGES // 3)
    assert leaver.stop(), "it did not end in time"
    assert leaver.process.exit_code() == 0
    cluster.sink.rules()
    account = settle(cluster, burst, record=record_property)
    assert not account.unknown
    assert not account.duplicated


def test_a_node_that_ends_finishes_the_session_it_is_in(cluster):
    cluster.sink.rules(SLOW_SINK)
    leaver = cluster.nodes[1]
    burst = Burst(leaver.smtp, 200, connections=4, per_connection=200, seconds=20).start()
    burst.until_acknowledged(50)
    assert leaver.stop()
    burst.stop()
    assert leaver.process.exit_code() == 0
    assert not burst.unknown
    cluster.sink.rules()
    account = settle(cluster, burst)
    assert not account.duplicated


def test_a_drained_node_takes_no_mail_and_gives_up_what_it_has(cluster, record_property):
    cluster.sink.rules(SLOW_SINK)
    drained = cluster.nodes[3]
    burst = Burst(cluster.record["lb"], MESSAGES).start()
    burst.until_acknowledged(MESSAGES // 3)
    until(lambda: waiting_on(cluster, burst, drained), 20, "mail waits on the node")
    code, _, errors = cluster.ctl("drain", drained.name)
    assert code == 0, errors
    until(lambda: not drained.is_alive() or admin.get(drained.admin, "/readyz") == (503, "draining\n"), 20,
          "the node drains")
    cluster.until_balanced({"node1", "node2"})
    cluster.sink.rules()
    account = settle(cluster, burst, record=record_property)
    assert not account.unknown
    assert not account.duplicated
    if drained.is_alive():
        until(lambda: drained.metric('skein_queue_messages{state="active"}') == 0, 20, "it owns nothing any more")


def test_a_fourth_node_helps_with_a_backlog(cluster, record_property):
    # One node has more than it can send soon. What a worker cannot keep ready goes back to the cluster, for any node.
    backlog = 6000
    cluster.sink.rules({"stage": "dot", "do": "delay 0.2"})
    burst = Burst(cluster.nodes[1].smtp, backlog).run()
    assert len(burst.acknowledged) == backlog
    fourth = cluster.add_node()
    until(lambda: fourth.metric("skein_messages_delivered_total") > 0, 60, "the fourth node delivers")
    cluster.sink.rules()
    account = settle(cluster, burst, record=record_property)
    assert not account.duplicated
    record_property("by_the_fourth", fourth.metric("skein_messages_delivered_total"))


def test_all_nodes_may_be_restarted_one_by_one_under_load(cluster, record_property):
    burst = Burst(cluster.record["lb"], 100000, connections=10, pause=0.02).start()
    for node in cluster.nodes.values():
        burst.until_acknowledged(len(burst.acknowledged) + 100)
        assert node.stop()
        assert node.process.exit_code() == 0
        node.start()
        cluster.until_balanced({"node1", "node2", "node3"})
    burst.stop()
    account = settle(cluster, burst, record=record_property)
    assert not account.unknown
    assert not account.duplicated


def test_status_shows_who_is_there(cluster):
    code, output, errors = cluster.ctl("--json", "status")
    assert code == 0, errors
    assert all(f"node{number}" in json.dumps(json.loads(output)) for number in (1, 2, 3))
