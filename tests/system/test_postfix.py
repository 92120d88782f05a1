"""A real Postfix as next hop, in each of its moods. It passes on what it takes to the sink, which counts."""
import re
import time

from lab.account import Account, until_quiet, until_received
from lab.burst import Burst
from lab.wait import until
import pytest

from support import message, new_tag, send, until_arrived, until_report


IN_FLIGHT = 16  # two workers, four connections each, two messages on each


class Relay:
    """A node in front of the Postfix."""

    def __init__(self, new_cluster, postfix, tls="may"):
        self.postfix = postfix
        self.cluster = new_cluster(nodes=1, balancer=False, settings={
            "route": {"next_hops": [{"host": "127.0.0.1", "port": postfix.port, "tls": tls}]}})
        self.node = self.cluster.nodes[1]

    def start(self, **settings):
        self.postfix.start(self.cluster.record["sink"], **settings)

    def settle(self, burst, record):
        """Nothing is lost or altered; the account, which is printed."""
        until_received(self.cluster.sink, burst.wait(), seconds=60)
        until_quiet([self.node])
        account = Account(self.cluster.sink, burst)
        doubts = len(self.node.tracked("DEFER", text="may have been delivered"))
        text = f"{account}; sent twice {account.sent_twice}, without an answer to the final dot {doubts}"
        print(text)
        record("account", text)
        assert not account.lost and not account.altered and not account.refused
        assert account.sent_twice <= doubts
        return account


@pytest.fixture
def relay(new_cluster, postfix):
    return Relay(new_cluster, postfix)


def test_it_is_killed_amid_500_messages(relay, record_property):
    """It keeps what it takes until it is started again, so that what arrives twice was sent twice by the node."""
    relay.start(defer_transports="smtp")
    burst = Burst(relay.node.smtp, 500, connections=20).start()
    until(lambda: relay.node.metric("skein_messages_delivered_total") > 100, 30, "it has some")
    relay.postfix.kill()
    assert relay.node.metric("skein_messages_delivered_total") < 500
    relay.start()
    relay.postfix.command("flush")
    relay.settle(burst, record_property)


def test_it_is_reloaded_amid_500_messages(relay, record_property):
    relay.start()
    burst = Burst(relay.node.smtp, 500, connections=20).start()
    for taken in (50, 150, 250):
        until(lambda taken=taken: relay.node.metric("skein_messages_delivered_total") > taken, 30, "it takes some")
        relay.postfix.command("reload")
    account = relay.settle(burst, record_property)
    # Only what was with Postfix, unanswered, when its process ended.
    assert account.sent_twice <= 3 * IN_FLIGHT


def test_it_takes_one_connection_at_a_time_and_few_errors(relay, record_property):
    """More connections than it has processes, and 421 after two recipients that it does not know."""
    relay.start(processes="1", smtpd_hard_error_limit=2, smtpd_error_sleep_time="0",
                smtpd_recipient_restrictions="check_recipient_access inline:{{nobody@sink.skein.test=550 5.1.1 No such user}}")
    began = time.monotonic()
    for number in range(6):
        send(relay.node.smtp, sender=f"n{number}@client.skein.test",
             recipients=["nobody@sink.skein.test", "b@sink.skein.test"])
    burst = Burst(relay.node.smtp, 50, connections=10).start()
    relay.settle(burst, record_property)
    for number in range(6):
        _, content = until_report(relay.cluster, f"n{number}@client.skein.test")
        assert b"Status: 5.1.1" in content and b"No such user" in content
    until(lambda: len([event for event in relay.node.tracked("DELIVER") if re.match(r"n\d@", event.get("sender", ""))]) == 6, 20,
          "each is delivered to one, once")
    print(f"{time.monotonic() - began:.1f} s")


def test_a_message_larger_than_it_takes_is_reported(relay):
    relay.start(message_size_limit=20000)
    send(relay.node.smtp, sender="me@client.skein.test", content=message(new_tag(), "A line of text.\r\n" * 3000))
    _, content = until_report(relay.cluster, "me@client.skein.test")
    assert b"Status: 5.3.4" in content
    tag, _ = send(relay.node.smtp)
    until_arrived(relay.cluster, tag)


def test_its_disk_is_full_for_a_while(relay):
    relay.start(queue_minfree=10 ** 18)
    tag, _ = send(relay.node.smtp)
    until(lambda: relay.node.tracked("DEFER", code="452", status="4.3.1"), 20, "it is deferred")
    relay.postfix.stop()
    relay.start()
    until_arrived(relay.cluster, tag)
    until_quiet([relay.node])
    assert [record["tag"] for record in relay.cluster.sink.records()] == [tag]


@pytest.mark.parametrize("tls", ["may", "none"])
def test_it_insists_on_tls(new_cluster, postfix, tls):
    relay = Relay(new_cluster, postfix, tls)
    relay.start(smtpd_tls_security_level="encrypt", smtpd_tls_cert_file=relay.cluster.certificate,
                smtpd_tls_key_file=relay.cluster.key)
    tag, _ = send(relay.node.smtp, sender="me@client.skein.test")
    if tls == "may":
        until_arrived(relay.cluster, tag)
        return
    # The report does not get past it either.
    until(lambda: len(relay.node.tracked("FAIL", code="530", status="5.7.0")) == 2, 20, "both fail")
