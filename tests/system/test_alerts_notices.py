"""Notices reach their channels in each form, once the channel is there, whoever leads; silence; alerts test."""
import email
import json
import re

import pytest
from lab.wait import until

from alert_lab import Told, firing, leader, listed, start
from lab.cluster import REPOSITORY
from receivers import SyslogReceiver, WebReceiver
from ctl_lab import NEGATIVE, USAGE


@pytest.fixture(scope="module", name="receiver")
def fixture_receiver():
    receiver = WebReceiver()
    yield receiver
    receiver.stop()


@pytest.fixture(scope="module", name="chats")
def fixture_chats():
    chats = {"slack": WebReceiver(), "teams": WebReceiver(), "log": SyslogReceiver("udp")}
    yield chats
    for chat in chats.values():
        chat.stop()


@pytest.fixture(scope="module", name="cluster")
def fixture_cluster(module_clusters, receiver, chats):
    channels = f"""    slack: {{webhook: "{chats['slack'].url()}", form: slack}}
    teams: {{webhook: "{chats['teams'].url()}", form: teams}}
    log: {{syslog: "{chats['log'].url()}"}}
    ops: {{mail: ops@sink.skein.test, from: skein@client.skein.test}}
    nowhere: {{webhook: "http://127.0.0.1:1/"}}
    locked: {{webhook_secret: chat-url}}
"""
    rules = "    node-lost: {to: [hook, ops]}\n    leader-change: {to: hook}\n"
    return start(module_clusters, receiver, rules, channels=channels)


@pytest.fixture(name="told")
def fixture_told(receiver):
    receiver.asked.clear()
    return Told(receiver)


def other(cluster):
    return next(node for node in cluster.nodes.values() if node is not leader(cluster) and node.is_alive())


def test_a_test_notice_goes_over_each_channel(cluster, told, chats):
    code, output, errors = cluster.ctl("alerts", "test")
    rows = dict(line.split(": ", 1) for line in output.splitlines())
    assert code == NEGATIVE and not errors
    assert {name for name, row in rows.items() if row == "sent"} == {"hook", "slack", "teams", "log", "ops"}
    assert rows["nowhere"].startswith("not sent: ") and "chat-url" in rows["locked"]
    [notice] = told.notices()
    assert notice["event"] == "test" and "channel" not in notice

    [(_, headers, body)] = chats["slack"].asked
    message = json.loads(body)
    assert headers["Content-Type"] == "application/json" and message["text"].startswith("test: ")
    assert [block["type"] for block in message["blocks"]] == ["section", "context"]
    [(_, _, body)] = chats["teams"].asked
    [attachment] = json.loads(body)["attachments"]
    card = attachment["content"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert card["type"] == "AdaptiveCard" and card["version"] == "1.4"
    assert card["body"][0]["inlines"][0]["text"].startswith("test: ")
    assert {fact["title"] for fact in card["body"][1]["facts"]} == {"Means", "To do", "Since", "Told by"}

    until(lambda: chats["log"].parsed(), 20, "the collector has it")
    [line] = chats["log"].parsed()
    assert line["kind"] == "ALERT" and line["params"]["event"] == "test" and line["app"] == "skein"

    def mails():
        return [email.message_from_bytes(content) for record, content in cluster.sink.untagged()
                if "ops@sink.skein.test" in record["to"]]
    until(mails, 30, "the mail arrives")
    [mail] = mails()
    assert mail["Subject"].startswith("[skein] test: test cluster") and mail["Auto-Submitted"] == "auto-generated"
    assert re.search(r"^To do: +nothing", mail.get_payload(), re.M)


def test_one_channel_can_be_tested(cluster, told):
    assert cluster.ctl("alerts", "test", "hook")[:2] == (0, "hook: sent\n")
    code, _, errors = cluster.ctl("alerts", "test", "hoook")
    assert code == NEGATIVE and 'no channel "hoook"' in errors
    assert len(told.notices()) == 1


def test_what_is_silent_is_listed_and_not_told(cluster, told):
    node = other(cluster)
    for what in ("node-lots", f"node {node.name}"):
        code, _, errors = cluster.ctl("alerts", "silence", what)
        assert code == USAGE and "alerts list --all" in errors
    assert cluster.ctl("alerts", "silence", "node-lost", "--end")[0] == NEGATIVE
    subject = f"node-lost {node.name}"
    code, output, _ = cluster.ctl("alerts", "silence", subject, "--for", "1h", "-m", "moving it")
    assert code == 0 and "silent for 1h" in output
    node.kill()
    until(lambda: ("node-lost", node.name) in firing(cluster), 30, "it is listed")
    [row] = [row for row in listed(cluster)["alerts"] if row["alert"] == "node-lost"]
    assert row["silenced"]
    [silence] = listed(cluster)["silences"]
    assert silence["what"] == subject and silence["why"] == "moving it" and silence["left_ms"] > 3500_000
    text = cluster.ctl("alerts", "list")[1]
    assert "firing, silent" in text and f"silent: {subject}, for " in text
    assert not told.notices("node-lost")
    assert cluster.ctl("alerts", "silence", subject, "--end")[0] == 0
    told.until_told("node-lost", node.name, "goes-on")
    node.start()
    told.until_told("node-lost", node.name, "recovered")
    assert told.events("node-lost", node.name) == ["goes-on", "recovered"]


def test_a_web_server_that_is_down_and_a_leader_that_dies_lose_nothing(cluster, told, receiver):
    receiver.stop()
    node = other(cluster)
    node.kill()
    until(lambda: listed(cluster)["waiting"], 30, "a notice waits")
    first = leader(cluster)
    first.kill()
    until(lambda: leader(cluster) and ("node-lost", first.name) in firing(cluster), 60, "another leader goes on")
    assert not told.notices()
    receiver.start()
    for lost in (node, first):
        told.until_told("node-lost", lost.name, "fired")
    told.until_told("leader-change", "cluster", "fired")
    until(lambda: listed(cluster)["waiting"] == 0, 60, "nothing waits")
    for lost in (node, first):
        lost.start()
        told.until_told("node-lost", lost.name, "recovered")
        # The same notice may come twice, but there is no second one of the same thing.
        by_id = {notice["id"]: notice["event"] for notice in told.notices("node-lost", lost.name)}
        assert list(by_id.values()) == ["fired", "recovered"]
    assert listed(cluster)["dropped"] == 0
    by_id = {}
    for notice in told.notices():
        assert by_id.setdefault(notice["id"], notice) == notice


def test_all_alerts_are_documented(cluster):
    rows = listed(cluster, "--all")["alerts"]
    documented = re.findall(r"^\| `([a-z-]+)` \|", (REPOSITORY / "docs" / "alerts.md").read_text(), re.M)
    assert sorted({row["alert"] for row in rows}) == sorted(documented)
    assert all(row["what"] and row["cure"] for row in rows)
