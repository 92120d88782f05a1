"""OAuth tokens of the cluster: one node fetches and renews, all log in with it, and Redis never sees it."""
import pytest
from lab.burst import Burst
from lab.wait import until
from test_next_hop_login import (PASSWORD, USER, fixture_authority, fixture_certificate, fixture_key,  # noqa: F401
                                 fixture_office, logged, logins, until_at)

from more_sinks import add_node
from support import send


def until_all_arrived(cluster, sink, messages=50):
    bursts = [Burst(node.smtp, messages, connections=4) for node in cluster.nodes.values() if node.is_alive()]
    for burst in bursts:
        burst.start()
    for burst in bursts:
        burst.wait()
    until(lambda: all(set(burst.acknowledged) <= set(sink.tags()) for burst in bursts), 60, "all of it arrives")


@pytest.mark.sanitize
def test_one_node_fetches_for_all(office):
    cluster, sink, tokens = office(nodes=3)
    until_all_arrived(cluster, sink)
    assert len(tokens.asked) == 1
    assert {(login["secret"], login["good"]) for login in logins(sink)} == {(tokens.given[0], True)}
    assert sum(len(logged(cluster, "token-heard", node)) for node in cluster.nodes) == 2
    keys = [key for key in cluster.redis.ask("KEYS", "skein:{tokens}:at:*").split() if key]
    assert len(keys) == 1
    stored = cluster.redis.ask("--no-raw", "HGETALL", keys[0])
    assert "token-1-" not in stored and PASSWORD not in stored


def test_a_node_that_comes_later_needs_none_of_its_own(office):
    cluster, sink, tokens = office()
    tag, _ = send(cluster.nodes[1].smtp)
    until_at(sink, tag)
    tokens.server.stop()
    tag, _ = send(add_node(cluster).smtp)
    until_at(sink, tag)
    assert len(tokens.asked) == 1


def test_one_node_renews_for_all(office):
    cluster, sink, tokens = office(nodes=3)
    tokens.expires_in = 6
    until_all_arrived(cluster, sink, messages=3)
    until(lambda: len(tokens.given) >= 4, 40, "it is renewed")
    lives = [after - before for before, after in zip(tokens.at, tokens.at[1:])]
    assert all(life > 4 for life in lives), "each token is fetched once"
    sink.control.ask(drop=True)
    until_all_arrived(cluster, sink, messages=3)
    assert all(login["good"] for login in logins(sink))


def test_a_token_that_is_refused_is_dropped_by_all(office):
    cluster, sink, tokens = office(nodes=3)
    until_all_arrived(cluster, sink, messages=3)
    # The tenant has taken it back.
    sink.control.ask(accounts={USER: ["nothing"]}, drop=True)
    tag, _ = send(cluster.nodes[1].smtp)
    until_at(sink, tag)
    until_all_arrived(cluster, sink, messages=3)
    assert len(tokens.given) == 2
    assert not any(logged(cluster, "hop-login-refused", node) for node in cluster.nodes)


def test_without_redis_each_node_fetches_for_itself(office):
    cluster, sink, tokens = office(nodes=2)
    cluster.redis.kill()
    for node in cluster.nodes.values():
        tag, _ = send(node.smtp)
        until_at(sink, tag)
    assert len(tokens.given) == 2
    # Redis comes back: from then on they share one.
    cluster.redis.start()
    until(lambda: cluster.redis.ask("KEYS", "skein:{tokens}:at:*"), 30, "it is shown to the others")


def test_others_go_on_when_who_fetches_dies(office):
    cluster, sink, tokens = office(nodes=2)
    tokens.hangs = True
    send(cluster.nodes[1].smtp)
    until(lambda: tokens.asked, 20, "node 1 fetches")
    cluster.nodes[1].kill()
    tokens.hangs = False
    tag, _ = send(cluster.nodes[2].smtp)
    until_at(sink, tag, 40)
    assert len(tokens.asked) == 2 and len(tokens.given) == 1


def test_a_failure_is_told_by_all_and_asked_for_by_one(office):
    cluster, sink, tokens = office(nodes=3)
    tokens.reply = (400, {"error": "invalid_scope", "error_description": "AADSTS70011: bad scope"})
    tags = [send(node.smtp)[0] for node in cluster.nodes.values()]
    for number in cluster.nodes:
        until(lambda number=number: cluster.nodes[number].tracked("DEFER", text="AADSTS70011"), 30,
              "why is told")
    failed = sum(len(logged(cluster, "token-failed", number)) for number in cluster.nodes)
    assert failed <= len(tokens.asked) <= 4, "pauses hold for all"
    tokens.reply = None
    for tag in tags:
        until_at(sink, tag, 60)
