"""A cluster that looks at its alerts all the time, a web server that is told of them, and the YAML of its policy."""
import json

from lab.wait import until

from more_sinks import apply

SETTINGS = {"alerts": {"interval": "300ms"}}
POLICY = """abuse: {{delay: 10ms, exempt: [127.0.0.0/8]}}
clients:
  - {{name: here, match: {{network: 127.0.0.0/8}}, effect: allow}}
alerts:
  window: 10s
  repeat: 0s
  channels:
    hook: {{webhook: "{url}"}}
{channels}
  rules:
{rules}
"""


def policy(url, rules="    dns: {}\n", channels=""):
    """`rules` and `channels`: lines of YAML, indented by four."""
    return POLICY.format(url=url, rules=rules.rstrip("\n"), channels=channels.rstrip("\n"))


class Told:
    """What a WebReceiver heard, as notices."""

    def __init__(self, receiver):
        self.receiver = receiver

    def notices(self, alert=None, subject=None, event=None):
        found = [json.loads(body) for _, _, body in list(self.receiver.asked)]
        return [notice for notice in found if (alert is None or notice["alert"] == alert) and
                (subject is None or notice["subject"] == subject) and (event is None or notice["event"] == event)]

    def until_told(self, alert, subject, event, seconds=60):
        until(lambda: self.notices(alert, subject, event), seconds, f"{alert} of {subject} is told: {event}")
        return self.notices(alert, subject, event)[0]

    def events(self, alert, subject):
        return [notice["event"] for notice in self.notices(alert, subject)]


def leader(cluster):
    return next((node for node in cluster.nodes.values() if node.is_alive() and node.metric("skein_leader") == 1), None)


def listed(cluster, *words):
    code, output, errors = cluster.ctl("--json", "alerts", "list", *words)
    assert code == 0, errors
    return json.loads(output)


def firing(cluster):
    return {(row["alert"], row["subject"]) for row in listed(cluster)["alerts"] if row["state"] == "firing"}


def logged(cluster, event, alert, subject):
    """How often, by all nodes."""
    words = f'subject="{subject}"' if " " in subject else f"subject={subject} "
    return sum(f" {event} " in line and f"alert={alert} " in line and words in line + " "
               for node in cluster.nodes.values() for line in node.log.read_text().splitlines())


def start(new_cluster, receiver, rules, nodes=3, channels="", **settings):
    cluster = new_cluster(nodes=nodes, balancer=False, settings={**SETTINGS, **settings})
    apply(cluster, policy(receiver.url(), rules, channels))
    until(lambda: listed(cluster)["at_ms"], 30, "a leader looks")
    return cluster
