"""Mail that is passed on while its client waits: nothing is kept where it works, custody is made where it does not."""
from lab.account import Account
from lab.burst import Burst
from lab.wait import until
import pytest

from support import new_tag, send, settle, until_arrived, until_report

SETTINGS = {"alerts": {"interval": "300ms"}, "route": {"cut_through": True, "timeout": {"greeting": "3s", "command": "3s", "data": "3s"}}}
DELIVERED, FELL_BACK = "skein_cut_through_total", "skein_cut_through_fell_back_total"


@pytest.fixture
def relay(new_cluster):
    return new_cluster(nodes=1, balancer=False, settings=SETTINGS)


@pytest.mark.sanitize
def test_what_the_next_hop_takes_is_never_in_custody(relay):
    node = relay.nodes[1]
    account = settle(relay, Burst(node.smtp, 300, connections=10).run())
    assert not account.duplicated
    until(lambda: node.metric("skein_messages_delivered_total") == 300, 20, "all are counted")
    assert node.metric(DELIVERED) + node.metric(FELL_BACK) >= 300
    assert node.metric(DELIVERED) > 200


def test_what_is_passed_on_counts_for_its_sender(relay):
    node, key = relay.nodes[1], "skein:{alerts}:sender:127.0.0.1 busy.example"
    for _ in range(5):
        send(node.smtp, sender="a@busy.example")
    assert node.metric(DELIVERED) > 0
    until(lambda: sum(map(int, relay.redis.ask("HMGET", key, "now", "last").split())) == 5, 60, "all five are counted")
    # The next hop has them: that is not one copy only.
    assert node.metric("skein_accepted_degraded_total") == 0


@pytest.mark.sanitize
@pytest.mark.parametrize("rule", [
    {"stage": "mail", "do": "close", "times": 3}, {"stage": "rcpt", "do": "reply 450 4.2.1 Busy", "times": 3},
    {"stage": "data", "do": "reply 451 4.3.0 Later", "times": 3}, {"stage": "body", "do": "close", "times": 3},
    {"stage": "dot", "do": "reply 452 4.3.1 Full", "times": 3}, {"stage": "data", "do": "hang", "times": 1},
    {"stage": "dot", "do": "delay 1.5"}],
    ids=lambda rule: f"{rule['stage']}-{rule['do'].split()[0]}")
def test_any_trouble_ends_in_custody(relay, rule):
    relay.sink.rules(rule)
    account = settle(relay, Burst(relay.nodes[1].smtp, 20, connections=4).run())
    assert not account.duplicated
    assert relay.nodes[1].metric(FELL_BACK) > 0


@pytest.mark.parametrize("rule", [
    {"stage": "connect", "do": "close", "times": 3}, {"stage": "ehlo", "do": "reply 421 4.3.2 Going down", "times": 3},
    {"stage": "connect", "do": "hang", "times": 1}], ids=lambda rule: f"{rule['stage']}-{rule['do'].split()[0]}")
def test_a_connection_that_does_not_come_up_costs_no_mail(relay, rule):
    relay.sink.rules(rule)
    account = settle(relay, Burst(relay.nodes[1].smtp, 20, connections=4).run())
    assert not account.duplicated


def test_a_connection_lost_after_the_final_dot_may_double_and_loses_nothing(relay):
    relay.sink.rules({"stage": "dot", "do": "close", "times": 3})
    burst = Burst(relay.nodes[1].smtp, 50, connections=5).run()
    until(lambda: Account(relay.sink, burst).sent_twice, 60, "one arrives twice")
    assert settle(relay, burst).sent_twice <= 3


def test_a_refusal_is_reported_and_the_others_have_their_mail(relay):
    relay.sink.rules({"stage": "rcpt", "match": "nobody@", "do": "reply 550 5.1.1 No such user"})
    tag = new_tag()
    send(relay.nodes[1].smtp, sender="me@client.skein.test", recipients=["nobody@sink.skein.test", "b@sink.skein.test"],
         tag=tag)
    assert until_arrived(relay, tag)["to"] == ["b@sink.skein.test"]
    _, content = until_report(relay, "me@client.skein.test")
    assert b"5.1.1" in content and b"nobody@sink.skein.test" in content


def test_a_slow_hop_does_not_make_the_client_wait(relay):
    relay.sink.rules({"stage": "dot", "do": "delay 60"})
    tag = new_tag()
    send(relay.nodes[1].smtp, tag=tag)  # it waits for 20 s
    until_arrived(relay, tag)
    assert relay.nodes[1].metric(FELL_BACK) == 1
    assert [record["tag"] for record in relay.sink.records()].count(tag) == 1


def test_a_node_that_dies_has_promised_nothing_that_is_not_kept(new_cluster):
    cluster = new_cluster(settings=SETTINGS)
    burst = Burst(cluster.record["lb"], 2000, connections=20)
    burst.start()
    burst.until_acknowledged(500)
    cluster.nodes[2].kill()
    settle(cluster, burst)


@pytest.mark.sanitize
def test_a_client_that_leaves_while_it_waits_leaves_nothing_behind(relay):
    relay.sink.rules({"stage": "data", "do": "hang"})
    burst = Burst(relay.nodes[1].smtp, 20, connections=20, answer_seconds=0.2)
    burst.start()
    until(lambda: relay.nodes[1].metric("skein_hop_connections_open") > 0, 10, "connections")
    relay.sink.rules()
    settle(relay, burst)
    relay.nodes[1].stop()
