"""Limits of the policy: one count for all nodes, each node's share without Redis, and what a client is told."""
import concurrent.futures
import re
import smtplib
import ssl
import subprocess
import time

import pytest
from lab import admin
from lab.cluster import build_folder
from lab.wait import until

from support import message, new_tag, send, session_of, until_arrived

RATE = 100  # per minute, and as many at once
POLICY = """limits:
{limits}clients:
  - {{name: here, match: {{network: [127.0.0.0/8, 10.0.0.0/8, '2001:db8::/32']}}, effect: allow{rest}}}
"""


def apply(cluster, limits, rest=""):
    path = cluster.folder / "policy.yaml"
    path.write_text(POLICY.format(limits="".join(f"  {line}\n" for line in limits), rest=rest), encoding="utf-8")
    code, output, errors = cluster.ctl("--json", "policy", "apply", str(path), "-m", "test")
    assert code == 0, errors
    version = int(re.search(r'"version": (\d+)', output)[1])
    for node in cluster.nodes.values():
        until(lambda: admin.health(node.admin)["policy"]["version"] == version, 20, f"{node.name} runs {version}")


def until_all_know_all(cluster):
    nodes = list(cluster.nodes.values())
    until(lambda: all(node.metric("skein_cluster_nodes") == len(nodes) for node in nodes), 20, "the nodes see one another")


def client_of(node, source=None):
    """A session; with `source` by the balancer's listener, which believes who it is."""
    if source:
        session = session_of(node.proxied, source)
        session.ehlo()
        return session
    host, port = node.smtp.split(":")
    return smtplib.SMTP(host, int(port), timeout=30)


def offer(session, sender="a@client.skein.test", recipients=("b@sink.skein.test",), text="Hello.\r\n"):
    """(code, text) of the last step."""
    session.ehlo_or_helo_if_needed()
    session.mail(sender)
    for recipient in recipients:
        assert session.rcpt(recipient)[0] == 250
    try:
        return session.data(message(new_tag(), text))
    except smtplib.SMTPDataError as refused:
        return refused.smtp_code, refused.smtp_error


def flood(node, count, source=None):
    """How many of so many messages are taken."""
    taken = 0
    with client_of(node, source) as session:
        for _ in range(count):
            code, text = offer(session)
            taken += code == 250
            assert code == 250 or (code == 450 and b"4.7.1 Limit all is reached, try again in" in text), (code, text)
    return taken


def flood_all(nodes, count):
    with concurrent.futures.ThreadPoolExecutor(len(nodes)) as pool:
        return list(pool.map(lambda node: flood(node, count), nodes))


def test_three_nodes_have_one_limit_and_a_share_of_it_without_redis(new_cluster, record_property):
    cluster = new_cluster(balancer=False)
    nodes = list(cluster.nodes.values())
    apply(cluster, [f"all: {{key: cluster, rate: {RATE}/min, global: true}}"])
    until_all_know_all(cluster)
    began = time.monotonic()
    taken = flood_all(nodes, RATE)
    allowed = RATE + RATE / 60 * (time.monotonic() - began)
    record_property("together", f"{sum(taken)} of {allowed:.1f} allowed, {taken} by node")
    print(f"with Redis: {sum(taken)} taken, {allowed:.1f} allowed")
    # What came back during the last message may not have been asked for.
    assert 0.98 * RATE <= sum(taken) <= allowed and allowed - sum(taken) <= 0.02 * RATE + 2

    cluster.redis.kill()
    until(lambda: all(node.metric("skein_redis_up") == 0 for node in nodes), 20, "all nodes miss Redis")
    for node in nodes:
        began = time.monotonic()
        share = flood(node, RATE)
        allowed = RATE / 3 + RATE / 3 / 60 * (time.monotonic() - began)
        print(f"{node.name} without Redis: {share} taken, {allowed:.1f} allowed")
        assert 0.98 * RATE / 3 - 1 <= share <= allowed

    until(lambda: all(node.metric('skein_limits_asked_total{by="share"}') >= RATE for node in nodes), 20, "it is counted")


def test_each_kind_of_counter_counts_by_itself(new_cluster):
    cluster = new_cluster(nodes=2, balancer=False)
    one, other = cluster.nodes.values()

    def refusal(limit, code=450, enhanced=b"4.7.1"):
        return code, enhanced + b" Limit " + limit + b" is reached, try again in"

    def is_refused(node, wanted, source=None, **words):
        with client_of(node, source) as session:
            code, text = offer(session, **words)
        assert code == wanted[0] and text.startswith(wanted[1]), (code, text)

    def is_taken(node, source=None, **words):
        with client_of(node, source) as session:
            assert offer(session, **words)[0] == 250

    apply(cluster, ["per: {key: client, rate: 1/h, global: true}"])
    is_taken(one, "10.0.0.1")
    is_refused(other, refusal(b"per"), "10.0.0.1")
    is_taken(other, "10.0.0.2")
    is_taken(one, "2001:db8:1::1")
    is_refused(other, refusal(b"per"), "2001:db8:1::2")
    is_taken(other, "2001:db8:1:1::2")

    apply(cluster, ["from: {key: sender, rate: 1/h, action: reject}"], rest=", limits: [from]")
    is_taken(one, sender="a@one.example")
    is_refused(other, refusal(b"from", 550, b"5.7.1"), sender="A@one.example")
    is_taken(other, sender="b@one.example")

    apply(cluster, ["dom: {key: sender_domain, rate: 1/h, global: true}"])
    is_taken(one, sender="a@two.example")
    is_refused(other, refusal(b"dom"), sender="b@TWO.example")
    is_taken(other, sender="")
    is_refused(one, refusal(b"dom"), sender="")

    apply(cluster, ["to: {key: recipient_domain, count: recipients, rate: 3/h, global: true}"])
    is_taken(one, recipients=("a@x.example", "b@x.example", "a@y.example"))
    is_refused(other, refusal(b"to"), recipients=("c@x.example", "d@x.example", "b@y.example"))
    # What was refused took nothing.
    is_taken(other, recipients=("c@x.example", "b@y.example", "c@y.example"))
    is_refused(one, refusal(b"to"), recipients=("d@y.example",))

    apply(cluster, ["size: {key: cluster, count: bytes, rate: 20KiB/h, global: true}"])
    is_taken(one, text="x" * 78 + "\r\n" * 1)
    is_taken(one, text=("x" * 78 + "\r\n") * 150)
    is_refused(other, refusal(b"size"), text=("x" * 78 + "\r\n") * 150)
    is_taken(other, text="x\r\n")


def test_connections_are_limited_before_the_greeting(new_cluster):
    cluster = new_cluster(nodes=2, balancer=False)
    one, other = cluster.nodes.values()
    apply(cluster, ["conn: {key: client, count: connections, rate: 2/h, global: true}"])
    client_of(one, "10.0.0.9").quit()
    client_of(other, "10.0.0.9").quit()
    with pytest.raises(smtplib.SMTPConnectError) as refused:
        client_of(one, "10.0.0.9")
    assert refused.value.smtp_code == 421
    client_of(other, "10.0.0.8").quit()
    until(lambda: one.metric('skein_connections_refused_total{reason="limit"}') == 1, 20, "it is counted")


def test_failed_logins_are_limited_and_good_ones_are_not(new_cluster, tmp_path):
    users, policy = tmp_path / "users", tmp_path / "policy.yaml"
    policy.write_text("abuse: {delay: 0s}\n" + POLICY.format(
        limits="  fails: {key: client, count: auth_failures, rate: 2/h, global: true}\n", rest=""), encoding="utf-8")
    subprocess.run([build_folder() / "bin" / "skeinctl", "--users-file", users, "user", "add", "ann"], input="right\n",
                   text=True, check=True, capture_output=True)
    cluster = new_cluster(nodes=1, redis=False, balancer=False, settings={
        "policy": {"file": str(policy)}, "auth": {"backends": ["file"], "file": {"path": str(users)}, "cache": {"wrong": "0s"}}})
    node = cluster.nodes[1]
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE

    def log_in(password, source="10.0.0.5"):
        with client_of(node, source) as session:
            session.starttls(context=tls)
            session.ehlo()
            session.user, session.password = "ann", password
            try:
                return session.auth("PLAIN", session.auth_plain)
            except smtplib.SMTPAuthenticationError as refused:
                return refused.smtp_code, refused.smtp_error

    for _ in range(5):
        assert log_in("right")[0] == 235
    assert [log_in(f"wrong-{number}")[0] for number in range(2)] == [535, 535]
    for password in ("wrong-2", "right"):
        code, text = log_in(password)
        assert code == 454 and b"4.7.0 Limit fails is reached, try again in" in text, (code, text)
    assert log_in("right", "10.0.0.6")[0] == 235


def test_what_came_to_nothing_is_given_back(new_cluster):
    cluster = new_cluster(nodes=1, balancer=False)
    node = cluster.nodes[1]
    apply(cluster, ["all: {key: cluster, rate: 2/h, global: true}"])
    for _ in range(5):
        with client_of(node) as session:
            session.ehlo()
            session.mail("a@client.skein.test")
            session.rcpt("b@sink.skein.test")
            assert session.docmd("DATA")[0] == 354
            session.send(b"a bare\nline end\r\n.\r\n")
            assert session.getreply()[0] == 550
        with client_of(node) as session:
            session.ehlo()
            session.mail("a@client.skein.test")
            session.rcpt("b@sink.skein.test")
            assert session.docmd("DATA")[0] == 354
            session.close()
    until(lambda: node.metric("skein_connections_open") == 0, 20, "the sessions are gone")
    assert flood(node, 3) == 2


def test_a_body_that_was_sent_along_with_a_refused_data_is_no_command(new_cluster):
    cluster = new_cluster(nodes=1, balancer=False)
    node = cluster.nodes[1]
    apply(cluster, ["all: {key: cluster, rate: 1/h, global: true}"])
    assert flood(node, 1) == 1
    with client_of(node) as session:
        session.ehlo()
        session.send(b"MAIL FROM:<a@client.skein.test>\r\nRCPT TO:<b@sink.skein.test>\r\nDATA\r\n"
                     b"RSET\r\nMAIL FROM:<smuggled@client.skein.test>\r\n.\r\n")
        replies = [session.getreply() for _ in range(4)]
        assert [code for code, _ in replies] == [250, 250, 450, 421], replies


def test_many_connections_of_one_client_are_one_count_in_the_cluster(new_cluster):
    cluster = new_cluster(balancer=False, settings={"limits": {"connections_per_client": 12}})
    nodes = list(cluster.nodes.values())
    sessions, refused = [], 0
    until_all_know_all(cluster)
    try:
        # Places move to where they are wanted; in the end exactly so many are open.
        def fill():
            nonlocal refused
            for node in nodes:
                try:
                    sessions.append(client_of(node, "10.0.0.7"))
                except smtplib.SMTPConnectError as error:
                    assert error.smtp_code == 421
                    refused += 1
            return len(sessions) >= 12
        until(fill, 30, lambda: f"twelve are let in: {len(sessions)}", poll=0.2)
        for node in nodes:
            with pytest.raises(smtplib.SMTPConnectError):
                sessions.append(client_of(node, "10.0.0.7"))
        assert len(sessions) == 12
        client_of(nodes[0], "10.0.0.6").quit()
        sessions.pop().close()
        until(fill, 30, "the place of one that left is free", poll=0.2)
    finally:
        for session in sessions:
            session.close()


def test_without_limits_nobody_is_asked(new_cluster):
    cluster = new_cluster(nodes=1, balancer=False)
    node = cluster.nodes[1]
    tag, _ = send(node.smtp)
    until_arrived(cluster, tag)
    assert sum(node.metric(f'skein_limits_asked_total{{by="{by}"}}') for by in ("redis", "share")) == 0
