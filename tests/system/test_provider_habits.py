"""What providers say to a client that sends too much: nothing is bounced, and they get less."""
import re
import time

import pytest
from lab.burst import Burst
from lab.wait import until

from more_sinks import ALLOW, apply, target
from support import new_tag, send, until_arrived

SOON = "retry: {first: 200ms, max: 500ms, expire: 1d}", "breaker: {pause_first: 200ms, pause_max: 500ms}"
LATER = "retry: {first: 1s, max: 2s, expire: 1d}", "breaker: {pause_first: 1s, pause_max: 2s}"


def one_route(cluster, *more, again=SOON):
    words = "".join(f", {word}" for word in (*again, *more))
    apply(cluster, ALLOW + f"routes: [ {{ name: all, to: [{target(cluster.record['sink'])}]{words} }} ]\n")


def logged(cluster, event):
    return re.findall(rf" {event} .*", cluster.nodes[1].log.read_text(errors="replace"))


def settled(cluster, tags, seconds=120):
    until(lambda: set(tags) <= {record["tag"] for record in cluster.sink.records()}, seconds, "all of it arrives")
    assert not cluster.nodes[1].tracked("FAIL", "BOUNCE")


@pytest.mark.parametrize("stage, reply", [
    ("mail", "454 4.7.0 Throttling failure: Maximum sending rate exceeded"),   # SES
    ("dot", "454 4.7.0 Throttling failure: Maximum sending rate exceeded"),
    ("dot", "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded"),  # Exchange Online
    ("mail", "451 4.7.500 Server busy. Please try again later"),
    ("data", "421 4.7.0 Try again later, closing connection"),                 # Google
    ("mail", "421 Too many messages on this connection"),                      # SendGrid
])
def test_what_is_too_much_is_slowed_and_nothing_bounces(new_cluster, stage, reply):
    cluster = new_cluster(nodes=1, balancer=False)
    one_route(cluster)
    cluster.sink.rules({"stage": stage, "do": f"reply {reply}", "times": 6})
    burst = Burst(cluster.nodes[1].smtp, 30, connections=10).run()
    assert len(burst.acknowledged) == 30
    until(lambda: logged(cluster, "hop-slowed"), 20, "the hop gets less")
    settled(cluster, burst.acknowledged)
    assert cluster.nodes[1].metric("skein_hop_slowed_total") >= 1


def test_a_hop_that_goes_on_saying_no_is_not_hammered(new_cluster):
    cluster = new_cluster(nodes=1, balancer=False)
    one_route(cluster, again=LATER)
    cluster.sink.rules({"stage": "mail", "do": "reply 454 4.7.0 Throttling failure"})
    burst = Burst(cluster.nodes[1].smtp, 100, connections=10).run()
    until(lambda: len(logged(cluster, "hop-slowed")) >= 4, 30, "it is slowed again and again")
    before, at = len(cluster.nodes[1].tracked("DEFER")), time.monotonic()
    until(lambda: len(cluster.nodes[1].tracked("DEFER")) >= before + 8, 30, "it is tried some more")
    # Two workers, one try in two seconds each; a hundred messages that come back after a second or two would make fifty.
    assert time.monotonic() - at > 2
    cluster.sink.rules()
    settled(cluster, burst.acknowledged)


@pytest.mark.parametrize("reply, is_told", [("454 4.7.0 Throttling failure: Maximum sending rate exceeded", True),
                                            ("451 4.3.0 Something is wrong here", False)])
def test_what_is_about_our_rate_is_told_to_all_nodes(new_cluster, reply, is_told):
    cluster = new_cluster(nodes=2, balancer=False)
    one_route(cluster)
    for node in cluster.nodes.values():  # each knows the hop
        until_arrived(cluster, send(node.smtp)[0])
    cluster.sink.rules({"stage": "mail", "do": f"reply {reply}", "times": 3})
    burst = Burst(cluster.nodes[1].smtp, 10, connections=2).run()
    until(lambda: logged(cluster, "hop-slowed"), 20, "the hop gets less")
    if is_told:
        until(lambda: re.search("hop-heard .*state=slow", cluster.nodes[2].log.read_text()), 20, "the other node hears of it")
    settled(cluster, burst.acknowledged)
    assert bool(re.search("hop-heard .*state=slow", cluster.nodes[2].log.read_text())) == is_told


def test_a_recipient_who_is_refused_for_now_slows_nothing(new_cluster):
    cluster = new_cluster(nodes=1, balancer=False)
    one_route(cluster)
    cluster.sink.rules({"stage": "rcpt", "do": "reply 450 4.2.0 Greylisted", "times": 20})
    burst = Burst(cluster.nodes[1].smtp, 60, connections=10).run()
    settled(cluster, burst.acknowledged)
    assert not logged(cluster, "hop-slowed")


def test_connections_are_as_few_as_the_provider_allows(new_cluster):
    """Exchange Online: three at once for one mailbox. SendGrid: 100 messages on each. Here each worker has one."""
    cluster = new_cluster(nodes=1, balancer=False)
    one_route(cluster, "connections: 1", "messages_per_connection: 20")
    cluster.sink.rules({"stage": "dot", "do": "delay 0.02"})
    burst = Burst(cluster.nodes[1].smtp, 200, connections=10).run()
    most = 0
    while len(cluster.sink.records()) < len(burst.acknowledged):
        most = max(most, cluster.sink.ask()["open"])
    settled(cluster, burst.acknowledged)
    per_connection = {}
    for record in cluster.sink.records():
        per_connection[record["connection"]] = per_connection.get(record["connection"], 0) + 1
    assert max(per_connection.values()) <= 20
    assert most <= 4  # a connection that ends is seen beside its successor
    tag, _ = send(cluster.nodes[1].smtp, tag=new_tag())
    until_arrived(cluster, tag)
