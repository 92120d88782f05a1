"""What a node finds out about mail that comes in, against a DNS of its own: SPF by the address that a client has,
signatures made by dkimpy, the policies of the domains in From; told in a field, or refused, or put off."""
import email
import email.policy
import re
import smtplib
import subprocess
import uuid

import pytest
from lab.wait import until

from dns_lab import DnsLab, SilentServer, Zone
from more_sinks import ALLOW, apply
from test_dns_check import public_key, txt

dkim = pytest.importorskip("dkim")

HOST = "relay.skein.test"
# What is to be done is chosen by what the client says in EHLO.
POLICY = ALLOW + """
inspect:
  - {name: none, match: {helo: none.test}}
  - {name: tag, match: {helo: tag.test}, spf: tag, dkim: tag, dmarc: tag}
  - {name: reject, match: {helo: reject.test}, spf: tag, dmarc: reject}
  - {name: strict, match: {helo: strict.test}, spf: reject}
  - {name: defer, match: {helo: defer.test}, dmarc: tag, on_error: defer}
"""
OURS, OTHERS = "127.0.0.7", "127.0.0.8"
NOT_KNOWN = r'reason="the SPF record of broken\.example cannot be looked up now"'


class World:
    def __init__(self, folder, new_cluster):
        file, key = public_key(folder, "s1", 2048)
        self.key = file.read_bytes()
        self.record = f"v=DKIM1; k=rsa; p={key}".encode()
        good = "\n".join([txt("@", f"v=spf1 ip4:{OURS} -all"), txt("_dmarc", "v=DMARC1; p=reject"),
                          txt("s1._domainkey", self.record.decode()), ""])
        self.dns = DnsLab(folder / "dns", {
            "good.example": Zone(good),
            "plain.example": Zone(good, signed=False),
            "lenient.example": Zone(good.replace("reject", "none").replace("-all", "~all")),
            "empty.example": Zone(""),
            "broken.example": Zone(good, broken="expired"),
        })
        self.cluster = new_cluster(nodes=1, balancer=False, settings={
            "dns": {"servers": [self.dns.server], "trust_anchor": str(self.dns.anchor)},
            "node": {"hostname": HOST}})
        self.node = self.cluster.nodes[1]
        apply(self.cluster, POLICY)

    def sign(self, content, domain):
        # dkimpy wants PKCS#1.
        key = subprocess.run(["openssl", "rsa", "-traditional"], input=self.key, check=True, capture_output=True).stdout
        return dkim.sign(content, b"s1", domain.encode(), key, canonicalize=(b"relaxed", b"relaxed")) + content

    def send(self, helo, source=OURS, sender="me@good.example", author=None, signer=None, extra="", altered=False):
        """The recipient, by which it is found where it arrives. Raises what smtplib does for a refusal."""
        recipient = f"{uuid.uuid4().hex}@sink.skein.test"
        content = (f"From: Me <{author or sender}>\r\nTo: {recipient}\r\nSubject: What is found\r\n{extra}\r\n"
                   "Some text,\r\n\r\n.in lines.\r\n").encode()
        if signer:
            content = self.sign(content, signer)
        if altered:
            content += b"One line more.\r\n"
        host, port = self.node.smtp.split(":")
        with smtplib.SMTP(host, int(port), local_hostname=helo, timeout=60, source_address=(source, 0)) as client:
            client.sendmail(sender, [recipient], content)
        return recipient

    def arrived(self, recipient):
        def found():
            return [content for record, content in self.cluster.sink.untagged() if recipient in record["to"]]
        until(found, 30, f"{recipient} has it")
        return found()[0]

    def results(self, *arguments, **options):
        """The fields that arrive, unfolded."""
        content = self.arrived(self.send(*arguments, **options))
        message = email.message_from_bytes(content, policy=email.policy.compat32)
        return [re.sub(r"\r?\n", "", field) for field in message.get_all("Authentication-Results", [])]

    def refusal(self, *arguments, **options):
        with pytest.raises(smtplib.SMTPDataError) as caught:
            self.send(*arguments, **options)
        return f"{caught.value.smtp_code} {caught.value.smtp_error.decode()}"


@pytest.fixture(scope="module")
def world(module_clusters, tmp_path_factory):
    made = World(tmp_path_factory.mktemp("inspect"), module_clusters)
    yield made
    made.dns.stop()


@pytest.mark.sanitize
@pytest.mark.sanitize
@pytest.mark.parametrize("options, wanted", [
    ({}, r"spf=pass smtp\.mailfrom=me@good\.example; dkim=none; dmarc=pass \(p=reject\) header\.from=good\.example"),
    ({"source": OTHERS}, r"spf=fail smtp\.mailfrom=me@good\.example; dkim=none; "
                         r"dmarc=fail \(p=reject\) header\.from=good\.example policy\.dmarc=reject"),
    ({"signer": "good.example", "source": OTHERS},
     r"spf=fail smtp\.mailfrom=me@good\.example; "
     r'dkim=pass header\.d=good\.example header\.i=@good\.example header\.s=s1 header\.b="?[A-Za-z0-9+/]{8}"?; '
     r"dmarc=pass \(p=reject\) header\.from=good\.example"),
    ({"signer": "good.example", "altered": True},
     r'spf=pass .*dkim=fail reason="the body is not what was signed" header\.d=good\.example .*dmarc=pass .*'),
    ({"sender": "me@plain.example"}, r"spf=pass .*dkim=none; dmarc=pass .*"),
    ({"sender": "me@lenient.example", "source": OTHERS},
     r"spf=softfail smtp\.mailfrom=me@lenient\.example; dkim=none; "
     r"dmarc=fail \(p=none\) header\.from=lenient\.example policy\.dmarc=none"),
    ({"sender": "me@empty.example"},
     r'spf=none reason="empty\.example has no SPF record" smtp\.mailfrom=me@empty\.example; dkim=none; '
     r'dmarc=none reason="there is no DMARC record" header\.from=empty\.example'),
    ({"sender": "me@broken.example"}, f"spf=temperror {NOT_KNOWN} .*dkim=none; dmarc=temperror .*"),
    ({"sender": "", "author": "me@good.example"}, r"spf=none .*smtp\.helo=tag\.test; dkim=none; dmarc=fail .*"),
])
def test_what_is_found_is_told_in_front(world, options, wanted):
    results = world.results("tag.test", **options)
    assert len(results) == 1
    assert re.fullmatch(rf"{re.escape(HOST)}; {wanted}", results[0]), results


def test_our_field_is_the_first(world):
    content = world.arrived(world.send("tag.test"))
    assert content.startswith(b"Authentication-Results: ")
    assert max(len(line) for line in content.split(b"\r\n\r\n")[0].split(b"\r\n")) <= 78 + 20


def test_what_claims_to_be_ours_goes_and_others_stay(world):
    forged = (f"Authentication-Results: {HOST}; spf=pass smtp.mailfrom=ceo@good.example\r\n"
              "Authentication-Results: elsewhere.test; spf=pass\r\n"
              f"authentication-results: (comment)\r\n\t\"{HOST.upper()}\" 1; dmarc=pass\r\n")
    results = world.results("tag.test", source=OTHERS, extra=forged)
    assert len(results) == 2
    assert "spf=fail" in results[0] and "ceo" not in results[0]
    assert results[1] == "elsewhere.test; spf=pass"


def test_a_signature_holds_behind_us(world):
    """What is put in front and what goes leaves a signature as it was."""
    content = world.arrived(world.send("tag.test", signer="good.example"))
    assert dkim.verify(content, dnsfunc=lambda name, timeout=5: world.record)


def test_who_is_not_looked_at_gets_no_field(world):
    assert world.results("none.test", source=OTHERS) == []
    assert world.results("other.test", source=OTHERS) == []


def test_a_sender_that_its_domain_forbids_is_refused(world):
    assert world.refusal("strict.test", source=OTHERS) == \
        f"550 5.7.23 SPF: {OTHERS} may not send mail of good.example, says that domain"
    assert "spf=pass" in world.results("strict.test")[0]
    assert "spf=softfail" in world.results("strict.test", sender="me@lenient.example", source=OTHERS)[0]


def test_the_policy_of_the_domain_in_from_is_heeded(world):
    assert world.refusal("reject.test", sender="x@lenient.example", author="me@good.example") == \
        "550 5.7.1 DMARC: neither SPF nor DKIM stands for good.example, whose policy is reject"
    signed = world.results("reject.test", sender="x@lenient.example", author="me@good.example", signer="good.example")
    assert "dmarc=pass" in signed[0]
    assert "dmarc=fail" in world.results("reject.test", sender="me@lenient.example", source=OTHERS)[0]
    found = until(lambda: world.node.tracked("INSPECT", rule="refused", text="dmarc=fail for good.example"), 10, "it is tracked")
    assert "spf=pass" in found[0]["text"] and "which asks for reject" in found[0]["text"]
    refused, = world.node.tracked("REJECT", id=found[0]["id"])
    assert refused["about"] == "inspect" and refused["code"] == 550 and refused["session"] == found[0]["session"]


def test_what_the_dns_does_not_say_is_put_off_where_the_policy_says_so(world):
    assert world.refusal("defer.test", sender="me@broken.example") == \
        "451 4.7.24 SPF of the message cannot be looked up now, try again later"
    assert "dmarc=pass" in world.results("defer.test")[0]


def test_a_silent_dns_takes_no_longer_than_is_set(new_cluster):
    silent = SilentServer()
    try:
        cluster = new_cluster(nodes=1, balancer=False, settings={
            "dns": {"servers": [silent.server]}, "node": {"hostname": HOST}, "inspect": {"timeout": "1s"}})
        apply(cluster, POLICY)
        lone = World.__new__(World)
        lone.cluster, lone.node = cluster, cluster.nodes[1]
        results = lone.results("tag.test")
        assert re.fullmatch(rf"{re.escape(HOST)}; spf=temperror .*dkim=none; dmarc=temperror .*", results[0]), results
        assert lone.refusal("defer.test").startswith("451 4.7.24 ")
        # A client that leaves meanwhile, and a node that stops, wait for nothing.
        host, port = lone.node.smtp.split(":")
        client = smtplib.SMTP(host, int(port), local_hostname="tag.test", timeout=60)
        client.ehlo()
        client.mail("me@good.example")
        client.rcpt("b@sink.skein.test")
        client.putcmd("data")
        client.getreply()
        client.send(b"From: me@good.example\r\n\r\nx\r\n.\r\n")
        client.close()
        lone.node.stop()
    finally:
        silent.stop()
