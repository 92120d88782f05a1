"""Mail is signed as it leaves: what arrives is verified with dkimpy, by the records that skeinctl printed."""
import json
import re
import subprocess
import threading
import time

import pytest
from lab.wait import until

from support import send

dkim = pytest.importorskip("dkim")
pytest.importorskip("nacl")

DOMAIN = "client.skein.test"
POLICY = """\
clients:
  - {match: {network: 127.0.0.0/8}, effect: allow}
sign:
  - domain: client.skein.test
"""


class Signer:
    """A cluster that signs, and the DNS that its keys are published in."""

    def __init__(self, new_cluster, tmp_path, policy=POLICY, **options):
        self.key = tmp_path / "cluster.key"
        subprocess.run([options_ctl(), "key", "new", str(self.key)], check=True, capture_output=True, timeout=30)
        settings = {"cluster": {"key_file": str(self.key)}, **options.pop("settings", {})}
        self.cluster = new_cluster(settings=settings, **options)
        self.dns = {}
        self.apply(policy)

    def ctl(self, *words, code=0):
        done, output, errors = self.cluster.ctl("--key-file", str(self.key), *words)
        assert done == code, errors
        return output if code == 0 else errors

    def apply(self, policy):
        path = self.cluster.folder / "policy.yaml"
        path.write_text(policy, encoding="utf-8")
        version = json.loads(self.ctl("--json", "policy", "apply", str(path), "-m", "test"))["version"]
        for node in self.cluster.nodes.values():
            until(lambda node=node: re.search(rf" policy-applied .*version={version} ", logged(node)), 20, f"version {version} holds")

    def until_secrets(self):
        """Until each node has what the cluster has of secrets."""
        versions = [row["version"] for row in json.loads(self.ctl("secret", "list", "--json"))]
        for node in self.cluster.nodes.values():
            until(lambda node=node: re.search(rf" secrets-loaded .*version={max(versions)} ", logged(node)), 20,
                  f"secrets are at {max(versions)}")

    def create(self, selector, *words):
        self.ctl("dkim", "create", DOMAIN, "--selector", selector, *words)

    def publish(self, *selectors):
        for record in json.loads(self.ctl("dkim", "publish", DOMAIN, *selectors, "--json")):
            self.dns[record["name"]] = record["value"]

    def activate(self, *selectors):
        self.ctl("dkim", "activate", DOMAIN, *selectors, "--yes")
        self.until_secrets()

    def retire(self, *selectors):
        self.ctl("dkim", "retire", DOMAIN, *selectors, "--yes")
        self.until_secrets()

    def make(self, selector, *words):
        self.create(selector, *words)
        self.publish(selector)
        self.activate(selector)

    def verify(self, content):
        """The selectors whose signatures verify; each that is there must."""
        count = len(re.findall(rb"^DKIM-Signature:", content, re.M))
        good = set()
        for index in range(count):
            checked = dkim.DKIM(content)
            assert checked.verify(idx=index, dnsfunc=self.ask), content
            assert checked.domain == DOMAIN.encode()
            good.add(checked.selector.decode())
        assert len(good) == count
        return good

    def ask(self, name, timeout=5):
        del timeout
        return self.dns.get(name.decode().rstrip("."), "").encode() or None

    def arrived(self, count, seconds=30):
        """What has come to the sink, in its order."""
        until(lambda: len(self.cluster.sink.untagged()) >= count, seconds, f"{count} messages arrive")
        return [content for _, content in self.cluster.sink.untagged()]


def options_ctl():
    from ctl_lab import CTL
    return CTL


def logged(node):
    return node.log.read_text(errors="replace")


def mail(sender=f"a@{DOMAIN}", subject="Hi", text="Hello.\r\n"):
    return f"From: A <{sender}>\r\nTo: b@sink.skein.test\r\nSubject: {subject}\r\n\r\n{text}".encode()


def test_mail_of_the_domain_is_signed_and_other_mail_is_not(new_cluster, tmp_path):
    signer = Signer(new_cluster, tmp_path, nodes=1, balancer=False)
    node = signer.cluster.nodes[1]
    signer.make("s1")
    send(node.smtp, content=mail())
    send(node.smtp, content=mail(sender="a@other.example"))
    send(node.smtp, content=mail(sender=f"a@sub.{DOMAIN}"))
    send(node.smtp, sender="someone@other.example", content=mail())
    assert sorted(len(signer.verify(content)) for content in signer.arrived(4)) == [0, 0, 1, 1]
    assert node.metric("skein_messages_signed_total") == 2
    assert node.metric("skein_signing_failures_total") == 0


def test_two_keys_make_two_signatures_of_bodies_wherever_they_are(new_cluster, tmp_path):
    """In memory, in a file, empty, and with an unfinished last line."""
    signer = Signer(new_cluster, tmp_path, nodes=1, balancer=False, settings={"memory": {"body": "64KiB"}})
    node = signer.cluster.nodes[1]
    signer.make("r", "--bits", "2048")
    signer.make("e", "--algorithm", "ed25519")
    line = "A line of text,  with spaces \t and .dots\r\n..\r\n"
    for text in ["", "\r\n", "x", line, line * 2000, line * 20000]:
        send(node.smtp, content=mail(text=text))
    for content in signer.arrived(6):
        assert signer.verify(content) == {"r", "e"}


def test_size_counts_the_signature(new_cluster, tmp_path):
    signer = Signer(new_cluster, tmp_path, nodes=1, balancer=False)
    node = signer.cluster.nodes[1]
    signer.make("s1")
    send(node.smtp, content=mail(text="x" * 900 + "\r\n"))
    content, = signer.arrived(1)
    unsigned = len(content) - content.index(b"Received:")
    signer.cluster.sink.ask(keywords=["PIPELINING", f"SIZE {unsigned + 10}"])
    signer.cluster.sink.ask(drop=True)
    send(node.smtp, content=mail(text="x" * 900 + "\r\n"))
    until(lambda: node.tracked("FAIL"), 20, "the message is too large with its signature")


def test_without_an_active_key_mail_waits_and_says_why(new_cluster, tmp_path):
    signer = Signer(new_cluster, tmp_path, nodes=1, balancer=False)
    node = signer.cluster.nodes[1]
    send(node.smtp, content=mail())
    until(lambda: node.tracked("DEFER", status="4.7.5", text="no active key: see skeinctl dkim list"), 20, "it is deferred")
    until(lambda: re.search(r" message-not-signed .* id=\S+ sender=a@client\.skein\.test .*no active key", logged(node)), 20,
          "the log says why")
    assert node.metric("skein_signing_failures_total") >= 1
    assert not signer.cluster.sink.untagged()
    signer.make("s1")
    content, = signer.arrived(1)
    assert signer.verify(content) == {"s1"}


def test_what_is_malformed_never_leaves_unsigned(new_cluster, tmp_path):
    signer = Signer(new_cluster, tmp_path, nodes=1, balancer=False)
    node = signer.cluster.nodes[1]
    signer.make("s1")
    send(node.smtp, content=b"From: a@client.skein.test\r\nno field\r\n\r\nHello.\r\n")
    until(lambda: node.tracked("DEFER", text="line that is no field"), 20, "it is deferred")
    assert not signer.cluster.sink.untagged()


def test_a_message_is_signed_by_what_its_entry_says(new_cluster, tmp_path):
    policy = POLICY + """\
    subdomains: true
    by: sender
    selectors: [s2]
    headers: [From, Subject, X-Own]
    identity: relay@mail.client.skein.test
    expire: 7d
    canonicalization: simple/simple
"""
    signer = Signer(new_cluster, tmp_path, policy=policy, nodes=1, balancer=False)
    node = signer.cluster.nodes[1]
    signer.make("s1")
    signer.make("s2")
    send(node.smtp, sender=f"a@{DOMAIN}", content=mail(sender="a@list.example"))
    send(node.smtp, sender="a@list.example", content=mail(sender=f"a@x.{DOMAIN}"))
    for content in signer.arrived(2):
        assert signer.verify(content) == {"s2"}
        field = re.sub(rb"\s", b"", content[:content.index(b"Received:")])
        assert b"c=simple/simple;" in field and b"i=relay@mail.client.skein.test;" in field
        assert b"h=From:From:Subject:Subject:X-Own;" in field
        signed, expires = (int(re.search(tag + rb"=(\d+);", field)[1]) for tag in (rb";t", rb";x"))
        assert expires - signed == 7 * 86400


def test_signatures_survive_a_balancer_and_another_mail_server(new_cluster, tmp_path, postfix):
    signer = Signer(new_cluster, tmp_path, nodes=2, settings={"route": {"next_hops": [{"host": "127.0.0.1", "port": postfix.port}]}})
    postfix.start(signer.cluster.record["sink"])
    signer.make("r")
    signer.make("e", "--algorithm", "ed25519")
    texts = ["Hello.\r\n", "  .\r\n\r\n\r\n", "x" * 990 + "\r\n", "ä ö\r\n" * 300]
    for text in texts:
        send(signer.cluster.record["lb"], content=mail(text=text, subject="a long subject " * 20), mail_options=["BODY=8BITMIME"])
    for content in signer.arrived(len(texts), 60):
        assert b"(Postfix)" in content
        assert signer.verify(content) == {"r", "e"}


def test_each_message_of_a_rotation_verifies(new_cluster, tmp_path):
    """By the records as they are when it arrives. The old one goes when no mail that has it is on its way."""
    signer = Signer(new_cluster, tmp_path, nodes=2)
    signer.make("old")
    ended, sent = threading.Event(), []

    def flow():
        while not ended.is_set():
            send(signer.cluster.record["lb"], content=mail(subject=str(len(sent))))
            sent.append(time.monotonic())

    def catch_up():
        """Verifies what has come; the selectors seen since the last call."""
        seen, goal = set(), len(sent) + 10
        until(lambda: len(signer.cluster.sink.untagged()) >= goal, 60, f"{goal} messages arrive")
        contents = [content for _, content in signer.cluster.sink.untagged()]
        for content in contents[catch_up.verified:]:
            selectors = signer.verify(content)
            assert selectors
            seen |= selectors
        catch_up.verified = len(contents)
        return seen

    catch_up.verified = 0
    thread = threading.Thread(target=flow)
    thread.start()
    try:
        assert catch_up() == {"old"}
        signer.create("new")
        assert catch_up() == {"old"}
        signer.publish("new")
        assert catch_up() == {"old"}
        signer.activate("new")
        assert catch_up() == {"old", "new"}
        signer.retire("old")
        catch_up()
        del signer.dns[f"old._domainkey.{DOMAIN}"]
        assert catch_up() == {"new"}
    finally:
        ended.set()
        thread.join()
    until(lambda: len(signer.cluster.sink.untagged()) == len(sent), 30, "all arrive")
    catch_up_rest = [content for _, content in signer.cluster.sink.untagged()][catch_up.verified:]
    assert all(signer.verify(content) == {"new"} for content in catch_up_rest)


def test_connections_and_nodes_that_end_while_mail_is_signed_lose_nothing(new_cluster, tmp_path):
    signer = Signer(new_cluster, tmp_path, nodes=2, balancer=False)
    signer.make("s1")
    goal = 40
    signer.cluster.sink.rules({"stage": "dot", "do": "answer-close", "times": 20})
    for number in range(goal):
        node = signer.cluster.nodes[1 + number % 2]
        send(node.smtp, content=mail(subject=f"n{number}", text="A line of text.\r\n" * 20000))
    assert signer.cluster.nodes[1].stop(30)

    def subjects():
        return {re.search(rb"^Subject: (n[0-9]+)", content, re.M)[1] for _, content in signer.cluster.sink.untagged()}
    until(lambda: len(subjects()) == goal, 60, lambda: f"{len(subjects())} of {goal} arrive")
    for _, content in signer.cluster.sink.untagged():
        assert signer.verify(content) == {"s1"}
    for node in signer.cluster.nodes.values():
        assert " message-not-signed " not in logged(node)


def test_a_node_that_starts_without_redis_waits_for_the_keys(new_cluster, tmp_path):
    """The policy is in the spool, keys are not: nothing leaves unsigned."""
    signer = Signer(new_cluster, tmp_path, nodes=1, balancer=False)
    node = signer.cluster.nodes[1]
    signer.make("s1")
    node.stop()
    signer.cluster.redis.stop()
    node.launch()
    until(lambda: _takes(node), 30, "the node takes mail")
    until(lambda: re.search(r" message-not-signed .*not read from Redis yet", logged(node)), 20, "it is told")
    signer.cluster.redis.start()
    contents = signer.arrived(1, 60)
    assert all(signer.verify(content) == {"s1"} for content in contents)


def _takes(node):
    try:
        send(node.smtp, content=mail())
    except OSError:
        return False
    return True
