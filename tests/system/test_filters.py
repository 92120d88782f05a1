"""Filters (milters) on mail that comes in: what they change leaves with the message, whatever happens to it on the way;
what they refuse, drop or cannot say is as the policy has it."""
import email
import email.policy
import smtplib
import ssl
import uuid

import pytest
from lab.wait import until

import milter_filter as mf
from milter_filter import Filter
from more_sinks import ALLOW, apply

HOST = "relay.skein.test"
ENTRIES = ("one", "two", "down-accept", "down-defer", "down-reject", "both")


class World:
    """What is to be done is chosen by what the client says in EHLO."""

    def __init__(self, new_cluster):
        self.one, self.two = Filter(), Filter()
        gone = Filter()
        gone.stop()
        self.cluster = new_cluster(nodes=1, balancer=False, settings={"node": {"hostname": HOST}})
        self.node = self.cluster.nodes[1]
        filters = [f"  one: {{host: 127.0.0.1, port: {self.one.port}}}",
                   f"  two: {{host: localhost, port: {self.two.port}}}"]
        filters += [f"  down-{word}: {{socket: {self.cluster.folder}/nothing, on_error: {word}}}"
                    for word in ("accept", "defer", "reject")]
        inspect = [f"  - {{name: {name}, match: {{helo: {name}.test}}, filters: [{names}]}}"
                   for name, names in [(entry, "one, two" if entry == "both" else entry) for entry in ENTRIES]]
        inspect.append("  - {name: tagged, match: {helo: tagged.test}, spf: tag, filters: [one]}")
        apply(self.cluster, "\n".join([ALLOW, "inspect:", *inspect, "filters:", *filters, ""]))

    def send(self, entry, recipients=None, extra="", body="Some text,\r\n\r\n.in lines.\r\n", tls=False):
        recipients = recipients or [f"{uuid.uuid4().hex}@sink.skein.test"]
        content = (f"From: Me <me@client.skein.test>\r\nTo: {recipients[0]}\r\nSubject: As it came\r\n{extra}\r\n"
                   f"{body}").encode()
        host, port = self.node.smtp.split(":")
        with smtplib.SMTP(host, int(port), local_hostname=f"{entry}.test", timeout=60) as client:
            if tls:
                client.starttls(context=ssl._create_unverified_context())
            client.sendmail("me@client.skein.test", recipients, content)
        return recipients[0]

    def arrived(self, recipient):
        def found():
            return [content for record, content in self.cluster.sink.untagged() if recipient in record["to"]]
        until(found, 30, f"{recipient} has it")
        return found()[0]

    def message(self, recipient):
        return email.message_from_bytes(self.arrived(recipient), policy=email.policy.default)

    def refusal(self, entry, **options):
        with pytest.raises(smtplib.SMTPDataError) as caught:
            self.send(entry, **options)
        return f"{caught.value.smtp_code} {caught.value.smtp_error.decode()}"


@pytest.fixture(scope="module")
def module_world(module_clusters):
    made = World(module_clusters)
    yield made
    made.one.stop()
    made.two.stop()


@pytest.fixture
def world(module_world):
    for filter_ in (module_world.one, module_world.two):
        filter_.answers, filter_.heard = {}, []
    module_world.cluster.sink.rules()
    return module_world


@pytest.mark.sanitize
def test_what_a_filter_changes_leaves_with_the_message(world):
    world.one.answers = {mf.END: mf.add_header("X-Filter", "seen\n it") + mf.change_header(1, "Subject", "As it goes")
                         + mf.change_header(1, "X-Gone", "") + mf.insert_header(0, "X-First", "1") + mf.CONTINUE}
    recipient = world.send("one", extra="X-Gone: 1\r\nX-Stays: 1\r\n")
    content = world.arrived(recipient)
    message = world.message(recipient)
    assert content.startswith(b"X-First: 1\r\nReceived: ")
    assert content.split(b"\r\n\r\n")[0].endswith(b"X-Filter: seen\r\n it")
    assert content.endswith(b"\r\n\r\nSome text,\r\n\r\n.in lines.\r\n")
    assert (message["Subject"], message["X-Stays"], message["X-Gone"]) == ("As it goes", "1", None)
    macros = world.one.macros()
    assert macros[b"j"] == HOST.encode()
    assert macros[b"i"].decode() in message["Received"]
    assert world.one.all(mf.HELO) == [b"one.test\0"]
    # What we have put in front is not the filter's.
    assert [data.split(b"\0")[0] for data in world.one.all(mf.HEADER)] == [b"From", b"To", b"Subject", b"X-Gone", b"X-Stays"]


def test_a_filter_hears_how_the_client_came(world):
    world.arrived(world.send("one"))
    assert b"{cipher}" not in world.one.macros()
    assert world.one.macros()[b"{daemon_name}"] == HOST.encode()
    assert world.one.macros()[b"{client_addr}"] == b"127.0.0.1"
    world.arrived(world.send("one", tls=True))
    assert world.one.macros()[b"{tls_version}"] == b"TLSv1.3"
    assert world.one.macros()[b"{cipher}"].startswith(b"TLS_")


def test_recipients_and_the_sender_may_be_changed(world):
    added = f"{uuid.uuid4().hex}@sink.skein.test"
    gone, kept = f"{uuid.uuid4().hex}@sink.skein.test", f"{uuid.uuid4().hex}@sink.skein.test"
    world.one.answers = {mf.END: mf.texts("+", f"<{added}>") + mf.texts("-", f"<{gone}>")
                         + mf.texts("e", "<other@client.skein.test>") + mf.ACCEPT}
    world.send("one", recipients=[gone, kept])
    world.arrived(added)
    world.arrived(kept)
    records = [record for record, _ in world.cluster.sink.untagged()]
    assert not [record for record in records if gone in record["to"]]
    assert {record["from"] for record in records if kept in record["to"]} == {"other@client.skein.test"}


def test_the_next_filter_sees_what_the_one_before_it_has_changed(world):
    world.one.answers = {mf.END: mf.add_header("X-One", "1") + mf.change_header(1, "Subject", "Changed")
                         + mf.texts("e", "<other@client.skein.test>") + mf.CONTINUE}
    world.two.answers = {mf.END: mf.change_header(1, "X-One", "2") + mf.CONTINUE}
    message = world.message(world.send("both"))
    assert (message["X-One"], message["Subject"]) == ("2", "Changed")
    assert b"X-One\x001\0" in world.two.all(mf.HEADER)
    assert b"Subject\0Changed\0" in world.two.all(mf.HEADER)
    assert world.two.all(mf.MAIL)[0].startswith(b"<other@client.skein.test>\0")
    assert world.two.body() == b"Some text,\r\n\r\n.in lines.\r\n"


def test_a_filter_sees_what_we_have_found_out(world):
    world.one.answers = {mf.END: mf.insert_header(0, "X-Filter", "1") + mf.CONTINUE}
    content = world.arrived(world.send("tagged"))
    assert content.startswith(b"X-Filter: 1\r\nAuthentication-Results: " + HOST.encode())
    assert [data for data in world.one.all(mf.HEADER) if data.startswith(b"Authentication-Results\0" + HOST.encode())]


@pytest.mark.parametrize("answer, wanted", [
    (mf.REJECT, "550 5.7.1 "), (mf.TEMPFAIL, "451 4.7.1 "),
    (mf.texts("y", "554-5.7.9 no\r\n554 5.7.9 spam"), "554 5.7.9 no\n5.7.9 spam"),
    (mf.texts("q", "odd") + mf.CONTINUE, "550 5.7.1 "),
], ids=["reject", "tempfail", "reply", "quarantine"])
def test_a_filter_may_refuse(world, answer, wanted):
    world.one.answers = {mf.END: answer}
    assert world.refusal("one").startswith(wanted)


def test_what_is_discarded_is_taken_and_dropped(world):
    world.one.answers = {mf.END: mf.DISCARD}
    dropped = world.send("one")
    world.one.answers = {}
    world.arrived(world.send("one"))
    until(lambda: world.node.metric('skein_queue{state="active"}') == 0, 20, "nothing is left")
    assert not [record for record, _ in world.cluster.sink.untagged() if dropped in record["to"]]


def test_without_an_answer_it_is_as_the_policy_says(world):
    assert world.message(world.send("down-accept"))["Subject"] == "As it came"
    assert world.refusal("down-defer").startswith("451 4.3.0 ")
    assert world.refusal("down-reject").startswith("554 5.3.0 ")
    assert world.node.metric('skein_filter_results_total{result="failed"}') >= 3


def test_changes_survive_the_node(world):
    world.one.answers = {mf.END: mf.change_header(1, "Subject", "Kept") + mf.add_header("X-Filter", "1") + mf.CONTINUE}
    world.cluster.sink.rules({"stage": "mail", "do": "reply 451 4.3.0 Not now"})
    recipient = world.send("one")
    world.node.kill()
    world.cluster.sink.rules()
    world.node.start()
    message = world.message(recipient)
    assert (message["Subject"], message["X-Filter"]) == ("Kept", "1")


def test_a_report_returns_the_message_as_it_would_have_left(world):
    world.one.answers = {mf.END: mf.change_header(1, "Subject", "Changed") + mf.add_header("X-Filter", "1") + mf.CONTINUE}
    recipient = f"{uuid.uuid4().hex}@sink.skein.test"
    world.cluster.sink.rules({"stage": "rcpt", "do": "reply 550 5.1.1 Nobody", "match": recipient})
    world.send("one", recipients=[recipient])

    def reports():
        return [content for record, content in world.cluster.sink.untagged()
                if record["to"] == ["me@client.skein.test"] and recipient.encode() in content]
    until(reports, 30, "the report")
    assert b"\r\nSubject: Changed\r\n" in reports()[0]
    assert b"\r\nX-Filter: 1\r\n" in reports()[0]
    assert b"As it came" not in reports()[0]


def test_a_large_message_goes_through(world):
    body = "".join(f"{number:060}\r\n" for number in range(50000))
    world.one.answers = {mf.END: mf.add_header("X-Filter", "1") + mf.CONTINUE}
    content = world.arrived(world.send("one", body=body))
    assert content.endswith(b"\r\nX-Filter: 1\r\n\r\n" + body.encode())
    assert world.one.body() == body.encode()
