"""The directory hangs, dies and comes back: nobody gets in by it, AUTH is answered in time, and other mail flows."""
import re
import threading
import time

from lab import admin
from lab.burst import Burst
from lab.wait import until
import pytest

from directory_lab import PASSWORD, RELAY_GROUP, UNGUARDED, connect, log_in
from support import message, new_tag, settle, until_arrived

# Who comes in clear needs no AUTH.
POLICY = UNGUARDED + f"""clients:
  - name: members
    match: {{listener: implicit, group: {RELAY_GROUP}}}
    effect: require-auth
  - name: machines
    match: {{network: 127.0.0.0/8, tls: none}}
    effect: allow
"""
# In seconds. Each step at the one server takes LDAP_TIMEOUT at most, all of them together TIMEOUT.
TIMEOUT, LDAP_TIMEOUT = 3, 1
SLACK = 15  # For a machine that has other things to do.
BACK = 90   # A server that failed is left alone for a minute at most.
LAG_MAX = 1.0


@pytest.fixture(scope="module")
def relay(module_clusters, domain, tmp_path_factory):
    folder = tmp_path_factory.mktemp("loss")
    (folder / "policy.yaml").write_text(POLICY, encoding="utf-8")
    auth = domain.settings(folder, timeout=f"{TIMEOUT}s", cache={"password": "0s", "identity": "1s", "wrong": "0s"})
    auth["ldap"]["timeout"] = f"{LDAP_TIMEOUT}s"
    return module_clusters(nodes=1, redis=False, balancer=False, wrapper=domain.wrapper, settings={
        "relay": None, "policy": {"file": str(folder / "policy.yaml")}, "auth": auth})


@pytest.fixture(params=["hangs", "is dead"])
def away(request, domain, relay):
    """The domain controller is away; yields a function that brings it back."""
    go, come = ("hang", "wake") if request.param == "hangs" else ("dc-down", "dc-up")
    until(lambda: login(relay, "carol", PASSWORD)[0] == 235, BACK, "carol gets in before", poll=0.5)
    domain.do(go)
    is_away = True

    def back():
        nonlocal is_away
        if is_away:
            domain.do(come)
        is_away = False

    yield back
    back()
    until(lambda: login(relay, "carol", PASSWORD)[0] == 235, BACK, "carol gets in again", poll=0.5)


def login(relay, user, password, mechanism="PLAIN"):
    with connect(relay.nodes[1].smtps) as client:
        return log_in(client, user, password, mechanism)


def lagging_loops(relay):
    """How often a loop ran its timer more than LAG_MAX late."""
    metrics = admin.metrics(relay.nodes[1].admin)
    buckets = {float(name.partition('le="')[2].partition('"')[0]): value for name, value in metrics.items()
               if name.startswith("skein_loop_lag_seconds_bucket") and "+Inf" not in name}
    counted = min(limit for limit in buckets if limit >= LAG_MAX)
    return metrics["skein_loop_lag_seconds_count"] - buckets[counted]


class Logins(threading.Thread):
    """Logs in again and again, and notes what is said and how long that took."""

    def __init__(self, relay, user, password):
        super().__init__(daemon=True)
        self.relay, self.user, self.password = relay, user, password
        self.replies, self.longest, self.is_over = [], 0.0, threading.Event()

    def run(self):
        while not self.is_over.is_set():
            began = time.monotonic()
            self.replies.append(login(self.relay, self.user, self.password))
            self.longest = max(self.longest, time.monotonic() - began)


def test_nobody_gets_in_and_all_other_mail_flows(relay, away):
    lagged = lagging_loops(relay)
    good, wrong = Logins(relay, "alice", PASSWORD), Logins(relay, "bob", "Wrong-Passw0rd")
    good.start()
    wrong.start()
    burst = Burst([relay.nodes[1].smtp], 200, connections=5, sender="a@client.skein.test").start()
    settle(relay, burst)
    for logins in (good, wrong):
        until(lambda logins=logins: len(logins.replies) >= 3, 3 * (TIMEOUT + SLACK), "three logins are answered")
    assert admin.get(relay.nodes[1].admin, "/healthz")[0] == 200
    assert lagging_loops(relay) == lagged
    for logins in (good, wrong):
        logins.is_over.set()
        logins.join(TIMEOUT + SLACK)
        assert {code for code, _ in logins.replies} == {454}, logins.replies
        assert all(text.startswith(b"4.7.0 ") for _, text in logins.replies)
        assert logins.longest < TIMEOUT + SLACK
    away()


# Another one each: whom the node has just seen it knows for a second.
@pytest.mark.parametrize("mechanism, user, password", [
    ("LOGIN", "alice", PASSWORD), ("NTLM", "bob", PASSWORD), ("GSSAPI", "many@ADLAB.TEST", "")])
def test_each_mechanism_hears_that_it_is_our_trouble(domain, relay, tmp_path, mechanism, user, password):
    cache, content = tmp_path / "tickets", tmp_path / "message"
    content.write_bytes(message(new_tag()))
    assert domain.kinit("many", cache)
    domain.do("hang")
    try:
        began = time.monotonic()
        _, said = domain.curl(relay.nodes[1].smtps, mechanism, user, password, content, cache=cache)
        assert "454 4.7.0" in said, said
        assert time.monotonic() - began < TIMEOUT + SLACK
    finally:
        domain.do("wake")
    until(lambda: domain.curl(relay.nodes[1].smtps, mechanism, user, password, content, cache=cache)[0] == 0, BACK,
          f"{user} gets in by {mechanism} again", poll=0.5)


def test_after_all_that_it_is_the_same_process(relay):
    assert len(re.findall(r"\bserving\b", relay.nodes[1].log.read_text(encoding="utf-8"))) == 1
    tag = new_tag()
    with connect(relay.nodes[1].smtps) as client:
        assert log_in(client, "alice", PASSWORD)[0] == 235
        client.sendmail("alice@adlab.test", ["b@sink.skein.test"], message(tag))
    until_arrived(relay, tag)
