"""Mail to the hosts that the DNS names: MX, SRV, addresses; and what the sender hears where there are none."""
import pytest
from lab.wait import until

from dns_lab import DnsLab, Zone
from more_sinks import ALLOW, MoreSink, apply
from support import new_tag, send, until_report

ZONES = {
    "good.example": Zone("""
        @ MX 10 mx1
        @ MX 20 mx2
        mx1 A 127.0.0.1
        mx2 A 127.0.0.2
        second MX 10 nobody
        second MX 20 mx2
        nobody A 127.0.0.3
        implicit A 127.0.0.2
        null MX 0 .
        loop MX 10 relay
        loop MX 20 mx1
        relay A 127.0.0.9
        """),
    "bogus.example": Zone("@ MX 10 mx\nmx A 127.0.0.1\n", broken="bogus"),
}


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    made = DnsLab(tmp_path_factory.mktemp("dns"), ZONES)
    yield made
    made.stop()


@pytest.fixture
def direct(new_cluster, names):
    """(cluster, node, its sink as mx1, another as mx2): mail goes to port N of whatever the DNS names."""
    cluster = new_cluster(nodes=1, balancer=False, settings={
        "dns": {"servers": [names.server], "trust_anchor": str(names.anchor)},
        "node": {"hostname": "relay.good.example"}})
    port = cluster.record["sink"].rpartition(":")[2]
    second = MoreSink(cluster, "second", address=f"127.0.0.2:{port}")
    apply(cluster, ALLOW + f"routes: [ {{ name: net, to: [{{ direct: true, port: {port} }}] }} ]\n")
    return cluster, cluster.nodes[1], cluster.sink, second.control


def until_taken(sink, tag, to):
    def found():
        return [record for record in sink.records() if record["tag"] == tag and record["to"] == to]
    until(found, 30, f"{to} has {tag}")


@pytest.mark.sanitize
def test_mail_goes_to_the_hosts_that_the_dns_names(direct):
    _, node, first, second = direct
    tag = new_tag()
    send(node.smtp, tag=tag, recipients=["a@good.example", "b@GOOD.example", "c@implicit.good.example",
                                         "d@[127.0.0.2]", "e@second.good.example"])
    until_taken(first, tag, ["a@good.example", "b@GOOD.example"])
    until_taken(second, tag, ["c@implicit.good.example"])
    until_taken(second, tag, ["d@[127.0.0.2]"])
    until_taken(second, tag, ["e@second.good.example"])


def test_the_next_host_takes_what_the_best_one_cannot(direct):
    _, node, first, second = direct
    first.rules({"stage": "ehlo", "do": "reply 421 4.3.2 Going down"})
    tag = new_tag()
    send(node.smtp, tag=tag, recipients=["a@good.example"])
    until_taken(second, tag, ["a@good.example"])


@pytest.mark.parametrize("domain, code", [("null.good.example", "5.1.10"), ("nothing.good.example", "5.1.2"),
                                          ("loop.good.example", "5.4.6")])
def test_where_mail_cannot_go_the_sender_is_told_at_once(direct, domain, code):
    cluster, node, first, _ = direct
    tag = new_tag()
    send(node.smtp, sender="me@good.example", recipients=[f"x@{domain}", "a@good.example"], tag=tag)
    until_taken(first, tag, ["a@good.example"])
    _, content = until_report(cluster, "me@good.example")
    assert f"Status: {code}".encode() in content and f"x@{domain}".encode() in content


def test_answers_that_were_forged_are_not_used_and_mail_waits(direct):
    _, node, *sinks = direct
    tag = new_tag()
    send(node.smtp, tag=tag, recipients=["a@bogus.example"])
    until(lambda: node.tracked("DEFER", text="bogus"), 30, "it waits")
    assert not any(record["tag"] == tag for sink in sinks for record in sink.records())


def test_a_service_record_names_host_and_port(new_cluster, tmp_path):
    cluster = new_cluster(nodes=1, balancer=False)
    second = MoreSink(cluster, "second")
    port = second.address.rpartition(":")[2]
    names = DnsLab(tmp_path / "dns", {"srv.example": Zone(f"_smtp._tcp SRV 1 0 {port} host\nhost A 127.0.0.1\n")})
    try:
        node = cluster.nodes[1]
        node.stop()
        cluster.record["settings"] = {"dns": {"servers": [names.server], "trust_anchor": str(names.anchor)}}
        node.start()
        apply(cluster, ALLOW + "routes: [ { name: service, to: [{ srv: _smtp._tcp.srv.example }] } ]\n")
        tag = new_tag()
        send(node.smtp, tag=tag)
        until(lambda: tag in second.tags(), 30, "it arrives")
    finally:
        names.stop()
