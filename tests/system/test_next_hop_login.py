"""Logging in at next hops: mechanisms, what is not accepted, and that no password goes astray."""
import json
import re
import subprocess
import time
import urllib.parse

import pytest
from lab.burst import Burst
from lab.wait import until
from test_secrets_nodes import ctl, until_logged
from ctl_lab import CTL

from authority import Authority
from https_server import HttpsServer
from more_sinks import ALLOW, MoreSink, apply, target
from support import new_tag, send

# What is put off comes again soon.
RETRY = {"first": "200ms", "max": "1s"}
USER, PASSWORD, OTHER = "relay@acme.example", "correct horse battery staple", "another horse entirely"


@pytest.fixture(name="key")
def fixture_key(tmp_path):
    path = tmp_path / "cluster.key"
    subprocess.run([CTL, "key", "new", str(path)], check=True, capture_output=True, timeout=30)
    return path


@pytest.fixture(name="make")
def fixture_make(new_cluster, key):
    """make(mechanism, ...) -> (cluster, sink): all mail goes to a sink that wants a login."""
    made = []

    def make(mechanism="auto", nodes=1, secret=PASSWORD, good=PASSWORD, breaker="", **where):
        cluster = new_cluster(nodes=nodes, balancer=False, settings={"cluster": {"key_file": str(key)}, "retry": RETRY})
        sink = MoreSink(cluster, "provider")
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
    before = max(map(secrets_version, cluster.nodes.values()))
    ctl(cluster, key, "secret", "set", name, stdin=text)
    for node in cluster.nodes.values():
        until(lambda node=node: secrets_version(node) > before, 20, "the secret is known")


def secrets_version(node):
    """Two that come close together are loaded at once."""
    loaded = re.findall(r" secrets-loaded .* version=(\d+)", node.log.read_text(errors="replace"))
    return max(map(int, loaded), default=0)


def logins(sink):
    return sink.control.ask(logins=True)["logins"]


def until_at(sink, tag, seconds=30):
    until(lambda: tag in sink.tags(), seconds, f"{tag} arrives")
    return next(record for record in sink.control.records() if record["tag"] == tag)


def logged(cluster, event, node=1):
    return re.findall(rf" {event} .*", cluster.nodes[node].log.read_text(errors="replace"))


def until_put_off(cluster, why):
    until(lambda: any(node.tracked("DEFER", text=why) for node in cluster.nodes.values()), 20, f"mail waits: {why}")


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
    until(lambda: cluster.nodes[1].tracked("DEFER"), 20, "mail waits")
    # The workers look again for whatever comes; the account is left alone.
    for _ in range(5):
        before = len(cluster.nodes[1].tracked("DEFER"))
        send(cluster.nodes[1].smtp)
        until(lambda before=before: len(cluster.nodes[1].tracked("DEFER")) > before, 20, "this waits too")
    assert len(logins(sink)) == 2, "one login for each node"
    assert len(logged(cluster, "hop-login-refused")) == 1
    set_secret(cluster, key, PASSWORD)
    tags = {*burst.acknowledged, other}
    until(lambda: tags <= set(sink.tags()), 60, "all of it arrives")
    until(lambda: logged(cluster, "hop-up"), 20, "the log tells that it is up")
    assert not cluster.nodes[1].tracked("FAIL")


def test_mail_waits_for_a_secret_that_is_not_there(make, key):
    cluster, sink = make(secret=None)
    until_logged(cluster, r" secrets-loaded ")
    tag, _ = send(cluster.nodes[1].smtp)
    until_logged(cluster, r" hop-login-impossible .*skeinctl secret set provider-password")
    until_put_off(cluster, "skeinctl secret set provider-password")
    assert sink.control.ask()["connections"] <= 1, "only the test's own look whether it listens"
    set_secret(cluster, key, PASSWORD)
    until_at(sink, tag)


def test_a_password_never_goes_in_clear(make):
    cluster, sink = make(breaker=", breaker: {pause_first: 200ms, pause_max: 1s}")
    sink.control.ask(starttls=False)
    tag, _ = send(cluster.nodes[1].smtp)
    until_logged(cluster, r" hop-failed .*open=true")
    until(lambda: len(logged(cluster, "hop-failed")) >= 2, 20, "it is tried again")
    assert logins(sink) == [] and tag not in sink.tags()
    sink.control.ask(starttls=True)
    until_at(sink, tag)
    assert [login["tls"] for login in logins(sink)] == [True]


def test_a_host_without_a_mechanism_that_fits_is_left_alone(make):
    cluster, sink = make("login", breaker=", breaker: {pause_first: 200ms, pause_max: 1s}")
    sink.control.ask(mechanisms=["PLAIN"])
    tag, _ = send(cluster.nodes[1].smtp)
    until_logged(cluster, r" hop-failed .*no mechanism to log in with.*open=true")
    assert logins(sink) == []
    sink.control.ask(mechanisms=["LOGIN"])
    until_at(sink, tag)


@pytest.mark.parametrize("rule, opens", [("reply 454 4.7.0 Temporary authentication failure", False), ("close", True),
                                         ("reply 421 4.7.0 Too many logins", False)])
def test_a_login_that_fails_for_now_is_tried_again(make, rule, opens):
    cluster, sink = make(breaker=", breaker: {failures: 3, pause_first: 200ms, pause_max: 1s}")
    sink.control.rules({"stage": "auth", "do": rule})
    tag, _ = send(cluster.nodes[1].smtp)
    until_logged(cluster, r" hop-failed .*open=true")
    first = logged(cluster, "hop-failed")[0]
    assert ("open=true" in first) == opens, first
    assert not logged(cluster, "hop-login-refused")
    sink.control.rules()
    until_at(sink, tag)


# --- TLS from the first byte, and certificates that are verified ---------------------------------------------------------


NAME = "mail.skein.test"


@pytest.fixture(name="authority", scope="module")
def fixture_authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(name="certificate", scope="module")
def fixture_certificate(authority):
    return authority.issue("mail", f"DNS:{NAME},IP:127.0.0.1")


def test_over_tls_from_the_first_byte_with_a_certificate_that_is_verified(new_cluster, key, authority, certificate):
    cluster = new_cluster(nodes=1, balancer=False,
                          settings={"cluster": {"key_file": str(key)}, "retry": RETRY, "route": {"ca": authority.certificate}})
    sink = MoreSink(cluster, "provider", certificate=certificate, arguments=["--tls-first"])
    sink.control.ask(accounts={USER: [PASSWORD]})
    set_secret(cluster, key, PASSWORD)
    apply(cluster, ALLOW + f"""credentials:
  provider: {{ user: {USER}, secret: provider-password }}
routes: [ {{ name: all, to: [{target(sink.address, tls="verify", tls_first="true", tls_name=NAME, credentials="provider")}] }} ]
""")
    tag, _ = send(cluster.nodes[1].smtp)
    assert until_at(sink, tag)["user"] == USER


def test_a_host_with_another_name_never_sees_the_password(new_cluster, key, authority, certificate):
    cluster = new_cluster(nodes=1, balancer=False,
                          settings={"cluster": {"key_file": str(key)}, "retry": RETRY, "route": {"ca": authority.certificate}})
    sink = MoreSink(cluster, "provider", certificate=certificate)
    sink.control.ask(accounts={USER: [PASSWORD]})
    set_secret(cluster, key, PASSWORD)
    apply(cluster, ALLOW + f"""credentials:
  provider: {{ user: {USER}, secret: provider-password }}
routes: [ {{ name: all, to: [{target(sink.address, tls="verify", tls_name="other.skein.test", credentials="provider")}] }} ]
""")
    send(cluster.nodes[1].smtp)
    until_logged(cluster, r" hop-failed .*hostname mismatch")
    assert logins(sink) == []


# --- tokens --------------------------------------------------------------------------------------------------------------


class TokenServer:
    """Gives tokens "token-1", "token-2", ... that the sink then takes; `reply` says what instead. `at`: when each was given."""

    def __init__(self, certificate, sink):
        self.sink, self.certificate = sink, certificate
        self.asked, self.given, self.at = [], [], []
        self.expires_in, self.reply, self.is_bad, self.hangs = 3600, None, False, False
        self.server = HttpsServer(certificate, self.answer)

    def answer(self, method, path, headers, body):
        asked = {name: values[0] for name, values in urllib.parse.parse_qs(body.decode()).items()}
        self.asked.append((method, path, headers["Content-Type"], asked))
        if self.hangs:
            return None
        if self.reply:
            status, content = self.reply
            return status, {"Content-Type": "application/json"}, json.dumps(content).encode()
        if asked["client_secret"] != PASSWORD:
            return 401, {}, json.dumps({"error": "invalid_client", "error_description": f"no: {asked['client_secret']}"}).encode()
        self.given.append(f"token-{len(self.given) + 1}-" + "x" * 1500)
        self.at.append(time.monotonic())
        if not self.is_bad:
            self.sink.control.ask(accounts={USER: self.given})
        return 200, {}, json.dumps({"access_token": self.given[-1], "token_type": "Bearer", "expires_in": self.expires_in}).encode()


@pytest.fixture(name="office")
def fixture_office(new_cluster, key, authority, certificate):
    """make(...) -> (cluster, sink, tokens)"""
    made = []

    def make(nodes=1, secret=PASSWORD):
        cluster = new_cluster(nodes=nodes, balancer=False, settings={
            "cluster": {"key_file": str(key)}, "retry": RETRY, "route": {"ca": authority.certificate, "token_ca": authority.certificate}})
        sink = MoreSink(cluster, "office", certificate=certificate)
        sink.control.ask(accounts={USER: ["nothing yet"]}, mechanisms=["PLAIN", "XOAUTH2"])
        tokens = TokenServer(certificate, sink)
        set_secret(cluster, key, secret, "office-client")
        apply(cluster, ALLOW + f"""credentials:
  office:
    mechanism: xoauth2
    user: {USER}
    secret: office-client
    token_url: https://127.0.0.1:{tokens.server.port}/tenant/oauth2/v2.0/token
    client_id: 6f0c3c1e
    scope: https://outlook.example/.default
routes:
  - name: all
    to: [{target(sink.address, tls="verify", tls_name=NAME, credentials="office")}]
    connections: 2
    breaker: {{ pause_first: 200ms, pause_max: 1s }}
""")
        made.append((cluster, tokens))
        return cluster, sink, tokens

    yield make
    for cluster, tokens in made:
        tokens.server.stop()
        for node in cluster.nodes.values():
            log = node.log.read_text(errors="replace")
            assert not any(word in log for word in (PASSWORD, OTHER, "token-1-")), "a secret is in the log"


def test_a_token_is_fetched_once_and_used_by_all_connections(office):
    cluster, sink, tokens = office()
    burst = Burst(cluster.nodes[1].smtp, 200, connections=10).run()
    until(lambda: set(burst.acknowledged) <= set(sink.tags()), 30, "all of it arrives")
    assert tokens.asked == [("POST", "/tenant/oauth2/v2.0/token", "application/x-www-form-urlencoded",
                             {"grant_type": "client_credentials", "client_id": "6f0c3c1e", "client_secret": PASSWORD,
                              "scope": "https://outlook.example/.default"})]
    assert {(login["mechanism"], login["secret"], login["good"]) for login in logins(sink)} == {("XOAUTH2", tokens.given[0], True)}


def test_a_token_is_renewed_before_it_ends(office):
    cluster, sink, tokens = office()
    tokens.expires_in = 4
    tag, _ = send(cluster.nodes[1].smtp)
    until_at(sink, tag)
    until(lambda: len(tokens.asked) >= 3, 20, "it is renewed in the background")
    # A failure is no harm as long as the token is good, or as the next try brings one.
    tokens.reply = (503, {})
    until(lambda: logged(cluster, "token-failed"), 20, "it fails")
    tokens.reply = None
    before = len(tokens.given)
    until(lambda: len(tokens.given) > before, 20, "it is tried again")
    tag, _ = send(cluster.nodes[1].smtp)
    until_at(sink, tag)


def test_mail_waits_while_there_is_no_token_and_why_is_told(office, key):
    cluster, sink, tokens = office(secret=OTHER)
    tag, _ = send(cluster.nodes[1].smtp)
    # The server's words repeat the secret: they are left out.
    until_logged(cluster, r" token-failed .*repeats the client's secret")
    until_put_off(cluster, "no token for credentials")
    assert logins(sink) == []
    tokens.reply = (400, {"error": "invalid_scope", "error_description": "AADSTS70011: bad scope"})
    until_logged(cluster, r" token-failed .*invalid_scope: AADSTS70011: bad scope")
    tokens.reply = None
    set_secret(cluster, key, PASSWORD, "office-client")
    until_at(sink, tag, 60)


def test_mail_waits_while_the_token_server_is_down(office):
    cluster, sink, tokens = office()
    port = tokens.server.port
    tokens.server.stop()
    tag, _ = send(cluster.nodes[1].smtp)
    until_logged(cluster, r" token-failed ")
    until_put_off(cluster, "no token for credentials")
    tokens.server = HttpsServer(tokens.certificate, tokens.answer, ("127.0.0.1", port))
    until_at(sink, tag, 60)


def test_a_token_that_is_refused_is_fetched_anew_once(office):
    cluster, sink, tokens = office()
    tag, _ = send(cluster.nodes[1].smtp)
    until_at(sink, tag)
    # The tenant has taken it back.
    sink.control.ask(accounts={USER: ["nothing"]}, drop=True)
    tag, _ = send(cluster.nodes[1].smtp)
    until_at(sink, tag)
    assert len(tokens.given) == 2
    assert not logged(cluster, "hop-login-refused")
    # Now no token is good.
    tokens.is_bad = True
    sink.control.ask(accounts={USER: ["nothing"]}, drop=True)
    tag, _ = send(cluster.nodes[1].smtp)
    until_logged(cluster, r" hop-login-refused .*535")
    assert len(tokens.given) == 3
    sink.control.ask(accounts={USER: tokens.given})
    until_at(sink, tag, 60)
