"""Delivery reports as RFC 3461, 3462 and 3464 want them: asked for in every way, read by Python's email package."""
import email
import email.policy
import email.utils
import smtplib

from lab.wait import until
import pytest

from support import message, new_tag, send, until_arrived

KEYWORDS = ["PIPELINING", "SIZE 104857600", "8BITMIME", "ENHANCEDSTATUSCODES"]
SENDER = "me@client.skein.test"
REFUSE = {"stage": "rcpt", "match": "nobody@", "do": "reply 550 5.1.1 No such user"}
BUSY = {"stage": "rcpt", "match": "busy@", "do": "reply 450 4.2.1 Busy"}


@pytest.fixture(scope="module")
def lab(module_clusters):
    return module_clusters(nodes=1, balancer=False)


@pytest.fixture
def impatient(new_cluster):
    """One without Redis: it tries again to the moment."""
    lab = new_cluster(nodes=1, redis=False, balancer=False, settings={
        "retry": {"first": "200ms", "max": "500ms", "expire": "4s", "warn": "1s"}})
    lab.sink.ask(keywords=KEYWORDS)
    lab.sink.rules(BUSY)
    return lab


@pytest.fixture
def plain_hop(lab):
    """The next hop has no DSN; it refuses nobody@ and puts off busy@."""
    lab.sink.ask(keywords=KEYWORDS, drop=True)
    lab.sink.rules(REFUSE, BUSY)
    yield lab
    lab.sink.rules()
    lab.sink.ask(keywords=[], drop=True)


class Report:
    """One report, checked as a whole, and its fields."""

    def __init__(self, content):
        self.message = email.message_from_bytes(content, policy=email.policy.default)
        assert not self.message.defects
        assert self.message.get_content_type() == "multipart/report"
        assert self.message.get_param("report-type") == "delivery-status"
        assert self.message["Auto-Submitted"] == "auto-replied"
        assert email.utils.parseaddr(self.message["From"])[1] == "MAILER-DAEMON@node1.skein.test"
        assert email.utils.parsedate_to_datetime(self.message["Date"])
        self.text, self.status, self.returned = self.message.iter_parts()
        assert self.text.get_content_type() == "text/plain"
        assert self.status.get_content_type() == "message/delivery-status"
        self.whole, *self.recipients = self.status.get_payload()
        assert self.whole["Reporting-MTA"] == "dns; node1.skein.test"
        assert email.utils.parsedate_to_datetime(self.whole["Arrival-Date"])

    def returns_all(self):
        return self.returned.get_content_type() == "message/rfc822"

    def summary(self):
        return {fields["Final-Recipient"].partition("; ")[2]: fields["Action"] for fields in self.recipients}


def submit(lab, recipients, mail_options=(), text="Hello.\r\n"):
    """`recipients`: address → options of its RCPT. Returns the tag."""
    tag = new_tag()
    host, port = lab.nodes[1].smtp.split(":")
    with smtplib.SMTP(host, int(port), timeout=20) as client:
        client.ehlo()
        assert client.mail(SENDER, list(mail_options))[0] == 250
        for recipient, options in recipients.items():
            assert client.rcpt(recipient, list(options))[0] == 250
        assert client.data(message(tag, text))[0] == 250
    return tag


def reports_about(lab, tag, count, seconds=20):
    """The reports that return something of this message; exactly so many."""
    def found():
        return [content for record, content in lab.sink.untagged()
                if record["from"] == "" and record["to"] == [SENDER] and tag.encode() in content]
    until(lambda: len(found()) >= count, seconds, f"{count} reports of {tag}")
    assert len(found()) == count
    return [Report(content) for content in found()]


def until_done(lab):
    """Nothing is left to do: what was not reported by now never is."""
    until(lambda: lab.nodes[1].metric("skein_queue_messages") == 0, 20, "the queue is empty")


def test_success_is_reported_as_relayed_where_the_hop_has_no_dsn(plain_hop):
    tag = submit(plain_hop, {"b@sink.skein.test": ["NOTIFY=SUCCESS", "ORCPT=rfc822;B+2Bold@client.skein.test"],
                             "quiet@sink.skein.test": [], "other@sink.skein.test": ["NOTIFY=FAILURE"]},
                 ["RET=FULL", "ENVID=an+2Did"])
    until_arrived(plain_hop, tag)
    report, = reports_about(plain_hop, tag, 1)
    assert report.whole["Original-Envelope-Id"] == "an-id"
    fields, = report.recipients
    assert fields["Original-Recipient"] == "rfc822;B+old@client.skein.test"
    assert fields["Final-Recipient"] == "rfc822; b@sink.skein.test"
    assert fields["Action"] == "relayed"
    assert fields["Status"] == "2.0.0"
    assert fields["Remote-MTA"].startswith("dns; ")
    assert fields["Diagnostic-Code"].startswith("smtp; 250 ")
    assert email.utils.parsedate_to_datetime(fields["Last-Attempt-Date"])
    assert "Will-Retry-Until" not in fields
    assert not report.returns_all()  # RET is about failures


def test_success_and_failure_of_one_message_are_two_reports(plain_hop):
    tag = submit(plain_hop, {"b@sink.skein.test": ["NOTIFY=SUCCESS,FAILURE"],
                             "nobody@sink.skein.test": ["NOTIFY=SUCCESS,FAILURE"]})
    actions = [report.summary() for report in reports_about(plain_hop, tag, 2)]
    assert {"b@sink.skein.test": "relayed"} in actions
    assert {"nobody@sink.skein.test": "failed"} in actions


def test_what_is_asked_for_is_passed_on_to_a_hop_with_dsn(plain_hop):
    plain_hop.sink.ask(keywords=[*KEYWORDS, "DSN"], drop=True)
    # Taken as it should be asked for, refused in any other way.
    plain_hop.sink.rules(
        {"stage": "mail", "match": "RET=HDRS ENVID=x", "do": "delay 0"},
        {"stage": "mail", "match": SENDER, "do": "reply 550 5.7.1 Not so"},
        {"stage": "rcpt", "match": "b@sink.skein.test> NOTIFY=SUCCESS ORCPT=rfc822;b@client.skein.test", "do": "delay 0"},
        {"stage": "rcpt", "match": "c@sink.skein.test> NOTIFY=SUCCESS,DELAY", "do": "delay 0"},
        {"stage": "rcpt", "match": "@", "do": "reply 550 5.7.1 Not so"})
    tag = submit(plain_hop, {"b@sink.skein.test": ["NOTIFY=SUCCESS", "ORCPT=rfc822;b@client.skein.test"],
                             "c@sink.skein.test": ["NOTIFY=SUCCESS,DELAY"]}, ["RET=HDRS", "ENVID=x"])
    assert until_arrived(plain_hop, tag)["to"] == ["b@sink.skein.test", "c@sink.skein.test"]
    until_done(plain_hop)
    reports_about(plain_hop, tag, 0)  # nobody asked about failures, and the rest is the hop's


@pytest.mark.parametrize("options, is_full", [(["RET=FULL"], True), (["RET=HDRS"], False), ([], True)],
                         ids=["full", "hdrs", "not said"])
def test_a_failure_returns_what_ret_says(plain_hop, options, is_full):
    tag = submit(plain_hop, {"nobody@sink.skein.test": []}, options)
    report, = reports_about(plain_hop, tag, 1)
    fields, = report.recipients
    assert (fields["Action"], fields["Status"]) == ("failed", "5.1.1")
    assert fields["Diagnostic-Code"] == "smtp; 550 5.1.1 No such user"
    assert report.returns_all() == is_full
    assert ("Hello." in report.returned.as_string()) == is_full
    assert "Original-Recipient" not in fields
    assert "Original-Envelope-Id" not in report.whole


def test_a_large_message_comes_back_by_its_header(plain_hop):
    tag = submit(plain_hop, {"nobody@sink.skein.test": []}, ["RET=FULL"], "A line of the text.\r\n" * 20000)
    report, = reports_about(plain_hop, tag, 1)
    assert report.returned.get_content_type() == "text/rfc822-headers"
    assert "A line of" not in report.returned.as_string()


def test_never_is_never(impatient):
    impatient.sink.rules(REFUSE, BUSY)
    tag = submit(impatient, {"nobody@sink.skein.test": ["NOTIFY=NEVER"], "busy@sink.skein.test": ["NOTIFY=NEVER"],
                             "b@sink.skein.test": ["NOTIFY=NEVER"]})
    until_arrived(impatient, tag)
    until_done(impatient)
    reports_about(impatient, tag, 0)


def test_only_failures_are_reported_to_who_asks_for_success_alone(plain_hop):
    tag = submit(plain_hop, {"nobody@sink.skein.test": ["NOTIFY=SUCCESS"]})
    until_done(plain_hop)
    reports_about(plain_hop, tag, 0)


def test_a_delay_is_told_once_and_then_the_expiry(impatient):
    tag = submit(impatient, {"busy@sink.skein.test": ["NOTIFY=DELAY,FAILURE"], "b@sink.skein.test": []}, ["ENVID=late"])
    reports = {report.recipients[0]["Action"]: report for report in reports_about(impatient, tag, 2)}
    delayed, = reports["delayed"].recipients
    assert delayed["Final-Recipient"] == "rfc822; busy@sink.skein.test"
    assert delayed["Status"] == "4.2.1"
    assert delayed["Diagnostic-Code"] == "smtp; 450 4.2.1 Busy"
    assert email.utils.parsedate_to_datetime(delayed["Will-Retry-Until"])
    assert not reports["delayed"].returns_all()
    failed, = reports["failed"].recipients
    assert failed["Status"] == "4.4.7"
    assert "Will-Retry-Until" not in failed
    for report in reports.values():
        assert report.whole["Original-Envelope-Id"] == "late"


def test_who_asks_for_failures_alone_is_told_no_delay(impatient):
    tag = submit(impatient, {"busy@sink.skein.test": ["NOTIFY=FAILURE"]})
    report, = reports_about(impatient, tag, 1)
    assert report.summary() == {"busy@sink.skein.test": "failed"}


def test_a_report_that_fails_is_reported_to_nobody(plain_hop):
    plain_hop.sink.rules(REFUSE, {"stage": "rcpt", "match": "gone@", "do": "reply 550 5.1.1 Gone"})
    failed = plain_hop.nodes[1].metric("skein_messages_failed_total")
    send(plain_hop.nodes[1].smtp, sender="gone@client.skein.test", recipients=["nobody@sink.skein.test"])
    until(lambda: plain_hop.nodes[1].metric("skein_messages_failed_total") == failed + 2, 20, "both failed")
    until_done(plain_hop)
    assert not [record for record, _ in plain_hop.sink.untagged() if "gone@client.skein.test" in record["to"]]
