"""What a client may ask for beyond delivery: REQUIRETLS, MT-PRIORITY, DELIVERBY, FUTURERELEASE."""
import smtplib
import time

from lab.wait import until
import pytest

from support import message, new_tag, until_arrived

SENDER = "me@client.skein.test"


def submit(address, options=(), recipients=("b@sink.skein.test",), tag=None):
    """Returns (tag, the answer to MAIL)."""
    tag = tag or new_tag()
    host, port = address.split(":")
    with smtplib.SMTP(host, int(port), timeout=20) as client:
        client.ehlo()
        answer = client.mail(SENDER, list(options))
        assert answer[0] == 250, answer
        for recipient in recipients:
            assert client.rcpt(recipient)[0] == 250
        assert client.data(message(tag))[0] == 250
    return tag, answer[1].decode()


def keywords(address):
    """What EHLO offers: keyword → its text."""
    host, port = address.split(":")
    with smtplib.SMTP(host, int(port), timeout=20) as client:
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
    tag, _ = submit(lab.nodes[1].smtp, ["HOLDFOR=6"])
    lab.nodes[1].kill()
    lab.nodes[1].start()
    assert_held(lab, tag, began, 6)


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
    submit(lab.nodes[1].smtp, ["HOLDFOR=4"], recipients=["busy@sink.skein.test"])
    def reports():
        return [record for record, _ in lab.sink.untagged() if SENDER in record["to"]]
    until(reports, 30, "the report of its expiry")
    assert reports()[0]["at"] - began >= 6


def test_without_a_hold_in_the_settings_none_is_offered(new_cluster):
    lab = new_cluster(nodes=1, redis=False, balancer=False)
    assert "futurerelease" not in keywords(lab.nodes[1].smtp)
    host, port = lab.nodes[1].smtp.split(":")
    with smtplib.SMTP(host, int(port), timeout=20) as client:
        client.ehlo()
        assert client.mail(SENDER, ["HOLDFOR=1"])[0] == 555
