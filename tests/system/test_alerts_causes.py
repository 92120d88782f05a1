"""Alerts whose causes need servers of their own: a DNS, a replica of Redis."""
import contextlib
import os
import re
import signal
import subprocess
import threading

import pytest
from lab import ports
from lab.burst import Client
from lab.wait import until

from alert_lab import SETTINGS, Told, firing, listed, policy, start
from authority import Authority
from dns_lab import DnsLab, Zone
from more_sinks import MoreSink, apply, target
from receivers import WebReceiver
from support import send

DOMAIN = "watched.example"


@pytest.fixture(name="receiver")
def fixture_receiver():
    receiver = WebReceiver()
    yield receiver
    receiver.stop()


def test_a_domain_whose_dns_fails(new_cluster, receiver, tmp_path):
    zone = '$TTL 1\n@ TXT "v=spf1 nonsense -all"\n@ MX 10 mx\nmx A 192.0.2.9\n'
    lab = DnsLab(tmp_path / "dns", {
        DOMAIN: Zone(zone, signed=False), "skein.test": Zone("$TTL 1\nnode1 A 192.0.2.7\n", signed=False)})
    try:
        start(new_cluster, receiver, "    dns: {}\n", nodes=1, dns={"servers": [lab.server]},
              dns_watch={"interval": "4s", "domains": [DOMAIN]})
        told = Told(receiver)
        assert "1 domains" in told.until_told("dns", "cluster", "fired")["text"]
        lab.change(DOMAIN, Zone(zone.replace("nonsense ", ""), signed=False))
        told.until_told("dns", "cluster", "recovered")
        assert told.events("dns", "cluster") == ["fired", "recovered"]
    finally:
        lab.stop()


def test_a_next_hop_whose_certificate_ends_soon(new_cluster, receiver, tmp_path):
    authority = Authority(tmp_path / "authority")
    rules = "    certificate: {}\n    leader-change: {}\n"
    cluster = start(new_cluster, receiver, rules, nodes=1, route={"ca": authority.certificate})
    node, told, subject = cluster.nodes[1], Told(receiver), "hop 127.0.0.1"
    sink = MoreSink(cluster, "mail", certificate=authority.issue_until("mail", "IP:127.0.0.1", 3))
    apply(cluster, policy(receiver.url(), rules) + f"routes: [{{name: all, to: [{target(sink.address, tls='verify')}]}}]\n")
    send(node.smtp)
    text = told.until_told("certificate", subject, "fired")["text"]
    assert re.fullmatch(r"the certificate of hop 127\.0\.0\.1 ends on \d{4}-\d\d-\d\d, in 3 days; the bound is 14 days", text)
    assert node.metric('skein_hop_certificate_days{host="127.0.0.1"}') == 3
    # After a restart the node has seen no certificate yet: that is no recovery.
    node.stop()
    node.start()
    told.until_told("leader-change", "cluster", "fired")
    assert told.events("certificate", subject) == ["fired"]
    assert ("certificate", subject) in firing(cluster)


def test_tracking_that_finds_no_room(new_cluster, receiver, tmp_path):
    folder = tmp_path / "tracking"
    folder.mkdir()
    file = folder / "tracking.json"
    file.symlink_to("/dev/full")
    cluster = start(new_cluster, receiver, "    track-lost: {for: 0s}\n", nodes=1, node={"confine": "off"},
                    tracking={"file": str(folder)})
    told = Told(receiver)
    send(cluster.nodes[1].smtp)
    told.until_told("track-lost", "cluster", "fired")
    file.unlink()
    cluster.nodes[1].signal(signal.SIGHUP)
    told.until_told("track-lost", "cluster", "recovered")
    assert told.events("track-lost", "cluster") == ["fired", "recovered"]


def test_a_log_that_stands_still(new_cluster, receiver, tmp_path):
    pipe = tmp_path / "log"
    os.mkfifo(pipe)
    # As long as nobody reads, the node's ring fills up behind it.
    reader = os.open(pipe, os.O_RDWR)
    cluster = start(new_cluster, receiver, "    log-dropped: {for: 0s}\n", nodes=1, log={"file": str(pipe)})
    told = Told(receiver)
    with contextlib.closing(Client(cluster.nodes[1].smtp, 30)) as client:
        for _ in range(6000):  # Each is a line of the log: who has not logged in asks for priority.
            client.command("MAIL FROM:<a@client.skein.test> MT-PRIORITY=3")
            client.command("RSET")
    threading.Thread(target=drain, args=(reader,), daemon=True).start()
    told.until_told("log-dropped", "cluster", "fired")
    told.until_told("log-dropped", "cluster", "recovered")
    assert told.events("log-dropped", "cluster") == ["fired", "recovered"]


def drain(reader):
    while os.read(reader, 65536):
        pass


def test_a_redis_that_loses_its_replica(new_cluster, receiver, tmp_path):
    cluster = new_cluster(nodes=1, balancer=False, settings={**SETTINGS, "redis": {"wait_replicas": 1}})
    [port] = ports.reserve(1, cluster.folder)

    def replicate():
        return subprocess.Popen(["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", str(tmp_path), "--save", "",
                                 "--replicaof", *cluster.redis.address.split(":")], stdout=subprocess.DEVNULL)
    replica = replicate()
    try:
        apply(cluster, policy(receiver.url(), "    redis-replicas: {for: 0s}\n"))
        until(lambda: listed(cluster)["at_ms"], 60, "a leader looks")
        told = Told(receiver)
        replica.kill()
        replica.wait(20)
        assert "0 replicas of 1" in told.until_told("redis-replicas", "cluster", "fired")["text"]
        replica = replicate()
        told.until_told("redis-replicas", "cluster", "recovered")
    finally:
        replica.kill()
        replica.wait(20)
