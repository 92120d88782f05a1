"""Where mail goes: routes of the policy, several next hops, and one that falls ill."""
from lab.burst import Burst
from lab.wait import until

from more_sinks import ALLOW, MoreSink, apply, target
from support import new_tag, send, settle

ELSEWHERE = "other.skein.test"


def until_at(sink, tag, seconds=30):
    until(lambda: tag in sink.tags(), seconds, f"{tag} arrives at {sink.part.name}")


def test_recipients_go_where_the_first_route_that_matches_says(new_cluster):
    cluster = new_cluster(nodes=1, balancer=False)
    first, second = MoreSink(cluster, "first"), MoreSink(cluster, "second")
    apply(cluster, ALLOW + f"""routes:
  - {{ name: by-sender, match: {{ sender: boss@client.skein.test }}, to: [{target(second.address)}] }}
  - {{ name: by-domain, match: {{ recipient: {ELSEWHERE} }}, to: [{target(first.address)}] }}
  - {{ name: by-rule, match: {{ recipient: ruled.skein.test, client: here }}, to: [{target(second.address)}] }}
""")
    node = cluster.nodes[1]
    both, boss, ruled = new_tag(), new_tag(), new_tag()
    send(node.smtp, recipients=["b@sink.skein.test", f"x@{ELSEWHERE}", f"y@{ELSEWHERE}"], tag=both)
    send(node.smtp, sender="boss@client.skein.test", recipients=[f"x@{ELSEWHERE}"], tag=boss)
    send(node.smtp, recipients=["z@ruled.skein.test"], tag=ruled)
    until_at(first, both)
    until_at(second, boss)
    until_at(second, ruled)
    until(lambda: both in [record["tag"] for record in cluster.sink.records()], 30, "the rest arrives")
    to = {name: [record["to"] for record in sink.records() if record["tag"] == both]
          for name, sink in (("first", first.control), ("own", cluster.sink))}
    assert to == {"first": [[f"x@{ELSEWHERE}", f"y@{ELSEWHERE}"]], "own": [["b@sink.skein.test"]]}
    assert boss not in first.tags()


def test_what_waits_follows_a_new_policy(new_cluster):
    cluster = new_cluster(nodes=2)
    second = MoreSink(cluster, "second")
    cluster.sink.rules({"stage": "connect", "do": "hang"})
    burst = Burst(cluster.record["lb"], 100, connections=5).run()
    assert len(burst.acknowledged) == 100
    apply(cluster, ALLOW + f"routes: [ {{ name: all, to: [{target(second.address)}] }} ]\n")
    until(lambda: set(burst.acknowledged) <= set(second.tags()), 30, "all of it arrives at the second")
    cluster.sink.rules()


def test_a_hop_that_cannot_hands_the_message_to_the_next_in_the_same_attempt(new_cluster):
    cluster = new_cluster(nodes=1, balancer=False)
    second = MoreSink(cluster, "second")
    apply(cluster, ALLOW + f"""routes: [ {{ name: all, to: [{target(cluster.record["sink"])}, {target(second.address)}] }} ]
""")
    for rule in ({"stage": "mail", "do": "reply 451 4.3.0 Not now"}, {"stage": "data", "do": "close"},
                 {"stage": "rcpt", "do": "reply 421 4.3.2 Going down"}):
        cluster.sink.rules(rule)
        tag = new_tag()
        send(cluster.nodes[1].smtp, tag=tag)
        until_at(second, tag, 10)
    # A recipient who is refused for now is the recipient's affair: no other hop is asked.
    cluster.sink.rules({"stage": "rcpt", "do": "reply 450 4.2.1 Busy", "times": 1})
    tag = new_tag()
    send(cluster.nodes[1].smtp, tag=tag)
    until(lambda: tag in [record["tag"] for record in cluster.sink.records()], 30, "it arrives at the first")
    assert tag not in second.tags()


def test_weights_share_the_work(new_cluster):
    cluster = new_cluster(nodes=1, balancer=False)
    second = MoreSink(cluster, "second")
    apply(cluster, ALLOW + f"""routes:
  - name: all
    order: weighted
    to: [{target(cluster.record["sink"], weight=3)}, {target(second.address, weight=1)}]
""")
    burst = Burst(cluster.nodes[1].smtp, 400, connections=10).run()
    until(lambda: len(second.tags()) + len(cluster.sink.records()) >= 400, 30, "all of it arrives")
    assert set(burst.acknowledged) == set(second.tags()) | {record["tag"] for record in cluster.sink.records()}
    assert 60 <= len(second.tags()) <= 160


def test_one_senders_flood_does_not_delay_another(new_cluster):
    cluster = new_cluster(nodes=1, balancer=False)
    cluster.sink.rules({"stage": "dot", "do": "delay 0.05"})
    flood = Burst(cluster.nodes[1].smtp, 2000, connections=20).run()
    tag = new_tag()
    send(cluster.nodes[1].smtp, sender="quiet@client.skein.test", tag=tag)
    until(lambda: tag in [record["tag"] for record in cluster.sink.records()], 30, "the other's message arrives")
    before = [record["tag"] for record in cluster.sink.records()].index(tag)
    assert before < len(flood.acknowledged) - 500
    cluster.sink.rules()
    settle(cluster, flood)


def test_mail_that_no_route_takes_waits_and_says_so(new_cluster):
    cluster = new_cluster(nodes=1, balancer=False, settings={"route": {"next_hops": []}})
    apply(cluster, ALLOW + f"""routes:
  - {{ name: one, match: {{ recipient: sink.skein.test }}, to: [{target(cluster.record["sink"])}] }}
""")
    node, tag = cluster.nodes[1], new_tag()
    send(node.smtp, recipients=["a@nowhere.skein.test", "b@sink.skein.test"], tag=tag)
    until(lambda: tag in [record["tag"] for record in cluster.sink.records()], 30, "what has a route arrives")
    tag, _ = send(node.smtp, recipients=["a@nowhere.skein.test"])
    until(lambda: node.tracked("DEFER", text="no route of the policy matches"), 30, "it is told why the rest waits")
