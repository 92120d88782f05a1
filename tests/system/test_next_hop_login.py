"""Logging in at next hops: mechanisms, what is not accepted, and that no password goes astray."""
import re
import subprocess
import time

import pytest
from lab.burst import Burst
from lab.wait import until
from test_secrets_nodes import ctl, until_logged
from test_skeinctl import CTL

from more_sinks import ALLOW, apply, target
from support import new_tag, send

USER, PASSWORD, OTHER = "relay@acme.example", "correct horse battery staple", "another horse entirely"


@pytest.fixture(name="key")
def fixture_key(tmp_path):
    path = tmp_path / "cluster.key"
    subprocess.run([CTL, "key", "new", str(path)], check=True, capture_output=True, timeout=30)
    return path


@pytest.fixture(name="make")
def fixture_make(new_cluster, more_sinks, key):
    """make(mechanism, ...) -> (cluster, sink): all mail goes to a sink that wants a login."""
    made = []

    def make(mechanism="auto", nodes=1, secret=PASSWORD, good=PASSWORD, breaker="", **where):
        cluster = new_cluster(nodes=nodes, balancer=False, settings={"cluster": {"key_file": str(key)}})
        sink = more_sinks(cluster, "provider")
        sink.control.ask(accounts={USER: [good]})
        if secret:
            set_secret(cluster, key, secret)
        where = {"tls": "encrypt", **where}
        apply(cluster, ALLOW + f"""credentials:
  provider: {{ user: {USER}, secret: provider-password, mechanism: {mechanism} }}
routes: [ {{ name: all, to: [{target(sink.address, credentials="provider", **where)}]{breaker} }} ]
""")
        made.append(cluster)
        return cluster, sink

    yield make
    for cluster in made:
        for node in cluster.nodes.values():
            log = node.log.read_text(errors="replace")
            assert PASSWORD not in log and OTHER not in log, "a password is in the log"


def set_secret(cluster, key, text, name="provider-password"):
    """On all nodes when this returns."""
    before = len(re.findall(r" secrets-loaded ", cluster.nodes[1].log.read_text(errors="replace")))
    ctl(cluster, key, "secret", "set", name, stdin=text)
    for node in cluster.nodes.values():
        until(lambda node=node: len(re.findall(r" secrets-loaded ", node.log.read_text(errors="replace"))) > before, 20,
              "the secret is known")


def logins(sink):
    return sink.control.ask(logins=True)["logins"]


def until_at(sink, tag, seconds=30):
    until(lambda: tag in sink.tags(), seconds, f"{tag} arrives")
    return next(record for record in sink.control.records() if record["tag"] == tag)


def logged(cluster, event, node=1):
    return re.findall(rf" {event} .*", cluster.nodes[node].log.read_text(errors="replace"))


@pytest.mark.parametrize("mechanism, offered, used", [
    ("auto", ["LOGIN", "PLAIN"], "PLAIN"), ("auto", ["LOGIN"], "LOGIN"), ("plain", ["LOGIN", "PLAIN"], "PLAIN"),
    ("login", ["PLAIN", "LOGIN"], "LOGIN")])
def test_each_mechanism_over_starttls(make, mechanism, offered, used):
    cluster, sink = make(mechanism)
    sink.control.ask(mechanisms=offered)
    tag, _ = send(cluster.nodes[1].smtp)
    record = until_at(sink, tag)
    assert record["user"] == USER and record["tls"]
    assert [(login["mechanism"], login["good"], login["tls"]) for login in logins(sink)] == [(used, True, True)]


def test_many_connections_log_in_once_one_was_accepted(make):
    cluster, sink = make()
    burst = Burst(cluster.nodes[1].smtp, 300, connections=10).run()
    until(lambda: set(burst.acknowledged) <= set(sink.tags()), 30, "all of it arrives")
    assert all(login["good"] for login in logins(sink))
    assert {record["user"] for record in sink.control.records()} == {USER}


def test_a_wrong_password_is_tried_once_and_mail_waits_for_the_right_one(make, key):
    cluster, sink = make(secret=OTHER, nodes=2)
    burst = Burst(cluster.nodes[1].smtp, 100, connections=10).run()
    other, _ = send(cluster.nodes[2].smtp)
    until_logged(cluster, r" hop-login-refused .*535")
    until(lambda: logged(cluster, "message-put-off"), 20, "mail waits")
    # The workers look again and again; the account is left alone.
    time.sleep(4)
    assert len(logins(sink)) == 2, "one login for each node"
    assert len(logged(cluster, "hop-login-refused")) == 1
    set_secret(cluster, key, PASSWORD)
    tags = {*burst.acknowledged, other}
    until(lambda: tags <= set(sink.tags()), 60, "all of it arrives")
    assert logged(cluster, "hop-up")
    assert not logged(cluster, "recipient-failed")


def test_mail_waits_for_a_secret_that_is_not_there(make, key):
    cluster, sink = make(secret=None)
    tag, _ = send(cluster.nodes[1].smtp)
    until_logged(cluster, r" hop-login-impossible .*skeinctl secret set provider-password")
    until_logged(cluster, r" message-put-off .*skeinctl secret set provider-password")
    assert sink.control.ask()["connections"] <= 1, "only the test's own look whether it listens"
    set_secret(cluster, key, PASSWORD)
    until_at(sink, tag)


def test_a_password_never_goes_in_clear(make):
    cluster, sink = make(breaker=", breaker: {pause_first: 1s, pause_max: 2s}")
    sink.control.ask(starttls=False)
    tag, _ = send(cluster.nodes[1].smtp)
    until_logged(cluster, r" hop-failed .*open=true")
    until(lambda: len(logged(cluster, "hop-failed")) >= 2, 20, "it is tried again")
    assert logins(sink) == [] and tag not in sink.tags()
    sink.control.ask(starttls=True)
    until_at(sink, tag)
    assert [login["tls"] for login in logins(sink)] == [True]


def test_a_host_without_a_mechanism_that_fits_is_left_alone(make):
    cluster, sink = make("login", breaker=", breaker: {pause_first: 1s, pause_max: 2s}")
    sink.control.ask(mechanisms=["PLAIN"])
    tag, _ = send(cluster.nodes[1].smtp)
    until_logged(cluster, r" hop-failed .*no mechanism to log in with.*open=true")
    assert logins(sink) == []
    sink.control.ask(mechanisms=["LOGIN"])
    until_at(sink, tag)


@pytest.mark.parametrize("rule, opens", [("reply 454 4.7.0 Temporary authentication failure", False), ("close", True),
                                         ("reply 421 4.7.0 Too many logins", False)])
def test_a_login_that_fails_for_now_is_tried_again(make, rule, opens):
    cluster, sink = make(breaker=", breaker: {failures: 3, pause_first: 1s, pause_max: 2s}")
    sink.control.rules({"stage": "auth", "do": rule})
    tag, _ = send(cluster.nodes[1].smtp)
    until_logged(cluster, r" hop-failed .*open=true")
    first = logged(cluster, "hop-failed")[0]
    assert ("open=true" in first) == opens, first
    assert not logged(cluster, "hop-login-refused")
    sink.control.rules()
    until_at(sink, tag)
