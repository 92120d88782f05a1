"""How securely next hops are spoken to: each level, with certificates that are good and that are not."""
import random
import smtplib
import socket
import ssl
import time

import pytest
from lab.wait import until

from authority import Authority, tlsa
from dns_lab import DnsLab, Zone
from https_server import HttpsServer
from more_sinks import ALLOW, MoreSink, apply, target
from support import message, new_tag, send

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


def until_put_off(node, why, sender=""):
    """Mail waits, and tracking has this reason."""
    def put_off():
        return [event for event in node.tracked("DEFER", sender=sender) if "recipient" not in event]
    until(put_off, 30, "it waits")
    assert why in put_off()[0]["text"]


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


@pytest.fixture(scope="module")
def levels(module_clusters, authority, certificates):
    """(node, sinks by what they show) with a route for each of CASES, to a port of its own: no case knows of another."""
    cluster = module_clusters(nodes=1, balancer=False, settings={"route": {"ca": authority.certificate}})
    sinks = {shown: MoreSink(cluster, shown, ports=len(CASES), certificate=files) for shown, files in certificates.items()}
    routes = "".join(f"  - {{ name: case{number}, match: {{ recipient: case{number}.skein.test }}, "
                     f"to: [{target(sinks[shown].addresses[number], tls=level, tls_name=NAME)}] }}\n"
                     for number, (level, shown, _) in enumerate(CASES))
    apply(cluster, ALLOW + f"routes:\n{routes}")
    return cluster.nodes[1], sinks


@pytest.mark.parametrize("number, level, shown, result", [(number, *case) for number, case in enumerate(CASES)])
def test_each_level_takes_what_it_should(levels, number, level, shown, result):
    node, sinks = levels
    sender, tag = f"{level}@case{number}.client.skein.test", new_tag()
    send(node.smtp, sender=sender, recipients=[f"b@case{number}.skein.test"], tag=tag)
    if result in ("clear", "tls"):
        until_taken(sinks[shown], tag, result == "tls")
    else:
        until_put_off(node, result, sender)
        assert tag not in sinks[shown].tags()


@pytest.mark.parametrize("shown, result", [("good", "tls"), ("other-name", "hostname mismatch")])
def test_tls_from_the_first_byte_is_verified_too(relay, certificates, shown, result):
    sink = MoreSink(relay, "other", certificate=certificates[shown], arguments=["--tls-first"])
    one_route(relay, to(sink, "verify", tls_name=NAME, tls_first="true"))
    tag = new_tag()
    send(relay.nodes[1].smtp, tag=tag)
    if result == "tls":
        until_taken(sink, tag, True)
    else:
        until_put_off(relay.nodes[1], result)
        assert not sink.control.records()


@pytest.mark.parametrize("alt_names, result", [("IP:127.0.0.2", "tls"), ("IP:127.0.0.3", "IP address mismatch")])
def test_next_hops_of_the_settings_are_verified_too(new_cluster, authority, alt_names, result):
    port = free_port()
    cluster = new_cluster(nodes=1, balancer=False, settings={"route": {
        "ca": authority.certificate, "next_hops": [{"host": HOP, "port": port, "tls": "verify"}]}})
    sink = MoreSink(cluster, "other", address=f"{HOP}:{port}", certificate=authority.issue("address", alt_names))
    check(cluster.nodes[1], sink, "sink.skein.test", result)


@pytest.mark.sanitize
def test_a_hop_without_the_security_asked_for_is_passed_over(relay, certificates):
    wrong = MoreSink(relay, "wrong", certificate=certificates["other-name"])
    plain = MoreSink(relay, "plain", certificate=())
    good = MoreSink(relay, "good", certificate=certificates["good"])
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


def start_direct(new_cluster, names, authority, level, shown):
    """(node, the only hop there is)"""
    lab, port, made = names
    cluster = new_cluster(nodes=1, balancer=False, settings={
        "dns": {"servers": [lab.server], "trust_anchor": str(lab.anchor)}, "route": {"ca": authority.certificate}})
    sink = MoreSink(cluster, "mx", address=f"{HOP}:{port}", certificate=made[shown])
    apply(cluster, ALLOW + f"routes: [ {{ name: net, to: [{{ direct: true, port: {port}, tls: {level} }}] }} ]\n")
    return cluster.nodes[1], sink


def check(node, sink, domain, result, extra=""):
    tag = new_tag()
    send(node.smtp, recipients=[f"b@{domain}"], content=message(tag, extra=extra))
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
def test_a_host_must_be_what_its_tlsa_records_say(new_cluster, dane, authority, level, domain, shown, result):
    node, sink = start_direct(new_cluster, dane, authority, level, shown)
    check(node, sink, domain, result)


@pytest.mark.parametrize("level, domain, shown, result", [
    ("dane", "good.example", "other", "tls"),
    ("auto", "good.example", "none", "clear"),
    ("dane", "forged.example", "good", "tls"),
    ("dane-only", "nothing.example", "good", "has no TLSA records that are secure"),
])
def test_who_says_that_tls_is_not_required_is_not_held_up_by_the_domain(new_cluster, dane, authority, level, domain, shown,
                                                                        result):
    node, sink = start_direct(new_cluster, dane, authority, level, shown)
    check(node, sink, domain, result, "TLS-Required: No\r\n")


# What a sender with REQUIRETLS asks for, where the route would do with less (RFC 8689 4.2.1).
REQUIRETLS_CASES = [
    ("dane", "good.example", "good", "tls"),
    ("may", "good.example", "good", "tls"),
    ("may", "good.example", "other", "5.7.10 no matching DANE TLSA records"),
    ("verify", "good.example", "good", "tls"),  # DNSSEC vouches for the name
    ("dane", "nothing.example", "good", "5.7.10 mismatch"),
    ("may", "plain.example", "good", "5.7.10 vouches for mx.plain.example"),
    ("auto", "leads-there.example", "good", "5.7.10 vouches for mx.good.example"),
    ("dane", "forged.example", "good", "4.7.5 fail DNSSEC validation"),
]


def submit_requiretls(node, domain):
    tag = new_tag()
    host, port = node.smtp.split(":")
    with smtplib.SMTP(host, int(port), timeout=20) as client:
        client.starttls(context=ssl._create_unverified_context())
        client.sendmail("a@client.skein.test", [f"b@{domain}"], message(tag), mail_options=["REQUIRETLS"])
    return tag


def check_requiretls(node, sink, domain, result):
    sink.control.ask(keywords=["PIPELINING", "REQUIRETLS"])
    tag = submit_requiretls(node, domain)
    if result == "tls":
        until_taken(sink, tag, True)
        return
    status, _, why = result.partition(" ")
    kind = "DEFER" if status[0] == "4" else "FAIL"
    until(lambda: node.tracked(kind, status=status, text=why), 30, kind)
    assert not sink.control.records()


@pytest.mark.parametrize("level, domain, shown, result", REQUIRETLS_CASES)
def test_requiretls_wants_a_name_that_is_sure(new_cluster, dane, authority, level, domain, shown, result):
    node, sink = start_direct(new_cluster, dane, authority, level, shown)
    check_requiretls(node, sink, domain, result)


# --- MTA-STS --------------------------------------------------------------------------------------------------------------

POLICY = "version: STSv1\nmode: {}\nmx: {}\nmax_age: 86400\n"
# By domain: what the web server says. No text: 404.
POLICIES = {
    "enforce": POLICY.format("enforce", "mx.sts.example"),
    "wildcard": POLICY.format("enforce", "*.sts.example"),
    "unlisted": POLICY.format("enforce", "elsewhere.example"),
    "testing": POLICY.format("testing", "mx.sts.example"),
    "off": "version: STSv1\nmode: none\nmax_age: 86400\n",
    "loose": POLICY.format("enforce", "mx.sts.example"),  # "loose...": without DNSSEC
    "loose-testing": POLICY.format("testing", "mx.sts.example"),
    "loose-off": "version: STSv1\nmode: none\nmx: mx.sts.example\nmax_age: 86400\n",
    "invalid": "version: STSv1\nmode: maybe\nmax_age: 86400\n",
    "untrusted-web": POLICY.format("enforce", "mx.sts.example"),
    "html": POLICY.format("enforce", "mx.sts.example"),
    "missing": None,
    "short": POLICY.format("enforce", "mx.sts.example").replace("86400", "4"),
    "changed": POLICY.format("enforce", "mx.sts.example").replace("86400", "6"),
}


def answer_policy(_method, path, headers, _body):
    domain = headers["Host"].removeprefix("mta-sts.").removesuffix(".example")
    text = POLICIES.get(domain)
    if path != "/.well-known/mta-sts.txt" or text is None:
        return 404, {"Content-Type": "text/plain"}, b""
    return 200, {"Content-Type": "text/html" if domain == "html" else "text/plain; charset=utf-8"}, text.encode()


@pytest.fixture(scope="module")
def policies(authority):
    """(server, address) of a web server for all of them, at the port that RFC 8461 wants."""
    names = [f"DNS:mta-sts.{domain}.example" for domain in POLICIES if domain != "untrusted-web"]
    address = ".".join(["127"] + [str(random.randint(2, 250)) for _ in range(3)])
    try:
        server = HttpsServer(authority.issue("web", ",".join(names)), answer_policy, (address, 443))
    except PermissionError:
        pytest.skip("port 443 is for root here: sysctl net.ipv4.ip_unprivileged_port_start=443")
    yield server, address
    server.stop()


@pytest.fixture(scope="module")
def sts(authority, policies, tmp_path_factory):
    """As `dane`, for domains with policies."""
    port = free_port()
    name = "DNS:mx.sts.example"
    stranger = Authority(tmp_path_factory.mktemp("stranger"))
    made = {
        "good": authority.issue("sts-good", name),
        "other": authority.issue("sts-other", "DNS:mx.other.example"),
        "expired": authority.issue_expired("sts-expired", name),
        "untrusted": stranger.issue("sts-untrusted", name),
        "none": (),
    }
    mx = "@ MX 10 mx.sts.example.\n"
    record = '_mta-sts TXT "v=STSv1; id=20260101;"\n'
    zones = {f"{domain}.example": Zone(f"{mx}{record}mta-sts A {policies[1]}\n", signed=not domain.startswith("loose"))
             for domain in POLICIES}
    zones |= {
        "sts.example": Zone(f"mx A {HOP}\n_{port}._tcp.mx TLSA {tlsa(made['other'][0])}\n", signed=False),
        "two.example": Zone(f"{mx}{record}{record.replace('2026', '2027')}mta-sts A {policies[1]}\n"),
        "silent.example": Zone(mx),
        "unsaid.example": Zone(f"{mx}mta-sts A {policies[1]}\n_mta-sts CNAME record.forged.example.\n"),
        "forged.example": Zone('record TXT "v=STSv1; id=1"\n', broken="expired"),
        "lost.example": Zone(f"{mx}{record}"),
    }
    lab = DnsLab(tmp_path_factory.mktemp("sts-dns"), zones)
    yield lab, port, made
    lab.stop()


STS_CASES = [
    ("mta-sts", "enforce", "good", "tls"),
    ("auto", "enforce", "good", "tls"),
    ("auto", "enforce", "none", "TLS is required and not offered"),
    ("mta-sts", "wildcard", "good", "tls"),
    ("mta-sts", "enforce", "other", "hostname mismatch"),
    ("mta-sts", "enforce", "untrusted", "unable to get local issuer certificate"),
    ("mta-sts", "enforce", "expired", "certificate has expired"),
    ("mta-sts", "enforce", "none", "TLS is required and not offered"),
    ("mta-sts", "unlisted", "good", "policy of unlisted.example does not name mx.sts.example"),
    ("mta-sts", "testing", "other", "tls"),
    ("mta-sts", "testing", "none", "clear"),
    ("mta-sts", "off", "none", "clear"),
    ("mta-sts", "invalid", "none", "clear"),
    ("mta-sts", "untrusted-web", "none", "clear"),
    ("mta-sts", "html", "none", "clear"),
    ("mta-sts", "missing", "none", "clear"),
    ("mta-sts", "two", "none", "clear"),
    ("mta-sts", "silent", "none", "clear"),
    ("mta-sts", "unsaid", "none", "clear"),
    ("mta-sts", "lost", "none", "clear"),
]
COUNTED = {
    ("enforce", "good"): "success",
    ("enforce", "other"): "certificate_host_mismatch",
    ("enforce", "untrusted"): "certificate_not_trusted",
    ("enforce", "expired"): "certificate_expired",
    ("enforce", "none"): "starttls_not_supported",
    ("unlisted", "good"): "validation_failure",
    ("testing", "other"): "certificate_host_mismatch",
    ("testing", "none"): "starttls_not_supported",
    ("invalid", "none"): "sts_policy_invalid",
    ("untrusted-web", "none"): "sts_webpki_invalid",
    ("missing", "none"): "sts_policy_fetch_error",
    ("lost", "none"): "sts_policy_fetch_error",
}


@pytest.mark.parametrize("level, domain, shown, result", STS_CASES)
def test_a_host_must_be_what_the_domains_policy_says(new_cluster, sts, authority, level, domain, shown, result):
    node, sink = start_direct(new_cluster, sts, authority, level, shown)
    check(node, sink, f"{domain}.example", result)
    if (domain, shown) in COUNTED:
        assert node.metric(f'skein_tls_results_total{{result="{COUNTED[domain, shown]}"}}') >= 1


@pytest.mark.parametrize("level, domain, shown, result", [
    ("may", "loose", "good", "tls"),
    ("verify", "loose-testing", "good", "tls"),
    ("mta-sts", "loose-testing", "other", "5.7.10 mismatch"),
    ("may", "loose-off", "good", "5.7.10 vouches for mx.sts.example"),
    ("may", "off", "good", "tls"),  # its MX record is signed
])
def test_requiretls_takes_a_name_from_a_policy(new_cluster, sts, authority, level, domain, shown, result):
    node, sink = start_direct(new_cluster, sts, authority, level, shown)
    check_requiretls(node, sink, f"{domain}.example", result)


def test_a_policy_ends_with_its_age_and_no_sooner(new_cluster, sts, authority, policies):
    node, sink = start_direct(new_cluster, sts, authority, "mta-sts", "none")
    tag = new_tag()
    send(node.smtp, recipients=["b@short.example"], tag=tag)
    until_put_off(node, "TLS is required and not offered")
    fetched = time.time()
    POLICIES["short"] = None  # whoever is in between can do that, and gains nothing until it is over
    until_taken(sink, tag, False)
    assert sink.control.records()[0]["at"] - fetched > 2
    assert ("GET", "/.well-known/mta-sts.txt") in policies[0].asked


def test_a_policy_is_fetched_again_while_it_counts(new_cluster, sts, authority):
    node, sink = start_direct(new_cluster, sts, authority, "mta-sts", "none")
    routes = ", ".join(f"{{ name: {name}, match: {{ recipient: {name}.example }}, "
                       f"to: [{{ mx: changed.example, port: {sts[1]}, tls: mta-sts }}] }}" for name in ("one", "two"))
    apply(node.cluster, ALLOW + f"routes: [ {routes} ]\n")
    send(node.smtp, recipients=["b@one.example"])
    until_put_off(node, "TLS is required and not offered")
    half = time.time() + 3
    POLICIES["changed"] = POLICY.format("testing", "mx.sts.example")
    until(lambda: time.time() > half, 10, "half of its age is over")
    # The other route's hop asks now: the old policy counts, and the new one comes.
    tag, _ = send(node.smtp, recipients=["b@two.example"])
    until(lambda: "mode=testing" in node.log.read_text(), 20, "it is fetched again")
    until_taken(sink, tag, False)
    assert len({event["id"] for event in node.tracked("DEFER")}) == 2, "both were put off first"


@pytest.mark.sanitize
def test_a_policy_is_fetched_once_and_for_all_workers(new_cluster, sts, authority, policies):
    node, sink = start_direct(new_cluster, sts, authority, "mta-sts", "good")
    check(node, sink, "enforce.example", "tls")
    before = len(policies[0].asked)
    for _ in range(10):
        check(node, sink, "enforce.example", "tls")
    assert len(policies[0].asked) == before
    assert node.metric('skein_hop_sessions_total{security="verified"}') >= 1
    assert not node.metric('skein_hop_sessions_total{security="clear"}')
