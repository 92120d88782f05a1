"""The way out: retries, second hops, reports."""
import email
import email.policy
import hashlib

from lab import ports
from lab.account import Account
from lab.burst import Burst
from lab.wait import until
import pytest

from support import message, new_tag, send, settle, until_arrived, until_report


@pytest.mark.sanitize
def test_mail_waits_for_a_next_hop_that_is_down(cluster, record_property):
    cluster.sink_part.stop()
    burst = Burst(cluster.record["lb"], 500).run()
    assert len(burst.acknowledged) == 500
    cluster.sink_part.start()
    account = settle(cluster, burst, record=record_property)
    assert not account.duplicated


def test_a_dead_first_hop_is_passed_over(new_cluster):
    nobody = ports.reserve(1, "/nonexistent")[0]
    cluster = new_cluster(nodes=1)
    hops = [{"host": "127.0.0.1", "port": nobody}, cluster.hop(cluster.record["sink"])]
    cluster.record["settings"] = {"route": {"next_hops": hops}}
    node = cluster.nodes[1]
    node.stop()
    node.start()
    burst = Burst(node.smtp, 100, connections=5).run()
    settle(cluster, burst)
    assert node.metric("skein_hop_failures_total") > 0


def test_a_connection_that_breaks_before_the_answer_is_tried_again(cluster):
    cluster.sink.rules({"stage": "data", "do": "close", "times": 5}, {"stage": "mail", "do": "close", "times": 5},
                       {"stage": "connect", "do": "close", "times": 2}, {"stage": "ehlo", "do": "close", "times": 2})
    account = settle(cluster, Burst(cluster.record["lb"], 200).run())
    assert not account.duplicated


def test_a_connection_lost_after_the_final_dot_is_tried_again_and_may_double(cluster):
    cluster.sink.rules({"stage": "dot", "do": "close", "times": 3})
    burst = Burst(cluster.record["lb"], 200).run()
    # While one changes from its node to the cluster, no queue may count it: what is twice is waited for.
    until(lambda: Account(cluster.sink, burst).sent_twice, 60, "one arrives twice")
    assert settle(cluster, burst).sent_twice <= 3


def test_a_temporary_refusal_is_tried_again(alone):
    alone.sink.rules({"stage": "rcpt", "do": "reply 450 4.2.1 Busy", "times": 2},
                     {"stage": "dot", "do": "reply 451 4.3.0 Later", "times": 2})
    account = settle(alone, Burst(alone.nodes[1].smtp, 20, connections=2).run())
    assert not account.duplicated


def report_parts(content):
    """(the human text, the status fields of each recipient, the returned header) of a report by RFC 3462 and 3464."""
    report = email.message_from_bytes(content, policy=email.policy.default)
    assert report.get_content_type() == "multipart/report"
    assert report.get_param("report-type") == "delivery-status"
    text, status, returned = report.iter_parts()
    assert text.get_content_type() == "text/plain"
    assert status.get_content_type() == "message/delivery-status"
    assert returned.get_content_type() in ("message/rfc822", "text/rfc822-headers")
    return report, [part for part in status.get_payload() if part["Final-Recipient"]], returned


@pytest.mark.sanitize
def test_a_final_refusal_is_reported_to_the_sender(cluster):
    cluster.sink.rules({"stage": "rcpt", "match": "nobody@", "do": "reply 550 5.1.1 No such user"})
    tag = new_tag()
    send(cluster.record["lb"], sender="me@client.skein.test", recipients=["nobody@sink.skein.test", "b@sink.skein.test"],
         tag=tag)
    assert until_arrived(cluster, tag)["to"] == ["b@sink.skein.test"]
    record, content = until_report(cluster, "me@client.skein.test")
    report, recipients, returned = report_parts(content)
    assert report["To"] and "me@client.skein.test" in report["To"]
    assert len(recipients) == 1
    assert "nobody@sink.skein.test" in recipients[0]["Final-Recipient"]
    assert recipients[0]["Action"] == "failed"
    assert recipients[0]["Status"] == "5.1.1"
    assert "No such user" in recipients[0]["Diagnostic-Code"]
    assert tag in returned.as_string()
    assert record["from"] == ""


def test_mail_from_nobody_is_never_reported(cluster):
    cluster.sink.rules({"stage": "rcpt", "match": "nobody@", "do": "reply 550 5.1.1 No such user"})
    send(cluster.record["lb"], sender="", recipients=["nobody@sink.skein.test"])
    # A later failure with a sender is reported; by then one without would have been.
    send(cluster.record["lb"], sender="me@client.skein.test", recipients=["nobody@sink.skein.test"])
    until_report(cluster, "me@client.skein.test")
    until(lambda: sum(node.metric("skein_messages_failed_total") for node in cluster.nodes.values()) == 2, 20,
          "both have failed")
    assert len(cluster.sink.untagged()) == 1


def test_mail_that_expires_is_reported(new_cluster):
    cluster = new_cluster(nodes=1, balancer=False, settings={
        "retry": {"first": "200ms", "max": "500ms", "expire": "2s", "warn": "0s"}})
    cluster.sink.rules({"stage": "rcpt", "match": "late@", "do": "reply 450 4.2.2 Mailbox full"})
    send(cluster.nodes[1].smtp, sender="me@client.skein.test", recipients=["late@sink.skein.test"])
    _, content = until_report(cluster, "me@client.skein.test")
    _, recipients, _ = report_parts(content)
    assert recipients[0]["Action"] == "failed"
    assert recipients[0]["Status"][:2] in ("4.", "5.")
    assert "Mailbox full" in recipients[0]["Diagnostic-Code"]


def test_one_hundred_recipients_are_each_served_once(cluster):
    recipients = [f"r{number}@sink.skein.test" for number in range(100)]
    cluster.sink.rules({"stage": "rcpt", "match": "r7@", "do": "reply 450 4.2.1 Busy", "times": 1})
    tag, refused = send(cluster.record["lb"], recipients=recipients)
    assert not refused

    def served():
        return [to for record in cluster.sink.records() if record["tag"] == tag for to in record["to"]]
    until(lambda: set(served()) == set(recipients), 30, "every recipient is served")
    assert sorted(served()) == sorted(recipients)


def test_tls_is_used_when_the_next_hop_offers_it(cluster):
    tag, _ = send(cluster.record["lb"])
    assert until_arrived(cluster, tag)["tls"]


def test_a_large_message_arrives_whole(cluster):
    tag = new_tag()
    text = "".join(f"{number:07} and a line of text that is not long\r\n" for number in range(120000))
    send(cluster.record["lb"], tag=tag, content=message(tag, text))
    record = until_arrived(cluster, tag)
    assert record["size"] > 5_000_000
    assert record["sha256"] == hashlib.sha256(text.encode()).hexdigest()


def chunking(lab, size):
    """The sink is asked for CHUNKING; a message of `size` octets that wants dots stuffed, under way. Its tag, and it."""
    lab.sink.ask(keywords=["PIPELINING", "SIZE 104857600", "8BITMIME", "ENHANCEDSTATUSCODES", "CHUNKING"], drop=True)
    tag = new_tag()
    content = message(tag, ".dot\r\n..\r\nline\r\n" * (size // 16))
    send(lab.nodes[1].smtp, content=content)
    return tag, content


@pytest.mark.parametrize("size", [100, 300000])
def test_a_hop_with_chunking_gets_chunks(alone, size):
    alone.sink.rules({"stage": "data", "do": "reply 502 5.5.1 No DATA here"})
    tag, content = chunking(alone, size)
    record = until_arrived(alone, tag)
    assert record["sha256"] == hashlib.sha256(content.partition(b"\r\n\r\n")[2]).hexdigest()


def test_a_refused_chunk_is_tried_again_on_a_new_connection(alone):
    alone.sink.rules({"stage": "bdat", "do": "reply 452 4.3.1 Full", "times": 1})
    tag, _ = chunking(alone, 300000)
    until_arrived(alone, tag)
    assert [record["tag"] for record in alone.sink.records()].count(tag) == 1
    until(lambda: alone.nodes[1].tracked("DEFER", code="452", status="4.3.1"), 20, "the refusal is tracked")
