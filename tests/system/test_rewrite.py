"""What routes change of a message on its way out, and what hops without 8BITMIME or SMTPUTF8 get; signed and not."""
import email
import email.policy
import json
import re
import smtplib
import subprocess

import pytest
from lab.wait import until

from support import until_report
from test_dkim import Signer

KEYWORDS = ["PIPELINING", "SIZE 104857600", "ENHANCEDSTATUSCODES"]
POLICY = """
clients: [{match: {network: 127.0.0.0/8}, effect: allow}]
sign: [{domain: client.skein.test}]
routes:
  - name: changed
    match: {recipient: changed.test}
    to: [{HOP}]
    rewrite:
      remove: [X-Mailer, X-Secret]
      add: [{name: X-Passed, value: by us}]
      from_domain: client.skein.test
      sender_domain: env.skein.test
  - name: wrapped
    match: {recipient: wrapped.test}
    to: [{HOP}]
    rewrite: {return_path: srs, return_domain: back.skein.test, return_secret: srs}
  - name: verp
    match: {recipient: verp.test}
    to: [{HOP}]
    rewrite: {return_path: verp, return_domain: back.skein.test}
"""


@pytest.fixture(scope="module")
def signer(module_clusters, tmp_path_factory):
    signer = Signer(module_clusters, tmp_path_factory.mktemp("rewrite"), "clients: []\n", nodes=1, balancer=False)
    signer.make("s", "--algorithm", "ed25519")
    signer.apply(POLICY.replace("{HOP}", json.dumps(signer.cluster.hop(signer.cluster.record["sink"]))))
    return signer


@pytest.fixture
def lab(signer):
    return signer.cluster


@pytest.fixture
def plain_hop(lab):
    """The next hop has neither 8BITMIME nor SMTPUTF8."""
    lab.sink.ask(keywords=KEYWORDS, drop=True)
    yield lab
    lab.sink.ask(keywords=[], drop=True)


def submit(lab, content, recipients, sender="me@client.skein.test", options=()):
    host, port = lab.nodes[1].smtp.split(":")
    with smtplib.SMTP(host, int(port), timeout=20) as client:
        client.ehlo()
        client.sendmail(sender, recipients, content, list(options))


def arrived(lab, recipient, count=1):
    """[(record, content)] of what came for this recipient."""
    def found():
        return [(record, content) for record, content in lab.sink.untagged() if recipient in record["to"]]
    until(lambda: len(found()) >= count, 30, f"{count} messages for {recipient}")
    return found()


def test_the_header_is_what_the_route_says_and_the_signature_is_over_that(signer, lab):
    submit(lab, b"From: \"Boss, The\" <a@old.skein.test>\r\nSender: (x) b@old.skein.test\r\nX-Mailer: y\r\n folded\r\n"
           b"To: u@changed.test\r\nX-Secret: z\r\nSubject: Hi\r\n\r\nX-Mailer: body\r\n.dot\r\n", ["u@changed.test"])
    (record, content), = arrived(lab, "u@changed.test")
    header, _, body = content.partition(b"\r\n\r\n")
    parsed = email.message_from_bytes(content, policy=email.policy.default)
    assert parsed["From"] == '"Boss, The" <a@client.skein.test>'
    assert "Sender: (x) b@client.skein.test" in header.decode()
    assert parsed["X-Mailer"] is None and parsed["X-Secret"] is None
    assert parsed["X-Passed"] == "by us"
    assert parsed["Subject"] == "Hi"
    assert body == b"X-Mailer: body\r\n.dot\r\n"
    assert record["from"] == "me@env.skein.test"
    assert signer.verify(content) == {"s"}
    names = [line.split(b":")[0] for line in header.splitlines() if not line[:1].isspace()]
    assert names[:3] == [b"DKIM-Signature", b"X-Passed", b"Received"]


def test_a_long_message_is_rewritten_too(signer, lab):
    text = b"a line of the body, again and again\r\n" * 40000
    submit(lab, b"From: a@old.skein.test\r\nX-Mailer: y\r\n\r\n" + text, ["long@changed.test"])
    (_, content), = arrived(lab, "long@changed.test")
    assert content.partition(b"\r\n\r\n")[2] == text
    assert b"X-Mailer" not in content and b"From: a@client.skein.test\r\n" in content
    assert signer.verify(content) == {"s"}


def test_a_sender_is_wrapped_when_the_secret_is_there(signer, lab):
    submit(lab, b"Subject: Hi\r\n\r\nHi\r\n", ["u@wrapped.test"])
    until(lambda: lab.nodes[1].tracked("DEFER", text="there is no secret srs"), 20, "the mail waits for the secret")
    done = subprocess.run([*lab.ctl_command(), "--key-file", str(signer.key), "secret", "set", "srs"], text=True,
                          input="a secret of some length\n", capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    (record, _), = arrived(lab, "u@wrapped.test")
    assert re.fullmatch(r"SRS0=[A-Z2-7]{8}=[A-Z2-7]{2}=client\.skein\.test=me@back\.skein\.test", record["from"])
    # A bounce finds the way back; one that is not ours does not.
    submit(lab, b"Subject: It bounced\r\n\r\nHi\r\n", [record["from"].lower()], sender="")
    (back, content), = arrived(lab, "me@client.skein.test")
    assert back["to"] == ["me@client.skein.test"] and b"It bounced" in content
    forged = record["from"].replace("=me@", "=you@")
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        submit(lab, b"Subject: Hi\r\n\r\nHi\r\n", [forged], sender="")
    assert refused.value.recipients[forged] == (550, b"5.1.1 This return address is not ours, or too old")
    submit(lab, b"Subject: Hi\r\n\r\nHi\r\n", ["plain@back.skein.test"])
    arrived(lab, "plain@back.skein.test")
    submit(lab, b"Subject: Hi\r\n\r\nHi\r\n", ["null@wrapped.test"], sender="")
    (record, _), = arrived(lab, "null@wrapped.test")
    assert record["from"] == ""


def test_verp_is_one_envelope_for_each_recipient(signer, lab):
    submit(lab, b"Subject: Hi\r\n\r\nHi\r\n", ["u@verp.test", "v@verp.test", "w@verp.test"])
    for user in "uvw":
        (record, content), = arrived(lab, f"{user}@verp.test")
        assert record["to"] == [f"{user}@verp.test"]
        assert record["from"] == f"me+{user}=verp.test@back.skein.test"


EIGHT = ("From: a@client.skein.test\r\nX-Mailer: y\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
         "Content-Transfer-Encoding: 8bit\r\n\r\nGrüße aus Köln\r\n").encode()


@pytest.mark.parametrize("recipient", ["eight@sink.skein.test", "eight@changed.test"])
def test_8_bit_mail_is_encoded_for_a_hop_without_8bitmime_and_then_signed(signer, plain_hop, recipient):
    submit(plain_hop, EIGHT, [recipient], options=["BODY=8BITMIME"])
    (_, content), = arrived(plain_hop, recipient)
    assert not any(byte > 127 for byte in content)
    parsed = email.message_from_bytes(content, policy=email.policy.default)
    assert parsed.get_content().splitlines() == ["Grüße aus Köln"]
    assert signer.verify(content) == {"s"}
    if "changed" in recipient:
        assert parsed["From"] == "a@client.skein.test" and parsed["X-Mailer"] is None


def test_8_bit_mail_that_cannot_be_encoded_is_refused_and_says_why(signer, plain_hop):
    submit(plain_hop, "From: a@client.skein.test\r\nSubject: Köln\r\n\r\nHi\r\n".encode(), ["bad@sink.skein.test"],
           sender="author@client.skein.test", options=["BODY=8BITMIME"])
    _, content = until_report(plain_hop, "author@client.skein.test")
    assert b"5.6.3" in content
    assert b"A header holds" in content


def test_smtputf8_that_is_not_needed_is_not_asked_for(signer, plain_hop):
    submit(plain_hop, b"From: a@client.skein.test\r\n\r\nplain\r\n", ["utf8@sink.skein.test"], options=["SMTPUTF8"])
    (_, content), = arrived(plain_hop, "utf8@sink.skein.test")
    assert signer.verify(content) == {"s"}


def test_what_is_marked_8_bit_and_is_not_goes_as_it_is(signer, plain_hop):
    submit(plain_hop, b"From: a@client.skein.test\r\n\r\nplain\r\n", ["seven@sink.skein.test"], options=["BODY=8BITMIME"])
    (_, content), = arrived(plain_hop, "seven@sink.skein.test")
    assert content.endswith(b"\r\n\r\nplain\r\n")
