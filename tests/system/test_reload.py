"""SIGHUP: settings and certificates anew, without losing a session."""
import signal
import smtplib
import socket
import ssl
import subprocess

from lab.burst import Burst
from lab.settings_text import to_yaml
from lab.wait import until
import pytest

from support import SLOW_SINK, send, settle


def is_refused(node):
    try:
        send(node.smtp)
    except smtplib.SMTPRecipientsRefused as refused:
        (code, _), = refused.recipients.values()
        return 500 <= code < 600
    return False


def test_a_network_taken_out_may_not_relay_any_more(alone):
    node = alone.nodes[1]
    assert not is_refused(node)
    alone.record["settings"] = {"relay": {"allow": ["10.0.0.0/8"]}}
    node.settings_file.write_text(to_yaml(node.settings()))
    node.signal(signal.SIGHUP)
    until(lambda: is_refused(node), 20, "127.0.0.1 may not relay")


def test_wrong_settings_change_nothing(alone):
    node = alone.nodes[1]
    lines = len(node.log.read_text().splitlines())
    node.settings_file.write_text("nonsense: true\n")
    node.signal(signal.SIGHUP)
    until(lambda: "nonsense" in "".join(node.log.read_text().splitlines()[lines:]), 20, "the error is logged")
    assert node.is_alive()
    assert not is_refused(node)


def certificate(address):
    """What STARTTLS shows."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    host, port = address.split(":")
    with smtplib.SMTP(host, int(port), timeout=20) as client:
        client.starttls(context=context)
        return client.sock.getpeercert(binary_form=True)


def test_a_new_certificate_is_shown_to_new_sessions(alone):
    node = alone.nodes[1]
    before = certificate(node.smtp)
    alone._make_certificate()
    node.signal(signal.SIGHUP)
    until(lambda: certificate(node.smtp) != before, 20, "the new certificate is used")


@pytest.mark.sanitize
def test_reloads_under_load_lose_nothing(cluster):
    cluster.sink.rules(SLOW_SINK)
    burst = Burst(cluster.record["lb"], 600).start()
    for _ in range(5):
        burst.until_acknowledged(min(len(burst.acknowledged) + 50, 500))
        for node in cluster.nodes.values():
            node.signal(signal.SIGHUP)
    cluster.sink.rules()
    account = settle(cluster, burst)
    assert not account.unknown
    assert not account.duplicated


def test_the_log_is_opened_anew(new_cluster, tmp_path):
    log = tmp_path / "skein.log"
    cluster = new_cluster(nodes=1, redis=False, balancer=False, settings={"log": {"file": str(log)}})
    node = cluster.nodes[1]
    until(log.exists, 10, "the log file is there")
    log.rename(tmp_path / "skein.log.1")
    node.signal(signal.SIGHUP)
    until(log.exists, 10, "the log file is there again")


def test_the_same_port_takes_connections_all_the_time(alone):
    node = alone.nodes[1]
    host, port = node.smtp.split(":")
    for _ in range(20):
        node.signal(signal.SIGHUP)
        with socket.create_connection((host, int(port)), timeout=5) as link:
            assert link.recv(3) == b"220"
    assert subprocess.run(["kill", "-0", str(node.process.pid)], check=False).returncode == 0
