"""skeinctl trace and log: what happened to a message is told over all nodes, found by what is known of it, and goes on to be
told when a node dies or Redis was away."""
import json
import smtplib
import time

from lab.wait import until
import pytest

from following import Following
from support import message, new_tag, send, until_arrived, until_report

QUICK = {"retry": {"first": "300ms", "max": "500ms"}, "tracking": {"redact": "none"}}
NOT_NOW = {"stage": "rcpt", "do": "reply 451 4.3.0 Not now"}


@pytest.fixture(scope="module")
def lab(module_clusters):
    return module_clusters(nodes=3, balancer=False, settings=QUICK)


@pytest.fixture(autouse=True)
def calm(lab):
    yield
    lab.sink.rules()
    for node in lab.nodes.values():
        if not node.is_alive():
            node.start()


def trace(lab, *words, code=0):
    exit_code, out, err = lab.ctl("trace", *words, "--json")
    assert exit_code == code, err
    return json.loads(out)


def kinds(events):
    return [event["event"] for event in events]


def without_ended(events):
    """Other nodes, whose journals have it too, hear some time later that it is delivered."""
    return [kind for kind in kinds(events) if kind != "ENDED"]


def until_told(lab, kind, *words, seconds=30):
    """The events of the first message that has one of this kind, once there is one."""
    def look():
        messages = json.loads(lab.ctl("trace", *words, "--json")[1] or '{"messages": []}')["messages"]
        return next((found["events"] for found in messages if kind in kinds(found["events"])), None)
    return until(look, seconds, f"{kind} is told by trace {' '.join(words)}")


@pytest.mark.sanitize
def test_one_trace_tells_a_message_that_outlived_its_node(lab):
    node, sender, recipient = lab.nodes[1], f"{new_tag()}@client.skein.test", f"{new_tag()}@sink.skein.test"
    # Who tries it the second time hangs with it, and dies.
    lab.sink.rules({**NOT_NOW, "match": recipient, "times": 1}, {"stage": "rcpt", "do": "hang", "match": recipient, "times": 1})
    tag, _ = send(node.smtp, sender=sender, recipients=[recipient])
    claims = [event for event in until_told(lab, "CLAIM", "--to", recipient) if event["event"] == "CLAIM"]
    victim = next(node for node in lab.nodes.values() if node.name == claims[-1]["node"])
    victim.kill()
    until_arrived(lab, tag)
    events = until_told(lab, "DELIVER", "--to", recipient)
    message_id = next(event["id"] for event in events if event["event"] == "DELIVER")
    steps = [kind for i, kind in enumerate(kinds(events)) if i == 0 or kinds(events)[i - 1] != kind]
    order = [steps.index(kind) for kind in ("CONNECT", "RECEIVE", "DEFER", "CLAIM", "TAKEOVER", "DELIVER")]
    assert order == sorted(order), steps
    assert [event["time"] for event in events] == sorted(event["time"] for event in events)
    assert {event["node"] for event in events if event["event"] in ("CONNECT", "RECEIVE")} == {"node1"}
    takeover, deliver = (next(event for event in events if event["event"] == kind) for kind in ("TAKEOVER", "DELIVER"))
    assert takeover["node"] == deliver["node"] != victim.name
    for event in events:
        if event["event"] == "DEFER" and event.get("code"):
            assert event["code"] == 451 and event["status"] == "4.3.0" and event["text"].endswith("Not now")
    assert deliver["code"] == 250 and deliver["status"] == "2.0.0"
    minute = ("--since", "5m")
    for words in ([message_id], [message_id.lower()], ["--from", sender], ["--from", sender.upper(), "--to", recipient],
                  ["--client", "127.0.0.1", "--from", sender], ["--client", "127.0.0.0/8", *minute],
                  ["--from", "@client.skein.test", *minute], ["--to", "@sink.skein.test", *minute], list(minute)):
        found = {found["id"]: found for found in trace(lab, *words)["messages"]}
        assert without_ended(found[message_id]["events"]) == without_ended(events), words
    text = lab.ctl("trace", message_id)[1]
    assert text.splitlines()[0] == f"{message_id} <{sender}> -> {recipient}"
    assert any("TAKEOVER" in line and " about=node1 " in line for line in text.splitlines()), text
    assert "451 4.3.0" in text and '"Not now"' in text and "250 2.0.0" in text and "\x1b" not in text


def test_a_report_is_told_with_what_it_is_about(lab):
    sender = f"{new_tag()}@client.skein.test"
    lab.sink.rules({"stage": "rcpt", "do": "reply 550 5.1.1 Nobody", "match": "nobody@"})
    send(lab.nodes[2].smtp, sender=sender, recipients=["nobody@sink.skein.test"])
    until_report(lab, sender)
    until_told(lab, "BOUNCE", "--from", sender)
    bounce = until_told(lab, "DELIVER", "--to", sender)
    original, report = trace(lab, "--from", sender)["messages"]
    assert {"CONNECT", "RECEIVE", "FAIL", "BOUNCE"} <= set(kinds(original["events"]))
    assert report["id"] != original["id"] and "DELIVER" in kinds(report["events"]) and bounce
    assert [found["id"] for found in trace(lab, report["id"])["messages"]] == [original["id"], report["id"]]


def test_a_refusal_is_told_with_its_session(module_clusters):
    lab, sender = module_clusters(nodes=1, balancer=False, settings={"relay": {"allow": []}}), f"{new_tag()}@client.skein.test"
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send(lab.nodes[1].smtp, sender=sender, recipients=["b@sink.skein.test"])
    events = until_told(lab, "DISCONNECT", "--from", sender)
    assert [kind for kind in kinds(events) if kind in ("CONNECT", "REJECT", "DISCONNECT")] == ["CONNECT", "REJECT", "DISCONNECT"]
    assert next(event for event in events if event["event"] == "REJECT")["code"] == 550


def test_what_an_operator_does_is_told(lab):
    recipient = f"{new_tag()}@sink.skein.test"
    lab.sink.rules({**NOT_NOW, "match": recipient})
    send(lab.nodes[2].smtp, recipients=[recipient])
    message_id = next(event["id"] for event in until_told(lab, "DEFER", "--to", recipient) if event["event"] == "DEFER")
    for verb, kind in ((["hold"], "HOLD"), (["release"], "RELEASE"), (["cancel", "--yes"], "CANCEL")):
        code, _, err = lab.ctl("queue", *verb[:1], message_id, *verb[1:])
        assert code == 0, err
        event = next(event for event in until_told(lab, kind, message_id) if event["event"] == kind)
        assert "@" in event["user"] and event["node"] == "skeinctl"


def test_what_comes_is_followed(lab):
    sender, recipient = f"{new_tag()}@client.skein.test", f"{new_tag()}@sink.skein.test"
    with Following(lab, "log", "--follow", "--kind", "receive,deliver") as log, \
            Following(lab, "trace", "--from", sender, "-f") as story:
        until(lambda: b"skeinctl" in open(f"/proc/{log.process.pid}/cmdline", "rb").read(), 20, "it runs")
        seen = 0
        while "RECEIVE" not in log.text() and seen < 40:
            # Until it follows, what comes is before its beginning.
            send(lab.nodes[3].smtp, recipients=[f"early{seen}@sink.skein.test"])
            seen += 1
            time.sleep(0.25)
        send(lab.nodes[2].smtp, sender=sender, recipients=[recipient])
        log.until(f"-> {recipient} via")
        story.until(f"-> {recipient} via")
        assert "CONNECT" not in log.text() and "early" not in story.text()
        lines = [line for line in log.text().splitlines() if recipient in line]
        assert len(lines) == 2 and "RECEIVE" in lines[0] and "DELIVER" in lines[1], lines


def test_who_follows_goes_on_when_redis_comes_back(lab):
    domain, names = f"{new_tag()}.skein.test", []

    def receive(name):
        names.append(f"<{name}@{domain}>")
        send(lab.nodes[2].smtp, sender=f"{name}@{domain}")

    with Following(lab, "log", "--follow", "--kind", "receive") as log, Following(lab, "trace", "--from", f"@{domain}", "-f") as story:
        def both_follow():
            receive(f"early{len(names)}")
            return domain in log.text() and domain in story.text()
        until(both_follow, 30, "both follow")
        lab.redis.kill()
        try:
            for following in (log, story):
                following.until("it is tried again until Redis is back")
            for number in range(3):
                receive(f"away{number}")
        finally:
            lab.redis.start()
        for following in (log, story):
            following.until("Redis is back")
        receive("later")
        for following in (log, story):
            for name in names[names.index(f"<away0@{domain}>"):]:
                following.until(f"{name} ->")
            lines = following.text().splitlines()
            assert max(sum("RECEIVE" in line and name in line for line in lines) for name in names) == 1, lines
            assert sum("tried again" in line for line in lines) == 1 and not any("are missing" in line for line in lines), lines


def test_nothing_is_missing_after_redis_was_away(lab):
    tags = [new_tag() for _ in range(20)]
    for tag in tags[:5]:
        send(lab.nodes[2].smtp, sender=f"{tag}@client.skein.test")
    lab.redis.pause()
    try:
        for tag in tags[5:]:
            send(lab.nodes[2].smtp, sender=f"{tag}@client.skein.test")
    finally:
        lab.redis.resume()
    for tag in tags:
        events = until_told(lab, "DELIVER", "--from", f"{tag}@client.skein.test")
        assert kinds(events).count("RECEIVE") == 1 and kinds(events).count("DELIVER") == 1, events


def chain_of(node, sender):
    """The events of the session that brought this message, in the node's file."""
    session = node.tracked("RECEIVE", sender=sender)[0]["session"]
    return sorted(node.tracked(session=session), key=lambda event: event["time"])


def until_in_file(node, sender):
    """What is in no file is lost with the process: a few milliseconds."""
    until(lambda: node.tracked("RECEIVE", sender=sender) and
          {"DELIVER", "DISCONNECT"} <= set(kinds(chain_of(node, sender))), 20, "the file has all of it")


def test_what_a_node_had_only_in_its_file_when_it_was_killed_is_told(lab):
    node, sender = lab.nodes[1], f"{new_tag()}@client.skein.test"
    state, aside = "skein:{track}:state", "skein:{track}:aside"
    send(lab.nodes[1].smtp)
    until(lambda: lab.redis.ask("EXISTS", state) in (1, "1", b"1"), 20, "there are events")
    # Nothing more gets in.
    lab.redis.ask("RENAME", state, aside)
    lab.redis.ask("SET", state, "x")
    try:
        send(node.smtp, sender=sender)
        until_in_file(node, sender)
        node.kill()
    finally:
        lab.redis.ask("DEL", state)
        lab.redis.ask("RENAME", aside, state)
    node.start()
    events = until_told(lab, "DELIVER", "--from", sender)
    told = [(event["event"], event["time"]) for event in events]
    assert [told.count((event["event"], event["time"])) for event in chain_of(node, sender)] == [1] * len(chain_of(node, sender)), told
    until(lambda: "tracking-caught-up" in node.log.read_text(errors="replace"), 20, "the log says so")


@pytest.mark.sanitize
def test_the_chain_is_whole_whenever_a_node_is_killed(lab):
    node = lab.nodes[1]
    senders = [f"{new_tag()}@client.skein.test" for _ in range(4)]
    for sender in senders:
        send(node.smtp, sender=sender)
        until_in_file(node, sender)
        node.kill()
        node.start()
    for sender in senders:
        events = until_told(lab, "DELIVER", "--from", sender)
        assert [kinds(events).count(kind) for kind in ("CONNECT", "RECEIVE", "DELIVER")] == [1, 1, 1], events
        told = [(event["node"], event["event"], event["time"]) for event in events]
        assert len(set(told)) == len(told), events


def test_files_are_read_in_the_same_way(lab):
    sender = f"{new_tag()}@client.skein.test"
    send(lab.nodes[3].smtp, sender=sender)
    events = until_told(lab, "DELIVER", "--from", sender)
    files = [word for node in (2, 3) for word in ("--file", str(lab.nodes[node].spool / "tracking" / "tracking.json"))]
    until(lambda: kinds(events) == [kind for found in json.loads(
        lab.ctl("trace", "--from", sender, *files, "--json")[1])["messages"] for kind in kinds(found["events"])],
        10, "the files tell the same")


def test_log_tells_of_one_node_and_of_kinds(lab):
    for node in (2, 3):
        sender = f"{new_tag()}@client.skein.test"
        send(lab.nodes[node].smtp, sender=sender)
        until_told(lab, "RECEIVE", "--from", sender)
    code, out, err = lab.ctl("log", "--since", "10m", "--kind", "receive,connect", "--node", "node3", "--json")
    events = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and events, err
    assert {event["node"] for event in events} == {"node3"} and set(kinds(events)) <= {"RECEIVE", "CONNECT"}
    assert [event["time"] for event in events] == sorted(event["time"] for event in events)
    code, out, err = lab.ctl("log", "--node", "nobody")
    assert (code, out) == (1, "") and "nothing was found; --since TIME looks further back" in err


def test_a_change_of_leader_is_told_by_the_new_one(lab):
    def leader():
        return next((node for node in lab.nodes.values() if node.is_alive() and node.metric("skein_leader") == 1), None)

    def leads():
        events = [json.loads(line) for line in lab.ctl("log", "--since", "10m", "--kind", "node", "--json")[1].splitlines()]
        return [event["node"] for event in events if event["text"] == "leads"]

    old = until(leader, 30, "somebody leads")
    until(lambda: old.name in leads(), 20, "the leader has said so")
    told = len(leads())
    old.kill()
    new = until(lambda: next((name for name in leads()[told:] if name != old.name), None), 40, "another one leads, and says so")
    assert new in {node.name for node in lab.nodes.values()}


@pytest.mark.parametrize("words, complaint, code", [
    ([], "which messages?", 2),
    (["nonsense"], "is no message id", 2),
    (["--from", "jane"], "is no address", 2),
    (["--client", "10.0.0.256"], "is no address or network", 2),
    (["--since", "yesterday"], "is no time", 2),
    (["--from", "nobody@nowhere.test"], "nothing was found", 1),
    (["--from", "a@b.test", "--file", "/nonexistent"], "No such file", 1),
    (["--from", "a@b.test", "--file", "/dev/null", "--follow"], "not followed", 2),
])
def test_a_wrong_or_empty_search_is_told(lab, words, complaint, code):
    exit_code, _, err = lab.ctl("trace", *words)
    assert exit_code == code and complaint in err, err


def test_a_limit_that_is_reached_is_told(lab):
    domain = f"{new_tag()}.skein.test"
    for number in range(3):
        send(lab.nodes[2].smtp, sender=f"n{number}@{domain}")
        until_told(lab, "DELIVER", "--from", f"n{number}@{domain}")  # The newest is the one that something happened to last.
    code, out, err = lab.ctl("trace", "--from", f"@{domain}", "--limit", "2", "--json")
    answer = json.loads(out)
    assert code == 0 and answer["more"] is True and "more match than --limit" in err
    senders = {event.get("sender") for found in answer["messages"] for event in found["events"] if event["event"] == "RECEIVE"}
    assert senders == {f"n1@{domain}", f"n2@{domain}"}


def test_the_stream_keeps_its_size(module_clusters):
    lab = module_clusters(nodes=1, balancer=False, settings={"tracking": {"cluster_size": "64KiB"}})
    node = lab.nodes[1]
    content = message(new_tag())
    for number in range(40):
        send(node.smtp, sender=f"n{number}@client.skein.test", recipients=[f"{new_tag()}{i}@sink.skein.test" for i in range(100)],
             content=content)
    until(lambda: node.metric('skein_tracking_events_total{event="deliver"}') >= 4000, 60, "all are delivered")
    until(lambda: "are not kept any more" in lab.ctl("trace", "--from", "n39@client.skein.test")[2], 20, "old ones are gone")
    assert int(lab.redis.ask("MEMORY", "USAGE", "skein:{track}:bodies", "SAMPLES", "0")) < 1 << 18
