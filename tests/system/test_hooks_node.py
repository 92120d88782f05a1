"""tracking.hooks of a real node: a webhook that wants a secret of the cluster, and a collector of syslog, hear of a message."""
import json
import os
import subprocess

from lab.wait import until
from receivers import SyslogReceiver, WebReceiver
from support import send, until_arrived
from ctl_lab import CTL

SECRET = "t0ken of the cluster"


def set_secret(cluster, key, text):
    done = subprocess.run([CTL, "--redis", cluster.redis.address, "--key-file", str(key), "secret", "set", "hook-token"],
                          input=text, capture_output=True, text=True, timeout=30, check=False,
                          env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"})
    assert done.returncode == 0, done.stderr


def test_receivers_outside_hear_of_a_message(new_cluster, tmp_path):
    key = tmp_path / "cluster.key"
    subprocess.run([CTL, "key", "new", str(key)], check=True, capture_output=True, timeout=30)
    web = WebReceiver(answer=lambda number, body: (200, {}) if accepts(web.asked[-1][1]) else (401, {}))
    collector = SyslogReceiver("tcp")
    quick = {"batch_wait": "50ms", "timeout": "2s", "retry_first": "50ms", "retry_max": "200ms"}
    cluster = new_cluster(nodes=1, balancer=False, settings={
        "cluster": {"key_file": str(key)},
        "tracking": {"hooks": [{"name": "web", "url": web.url(), "secret": "hook-token", **quick},
                               {"name": "siem", "url": collector.url(), "events": ["RECEIVE", "DELIVER"], **quick}]}})
    node, = cluster.nodes.values()
    tag, _ = send(node.smtp, sender="jane@client.skein.test")
    until_arrived(cluster, tag)

    # Before the secret is there nobody is asked, and afterwards nothing is missing.
    until(lambda: "hook-failed" in node.log.read_text(errors="replace"), 20, "the missing secret is told")
    assert not web.asked
    set_secret(cluster, key, SECRET)
    until(lambda: {"CONNECT", "RECEIVE", "DELIVER", "DISCONNECT"} <= {event["event"] for event in told_by(web)}, 20,
          lambda: str(told_by(web)))
    received, = (event for event in told_by(web) if event["event"] == "RECEIVE")
    delivered, = (event for event in told_by(web) if event["event"] == "DELIVER")
    assert received["id"] == delivered["id"] and delivered["recipient"] == "b@sink.skein.test" and delivered["code"] == 250

    until(lambda: len(collector.messages) == 2, 20, "both messages of syslog")
    told = collector.parsed()
    assert [message["kind"] for message in told] == ["RECEIVE", "DELIVER"]
    assert {message["params"]["id"] for message in told} == {received["id"]}
    assert json.loads(told[1]["text"]) == delivered

    # The last words of a node that ends in good order.
    node.stop()
    assert [event["text"] for event in told_by(web) if event["event"] == "NODE"][-1] == "stopping"
    assert SECRET not in node.log.read_text(errors="replace")
    web.stop()
    collector.stop()


def accepts(headers):
    return headers["Authorization"] == f"Bearer {SECRET}"


def told_by(web):
    return [event for _, headers, body in list(web.asked) if accepts(headers) for event in json.loads(body)["events"]]
