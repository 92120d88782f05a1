"""Guessers of passwords, against a real Active Directory and over all nodes: they are banned, nobody's account is locked,
and others are served meanwhile."""
import concurrent.futures
import itertools
import smtplib
import ssl

import pytest
from lab.wait import until

from directory_lab import PASSWORD
from support import message, new_tag, send, session_of, until_arrived

THRESHOLD = 10
ADDRESSES, GUESSES = 50, 10000
# Each way to write a name is a guess at the same account.
VICTIMS = {"bob": ("bob", "ADLAB\\bob", "b.obrien@corp.example", "BOB@adlab.test"), "carol": ("carol", "Carol@adlab.test"),
           "many": ("many", "adlab.test\\many"), "dave": ("dave",), "nobody": ("nobody",)}
NAMES = [name for names in VICTIMS.values() for name in names]
POLICY = """abuse: {delay: 10ms, exempt: [10.99.0.0/16]}
clients:
  - {name: members, match: {group: smtp-relay-users}, effect: require-auth, senders: [own, '*@client.skein.test']}
  - {name: machines, match: {network: 127.0.0.0/8}, effect: allow}
"""


@pytest.fixture(scope="module", autouse=True)
def lockout(domain):
    with domain.lockout(THRESHOLD):
        yield


@pytest.fixture
def cluster(new_cluster, domain, tmp_path):
    cluster = new_cluster(balancer=False, wrapper=domain.wrapper, settings={"relay": None, "auth": domain.settings(tmp_path)})
    (tmp_path / "policy.yaml").write_text(POLICY, encoding="utf-8")
    code, _, errors = cluster.ctl("policy", "apply", str(tmp_path / "policy.yaml"), "-m", "test")
    assert code == 0, errors
    nodes = list(cluster.nodes.values())
    until(lambda: cluster.ctl("--json", "nodes")[1].count('"policy": 1') == len(nodes), 20, "all nodes run the policy")
    return cluster


def connect(node, source):
    """A session as this client has it; None: it is turned away."""
    try:
        return session_of(node.proxied, source)
    except smtplib.SMTPConnectError:
        return None


TLS = ssl.create_default_context()
TLS.check_hostname, TLS.verify_mode = False, ssl.CERT_NONE


def log_in(node, source, user, password):
    """The reply to AUTH; None: banned, before or while it was said."""
    session = connect(node, source)
    if not session:
        return None
    try:
        session.starttls(context=TLS)
        session.ehlo()
        session.user, session.password = user, password
        code, _ = session.auth("PLAIN", session.auth_plain)
        return code
    except smtplib.SMTPAuthenticationError as error:
        return None if error.smtp_code == 421 else error.smtp_code
    except smtplib.SMTPServerDisconnected:
        return None
    finally:
        session.close()


def bad_passwords(domain, user):
    return int(domain.read(user, "badPwdCount") or 0), bool(int(domain.read(user, "lockoutTime") or 0))


def test_ten_thousand_guesses_from_fifty_addresses(cluster, domain, record_property):
    nodes = itertools.cycle(cluster.nodes.values())
    serial = itertools.count()

    def guess(address):
        source, answers = f"10.1.{address}.7", []
        for number in range(GUESSES // ADDRESSES):
            node = next(nodes)
            answers.append(log_in(node, source, NAMES[number % len(NAMES)], f"Guess-{next(serial)}"))
        return answers

    def serve():
        """Others: a machine that may relay by its address, and a user with the right password."""
        served = 0
        for node in list(cluster.nodes.values()) * 10:
            tag, _ = send(node.smtp)
            until_arrived(cluster, tag)
            assert log_in(node, "10.2.0.1", "alice", PASSWORD) == 235
            served += 1
        return served

    with concurrent.futures.ThreadPoolExecutor(ADDRESSES + 1) as pool:
        served = pool.submit(serve)
        answers = list(pool.map(guess, range(ADDRESSES)))
        assert served.result() == 30

    flat = [answer for one in answers for answer in one]
    assert len(flat) == GUESSES and set(flat) <= {535, 454, None}
    # Ten failures of an address bring its ban: from then on it is not heard.
    assert all(one[-1] is None for one in answers)
    heard = flat.count(535)  # 454 is no failure: a busy machine had no time to ask.
    counts = {user: bad_passwords(domain, user) for user in VICTIMS if user != "nobody"}
    text = f"{GUESSES} guesses, {heard} were refused, {flat.count(454)} put off, the others turned away; (badPwdCount, locked): {counts}"
    print(text)
    record_property("guesses", text)
    assert heard <= ADDRESSES * 11
    for user, (count, is_locked) in counts.items():
        assert not is_locked and count < THRESHOLD, (user, count)
    rows = cluster.ctl("--json", "ban", "list")[1]
    assert all(f'"10.1.{address}.7"' in rows for address in range(ADDRESSES))
    # The victims' own, from elsewhere: nobody is asked about them for a while, and then they are in again.
    assert log_in(cluster.nodes[1], "10.2.0.2", "alice", PASSWORD) == 235
    assert log_in(cluster.nodes[1], "10.2.0.2", "bob", PASSWORD) == 535


def test_a_ban_holds_on_every_node_and_ends_with_a_word(cluster):
    nodes = list(cluster.nodes.values())
    assert cluster.ctl("ban", "add", "10.3.0.0/24", "-m", "test")[0] == 0
    for node in nodes:
        until(lambda: connect(node, "10.3.0.77") is None, 10, f"{node.name} knows of the ban")
        session = connect(node, "10.3.1.1")
        assert session
        session.close()
        assert node.metric('skein_connections_refused_total{reason="banned"}') >= 1
    assert cluster.ctl("ban", "remove", "10.3.0.0/24")[0] == 0
    for node in nodes:
        until(lambda: connect(node, "10.3.0.77") is not None, 10, f"{node.name} knows that it ended")


def test_exempt_networks_are_answered_and_never_banned(cluster):
    for number in range(30):
        assert log_in(cluster.nodes[number % 3 + 1], "10.99.0.1", "nobody", f"Guess-{number}") == 535
    assert "10.99" not in cluster.ctl("ban", "list")[1]
    tag, _ = send(cluster.nodes[1].smtp, content=message(tag := new_tag()), tag=tag)
    until_arrived(cluster, tag)
