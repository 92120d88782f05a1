"""The node's resolver and where mail goes, asked through tests/tools/dns_ask.c of a DNS of the test's own, which validates
from its own root down."""
import contextlib
import itertools
import json
import subprocess
import threading
import time

import dns.flags
import dns.message
import dns.rrset
import pytest
from lab.cluster import build_folder
from lab.wait import until

from dns_lab import DnsLab, SilentServer, Zone

HOST = "@ MX 10 mx\nmx A 127.0.0.2\n"
TLSA = f"_25._tcp.mx TLSA 3 1 1 {'ab' * 32}\ntlsa TLSA 3 1 1 {'ab' * 32}\n"
LONG = " ".join('"' + "x" * 200 + '"' for _ in range(40))
ZONES = {
    "good.example": Zone(f"""
        @ MX 20 mx2
        @ MX 10 mx1
        mx1 A 127.0.0.2
        mx1 AAAA fd00::2
        mx1 A 127.0.0.3
        mx2 A 127.0.0.4
        long TXT {LONG}
        two TXT "one " "record"
        _25._tcp.mx1 TLSA 3 1 1 {"ab" * 32}
        tlsa-alias CNAME mx1
        own-tlsa CNAME mx2
        _25._tcp.own-tlsa TLSA 2 0 2 {"cd" * 64}
        _26._tcp.mx1 TLSA 1 1 1 {"ab" * 32}
        _26._tcp.mx1 TLSA 3 1 1 {"ab" * 31}
        _27._tcp.mx1 TLSA 1 1 1 {"ab" * 32}
        _27._tcp.mx1 TLSA 3 1 1 {"cd" * 32}
        _28._tcp.mx1 CNAME tlsa.bogus.example.
        _29._tcp.mx1 CNAME tlsa.plain.example.
        _smtp._tcp SRV 1 0 2525 mx2
        _smtp._tcp SRV 2 0 25 mx1
        _none._tcp SRV 0 0 0 .
        alias CNAME alias2
        alias2 CNAME mx.plain.example.
        mailalias CNAME good.example.
        implicit A 127.0.0.5
        txtonly TXT "no host"
        to-plain MX 10 mx.plain.example.
        to-bogus MX 10 mx.bogus.example.
        some-bogus MX 10 mx.bogus.example.
        some-bogus MX 20 mx1
        nowhere MX 10 nobody
        badname MX 10 not\\032a\\032host
        nobody TXT "no address"
        zero MX 10 zerohost
        zerohost A 0.0.0.0
        zerohost A 224.0.0.1
        self MX 10 mx1
        self MX 20 self-host
        self MX 20 mx2
        self MX 30 mx2
        self-host A 127.0.0.99
        self-best MX 10 self-host
        self-best MX 20 mx1
        named MX 10 Relay.Example.
        named MX 20 mx1
        many MX 10 manyhost
        manyhost A 127.0.1.1
        manyhost A 127.0.1.2
        manyhost A 127.0.1.3
        manyhost A 127.0.1.4
        manyhost A 127.0.1.5
        manyhost A 127.0.1.6
        manyhost A 127.0.1.7
        manyhost A 127.0.1.8
        manyhost A 127.0.1.9
        manyhost AAAA fd00::11
        manyhost AAAA fd00::12
        xn--bcher-kva MX 10 mx1
        """ + "\n".join(f"crowd MX {i} h{i}\nh{i} A 127.0.2.{i}" for i in range(1, 25))),
    "plain.example": Zone(HOST + TLSA, signed=False),
    "bogus.example": Zone(HOST + TLSA, broken="bogus"),
    "expired.example": Zone(HOST, broken="expired"),
    "no-ds.example": Zone(HOST, broken="no-ds"),
    "wrong-ds.example": Zone(HOST, broken="wrong-ds"),
    "null.example": Zone("@ MX 0 ."),
    "corp.test": Zone(HOST, signed=False),
    "10.in-addr.arpa": Zone("1.0.0 PTR client.corp.test.", signed=False),
}
SELF = "127.0.0.99:25"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    made = DnsLab(tmp_path_factory.mktemp("dns"), ZONES)
    yield made
    made.stop()


@pytest.fixture
def silent():
    made = SilentServer()
    yield made
    made.stop()


class Resolver:
    def __init__(self, server, anchor="", dnssec="on", insecure="", timeout_ms=5000, listener=SELF):
        command = [build_folder() / "tests" / "dns_ask", server, anchor, dnssec, insecure, str(timeout_ms), listener]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True)
        self.why = self._read()["why"]

    def _read(self):
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        return json.loads(line)

    def tell(self, *words):
        self.process.stdin.write(" ".join(str(word) for word in words) + "\n")
        self.process.stdin.flush()
        return self._read()

    def ask(self, name, rdtype):
        return self.tell("ask", name, rdtype)

    def hops(self, domain, place="direct", name="-", port=0):
        return self.tell("hops", place, port, name, domain)

    def stop(self):
        _, errors = self.process.communicate(timeout=30)
        assert self.process.returncode == 0 and not errors, errors


@contextlib.contextmanager
def resolver(*arguments, **options):
    made = Resolver(*arguments, **options)
    timer = threading.Timer(60, made.process.kill)
    timer.start()
    try:
        yield made
        made.stop()
    finally:
        timer.cancel()
        made.process.kill()


@pytest.fixture(scope="module")
def validating(lab):
    with resolver(lab.server, str(lab.anchor)) as made:
        yield made


def describe(answer):
    return (answer["status"], "secure" if answer["secure"] else "bogus" if answer["bogus"] else "insecure")


@pytest.mark.parametrize("name, rdtype, expected", [
    ("good.example", "MX", ("ok", "secure")),
    ("mx1.good.example", "A", ("ok", "secure")),
    ("mx1.good.example", "AAAA", ("ok", "secure")),
    ("_25._tcp.mx1.good.example", "TLSA", ("ok", "secure")),
    ("_smtp._tcp.good.example", "SRV", ("ok", "secure")),
    ("mx1.good.example", "MX", ("nodata", "secure")),
    ("gone.good.example", "MX", ("nxdomain", "secure")),
    ("gone", "MX", ("nxdomain", "secure")),
    ("null.example", "MX", ("ok", "secure")),
    ("plain.example", "MX", ("ok", "insecure")),
    ("gone.plain.example", "MX", ("nxdomain", "insecure")),
    ("no-ds.example", "MX", ("ok", "insecure")),
    ("bogus.example", "MX", ("servfail", "bogus")),
    ("expired.example", "MX", ("servfail", "bogus")),
    ("wrong-ds.example", "MX", ("servfail", "bogus")),
    # Validated as far as it is signed.
    ("alias.good.example", "A", ("ok", "insecure")),
    # What libunbound would answer by itself.
    ("mx.corp.test", "A", ("ok", "insecure")),
    ("1.0.0.10.in-addr.arpa", "PTR", ("ok", "insecure")),
])
def test_answers_are_validated(validating, name, rdtype, expected):
    answer = validating.ask(name, rdtype)
    assert describe(answer) == expected
    assert bool(answer["records"]) == (expected[0] == "ok")
    assert bool(answer["why"]) == (expected[0] == "servfail")
    # From memory it is the same.
    assert describe(validating.ask(name.upper(), rdtype)) == expected


def test_aliases_are_followed_to_the_name_at_their_end(validating):
    answer = validating.ask("alias.good.example", "A")
    assert answer["name"] == "mx.plain.example" and answer["records"] == ["7f000002"]


def test_a_long_answer_comes_over_tcp(validating):
    answer = validating.ask("long.good.example", "TXT")
    assert len(bytes.fromhex(answer["records"][0])) == 40 * 201


@pytest.mark.parametrize("options, expected", [
    ({"dnssec": "off"}, ("ok", "insecure")),
    ({"dnssec": "permissive"}, ("ok", "insecure")),
    ({"insecure": "bogus.example"}, ("ok", "insecure")),
    ({"insecure": "good.example"}, ("servfail", "bogus")),
])
def test_settings_say_what_is_validated(lab, options, expected):
    with resolver(lab.server, str(lab.anchor), **options) as made:
        assert describe(made.ask("bogus.example", "MX")) == expected
        secure = "secure" if options.get("dnssec") == "permissive" or "bogus" in options.get("insecure", "") else "insecure"
        assert describe(made.ask("good.example", "MX")) == ("ok", secure)


def test_a_server_that_strips_signatures_makes_all_bogus(lab, silent):
    silent.answer = reply_with(60)
    with resolver(silent.server, str(lab.anchor)) as made:
        answer = made.ask("a.example", "A")
        assert describe(answer) == ("servfail", "bogus") and "validation failure" in answer["why"]


def test_without_servers_those_of_the_host_are_asked():
    with resolver("") as made:
        assert made.why == ""
        assert made.ask("localhost", "A")["records"] == ["7f000001"]


def test_without_an_anchor_nothing_is_secure(lab):
    with resolver(lab.server) as made:
        assert describe(made.ask("good.example", "MX")) == ("ok", "insecure")


@pytest.mark.parametrize("text, why", [
    ("", "holds no DS or DNSKEY record"),
    ("; . IN DS 1 13 2 00\nthis is none\n", "holds no DS or DNSKEY record"),
    (". IN DS 1 13 2 zzzz\n", "holds a DS or DNSKEY record that cannot be read"),
    (None, "No such file or directory"),
])
def test_an_anchor_that_cannot_be_used_is_told(lab, tmp_path, text, why):
    """Instead of validating nothing."""
    path = tmp_path / "anchor"
    if text is not None:
        path.write_text(text)
    with resolver(lab.server, str(path)) as made:
        assert made.why == f"dns.trust_anchor: {path}: {why}"


def test_a_silent_server_is_not_waited_for_longer_than_told(silent):
    with resolver(silent.server, timeout_ms=400) as made:
        begun = time.monotonic()
        answer = made.ask("a.example", "MX")
        assert 0.35 < time.monotonic() - begun < 15
        assert (answer["status"], answer["why"]) == ("timeout", "the DNS did not answer in time")
        hops = made.hops("b.example")
        assert (hops["outcome"], hops["code"]) == ("temporary", "4.4.3")
        assert time.monotonic() - begun < 30


def test_a_question_that_was_cancelled_is_not_answered(silent):
    with resolver(silent.server, timeout_ms=300) as made:
        assert made.tell("drop", "a.example", "MX") == {"dropped": True}
        assert made.ask("a.example", "MX")["status"] == "timeout"
        assert made.tell("drop", "a.example", "MX") == {"dropped": True}


def reply_with(ttl):
    def reply(message):
        made = dns.message.make_response(message, recursion_available=True)
        if message.question[0].rdtype == dns.rdatatype.A:
            made.answer.append(dns.rrset.from_text(message.question[0].name, ttl, "IN", "A", "192.0.2.1"))
        return made
    return reply


def test_those_who_ask_the_same_share_a_lookup(silent):
    silent.answer = reply_with(60)
    with resolver(silent.server) as made:
        assert made.tell("many", 200, "a.example", "A") == {"ok": 200}
        assert made.ask("A.example", "A")["records"] == ["c0000201"]
    assert sum(question.rdtype == dns.rdatatype.A and str(question.name).lower() == "a.example."
               for question in silent.questions) == 1


def test_an_answer_is_forgotten_when_its_time_is_over(silent):
    silent.answer = reply_with(0)
    with resolver(silent.server) as made:
        assert made.ask("a.example", "A")["status"] == "ok"
        assert made.ask("a.example", "A")["status"] == "ok"
    assert sum(question.rdtype == dns.rdatatype.A for question in silent.questions) == 2


def test_a_server_that_is_back_is_used_at_once(silent):
    with resolver(silent.server, timeout_ms=500) as made:
        for number in range(6):
            assert made.ask(f"before{number}.example", "A")["status"] == "timeout"
        silent.answer = reply_with(60)
        names = itertools.count()
        until(lambda: made.ask(f"after{next(names)}.example", "A")["status"] == "ok", 20, "the server is used")


def test_too_many_questions_at_once_are_refused(silent):
    """dns.questions is 1000: as many names as one likes cannot be asked for."""
    with resolver(silent.server, timeout_ms=1000) as made:
        assert made.tell("spread", 1200, "example", "A") == {"servfail": 200, "timeout": 1000}


# --- where mail goes -----------------------------------------------------------------------------------------------------

def summary(found):
    return [f"{hop['host']}:{hop['port']}" for hop in found["hops"]]


def test_mail_goes_to_the_best_host_first(validating):
    found = validating.hops("good.example")
    assert summary(found) == ["mx1.good.example:25", "mx2.good.example:25"]
    assert [hop["secure"] for hop in found["hops"]] == [True, True]
    first = found["hops"][0]["addresses"]
    assert first[0] == "[fd00::2]:25" and sorted(first[1:]) == ["127.0.0.2:25", "127.0.0.3:25"]
    assert found["outcome"] == "found" and 5000 <= found["keep_ms"] <= 300000


@pytest.mark.parametrize("domain, hops", [
    ("GOOD.example.", ["mx1.good.example:25", "mx2.good.example:25"]),
    ("implicit.good.example", ["implicit.good.example:25"]),
    ("mailalias.good.example", ["mx1.good.example:25", "mx2.good.example:25"]),
    ("some-bogus.good.example", ["mx1.good.example:25"]),
    # Ourselves by address, and what is not better.
    ("self.good.example", ["mx1.good.example:25"]),
    ("b\u00fccher.good.example", ["mx1.good.example:25"]),
    ("[127.0.0.7]", ["127.0.0.7:25"]),
    ("[IPv6:fd00::7]", ["fd00::7:25"]),
    ("crowd.good.example", [f"h{i}.good.example:25" for i in range(1, 17)]),
])
def test_direct_mail_finds_its_hosts(validating, domain, hops):
    assert summary(validating.hops(domain)) == hops


@pytest.mark.parametrize("domain, outcome, code, why", [
    ("gone.good.example", "permanent", "5.1.2", "gone.good.example does not exist (NXDOMAIN)"),
    ("null.example", "permanent", "5.1.10", "null.example takes no mail: its MX record says so"),
    ("txtonly.good.example", "permanent", "5.1.2", "txtonly.good.example has neither MX nor address records"),
    ("nowhere.good.example", "permanent", "5.4.4", "no mail host of nowhere.good.example has an address"),
    ("zero.good.example", "permanent", "5.4.4", "no mail host of zero.good.example has an address"),
    ("badname.good.example", "permanent", "5.4.4", "badname.good.example: no MX record names a host"),
    ("self-best.good.example", "permanent", "5.4.6", "mail for self-best.good.example loops back to this host"),
    ("named.good.example", "permanent", "5.4.6", "mail for named.good.example loops back to this host"),
    ("[127.0.0.99]", "permanent", "5.4.6", "mail for 127.0.0.99 loops back to this host"),
    ("a..b", "permanent", "5.1.2", "the name is not one of a domain"),
    ("[127.0.0]", "permanent", "5.1.2", "the name is not one of a domain"),
    ("to-bogus.good.example", "temporary", "4.4.3",
     "to-bogus.good.example: the address of mx.bogus.example fails DNSSEC validation: "),
    ("bogus.example", "temporary", "4.4.3", "bogus.example: MX records fail DNSSEC validation: "),
])
def test_why_mail_cannot_go_is_told(validating, domain, outcome, code, why):
    found = validating.hops(domain)
    assert (found["outcome"], found["code"], found["hops"]) == (outcome, code, [])
    assert found["why"].startswith(why) and (found["why"] == why or why.endswith(" "))


@pytest.mark.parametrize("domain, secure, secure_addresses", [
    ("good.example", True, True),
    ("plain.example", False, False),
    ("to-plain.good.example", False, False),
    ("[127.0.0.7]", False, False),
])
def test_a_hop_is_as_secure_as_each_step_to_it(validating, domain, secure, secure_addresses):
    hop = validating.hops(domain)["hops"][0]
    assert (hop["secure"], hop["secure_addresses"]) == (secure, secure_addresses)


def test_families_take_turns_and_addresses_are_bounded(validating):
    (hop,) = validating.hops("many.good.example")["hops"]
    families = ["6" if address.startswith("[") else "4" for address in hop["addresses"]]
    assert families == list("64644444") and len(set(hop["addresses"])) == 8


@pytest.mark.parametrize("place, name, port, hops", [
    ("host", "mx2.good.example", 0, ["mx2.good.example:25"]),
    ("host", "mx2.good.example", 587, ["mx2.good.example:587"]),
    ("host", "127.0.0.8", 26, ["127.0.0.8:26"]),
    ("host", "[fd00::8]", 26, ["fd00::8:26"]),
    ("mx", "good.example", 0, ["mx1.good.example:25", "mx2.good.example:25"]),
    ("mx", "good.example", 2525, ["mx1.good.example:2525", "mx2.good.example:2525"]),
    ("srv", "_smtp._tcp.good.example", 0, ["mx2.good.example:2525", "mx1.good.example:25"]),
])
def test_routes_name_hosts_in_three_ways(validating, place, name, port, hops):
    assert summary(validating.hops("recipient.example", place, name, port)) == hops


@pytest.mark.parametrize("place, name, code", [
    ("host", "gone.good.example", "4.1.2"),
    ("host", "127.0.0.99", "4.4.6"),
    ("mx", "gone.good.example", "4.1.2"),
    ("mx", "null.example", "4.1.10"),
    ("srv", "_none._tcp.good.example", "4.1.10"),
    ("srv", "_gone._tcp.good.example", "4.1.2"),
    ("srv", "txtonly.good.example", "4.1.2"),
])
def test_what_a_routes_author_got_wrong_sends_nothing_back(validating, place, name, code):
    found = validating.hops("recipient.example", place, name)
    assert (found["outcome"], found["code"]) == ("temporary", code)
    assert found["keep_ms"] == 5000


def test_another_port_of_ours_is_somebody_else(lab):
    with resolver(lab.server, listener="0.0.0.0:2525") as made:
        assert summary(made.hops("self-best.good.example")) == ["self-host.good.example:25", "mx1.good.example:25"]
        assert made.hops("x.example", "host", "127.9.9.9", 2525)["code"] == "4.4.6"


# --- certificates by the DNS ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("port, host, outcome, base, records", [
    (25, "mx1.good.example", "usable", "mx1.good.example", [[3, 1, 1, "ab" * 32]]),
    (26, "mx1.good.example", "unusable", "mx1.good.example", []),
    (27, "mx1.good.example", "usable", "mx1.good.example", [[3, 1, 1, "cd" * 32]]),
    (24, "mx1.good.example", "none", "", []),
    # The name at the end of an alias comes first, its own second.
    (25, "tlsa-alias.good.example", "usable", "mx1.good.example", [[3, 1, 1, "ab" * 32]]),
    (25, "own-tlsa.good.example", "usable", "own-tlsa.good.example", [[2, 0, 2, "cd" * 64]]),
    # Not secure, somewhere on the way.
    (25, "mx.plain.example", "none", "", []),
    (29, "mx1.good.example", "none", "", []),
    (25, "127.0.0.2", "none", "", []),
    (28, "mx1.good.example", "failed", "", []),
])
def test_tlsa_records_count_where_all_is_secure(validating, port, host, outcome, base, records):
    found = validating.tell("tlsa", port, host)
    assert (found["outcome"], found["base"], found["records"]) == (outcome, base, records)
    assert found["why"].startswith("TLSA records of mx1.good.example fail DNSSEC validation" if outcome == "failed" else "")
    assert bool(found["why"]) == (outcome == "failed")
