"""What a client may ask for beyond delivery: REQUIRETLS, MT-PRIORITY, DELIVERBY, FUTURERELEASE."""
import itertools
import smtplib
import ssl
import time

from lab.wait import until
import pytest

from authority import Authority
from more_sinks import ALLOW, MoreSink, apply
from support import message, new_tag, until_arrived

SENDER = "me@client.skein.test"
KEYWORDS = ["PIPELINING", "SIZE 104857600", "8BITMIME", "ENHANCEDSTATUSCODES"]


def submit(address, options=(), recipients=("b@sink.skein.test",), tag=None, starttls=False):
    """Returns (tag, the answer to MAIL)."""
    tag = tag or new_tag()
    host, port = address.split(":")
    with smtplib.SMTP(host, int(port), timeout=20) as client:
        if starttls:
            client.starttls(context=ssl._create_unverified_context())
        client.ehlo()
        answer = client.mail(SENDER, list(options))
        assert answer[0] == 250, answer
        for recipient in recipients:
            assert client.rcpt(recipient)[0] == 250
        assert client.data(message(tag))[0] == 250
    return tag, answer[1].decode()


def reports(cluster, sink=None):
    """The delivery reports to SENDER that a sink took: (record, content)."""
    return [(record, content) for record, content in (sink or cluster.sink).untagged() if SENDER in record["to"]]


def keywords(address, starttls=False):
    """What EHLO offers: keyword → its text."""
    host, port = address.split(":")
    with smtplib.SMTP(host, int(port), timeout=20) as client:
        if starttls:
            client.starttls(context=ssl._create_unverified_context())
        client.ehlo()
        return dict(client.esmtp_features)


# --- FUTURERELEASE --------------------------------------------------------------------------------------------------------


def hold_at(lab):
    """The lab's nodes restarted so that they hold mail."""
    for node in lab.nodes.values():
        lab.record["settings"]["listeners"] = [
            {"name": "direct", "address": node.smtp, "tls": "starttls", "hold_max": "1h"}]
        node.stop()
        node.start()
    return lab


@pytest.fixture(params=[True, False], ids=["cluster", "alone"])
def patient(request, new_cluster):
    return hold_at(new_cluster(nodes=1, redis=request.param, balancer=False))


def assert_held(lab, tag, began, seconds):
    """It arrives, and not before its time."""
    record = until_arrived(lab, tag)
    assert record["at"] - began >= seconds


@pytest.mark.sanitize
def test_mail_is_held_for_as_long_as_it_says(patient):
    assert patient.nodes[1].smtp
    began = time.time()
    short, _ = submit(patient.nodes[1].smtp, ["HOLDFOR=2"])
    # Longer than what is sat out in place: in a cluster Redis has it meanwhile.
    longer, _ = submit(patient.nodes[1].smtp, ["HOLDFOR=8"])
    until_time = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began + 4))
    dated, _ = submit(patient.nodes[1].smtp, [f"HOLDUNTIL={until_time}"])
    plain, _ = submit(patient.nodes[1].smtp)
    assert_held(patient, plain, began, 0)
    assert_held(patient, short, began, 2)
    assert_held(patient, dated, int(began) + 4, 0)
    assert_held(patient, longer, began, 8)


def test_a_hold_outlives_a_restart_and_its_node(new_cluster):
    lab = hold_at(new_cluster(nodes=1, redis=False, balancer=False))
    began = time.time()
    tag, _ = submit(lab.nodes[1].smtp, ["HOLDFOR=4"])
    lab.nodes[1].kill()
    lab.nodes[1].start()
    assert_held(lab, tag, began, 4)


def test_a_longer_hold_than_the_listener_allows_is_refused(patient):
    node = patient.nodes[1]
    assert keywords(node.smtp)["futurerelease"].split()[0] == "3600"
    host, port = node.smtp.split(":")
    with smtplib.SMTP(host, int(port), timeout=20) as client:
        client.ehlo()
        assert client.mail(SENDER, ["HOLDFOR=3601"])[0] == 501
        assert client.mail(SENDER, ["HOLDUNTIL=2100-01-01T00:00:00Z"])[0] == 501


def test_expiry_counts_from_the_release(new_cluster):
    lab = new_cluster(nodes=1, redis=False, balancer=False, settings={
        "retry": {"first": "200ms", "max": "500ms", "expire": "2s", "warn": "0s"}})
    hold_at(lab)
    lab.sink.rules({"stage": "rcpt", "match": "busy@", "do": "reply 450 4.2.1 Busy"})
    began = time.time()
    submit(lab.nodes[1].smtp, ["HOLDFOR=2"], recipients=["busy@sink.skein.test"])
    (record, _), = until(lambda: reports(lab), 30, "the report of its expiry")
    assert record["at"] - began >= 4


def test_without_a_hold_in_the_settings_none_is_offered(new_cluster):
    lab = new_cluster(nodes=1, redis=False, balancer=False)
    assert "futurerelease" not in keywords(lab.nodes[1].smtp)
    host, port = lab.nodes[1].smtp.split(":")
    with smtplib.SMTP(host, int(port), timeout=20) as client:
        client.ehlo()
        assert client.mail(SENDER, ["HOLDFOR=1"])[0] == 555


# --- REQUIRETLS -----------------------------------------------------------------------------------------------------------

NAME = "mail.skein.test"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def relay(module_clusters, authority):
    return module_clusters(nodes=1, balancer=False, settings={"route": {"ca": authority.certificate}})


class Hop(MoreSink):
    """A next hop with a certificate for NAME, and these further keywords."""
    serial = itertools.count(1)

    def __init__(self, cluster, name, *keywords, certificate):
        name += str(next(self.serial))
        super().__init__(cluster, name, certificate=certificate, arguments=["--keep", str(cluster.folder / name)])
        self.control.ask(keywords=[*KEYWORDS, *keywords])

    def target(self, tls):
        host, _, port = self.address.rpartition(":")
        return f"{{ host: {host}, port: {port}, tls: {tls}, tls_name: {NAME} }}"

    def record(self, tag):
        return next((record for record in self.control.records() if record["tag"] == tag), None)


def route_to(cluster, tls, *hops, more=""):
    apply(cluster, ALLOW + f"routes: [ {{ name: all, to: [{', '.join(hop.target(tls) for hop in hops)}]{more} }} ]\n")


@pytest.mark.sanitize
@pytest.mark.parametrize("tls", ["may", "encrypt", "verify"])
def test_requiretls_goes_by_verified_tls_to_who_promises_the_same(relay, authority, tls):
    hop = Hop(relay, "safe", "REQUIRETLS", certificate=authority.issue("good", f"DNS:{NAME}"))
    route_to(relay, tls, hop, more=", cut_through: true")
    tag, _ = submit(relay.nodes[1].smtp, ["REQUIRETLS"], starttls=True)
    until(lambda: hop.record(tag), 30, "it arrives")
    assert hop.record(tag)["options"].endswith("REQUIRETLS") and hop.record(tag)["tls"]
    assert relay.nodes[1].metric("skein_cut_through_total") == 0


# What is wrong, the status of the report, and a word of its text.
NO_WAY = [
    ("may", "good", [], "5.7.30", "REQUIRETLS"),
    ("may", "none", ["REQUIRETLS"], "5.7.10", "not offered"),
    ("may", "other", ["REQUIRETLS"], "5.7.10", "mismatch"),
    ("encrypt", "other", ["REQUIRETLS"], "5.7.10", "mismatch"),
    ("none", "good", ["REQUIRETLS"], "5.7.10", "there is none"),
]


@pytest.mark.parametrize("tls, shown, offered, status, word", NO_WAY)
def test_requiretls_that_cannot_be_kept_comes_back(relay, authority, tls, shown, offered, status, word):
    certificate = {"good": authority.issue("good", f"DNS:{NAME}"), "none": (),
                   "other": authority.issue("other", "DNS:other.skein.test")}[shown]
    bad = Hop(relay, "bad", *offered, certificate=certificate)
    home = Hop(relay, "home", "REQUIRETLS", certificate=authority.issue("home", f"DNS:{NAME}"))
    apply(relay, ALLOW + f"""routes:
  - {{ name: home, match: {{ recipient: client.skein.test }}, to: [{home.target("verify")}] }}
  - {{ name: rest, to: [{bad.target(tls)}] }}
""")
    tag, _ = submit(relay.nodes[1].smtp, ["REQUIRETLS", "RET=FULL"], starttls=True)
    (record, content), = until(lambda: reports(relay, home.control), 30, "the report")
    assert f"Status: {status}".encode() in content and word.encode() in content
    # RFC 8689 5: it is as safe as the message was, and has none of its text.
    assert record["options"].endswith("REQUIRETLS") and record["tls"]
    assert tag.encode() in content and b"Hello." not in content
    assert not bad.control.records()


def test_mail_that_asks_for_nothing_takes_a_hop_that_requiretls_does_not(relay, authority):
    hop = Hop(relay, "plain", certificate=authority.issue("good", f"DNS:{NAME}"))
    route_to(relay, "may", hop)
    failed = len(relay.nodes[1].tracked("FAIL"))
    submit(relay.nodes[1].smtp, ["REQUIRETLS"], starttls=True)
    until(lambda: len(relay.nodes[1].tracked("FAIL")) > failed, 30, "it fails")
    tag, _ = submit(relay.nodes[1].smtp)
    until(lambda: hop.record(tag), 30, "the other arrives")


def test_requiretls_passes_over_hops_without_it_and_waits_for_one_that_is_down(relay, authority):
    good = authority.issue("good", f"DNS:{NAME}")
    first, second = Hop(relay, "first", certificate=good), Hop(relay, "second", "REQUIRETLS", certificate=good)
    route_to(relay, "may", first, second)
    tag, _ = submit(relay.nodes[1].smtp, ["REQUIRETLS"], starttls=True)
    until(lambda: second.record(tag), 30, "it arrives at the second")
    second.part.stop()
    deferred = len(relay.nodes[1].tracked("DEFER"))
    waiting, _ = submit(relay.nodes[1].smtp, ["REQUIRETLS"], starttls=True)
    until(lambda: len(relay.nodes[1].tracked("DEFER")) > deferred, 30, "it waits")
    second.part.start()
    second.control.ask(keywords=[*KEYWORDS, "REQUIRETLS"])
    until(lambda: second.record(waiting), 60, "it arrives when the second is back")
    assert not first.control.records()


def test_requiretls_is_offered_over_tls_only(relay):
    node = relay.nodes[1]
    assert "requiretls" in keywords(node.smtp, starttls=True)
    assert "requiretls" not in keywords(node.smtp)
    host, port = node.smtp.split(":")
    with smtplib.SMTP(host, int(port), timeout=20) as client:
        client.ehlo()
        assert client.mail(SENDER, ["REQUIRETLS"])[0] == 555


# --- MT-PRIORITY ----------------------------------------------------------------------------------------------------------

def one_by_one(new_cluster, **smtp):
    """A node that sends one message at a time, over a slow hop with MT-PRIORITY."""
    lab = new_cluster(nodes=1, redis=False, balancer=False, settings={
        "node": {"workers": 1}, "smtp": smtp, "route": {"connections": 1}})
    lab.sink.ask(keywords=[*KEYWORDS, "MT-PRIORITY"])
    return lab


@pytest.mark.sanitize
def test_what_has_priority_goes_first(new_cluster):
    lab = one_by_one(new_cluster, priority_from=["127.0.0.0/8"])
    # The first holds up the rest for long enough that all are there.
    lab.sink.rules({"stage": "dot", "do": "delay 3", "times": 1})
    first, _ = submit(lab.nodes[1].smtp)
    until(lambda: lab.sink.counts()["taken"] == 1, 20, "the first is under way")
    tags = {priority: submit(lab.nodes[1].smtp, [f"MT-PRIORITY={priority}"])[0] for priority in (0, -9, 3, 9, -1)}
    for tag in tags.values():
        until_arrived(lab, tag)
    order = [record["tag"] for record in lab.sink.records()]
    # One may have been chained behind the first before the others came.
    chained = order[1]
    rest = [tags[priority] for priority in (9, 3, 0, -1, -9) if tags[priority] != chained]
    assert order == [first, chained, *rest]
    options = {record["tag"]: record["options"] for record in lab.sink.records()}
    assert options[tags[9]].endswith("MT-PRIORITY=9") and options[tags[-9]].endswith("MT-PRIORITY=-9")
    assert "MT-PRIORITY" not in options[tags[0]]


def test_a_stranger_cannot_raise_the_priority(new_cluster):
    lab = one_by_one(new_cluster)
    raised, answer = submit(lab.nodes[1].smtp, ["MT-PRIORITY=4"])
    assert answer.startswith("2.3.6 0 ")
    lowered, answer = submit(lab.nodes[1].smtp, ["MT-PRIORITY=-4"])
    assert answer.startswith("2.1.0 ")
    assert "MT-PRIORITY" not in until_arrived(lab, raised)["options"]
    assert until_arrived(lab, lowered)["options"].endswith("MT-PRIORITY=-4")
    until(lambda: "priority-lowered" in lab.nodes[1].log.read_text(), 20, "the log tells of it")


# --- DELIVERBY ------------------------------------------------------------------------------------------------------------

BUSY = {"stage": "rcpt", "match": "busy@", "do": "reply 450 4.2.1 Busy"}
BUSY_ONE = ["busy@sink.skein.test"]


@pytest.fixture(params=[True, False], ids=["cluster", "alone"])
def timed(request, new_cluster):
    """Its retries are rare: what comes back in time does so of itself."""
    lab = new_cluster(nodes=1, redis=request.param, balancer=False, settings={"retry": {"first": "1m", "max": "1h"}})
    lab.sink.ask(keywords=[*KEYWORDS, "DELIVERBY", "DSN"])
    lab.sink.rules(BUSY)
    return lab


def report_of(lab, word):
    return until(lambda: next(((record, content) for record, content in reports(lab) if word.encode() in content), None),
                 30, f"a report with {word}")


@pytest.mark.sanitize
def test_what_is_not_delivered_in_its_time_comes_back(timed):
    began = time.time()
    submit(timed.nodes[1].smtp, ["BY=3;R"], recipients=BUSY_ONE)
    record, content = report_of(timed, "Action: failed")
    assert record["at"] - began >= 2.5
    assert b"Status: 5.4.7" in content and b"Deliver-By-Date: " in content and b"4.2.1 Busy" in content


def test_time_runs_out_while_mail_waits_for_its_turn(new_cluster):
    lab = new_cluster(nodes=1, redis=False, balancer=False, settings={"node": {"workers": 1}, "route": {"connections": 1}})
    lab.sink.ask(keywords=[*KEYWORDS, "DELIVERBY"])
    lab.sink.rules({"stage": "dot", "match": "slow@", "do": "delay 60"})
    for _ in range(2):
        submit(lab.nodes[1].smtp, recipients=["slow@sink.skein.test"])
    tag, _ = submit(lab.nodes[1].smtp, ["BY=2;R"])
    until(lambda: lab.nodes[1].tracked("FAIL"), 40, "it is given up")
    assert not lab.nodes[1].tracked("DELIVER"), "while its turn has not come"
    lab.sink.rules()
    lab.sink.ask(drop=True)
    _, content = report_of(lab, "Action: failed")
    assert b"Status: 5.4.7" in content
    assert tag not in {record["tag"] for record in lab.sink.records()}


def test_a_delay_is_told_when_the_time_is_over(timed):
    began = time.time()
    submit(timed.nodes[1].smtp, ["BY=2;N"], recipients=BUSY_ONE)
    record, content = report_of(timed, "Action: delayed")
    assert record["at"] - began >= 1.5
    assert b"Deliver-By-Date: " in content and b"Status: 4.2.1" in content


def test_what_is_late_is_delivered_all_the_same_and_reported_once(new_cluster):
    lab = new_cluster(nodes=1, redis=False, balancer=False, settings={"retry": {"first": "200ms", "max": "500ms"}})
    lab.sink.ask(keywords=[*KEYWORDS, "DELIVERBY", "DSN"])
    lab.sink.rules(BUSY)
    tag, _ = submit(lab.nodes[1].smtp, ["BY=1;N"], recipients=BUSY_ONE)
    report_of(lab, "Action: delayed")
    deferred = lab.nodes[1].metric("skein_messages_deferred_total")
    until(lambda: lab.nodes[1].metric("skein_messages_deferred_total") >= deferred + 3, 20, "it is tried further")
    lab.sink.rules()
    assert until_arrived(lab, tag)["options"].split()[-1].startswith("BY=-")
    assert len(reports(lab)) == 1


def test_the_time_that_is_left_is_passed_on(timed):
    timed.sink.rules({"stage": "rcpt", "match": "busy@", "do": "reply 450 4.2.1 Busy", "times": 1})
    quick, _ = submit(timed.nodes[1].smtp, ["BY=120;RT"])
    assert until_arrived(timed, quick)["options"].split()[-1] in ("BY=120;RT", "BY=119;RT")
    # The trace that was asked for: this relay has passed it on.
    _, content = report_of(timed, "Action: relayed")
    assert quick.encode() in content and b"You gave a time to deliver by" in content


def test_a_hop_that_knows_no_time_gets_only_what_may_be_late(timed):
    timed.sink.ask(keywords=KEYWORDS, drop=True)
    submit(timed.nodes[1].smtp, ["BY=100;R"])
    _, content = report_of(timed, "Action: failed")
    assert b"Status: 5.3.3" in content
    tag, _ = submit(timed.nodes[1].smtp, ["BY=100;N"])
    assert "BY=" not in until_arrived(timed, tag)["options"]
    _, content = report_of(timed, "Action: relayed")
    assert tag.encode() in content


def test_a_time_that_is_over_at_once_is_refused(timed):
    host, port = timed.nodes[1].smtp.split(":")
    with smtplib.SMTP(host, int(port), timeout=20) as client:
        client.ehlo()
        assert client.mail(SENDER, ["BY=0;R"])[0] == 501
