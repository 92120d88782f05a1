"""Tracking: what happens to a session and a message is told as one chain of events, in files of the node."""
import base64
import json
import re
import signal
import smtplib
import ssl

from lab.wait import until
import pytest

from more_sinks import MoreSink
from support import message, new_tag, send, until_arrived, until_report

ID = re.compile(r"^[0-9A-HJKMNP-TV-Z]{26}$")
TLS = re.compile(r"^TLSv1\.[23] \S+$")
QUICK = {"retry": {"first": "200ms", "max": "500ms"}}


def kinds(events):
    return [event["event"] for event in events]


def chain_of(node, **fields):
    """The events of the session that has one with these fields, in the order of time."""
    found = until(lambda: node.tracked(**fields), 10, f"an event with {fields}")
    session = found[0]["session"]
    until(lambda: node.tracked("DISCONNECT", session=session), 10, "the session ends")
    return sorted(node.tracked(session=session), key=lambda event: event["time"])


def starttls(node, name="ws17.example.net"):
    host, port = node.smtp.split(":")
    client = smtplib.SMTP(host, int(port), timeout=20)
    client.starttls(context=ssl._create_unverified_context())
    client.ehlo(name)
    return client


@pytest.fixture(scope="module")
def lab(module_clusters):
    return module_clusters(nodes=1, redis=False, balancer=False, settings=QUICK)


def test_one_message_is_told_from_its_connection_to_its_delivery(lab):
    node, tag = lab.nodes[1], new_tag()
    with starttls(node) as client:
        client.sendmail("jane@client.skein.test", ["b@sink.skein.test", "c@sink.skein.test"], message(tag))
    until_arrived(lab, tag)
    until(lambda: len(node.tracked("DELIVER", sender="jane@")) == 2, 10, "both are delivered")
    events = chain_of(node, sender="jane@")
    assert sorted(kinds(events)) == ["CONNECT", "DELIVER", "DELIVER", "DISCONNECT", "RECEIVE", "TLS"]
    connect, tls, receive = events[:3]
    assert kinds(events[:3]) == ["CONNECT", "TLS", "RECEIVE"]
    assert connect["client"] == "127.0.0.1" and connect["text"] == "direct" and connect["node"] == "node1"
    assert TLS.match(tls["tls"])
    assert ID.match(receive["id"]) and receive["sender"] == "jane@client.skein.test"
    assert receive["recipient"] == "b@sink.skein.test c@sink.skein.test" and receive["recipients"] == 2
    assert receive["helo"] == "ws17.example.net" and receive["tls"] == tls["tls"] and receive["rule"] == "relay.allow"
    assert receive["code"] == 250 and receive["size"] > 200 and receive["latency_us"] > 0
    for recipient in ("b@sink.skein.test", "c@sink.skein.test"):
        event, = (event for event in events if event["event"] == "DELIVER" and event["recipient"] == recipient)
        assert event["id"] == receive["id"] and event["sender"] == receive["sender"] and event["size"] == receive["size"]
        assert event["hop"] == lab.record["sink"] and TLS.match(event["tls"])
        assert event["code"] == 250 and event["status"] == "2.0.0" and event["text"]
        assert event["attempts"] == 1 and event["latency_us"] > 0 and event["client"] == "127.0.0.1"
    disconnect, = (event for event in events if event["event"] == "DISCONNECT")
    assert disconnect["text"] == "QUIT" and disconnect["attempts"] == 1 and disconnect["latency_us"] > 0


def test_what_is_put_off_refused_and_reported_is_one_chain(lab):
    node = lab.nodes[1]
    lab.sink.rules({"stage": "rcpt", "do": "reply 451 4.3.0 Later", "match": "late@", "times": 2},
                   {"stage": "rcpt", "do": "reply 550 5.1.1 No <never@sink.skein.test> here", "match": "never@"})
    tag, _ = send(node.smtp, sender="joe@client.skein.test", recipients=["late@sink.skein.test", "never@sink.skein.test"])
    until_arrived(lab, tag)
    until_report(lab, "joe@client.skein.test")
    lab.sink.rules()
    deliver, = until(lambda: node.tracked("DELIVER", recipient="late@"), 10, "it is delivered")
    assert deliver["attempts"] == 3
    first, second = node.tracked("DEFER", id=deliver["id"])
    assert [first["attempts"], second["attempts"]] == [1, 2] and first["latency_us"] < second["latency_us"]
    assert first["code"] == 451 and first["status"] == "4.3.0" and "Later" in first["text"] and first["hop"] == lab.record["sink"]
    fail, = node.tracked("FAIL", id=deliver["id"])
    assert fail["recipient"] == "never@sink.skein.test" and fail["code"] == 550 and fail["status"] == "5.1.1"
    bounce, = node.tracked("BOUNCE", about=deliver["id"])
    assert bounce["text"] == "failure" and bounce["recipient"] == "joe@client.skein.test" and "sender" not in bounce
    assert until(lambda: node.tracked("DELIVER", id=bounce["id"]), 10, "the report is delivered")


def test_what_is_refused_tells_its_step_and_why(lab):
    node = lab.nodes[1]
    with starttls(node, "refused.example.net") as client:
        assert client.docmd("AUTH PLAIN " + base64.b64encode(b"\0joe\0wrong").decode())[0] >= 500
        client.mail("joe@client.skein.test")
        client.rcpt("b@sink.skein.test")
        client.data(b"From: a@b\r\nno\x00 field\r\n\r\nHi\r\n" + b"x" * 100)
        client.mail("joe@client.skein.test", ["SIZE=999999999999"])
    until(lambda: node.tracked("DISCONNECT", helo="refused.example.net"), 10, "the session ends")


def test_a_hop_that_cannot_be_reached_puts_the_message_off(module_clusters):
    lab = module_clusters(nodes=1, redis=False, balancer=False, settings=QUICK)
    node = lab.nodes[1]
    lab.sink_part.stop()
    tag, _ = send(node.smtp, sender="joe@client.skein.test")
    event = until(lambda: node.tracked("DEFER"), 20, "it is put off")[0]
    assert "recipient" not in event and event["recipients"] == 1 and event["sender"] == "joe@client.skein.test"
    assert event["status"][0] == "4" and event["text"]
    node.kill()
    node.start()
    adopted, = node.tracked("ADOPT")
    assert adopted["id"] == event["id"] and adopted["sender"] == "joe@client.skein.test"
    lab.sink_part.start()
    until_arrived(lab, tag)
    deliver, = until(lambda: node.tracked("DELIVER"), 10, "it is delivered")
    assert deliver["id"] == event["id"] and deliver["latency_us"] > 0 and "session" not in deliver
    # Sessions of another run have other numbers.
    send(node.smtp)
    sessions = {event["session"] for event in node.tracked("CONNECT")}
    assert len(sessions) == len(node.tracked("CONNECT"))
    assert [event["text"].partition(",")[0] for event in node.tracked("NODE")] == ["started", "serving"] * 2


def test_cut_through_is_one_chain_too(module_clusters):
    lab = module_clusters(nodes=1, redis=False, balancer=False, settings={"route": {"cut_through": True}})
    node = lab.nodes[1]
    until_arrived(lab, send(node.smtp, sender="warm@client.skein.test")[0])
    until_arrived(lab, send(node.smtp, sender="jane@client.skein.test")[0])
    events = chain_of(node, sender="jane@")
    assert kinds(events) == ["CONNECT", "DELIVER", "RECEIVE", "DISCONNECT"]
    assert events[1]["about"] == events[2]["about"] == "cut-through" and events[1]["id"] == events[2]["id"]
    assert events[1]["hop"] == lab.record["sink"] and events[1]["code"] == 250
