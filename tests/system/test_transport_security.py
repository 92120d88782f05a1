"""How securely next hops are spoken to: each level, with certificates that are good and that are not."""
import socket

import pytest
from lab.wait import until

from authority import Authority, tlsa
from dns_lab import DnsLab, Zone
from more_sinks import ALLOW, apply
from support import new_tag, send

NAME = "mail.skein.test"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def certificates(authority, tmp_path_factory):
    """What a next hop shows: (certificate, key) by what is wrong with it."""
    stranger = Authority(tmp_path_factory.mktemp("stranger"))
    return {
        "good": authority.issue("good", f"DNS:{NAME}"),
        "other-name": authority.issue("other", "DNS:other.skein.test"),
        "untrusted": stranger.issue("untrusted", f"DNS:{NAME}"),
        "expired": authority.issue_expired("expired", f"DNS:{NAME}"),
        "none": (),
    }


@pytest.fixture
def relay(new_cluster, authority):
    return new_cluster(nodes=1, balancer=False, settings={"route": {"ca": authority.certificate}})


def one_route(cluster, *targets):
    apply(cluster, ALLOW + f"routes: [ {{ name: all, to: [{', '.join(targets)}] }} ]\n")


def to(sink, level, **more):
    port = sink.address.rpartition(":")[2]
    words = "".join(f", {key}: {value}" for key, value in more.items())
    return f"{{ host: 127.0.0.1, port: {port}, tls: {level}{words} }}"


def until_taken(sink, tag, tls):
    """It arrives, in clear or over TLS as told."""
    def found():
        return [record for record in sink.control.records() if record["tag"] == tag]
    until(found, 30, "it arrives")
    assert found()[0]["tls"] == tls


def until_put_off(node, why):
    """Mail waits, and the log has this reason."""
    def lines():
        return [line for line in node.log.read_text().splitlines() if "message-put-off" in line]
    until(lines, 30, "it waits")
    assert why in lines()[0]


CASES = [
    ("none", "good", "clear"),
    ("may", "good", "tls"),
    ("may", "untrusted", "tls"),
    ("may", "none", "clear"),
    ("encrypt", "untrusted", "tls"),
    ("encrypt", "none", "TLS is required and not offered"),
    ("verify", "good", "tls"),
    ("verify", "other-name", "hostname mismatch"),
    ("verify", "untrusted", "unable to get local issuer certificate"),
    ("verify", "expired", "certificate has expired"),
    ("verify", "none", "TLS is required and not offered"),
]


@pytest.mark.parametrize("level, shown, result", CASES)
def test_each_level_takes_what_it_should(relay, more_sinks, certificates, level, shown, result):
    sink = more_sinks(relay, "other", certificate=certificates[shown])
    one_route(relay, to(sink, level, tls_name=NAME))
    tag = new_tag()
    send(relay.nodes[1].smtp, tag=tag)
    if result in ("clear", "tls"):
        until_taken(sink, tag, result == "tls")
    else:
        until_put_off(relay.nodes[1], result)
        assert not sink.control.records()


@pytest.mark.parametrize("shown, result", [("good", "tls"), ("other-name", "hostname mismatch")])
def test_tls_from_the_first_byte_is_verified_too(relay, more_sinks, certificates, shown, result):
    sink = more_sinks(relay, "other", certificate=certificates[shown], arguments=["--tls-first"])
    one_route(relay, to(sink, "verify", tls_name=NAME, tls_first="true"))
    tag = new_tag()
    send(relay.nodes[1].smtp, tag=tag)
    if result == "tls":
        until_taken(sink, tag, True)
    else:
        until_put_off(relay.nodes[1], result)
        assert not sink.control.records()


@pytest.mark.sanitize
def test_a_hop_without_the_security_asked_for_is_passed_over(relay, more_sinks, certificates):
    wrong = more_sinks(relay, "wrong", certificate=certificates["other-name"])
    plain = more_sinks(relay, "plain", certificate=())
    good = more_sinks(relay, "good", certificate=certificates["good"])
    one_route(relay, *(to(sink, "verify", tls_name=NAME) for sink in (wrong, plain, good)))
    tag = new_tag()
    send(relay.nodes[1].smtp, tag=tag)
    until_taken(good, tag, True)
    assert not wrong.control.records() and not plain.control.records()
    log = relay.nodes[1].log.read_text()
    # A certificate does not change by asking five times.
    assert log.count("hop-failed") == 2 and "4.7.5" in log and "4.7.4" in log


# --- what the DNS says ----------------------------------------------------------------------------------------------------

HOP = "127.0.0.2"


def free_port():
    """At that address."""
    with socket.socket() as probe:
        probe.bind((HOP, 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def dane(authority, tmp_path_factory):
    """(names, port, certificates): domains whose MX host is at HOP:port and has TLSA records for that port."""
    port = free_port()
    made = {
        "good": authority.issue("dane-good", "DNS:mx.good.example"),
        "expired": authority.issue_expired("dane-expired", "DNS:elsewhere.example"),
        "other": authority.issue("dane-other", "DNS:mx.good.example"),
        "chain": authority.issue("dane-chain", "DNS:trusted.example"),
        "chain-other": authority.issue("dane-chain-other", "DNS:elsewhere.example"),
        "none": (),
    }
    for chain in ("chain", "chain-other"):
        with open(made[chain][0], "ab") as file, open(authority.certificate, "rb") as issuer:
            file.write(issuer.read())
    def hop(*records):
        return f"@ MX 10 mx\nmx A {HOP}\n" + "".join(f"_{port}._tcp.mx {record}\n" for record in records)
    good = "TLSA " + tlsa(made["good"][0])
    zones = {
        "good.example": Zone(hop(good)),
        "expired.example": Zone(hop("TLSA " + tlsa(made["expired"][0]))),
        "nothing.example": Zone(hop()),
        "unusable.example": Zone(hop(f"TLSA 1 1 1 {'ab' * 32}")),
        "forged.example": Zone(hop("CNAME tlsa.bogus.example.")),
        "bogus.example": Zone(f"tlsa TLSA 3 1 1 {'ab' * 32}\n", broken="bogus"),
        "plain.example": Zone(hop(good), signed=False),
        "leads-there.example": Zone("@ MX 10 mx.good.example.\n", signed=False),
        "trusted.example": Zone(hop("TLSA " + tlsa(authority.certificate, usage=2))),
    }
    lab = DnsLab(tmp_path_factory.mktemp("dns"), zones)
    yield lab, port, made
    lab.stop()


@pytest.fixture
def direct(new_cluster, more_sinks, dane, authority):
    """start(level, shown) -> (node, the only hop there is)"""
    lab, port, made = dane

    def start(level, shown):
        cluster = new_cluster(nodes=1, balancer=False, settings={
            "dns": {"servers": [lab.server], "trust_anchor": str(lab.anchor)}, "route": {"ca": authority.certificate}})
        sink = more_sinks(cluster, "mx", address=f"{HOP}:{port}", certificate=made[shown])
        apply(cluster, ALLOW + f"routes: [ {{ name: net, to: [{{ direct: true, port: {port}, tls: {level} }}] }} ]\n")
        return cluster.nodes[1], sink
    return start


def check(node, sink, domain, result):
    tag = new_tag()
    send(node.smtp, recipients=[f"b@{domain}"], tag=tag)
    if result in ("clear", "tls"):
        until_taken(sink, tag, result == "tls")
    else:
        until_put_off(node, result)
        assert not sink.control.records()


DANE_CASES = [
    ("dane", "good.example", "good", "tls"),
    ("dane", "good.example", "other", "no matching DANE TLSA records"),
    ("dane", "good.example", "none", "TLS is required and not offered"),
    ("dane", "expired.example", "expired", "tls"),  # DANE-EE: neither dates nor names count
    ("dane", "trusted.example", "chain", "tls"),
    ("dane", "trusted.example", "chain-other", "mismatch"),  # DANE-TA: names do
    ("dane", "nothing.example", "none", "clear"),
    ("dane", "unusable.example", "other", "tls"),
    ("dane", "unusable.example", "none", "TLS is required and not offered"),
    ("dane", "forged.example", "good", "fail DNSSEC validation"),
    ("dane", "plain.example", "none", "clear"),
    ("dane", "leads-there.example", "other", "tls"),
    ("dane-only", "good.example", "good", "tls"),
    ("dane-only", "nothing.example", "good", "has no TLSA records that are secure"),
    ("dane-only", "plain.example", "good", "not secured by DNSSEC"),
    ("dane-only", "leads-there.example", "good", "not secured by DNSSEC"),
    ("auto", "good.example", "good", "tls"),
    ("auto", "good.example", "none", "TLS is required and not offered"),
    ("auto", "nothing.example", "none", "clear"),
]


@pytest.mark.parametrize("level, domain, shown, result", DANE_CASES)
def test_a_host_must_be_what_its_tlsa_records_say(direct, level, domain, shown, result):
    node, sink = direct(level, shown)
    check(node, sink, domain, result)
