"""skeinctl dns check against a DNS of its own: a domain without a fault, and one with each fault alone. Each check names
that fault and nothing else; what it says to publish is published, and then there is nothing left to say."""
import base64
import http.server
import json
import ssl
import subprocess
import threading

from authority import Authority
from dns_lab import DnsLab, SilentServer, Zone
import pytest
from ctl_lab import CTL, NEGATIVE, OK, UNREACHABLE, USAGE
from test_skeinctl_secret import fixture_ctl, make_key  # noqa: F401: the fixture `ctl`

DEADLINE_S = 60
EGRESS, HELO = ("192.0.2.7", "2001:db8::7"), "relay.example"
TLSA = "3 1 1 " + "ab" * 32
POLICY = "version: STSv1\nmode: {mode}\nmx: {mx}\nmax_age: {age}\n"
REVERSE = "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0"


def public_key(folder, name, bits):
    """(file of a private key, p= of its record)"""
    file = folder / f"{name}.key"
    subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}", "-out", file],
                   check=True, capture_output=True)
    der = subprocess.run(["openssl", "pkey", "-in", file, "-pubout", "-outform", "DER"], check=True,
                         capture_output=True).stdout
    return file, base64.b64encode(der).decode()


def txt(name, text):
    strings = " ".join(f'"{text[at:at + 255]}"' for at in range(0, len(text), 255))
    return f"{name} TXT ( {strings} )"


def policy(domain, mode="enforce", mx="mx.{}", age=604800):
    return POLICY.format(mode=mode, mx=mx.format(domain), age=age)


def spf(text):
    return txt("@", f"v=spf1 {text}")


OURS = "ip4:192.0.2.7 ip6:2001:db8::7"
# What a domain publishes, and what its policy's host answers; {d} is its name, {key} the key that signs.
GOOD = {"spf": spf(f"{OURS} -all"), "dkim": "KEY", "dmarc": txt("_dmarc", "v=DMARC1; p=reject; rua=mailto:d@{d}"),
        "mx": "@ MX 10 mx", "host": "mx A 192.0.2.9", "sts": txt("_mta-sts", "v=STSv1; id=1"),
        "sts-host": "mta-sts A 192.0.2.10", "rpt": txt("_smtp._tls", "v=TLSRPTv1; rua=mailto:t@{d}"),
        "tlsa": f"_25._tcp.mx TLSA {TLSA}"}
# domain -> (what differs from GOOD, check, severity, where, part of what is said, which record the cure replaces)
FAULTS = {
    "spf-none": ({"spf": ""}, "spf", "fail", "{d}", "no SPF record", "spf"),
    "spf-two": ({"spf": spf("ip4:192.0.2.7 -all") + "\n" + spf("ip6:2001:db8::7 -all")}, "spf", "fail", "{d}",
                "more than one", "spf"),
    "spf-one-of-two": ({"spf": spf("ip4:192.0.2.7 -all")}, "spf", "fail", "{d}", "2001:db8::7 (fail)", "spf"),
    "spf-syntax": ({"spf": spf(f"{OURS} ip:192.0.2.7 -all")}, "spf", "fail", "{d}", '"ip:192.0.2.7"', "spf"),
    "spf-all": ({"spf": spf(f"{OURS} +all")}, "spf", "warn", "{d}", "everybody", "spf"),
    "spf-open": ({"spf": spf(OURS)}, "spf", "warn", "{d}", "nothing is said", "spf"),
    "spf-near": ({"spf": spf(f"{OURS} {' '.join(8 * ['a:relay.example'])} -all")}, "spf", "warn", "{d}", "8 of 10", None),
    "spf-many": ({"spf": spf(f"{' '.join(11 * ['a:mx.good.example'])} {OURS} -all")}, "spf", "fail", "{d}", "permerror",
                 None),
    "dkim-none": ({"dkim": ""}, "dkim", "fail", "s1._domainkey.{d}", "no key record", "dkim"),
    "dkim-revoked": ({"dkim": txt("s1._domainkey", "v=DKIM1; k=rsa; p=")}, "dkim", "fail", "s1._domainkey.{d}", "revoked",
                     "dkim"),
    "dkim-other": ({"dkim": "OTHER"}, "dkim", "fail", "s1._domainkey.{d}", "not the key", "dkim"),
    "dkim-syntax": ({"dkim": txt("s1._domainkey", "v=DKIM1; k=rsa; p=MIIB;;")}, "dkim", "fail", "s1._domainkey.{d}",
                    "cannot use it", "dkim"),
    "dmarc-none": ({"dmarc": ""}, "dmarc", "warn", "_dmarc.{d}", "no DMARC record", None),
    "dmarc-syntax": ({"dmarc": txt("_dmarc", "v=DMARC1; p=reject; adkim=strict")}, "dmarc", "warn", "_dmarc.{d}",
                     '"adkim=strict"', "dmarc"),
    "dmarc-p-none": ({"dmarc": txt("_dmarc", "v=DMARC1; p=none")}, "dmarc", "warn", "_dmarc.{d}", "the policy is none",
                     "dmarc"),
    "mx-none": ({"mx": "", "tlsa": "", "sts": ""}, "mx", "fail", "{d}", "there is no MX", None),
    "mx-null": ({"mx": "@ MX 0 .", "tlsa": ""}, "mx", "fail", "{d}", "null MX", None),
    "mx-no-host": ({"host": "", "tlsa": ""}, "mx", "fail", "{d}", "mx.{d}", None),
    "sts-id": ({"sts": txt("_mta-sts", "v=STSv1; id=2026-11-27")}, "mta-sts", "fail", "_mta-sts.{d}", "letters", "sts"),
    "sts-no-host": ({"sts-host": ""}, "mta-sts", "fail", "mta-sts.{d}", "no address", None),
    "sts-gone": ({"policy": ""}, "mta-sts", "fail", "https://mta-sts.{d}/.well-known/mta-sts.txt", "404", None),
    "sts-mx": ({"policy": policy("good.example")}, "mta-sts", "fail", "https://mta-sts.{d}/.well-known/mta-sts.txt",
               "no mx for mx.{d}", "policy"),
    "sts-testing": ({"policy": policy("sts-testing.example", mode="testing")}, "mta-sts", "warn",
                    "https://mta-sts.{d}/.well-known/mta-sts.txt", "testing", "policy"),
    "rpt-syntax": ({"rpt": txt("_smtp._tls", "v=TLSRPTv1; rua=t@example.org")}, "tls-rpt", "fail", "_smtp._tls.{d}",
                   "nobody sends", "rpt"),
    "dane-usage": ({"tlsa": f"_25._tcp.mx TLSA 1{TLSA[1:]}"}, "dane", "warn", "_25._tcp.mx.{d}", "usage", None),
}
UNSIGNED = "unsigned.example"


class Policies(http.server.ThreadingHTTPServer):
    """HTTPS; answers by the name that it is asked for."""

    def __init__(self, files, texts):
        super().__init__(("127.0.0.1", 0), PolicyHandler)
        self.texts = texts
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*files)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        """A client that trusts another authority breaks off."""


class PolicyHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = self.server.texts.get(self.headers["Host"].partition(":")[0])
        is_there = bool(text) and self.path == "/.well-known/mta-sts.txt"
        self.send_response(200 if is_there else 404)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(text.encode() if is_there else b"")

    def log_message(self, *_):
        pass


class World:
    """The zones, the policies, and skeinctl among them."""

    def __init__(self, folder):
        self.folder = folder
        self.key_file, key = public_key(folder, "own", 2048)
        self.weak_file, weak = public_key(folder, "weak", 1024)
        self.records = {"KEY": f"v=DKIM1; k=rsa; p={key}", "OTHER": f"v=DKIM1; k=rsa; p={public_key(folder, 'other', 2048)[1]}",
                        "WEAK": f"v=DKIM1; k=rsa; p={weak}"}
        self.domains = {"good": {}, "weak": {"dkim": "WEAK"}, "unsigned": {}, **{name: row[0] for name, row in FAULTS.items()}}
        names = ",".join(f"DNS:mta-sts.{name}.example" for name in self.domains)
        authority = Authority(folder / "authority")
        self.authority = authority.certificate
        self.server = Policies(authority.issue("policies", names), {})
        self.lab = None

    def start(self, folder, cures):
        """`cures`: domain -> {record: text}."""
        domains = {name: {**GOOD, **changes, **cures.get(name, {})} for name, changes in self.domains.items()}
        for name, parts in domains.items():
            self.server.texts[f"mta-sts.{name}.example"] = parts.get("policy", policy(f"{name}.example"))
        zones = {f"{name}.example": Zone(self.zone(f"{name}.example", parts), signed=name != "unsigned")
                 for name, parts in domains.items()}
        zones["relay.example"] = Zone("@ A 192.0.2.7\n@ AAAA 2001:db8::7\nlost A 192.0.2.99\n")
        zones["2.0.192.in-addr.arpa"] = Zone("7 PTR relay.example.\n5 PTR lost.relay.example.\n", signed=False)
        zones["0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"] = Zone(f"{REVERSE[:39]} PTR relay.example.\n", signed=False)
        self.lab = DnsLab(self.folder / folder, zones)

    def zone(self, domain, parts):
        lines = []
        for name, text in parts.items():
            text = txt("s1._domainkey", self.records[text]) if text in self.records else text
            if name != "policy":
                lines.append(text.replace("{d}", domain))
        return "\n".join(lines) + "\n"

    def run(self, *words, egress=EGRESS, helo=HELO, key=None, policy_ca=None, anchor=True):
        addresses = [word for address in egress for word in ("--egress", address)]
        anchor = ["--trust-anchor", str(self.lab.anchor)] if anchor else []
        return subprocess.run([CTL, "dns", "check", "--server", self.lab.server, "--helo", helo, *anchor, *addresses,
                               "--dkim", f"s1={key or self.key_file}", "--policy-ca", policy_ca or self.authority,
                               "--policy-connect", f"127.0.0.1:{self.server.server_port}", *words],
                              capture_output=True, text=True, timeout=DEADLINE_S, check=False)

    def findings(self, *domains, exit=NEGATIVE, **options):
        """Those that are not ok, for each of the domains."""
        answer = self.run("--json", *domains, **options)
        assert answer.returncode == exit, (answer.returncode, answer.stdout, answer.stderr)
        reports = json.loads(answer.stdout)
        assert [report["domain"] for report in reports] == list(domains)
        return [[row for row in report["findings"] if row["severity"] != "ok"] for report in reports]

    def stop(self):
        self.lab.stop()


@pytest.fixture(name="world", scope="module")
def fixture_world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("dns-check"))
    world.start("faults", {})
    yield world
    world.stop()
    world.server.shutdown()
    world.server.server_close()


def test_a_good_domain_has_no_findings(world):
    assert world.findings("good.example", exit=OK) == [[]]
    text = world.run("good.example").stdout
    assert {line.split()[0] for line in text.splitlines()[3:]} == {"spf", "dkim", "dmarc", "reverse", "helo", "mx", "mta-sts",
                                                                   "tls-rpt", "dane"}
    assert "\n\n" not in text.partition("CHECK")[2]


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_alone(world, name):
    _, check, severity, where, what, cured = FAULTS[name]
    domain = f"{name}.example"
    [[finding]] = world.findings(domain)
    assert (finding["check"], finding["severity"], finding["where"]) == (check, severity, where.format(d=domain))
    assert what.format(d=domain) in finding["what"]
    assert finding["publish"] or not cured
    text = world.run(domain)
    assert text.returncode == NEGATIVE and finding["what"] in text.stdout
    assert all(line in text.stdout for line in finding["publish"])


def test_what_is_to_be_published_is_the_cure(world):
    cured = {name: row[5] for name, row in FAULTS.items() if row[5]}
    names = [f"{name}.example" for name in cured]
    cures = {name: {cured[name]: "\n".join(finding["publish"]) + "\n"}
             for name, [finding] in zip(cured, world.findings(*names))}
    faults, texts = world.lab, world.server.texts.copy()
    world.start("cured", cures)
    try:
        assert world.findings(*names, exit=OK) == [[]] * len(names)
    finally:
        world.stop()
        world.lab = faults
        world.server.texts.update(texts)


def test_addresses_and_the_name_in_ehlo(world):
    [[finding]] = world.findings("good.example", egress=("192.0.2.7",), helo="mx.good.example")
    assert (finding["check"], finding["publish"]) == ("helo", ["mx.good.example. IN A 192.0.2.7"])
    [[finding]] = world.findings("good.example", helo="relay")
    assert finding["check"] == "helo" and "no full host name" in finding["what"]
    # Each of the other addresses is one too many for SPF as well, and for EHLO.
    [findings] = world.findings("good.example", egress=("192.0.2.8",))
    assert [row["check"] for row in findings] == ["spf", "reverse", "helo"]
    assert findings[1]["publish"] == ["8.2.0.192.in-addr.arpa. IN PTR relay.example."]
    [findings] = world.findings("good.example", egress=("192.0.2.5",))
    assert [row["check"] for row in findings] == ["spf", "reverse", "helo"]
    assert "lost.relay.example does not lead back" in findings[1]["what"]
    assert findings[1]["publish"] == ["lost.relay.example. IN A 192.0.2.5"]


def test_a_weak_key(world):
    [[finding]] = world.findings("weak.example", key=world.weak_file)
    assert (finding["check"], finding["severity"]) == ("dkim", "warn") and "1024 bits" in finding["what"]


def test_tlsa_without_dnssec(world):
    [[finding]] = world.findings(UNSIGNED)
    assert finding["check"] == "dane" and "not signed" in finding["what"]
    # Who does not validate cannot know.
    assert world.findings(UNSIGNED, exit=OK, anchor=False) == [[]]


def test_a_policy_behind_a_wrong_certificate(world):
    foreign = Authority(world.folder / "foreign").certificate
    [[finding]] = world.findings("good.example", policy_ca=foreign)
    assert finding["check"] == "mta-sts" and "certificate" in finding["what"]


def test_a_dns_that_does_not_answer(world):
    silent = SilentServer()
    try:
        answer = subprocess.run([CTL, "dns", "check", "--server", silent.server, "--timeout", "1", "--dkim", "s1", "--json",
                                 "good.example"], capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    finally:
        silent.stop()
    assert answer.returncode == UNREACHABLE
    [report] = json.loads(answer.stdout)
    assert report["worst"] == "unknown" and {row["severity"] for row in report["findings"]} == {"unknown"}


def test_domains_and_keys_of_the_cluster(ctl, world, tmp_path):
    told = ctl.run("dns", "check")
    assert told.returncode == NEGATIVE and "policy" in told.stderr
    for selector in ("s1", "s2", "s3"):
        ctl.text("dkim", "create", "signed.example", "--selector", selector, "--algorithm", "ed25519")
    published = {row["selector"]: row["zone"] for row in ctl.json("dkim", "publish", "signed.example")}
    ctl.text("dkim", "activate", "signed.example", "s1", "--yes")
    ctl.text("dkim", "activate", "signed.example", "s2", "--yes")
    (tmp_path / "policy").write_text("clients: []\nsign:\n  - domain: signed.example\n    subdomains: true\n")
    ctl.text("policy", "apply", str(tmp_path / "policy"))
    # Of the three keys one is published and signs, one signs only, one does neither.
    zone = spf("-all") + "\n" + txt("_dmarc", "v=DMARC1; p=reject") + "\n@ MX 10 mx\nmx A 192.0.2.9\n" + published["s1"]
    lab = DnsLab(tmp_path / "zones", {"signed.example": Zone(zone)})
    try:
        for domain in ((), ("signed.example",), ("sub.signed.example",)):
            answer = ctl.run("dns", "check", *domain, "--server", lab.server, "--json")
            assert answer.returncode == NEGATIVE, answer.stderr
            [report] = json.loads(answer.stdout)
            assert report["domain"] == (domain or ("signed.example",))[0]
            keys = {row["where"]: row for row in report["findings"] if row["check"] == "dkim"}
            assert {where: row["severity"] for where, row in keys.items()} == {
                "s1._domainkey.signed.example": "ok", "s2._domainkey.signed.example": "fail"}
            assert keys["s2._domainkey.signed.example"]["publish"][0].replace(" ( ", " ").replace(" )", "") == \
                published["s2"].strip().replace(" ( ", " ").replace(" )", "")
    finally:
        lab.stop()


@pytest.mark.parametrize("words, why", [
    ([], "--key-file"),
    (["a b"], "is no domain"),
    (["good.example", "--egress", "relay.example"], "an address is wanted"),
    (["good.example", "--server", "localhost"], "--server"),
    (["good.example", "--trust-anchor", "/nowhere"], "--trust-anchor"),
    (["good.example", "--trust-anchor", "/etc/passwd"], "--trust-anchor"),
    (["good.example", "--dkim", "s1=/nowhere"], "/nowhere"),
    (["good.example", "--dkim", "=x"], "SELECTOR"),
    (["good.example", "--timeout", "0"], "--timeout"),
])
def test_a_wrong_call_is_told(words, why):
    answer = subprocess.run([CTL, "dns", "check", *words], capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert answer.returncode == USAGE and why in answer.stderr
