"""MTA-STS policies of the cluster: one node fetches, all go by it, also those that come later."""
import random
import threading

import pytest
from lab.wait import until
from test_transport_security import HOP, free_port, until_put_off, until_taken

from authority import Authority
from dns_lab import DnsLab, Zone
from https_server import HttpsServer
from more_sinks import ALLOW, MoreSink, add_node, apply
from support import new_tag, send

POLICY = "version: STSv1\nmode: {}\nmx: mx.acme.example\nmax_age: {}\n"
DOMAIN = "acme.example"


class Web:
    """The web server of the domain. Its answers wait while `gate` is closed; without a text it says 404."""

    def __init__(self, certificate):
        self.address = ".".join(["127"] + [str(random.randint(2, 250)) for _ in range(3)])
        self.text = POLICY.format("enforce", 86400)
        self.gate = threading.Event()
        self.gate.set()
        try:
            self.server = HttpsServer(certificate, self._answer, (self.address, 443))
        except PermissionError:
            pytest.skip("port 443 is for root here: sysctl net.ipv4.ip_unprivileged_port_start=443")
        self.is_up = True

    def _answer(self, *_):
        self.gate.wait(15)
        return (200 if self.text else 404), {"Content-Type": "text/plain"}, (self.text or "").encode()

    @property
    def asked(self):
        return len(self.server.asked)

    def stop(self):
        if self.is_up:
            self.server.stop()
        self.is_up = False


@pytest.fixture(name="authority", scope="module")
def fixture_authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(name="make")
def fixture_make(new_cluster, authority, tmp_path):
    """make(nodes) -> (cluster, the domain's host, its web server)"""
    made = []

    def make(nodes, signed=True):
        web = Web(authority.issue("web", f"DNS:mta-sts.{DOMAIN}"))
        made.append(web)
        lab = DnsLab(tmp_path / "dns", {DOMAIN: Zone(
            f'@ MX 10 mx\nmx A {HOP}\n_mta-sts TXT "v=STSv1; id=1;"\nmta-sts A {web.address}\n', signed=signed)})
        made.append(lab)
        cluster = new_cluster(nodes=nodes, balancer=False, settings={
            "dns": {"servers": [lab.server], "trust_anchor": str(lab.anchor)}, "route": {"ca": authority.certificate}})
        port = free_port()
        hop = MoreSink(cluster, "mx", address=f"{HOP}:{port}",
                       certificate=authority.issue("mx", "DNS:mx.acme.example"))
        apply(cluster, ALLOW + f"routes: [ {{ name: net, to: [{{ direct: true, port: {port}, tls: mta-sts }}] }} ]\n")
        return cluster, hop, web

    yield make
    for part in reversed(made):
        part.stop()


def post(node):
    tag = new_tag()
    send(node.smtp, recipients=[f"b@{DOMAIN}"], tag=tag)
    return tag


def logs(cluster):
    return "".join(node.log.read_text(errors="replace") for node in cluster.nodes.values())


def until_logged(node, text):
    until(lambda: text in node.log.read_text(errors="replace"), 30, f"{node.name} says {text}")


@pytest.mark.sanitize
def test_one_node_fetches_for_all(make):
    cluster, hop, web = make(3)
    web.gate.clear()
    tags = [post(node) for node in cluster.nodes.values() for _ in range(4)]
    until(lambda: web.asked, 20, "somebody fetches")
    web.gate.set()
    for tag in tags:
        until_taken(hop, tag, True)
    assert web.asked == 1
    assert sum(node.log.read_text().count("sts-policy-fetched") for node in cluster.nodes.values()) == 1


def test_a_node_that_comes_later_knows_the_policy_though_nobody_tells_it(make):
    cluster, hop, web = make(1)
    until_taken(hop, post(cluster.nodes[1]), True)
    # Whoever is in between takes the web server away, and STARTTLS.
    web.stop()
    hop.control.ask(starttls=False, drop=True)
    node = add_node(cluster)
    tag = post(node)
    until_put_off(node, "TLS is required and not offered")
    until_logged(node, "sts-policy-heard")
    assert tag not in hop.tags()
    hop.control.ask(starttls=True)
    until_taken(hop, tag, True)


def test_without_redis_each_node_fetches_for_itself(make):
    cluster, hop, web = make(2)
    cluster.redis.kill()
    for node in cluster.nodes.values():
        until_taken(hop, post(node), True)
    assert web.asked >= 2


def test_others_hear_of_a_policy_that_was_replaced(make):
    cluster, hop, web = make(2)
    web.text = POLICY.format("enforce", 8)
    hop.control.ask(starttls=False)
    first = post(cluster.nodes[1])
    until_put_off(cluster.nodes[1], "TLS is required and not offered")
    web.text = POLICY.format("testing", 86400)
    # Half of its age is over some time: then one of the two fetches it again.
    until(lambda: "mode=testing" in logs(cluster) or
          (post(cluster.nodes[2]) and False), 30, "it is fetched again")
    until_taken(hop, first, False)
    until(lambda: "sts-policy-heard" in logs(cluster), 20, "one heard of it")
    until(lambda: logs(cluster).count("sts-policy-fetched") == web.asked, 20, "each answer of the web server is a policy")


def test_a_failure_is_heard_of_too(make):
    cluster, hop, web = make(3)
    web.text = None
    for node in cluster.nodes.values():
        until_taken(hop, post(node), True)
    assert web.asked == 1
    assert sum(node.log.read_text().count("sts-policy-not-fetched") for node in cluster.nodes.values()) == 1
