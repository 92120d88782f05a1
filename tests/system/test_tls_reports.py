"""Reports about TLS (RFC 8460): what three nodes have counted of a domain in a day leaves once, by mail or by HTTPS. The day
ends by renaming its counts in Redis."""
import email
import gzip
import json
import random
import re

import pytest
from lab.wait import until

from authority import Authority, tlsa
from dns_lab import DnsLab, Zone
from https_server import HttpsServer
from more_sinks import ALLOW, MoreSink, apply
from support import send
from test_dkim import Signer
from test_transport_security import HOP, POLICY, free_port

FROM = "tls-reports@client.skein.test"
STS = POLICY.format("enforce", "mx.sts.example")
DAY_S = 86400


class Web:
    """The policies of domains, and whoever takes reports by HTTPS."""

    def __init__(self, authority):
        self.reports, self.status = [], 201
        self.address = ".".join(["127"] + [str(random.randint(2, 250)) for _ in range(3)])
        names = "DNS:mta-sts.sts.example,DNS:collect.example"
        self.server = HttpsServer(authority.issue("web", names), self.answer, (self.address, 443))

    def answer(self, method, path, headers, body):
        if method == "POST":
            self.reports.append((path, headers["Content-Type"], body))
            return self.status, {}, b""
        return 200, {"Content-Type": "text/plain"}, STS.encode()


class World:
    """Domains of each kind, whose MX host is at one port of HOP, and a cluster that delivers there."""

    def __init__(self, folder, new_cluster):
        self.authority = Authority(folder / "authority")
        try:
            self.web = Web(self.authority)
        except PermissionError:
            pytest.skip("port 443 is for root here: sysctl net.ipv4.ip_unprivileged_port_start=443")
        self.port = free_port()
        self.good = self.authority.issue("good", "DNS:mx.sts.example")
        self.record = tlsa(self.good[0])
        mx = f"@ MX 10 mx\nmx A {HOP}\n"
        rpt = '_smtp._tls TXT "v=TLSRPTv1; rua={}"\n'
        self.lab = DnsLab(folder / "dns", {
            "sts.example": Zone(f'{mx}_mta-sts TXT "v=STSv1; id=1"\nmta-sts A {self.web.address}\n'
                                + rpt.format("mailto:reports@collect.example"), signed=False),
            "dane.example": Zone(f"{mx}_{self.port}._tcp.mx TLSA {self.record}\n"
                                 + rpt.format("https://collect.example/tls")),
            "plain.example": Zone(mx + rpt.format("mailto:plain@collect.example,https://collect.example/both"), signed=False),
            "silent.example": Zone(mx, signed=False),
            "collect.example": Zone(f"@ MX 10 mx\nmx A {HOP}\n@ A {self.web.address}\n", signed=False),
        })
        self.signer = Signer(new_cluster, folder, policy=ALLOW, balancer=False, settings={
            "dns": {"servers": [self.lab.server], "trust_anchor": str(self.lab.anchor)},
            "route": {"ca": self.authority.certificate}, "dns_watch": {"interval": "0s"},
            "tls_reports": {"from": FROM, "organization": "Skein Test", "delay": "0s", "interval": "1s"}})
        self.cluster = self.signer.cluster
        self.signer.make("s1")
        kept = folder / "kept"
        kept.mkdir()
        self.sink = MoreSink(self.cluster, "mx", address=f"{HOP}:{self.port}", certificate=self.good,
                             arguments=["--keep", str(kept)])
        apply(self.cluster, ALLOW + "sign: [ { domain: client.skein.test } ]\n"
              f"routes: [ {{ name: net, to: [{{ direct: true, port: {self.port}, tls: auto }}] }} ]\n")

    def redis(self, *words):
        return self.cluster.redis.ask(*words)

    def deliver(self, domain, node, count=1):
        before = len(self.sink.control.records())
        for _ in range(count):
            send(self.cluster.nodes[node].smtp, sender="a@other.example", recipients=[f"b@{domain}"])
        until(lambda: len(self.sink.control.records()) >= before + count, 30, f"{count} arrive at {domain}")

    def rows(self, domain):
        [key] = self.redis("KEYS", f"skein:{{tls}}:rows:*:{domain}").splitlines() or [""]
        return key, json.loads(self.redis("--json", "HGETALL", key)) if key else {}

    def counted(self, domain, prefix):
        return sum(int(value) for field, value in self.rows(domain)[1].items() if field.startswith(prefix))

    def end_day(self, domain):
        """Today becomes yesterday."""
        key, _ = self.rows(domain)
        day = int(key.split(":")[-2])
        assert self.redis("RENAME", key, f"skein:{{tls}}:rows:{day - 1}:{domain}") == "OK"
        self.redis("ZREM", "skein:{tls}:due", f"{day} {domain}")
        self.redis("ZADD", "skein:{tls}:due", "1", f"{day - 1} {domain}")
        return day - 1

    def again(self, domain, day):
        self.redis("ZADD", "skein:{tls}:due", "1", f"{day} {domain}")

    def events(self, name, domain):
        return [line for node in self.cluster.nodes.values() for line in node.log.read_text().splitlines()
                if re.search(rf" {name} .*domain={domain} ", line)]

    def mails(self, recipient):
        return [content for record, content in self.sink.control.untagged() if recipient in record["to"]]

    def stop(self):
        self.lab.stop()
        self.web.server.stop()


@pytest.fixture(name="world", scope="module")
def fixture_world(tmp_path_factory, module_clusters):
    world = World(tmp_path_factory.mktemp("tls-reports"), module_clusters)
    yield world
    world.stop()


def test_what_three_nodes_counted_leaves_once_by_mail_and_signed(world):
    for node in (1, 2, 3):
        world.deliver("sts.example", node)
    # One connection each at least; what is counted are sessions.
    until(lambda: world.counted("sts.example", "+sts success") >= 3, 60, "Redis has the counts of all nodes")
    sessions = world.counted("sts.example", "+sts success")
    day = world.end_day("sts.example")
    until(lambda: world.mails("reports@collect.example"), 60, "the report arrives")
    until(lambda: world.events("tls-report-sent", "sts.example"), 20, "it is told")
    [content] = world.mails("reports@collect.example")
    assert world.signer.verify(content) == {"s1"}
    mail = email.message_from_bytes(content)
    assert mail["TLS-Report-Domain"] == "sts.example" and mail["TLS-Report-Submitter"] == "client.skein.test"
    assert mail["From"] == f"<{FROM}>" and mail["TLS-Required"] == "No"
    assert re.fullmatch(r"Report Domain: sts\.example\s+Submitter: client\.skein\.test\s+Report-ID: <\S+@client\.skein\.test>",
                        mail["Subject"])
    assert mail.get_content_type() == "multipart/report" and mail.get_param("report-type") == "tlsrpt"
    text, report = mail.get_payload()
    assert text.get_content_type() == "text/plain" and report.get_content_type() == "application/tlsrpt+gzip"
    assert report.get_filename() == f"client.skein.test!sts.example!{day * DAY_S}!{day * DAY_S + DAY_S - 1}.json.gz"
    said = json.loads(gzip.decompress(report.get_payload(decode=True)))
    assert said["organization-name"] == "Skein Test" and said["contact-info"] == FROM
    assert said["date-range"]["start-datetime"].endswith("T00:00:00Z") and said["report-id"] in mail["Subject"]
    [policy] = said["policies"]
    assert policy == {"policy": {"policy-type": "sts", "policy-string": STS.splitlines(), "policy-domain": "sts.example",
                                 "mx-host": ["mx.sts.example"]},
                      "summary": {"total-successful-session-count": sessions, "total-failure-session-count": 0}}
    assert world.redis("ZSCORE", "skein:{tls}:due", f"{day} sts.example") == ""
    assert len(world.events("tls-report-sent", "sts.example")) == 1


def test_a_report_goes_by_https_too_and_is_tried_again(world):
    world.deliver("dane.example", 1)
    until(lambda: world.counted("dane.example", "+tlsa/") >= 1, 60, "Redis has it")
    world.web.status = 503
    day = world.end_day("dane.example")
    until(lambda: world.events("tls-report-put-off", "dane.example"), 60, "the server refuses")
    assert "503" in world.events("tls-report-put-off", "dane.example")[0]
    world.web.status = 201
    world.again("dane.example", day)
    until(lambda: world.events("tls-report-sent", "dane.example"), 60, "it is taken")
    path, kind, body = world.web.reports[-1]
    assert (path, kind) == ("/tls", "application/tlsrpt+gzip") and len(world.web.reports) == 2
    [policy] = json.loads(gzip.decompress(body))["policies"]
    assert policy["policy"] == {"policy-type": "tlsa", "policy-string": [world.record], "policy-domain": "dane.example",
                                "mx-host": ["mx.dane.example"]}
    assert policy["summary"]["total-successful-session-count"] >= 1


def test_who_has_it_is_not_told_twice_and_in_the_end_it_is_dropped(world):
    world.deliver("plain.example", 2)
    until(lambda: world.counted("plain.example", "+none success") >= 1, 60, "Redis has it")
    world.web.status = 500
    day = world.end_day("plain.example")
    for attempt in range(1, 5):
        until(lambda attempt=attempt: len(world.events("tls-report-put-off", "plain.example")) == attempt, 60, f"attempt {attempt}")
        world.again("plain.example", day)
    until(lambda: world.events("tls-report-dropped", "plain.example"), 60, "it is dropped")
    world.web.status = 201
    assert len([path for path, _, _ in world.web.reports if path == "/both"]) == 5
    until(lambda: world.mails("plain@collect.example"), 30, "the mail arrives")
    assert len(world.mails("plain@collect.example")) == 1
    assert world.redis("ZSCORE", "skein:{tls}:due", f"{day} plain.example") == ""


def test_who_asks_for_no_report_gets_none(world):
    world.deliver("silent.example", 3)
    until(lambda: world.counted("silent.example", "+none success") >= 1, 60, "Redis has it")
    day = world.end_day("silent.example")
    until(lambda: not world.redis("ZSCORE", "skein:{tls}:due", f"{day} silent.example"), 60, "it is done")
    assert not world.rows("silent.example")[1] and not world.events("tls-report-.*", "silent.example")
