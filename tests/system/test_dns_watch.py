"""The leader looks at the DNS of the cluster's domains by itself: what changed is told once, whoever leads."""
import json
import re

import pytest
from lab.wait import until

from dns_lab import DnsLab, Zone
from more_sinks import ALLOW, apply
from test_skeinctl import NEGATIVE

DOMAIN = "watched.example"
SPF = '$TTL 1\n@ TXT "v=spf1 {} -all"\n@ MX 10 mx\nmx A 192.0.2.9\n'
SIGN = "sign: [ { domain: signed.example } ]\n"


@pytest.fixture(name="lab")
def fixture_lab(tmp_path):
    lab = DnsLab(tmp_path / "dns", {DOMAIN: Zone(SPF.format(""), signed=False), "signed.example": Zone()})
    yield lab
    lab.stop()


def start(new_cluster, lab, **watch):
    settings = {"dns": {"servers": [lab.server]},
                "dns_watch": {"interval": "4s", "domains": [DOMAIN], "egress": ["192.0.2.7"], **watch}}
    cluster = new_cluster(balancer=False, settings=settings)
    apply(cluster, ALLOW + SIGN)
    return cluster


def events(cluster, name, check="spf"):
    """Of any node."""
    found = [line for node in cluster.nodes.values() for line in node.log.read_text().splitlines()
             if re.search(rf" {name} .*domain={DOMAIN} check={check} ", line)]
    return found


def status(cluster):
    code, output, errors = cluster.ctl("--json", "dns", "status")
    return json.loads(output) if output else {"by": errors, "domains": [], "code": code}


def leader(cluster):
    return next((node for node in cluster.nodes.values() if node.is_alive() and node.metric("skein_leader") == 1), None)


def checked(cluster):
    return int(cluster.redis.ask("HGET", "skein:{daily}:dns", "number") or 0)


def until_checked(cluster, times):
    """So many more times, from a beginning that lies ahead."""
    goal = checked(cluster) + times + 1
    until(lambda: checked(cluster) >= goal, 60, f"the leader has checked {goal} times")


def test_what_changed_is_told_once_whoever_leads(new_cluster, lab):
    cluster = start(new_cluster, lab)
    until(lambda: events(cluster, "dns-worse"), 60, "the fault is told")
    [line] = events(cluster, "dns-worse")
    assert " state=fail was=ok " in line and "192.0.2.7" in line and "v=spf1 ip4:192.0.2.7 -all" in line
    until(lambda: {row["domain"] for row in status(cluster)["domains"]} == {DOMAIN, "signed.example"}, 60, "both are checked")
    found = {row["domain"]: row for row in status(cluster)["domains"]}[DOMAIN]
    spf = next(row for row in found["findings"] if row["check"] == "spf")
    assert found["worst"] == "fail" and spf["severity"] == "fail" and "ip4:192.0.2.7" in spf["publish"][0]
    code, text, _ = cluster.ctl("dns", "status")
    assert code == NEGATIVE and " ago by node" in text.splitlines()[0] and spf["publish"][0] in text

    first = leader(cluster)
    until(lambda: first.metric('skein_dns_domains{worst="fail"}') == 2, 20, "the leader counts them")
    others = [node for node in cluster.nodes.values() if node is not first]
    assert not any(node.metric('skein_dns_domains{worst="fail"}') for node in others)

    first.kill()
    until(lambda: status(cluster)["by"] in [node.name for node in others], 90, "another leader goes on")
    until_checked(cluster, 1)
    assert len(events(cluster, "dns-worse")) == 1 and not events(cluster, "dns-better")

    lab.change(DOMAIN, Zone(SPF.format("ip4:192.0.2.7"), signed=False))
    until(lambda: events(cluster, "dns-better"), 60, "that it is well is told")
    [line] = events(cluster, "dns-better")
    assert " state=ok was=fail " in line and len(events(cluster, "dns-worse")) == 1


def test_without_an_interval_nothing_is_asked(new_cluster, lab):
    cluster = start(new_cluster, lab, interval="0s")
    code, _, errors = cluster.ctl("dns", "status")
    assert code == NEGATIVE and "dns_watch.interval" in errors
