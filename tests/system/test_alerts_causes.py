"""Alerts whose causes need servers of their own: a DNS, a replica of Redis."""
import subprocess

import pytest
from lab import ports
from lab.wait import until

from alert_lab import SETTINGS, Told, listed, policy, start
from dns_lab import DnsLab, Zone
from more_sinks import apply
from receivers import WebReceiver

DOMAIN = "watched.example"


@pytest.fixture(name="receiver")
def fixture_receiver():
    receiver = WebReceiver()
    yield receiver
    receiver.stop()


def test_a_domain_whose_dns_fails(new_cluster, receiver, tmp_path):
    zone = '$TTL 1\n@ TXT "v=spf1 -all"\n@ MX 10 mx\nmx A 192.0.2.9\n'
    lab = DnsLab(tmp_path / "dns", {DOMAIN: Zone(zone, signed=False)})
    try:
        start(new_cluster, receiver, "    dns: {}\n", nodes=1, dns={"servers": [lab.server]},
              dns_watch={"interval": "4s", "domains": [DOMAIN], "egress": ["192.0.2.7"]})
        told = Told(receiver)
        assert "1 domains" in told.until_told("dns", "cluster", "fired")["text"]
        assert told.events("dns", "cluster") == ["fired"]
    finally:
        lab.stop()


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
