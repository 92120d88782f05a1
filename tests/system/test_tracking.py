"""Tracking: what happens to a session and a message is told as one chain of events, in files of the node."""
import re
import signal
import smtplib
import ssl
import subprocess

from lab.burst import Burst
from lab.cluster import build_folder
from lab.wait import until
import pytest

from support import message, new_tag, send, settle, until_arrived, until_report

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


@pytest.fixture(scope="module")
def guarded(module_clusters, tmp_path_factory):
    """A node with a user of its own, jane, and one connection for each client."""
    users = tmp_path_factory.mktemp("tracking") / "users"
    subprocess.run([build_folder() / "bin" / "skeinctl", "--users-file", users, "user", "add", "jane"], input="right\n",
                   text=True, check=True, capture_output=True)
    return module_clusters(nodes=1, redis=False, balancer=False, settings={
        **QUICK, "auth": {"backends": ["file"], "file": {"path": str(users)}}, "limits": {"connections_per_client": 1},
        "relay": {"allow": []}})


def test_logins_and_refusals_tell_their_step_and_why(guarded):
    node = guarded.nodes[1]
    with starttls(node, "guarded.example.net") as client:
        client.user, client.password = "jane", "wrong"
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.auth("PLAIN", client.auth_plain)
        client.mail("jane@client.skein.test")
        assert client.rcpt("b@sink.skein.test")[0] == 550
        client.password = "right"
        client.rset()
        assert client.auth("PLAIN", client.auth_plain)[0] == 235
    failed, refused, accepted, disconnect = chain_of(node, helo="guarded.example.net")[2:]
    assert failed["event"] == accepted["event"] == "AUTH" and failed["rule"] == accepted["rule"] == "PLAIN"
    assert failed["code"] == 535 and failed["text"] == "wrong-password" and failed["user"] == "jane"
    assert accepted["code"] == 235 and accepted["user"] == "jane"
    assert refused["event"] == "REJECT" and refused["about"] == "rcpt" and refused["code"] == 550
    assert refused["status"] == "5.7.1" and refused["text"] and "user" not in refused and ID.match(refused["id"])
    assert refused["sender"] == "jane@client.skein.test" and refused["recipient"] == "b@sink.skein.test"
    assert disconnect["user"] == "jane" and disconnect.get("attempts", 0) == 0
    assert "right" not in node.log.read_text() and all("right" not in str(event) for event in node.tracked())


def test_a_connection_that_is_too_many_is_a_chain_of_three(guarded):
    node = guarded.nodes[1]
    with starttls(node, "first.example.net"):
        with pytest.raises(smtplib.SMTPConnectError):
            send(node.smtp)
        refused, = until(lambda: node.tracked("REJECT", about="connect"), 10, "it is told")
        assert refused["code"] == 421 and "connections_per_client" in refused["text"]
        assert kinds(chain_of(node, session=refused["session"])) == ["CONNECT", "REJECT", "DISCONNECT"]


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
    adopted, = until(lambda: node.tracked("ADOPT"), 20, "it is taken up again")
    assert adopted["id"] == event["id"] and adopted["sender"] == "joe@client.skein.test"
    lab.sink_part.start()
    until_arrived(lab, tag)
    deliver, = until(lambda: node.tracked("DELIVER"), 10, "it is delivered")
    assert deliver["id"] == event["id"] and deliver["latency_us"] > 0 and "session" not in deliver
    # Sessions of another run have other numbers.
    send(node.smtp)
    connects = until(lambda: len(found := node.tracked("CONNECT")) > 1 and found, 10, "both are tracked")
    assert len({event["session"] for event in connects}) == len(connects) == 2
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


def test_what_an_operator_does_is_in_the_chain_of_the_cluster(module_clusters):
    lab = module_clusters(nodes=1, balancer=False, settings=QUICK)
    node = lab.nodes[1]
    lab.sink_part.stop()
    send(node.smtp)
    found = until(lambda: node.tracked("DEFER"), 20, "it is put off")[0]["id"]
    for verb in ("hold", "release"):
        assert lab.ctl("queue", verb, found)[0] == 0
    assert lab.ctl("queue", "cancel", found, "--yes")[0] == 0
    for kind in ("RECEIVE", "DEFER", "HOLD", "RELEASE", "CANCEL"):
        until(lambda kind=kind: re.search(rf'"event": ?"{kind}"', lab.ctl("trace", found, "--json")[1]), 20, f"{kind} is told")


def test_redacted_files_name_nobody(module_clusters):
    lab = module_clusters(nodes=1, redis=False, balancer=False, settings={**QUICK, "tracking": {"redact": "masked"}})
    node = lab.nodes[1]
    lab.sink.rules({"stage": "rcpt", "do": "reply 550 5.1.1 No <never@sink.skein.test> here", "match": "never@"})
    send(node.smtp, sender="jane@client.skein.test", recipients=["never@sink.skein.test"])
    fail, = until(lambda: node.tracked("FAIL"), 10, "it is refused")
    assert fail["sender"] == "j***@client.skein.test" and fail["recipient"] == "n***@sink.skein.test"
    assert "<n***@sink.skein.test>" in fail["text"] and fail["client"] == "127.0.0.0/24" and fail["helo"] == "***"
    files = "".join(file.read_text() for file in (node.spool / "tracking").iterdir())
    assert not re.search(r"jane@|never@|127\.0\.0\.1\"", files)


def test_hashed_addresses_are_the_same_again_with_the_same_key(module_clusters, tmp_path):
    key = tmp_path / "key"
    key.write_text("a line of random text\n")
    key.chmod(0o600)
    lab = module_clusters(nodes=1, redis=False, balancer=False, settings={
        "tracking": {"redact": "hashed", "redact_key_file": str(key)}})
    node = lab.nodes[1]
    for sender in ("jane@client.skein.test", "Jane@client.skein.test", "joe@client.skein.test"):
        send(node.smtp, sender=sender)
    first, second, third = until(lambda: len(node.tracked("RECEIVE")) == 3 and node.tracked("RECEIVE"), 10, "all are told")
    assert re.match(r"~[0-9a-f]{16}@client\.skein\.test$", first["sender"])
    assert len({event["sender"] for event in (first, second, third)}) == 2


def test_w3c_files_are_put_aside_by_size_and_opened_anew(module_clusters, tmp_path):
    folder = tmp_path / "tracking"
    lab = module_clusters(nodes=1, redis=False, balancer=False, settings={
        "tracking": {"file": str(folder), "format": "w3c", "rotate_size": "64KiB", "keep_size": "200KiB"}})
    node, now = lab.nodes[1], folder / "tracking.log"
    until_arrived(lab, send(node.smtp, sender="jane+x@client.skein.test")[0])
    until(lambda: " DELIVER " in now.read_text(), 10, "it is told")
    lines = now.read_text().splitlines()
    assert lines[0].startswith("#Software: Skein ") and lines[1] == "#Version: 1.0" and lines[2].startswith("#Date: 20")
    columns = lines[3].removeprefix("#Fields: ").split(" ")
    rows = [dict(zip(columns, line.split(" "), strict=True)) for line in lines[4:]]
    deliver, = (row for row in rows if row["cs-method"] == "DELIVER")
    assert deliver["cs-uri-query"] == "+FROM:<jane+x@client.skein.test>+TO:<b@sink.skein.test>"
    assert deliver["c-ip"] == "127.0.0.1" and deliver["sc-status"] == "250" and deliver["s-computername"] == "node1"
    assert ID.match(deliver["cs-uri-stem"]) and int(deliver["time-taken"]) >= 0 and int(deliver["cs-bytes"]) > 0
    assert re.match(r"\d{4}-\d\d-\d\d$", deliver["date"]) and re.match(r"\d\d:\d\d:\d\d$", deliver["time"])
    now.rename(tmp_path / "moved")
    node.signal(signal.SIGHUP)
    until(now.exists, 10, "another file is opened")
    settle(lab, Burst(node.smtp, 500).run())
    until(lambda: len(list(folder.glob("tracking-*Z*.log"))) >= 2, 20, "files are put aside")
    until(lambda: node.metric('skein_tracking_events_total{event="deliver"}') >= 501, 20, "all is told")
    for file in folder.iterdir():
        # Each is whole, and begins with what its columns are.
        assert file.read_text().startswith("#Software") and file.read_text().endswith("\n")
    assert sum(file.stat().st_size for file in folder.glob("tracking-*.log")) <= 200 * 1024


def test_without_room_events_are_lost_and_mail_flows(module_clusters, tmp_path):
    folder = tmp_path / "tracking"
    folder.mkdir()
    now = folder / "tracking.json"
    now.symlink_to("/dev/full")
    lab = module_clusters(nodes=1, redis=False, balancer=False, settings={
        "node": {"confine": "off"}, "tracking": {"file": str(folder)}})
    node = lab.nodes[1]
    burst = Burst(node.smtp, 200).run()
    settle(lab, burst)
    until(lambda: node.metric('skein_tracking_lost_total{where="file"}') > 400, 20, "events are lost")
    assert node.log.read_text().count("tracking-file-failed") == 1
    now.unlink()
    node.signal(signal.SIGHUP)
    until(now.exists, 10, "another file is opened")
    until_arrived(lab, send(node.smtp)[0])
    until(lambda: "DELIVER" in now.read_text(), 10, "it is written again")
    until(lambda: "tracking-file-written" in node.log.read_text(), 20, "the log tells of it")
