"""The leader looks at the DNS of the cluster's domains by itself: what changed is told once, whoever leads."""
import json
import random
import re

import pytest
from lab.wait import until

from authority import Authority
from dns_lab import DnsLab, Zone
from https_server import HttpsServer
from more_sinks import ALLOW, apply
from ctl_lab import NEGATIVE

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
    # On a machine that is busy the DNS may be silent twice in a row, and that is told too.
    until(lambda: any(" state=ok " in line for line in events(cluster, "dns-better")), 60, "that it is well is told")
    assert len([line for line in events(cluster, "dns-worse") if " state=fail " in line]) == 1


def test_without_an_interval_nothing_is_asked(new_cluster, lab):
    cluster = start(new_cluster, lab, interval="0s")
    code, _, errors = cluster.ctl("dns", "status")
    assert code == NEGATIVE and "dns_watch.interval" in errors


def test_policies_of_mta_sts_are_fetched_and_judged(new_cluster, tmp_path):
    authority = Authority(tmp_path / "authority")
    address = ".".join(["127"] + [str(random.randint(2, 250)) for _ in range(3)])
    policy = "version: STSv1\nmode: enforce\nmx: {}\nmax_age: 604800\n"
    names = ["good", "wrong", "lost"]

    def answer(_method, _path, headers, _body):
        domain = headers["Host"].removeprefix("mta-sts.")
        if domain == "lost.example":
            return 404, {"Content-Type": "text/plain"}, b""
        return 200, {"Content-Type": "text/plain; charset=utf-8"}, policy.format("mx." + domain.replace("wrong", "else")).encode()

    try:
        web = HttpsServer(authority.issue("web", ",".join(f"DNS:mta-sts.{name}.example" for name in names)), answer, (address, 443))
    except PermissionError:
        pytest.skip("port 443 is for root here: sysctl net.ipv4.ip_unprivileged_port_start=443")
    zone = Zone(f'@ MX 10 mx\nmx A 192.0.2.9\nmta-sts A {address}\n_mta-sts TXT "v=STSv1; id=1"\n', signed=False)
    lab = DnsLab(tmp_path / "dns", {f"{name}.example": zone for name in names})
    try:
        cluster = new_cluster(nodes=1, balancer=False, settings={
            "dns": {"servers": [lab.server]}, "route": {"ca": authority.certificate},
            "dns_watch": {"interval": "4s", "domains": [f"{name}.example" for name in names]}})
        until(lambda: len(status(cluster)["domains"]) == len(names), 60, "all are checked")
        found = {row["domain"]: [finding for finding in row["findings"] if finding["check"] == "mta-sts"]
                 for row in status(cluster)["domains"]}
        assert {finding["severity"] for finding in found["good.example"]} == {"ok"}
        assert any("no mx for mx.wrong.example" in finding["what"] for finding in found["wrong.example"])
        assert any("200" in finding["what"] for finding in found["lost.example"])
    finally:
        lab.stop()
        web.stop()
