"""Alerts whose causes need servers of their own: a DNS, a replica of Redis."""
import subprocess

import pytest
from lab import ports

from alert_lab import Told, start
from dns_lab import DnsLab, Zone
from receivers import WebReceiver

DOMAIN = "watched.example"
SPF = '$TTL 1\n@ TXT "v=spf1 {} -all"\n@ MX 10 mx\nmx A 192.0.2.9\n'


@pytest.fixture(name="receiver")
def fixture_receiver():
    receiver = WebReceiver()
    yield receiver
    receiver.stop()


def test_a_domain_whose_dns_fails(new_cluster, receiver, tmp_path):
    lab = DnsLab(tmp_path / "dns", {DOMAIN: Zone(SPF.format(""), signed=False)})
    try:
        start(new_cluster, receiver, "    dns: {}\n", nodes=1, dns={"servers": [lab.server]},
              dns_watch={"interval": "4s", "domains": [DOMAIN], "egress": ["192.0.2.7"]})
        told = Told(receiver)
        assert "1 domains" in told.until_told("dns", "cluster", "fired")["text"]
        lab.change(DOMAIN, Zone(SPF.format("ip4:192.0.2.7"), signed=False))
        told.until_told("dns", "cluster", "recovered")
        assert told.events("dns", "cluster") == ["fired", "recovered"]
    finally:
        lab.stop()


def test_a_redis_without_the_replicas_that_are_wanted(new_cluster, receiver, tmp_path):
    cluster = start(new_cluster, receiver, "    redis-replicas: {for: 0s}\n", nodes=1, redis={"wait_replicas": 1})
    told = Told(receiver)
    assert "0 replicas of 1" in told.until_told("redis-replicas", "cluster", "fired")["text"]
    [port] = ports.reserve(1, cluster.folder)
    replica = subprocess.Popen(["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", str(tmp_path), "--save", "",
                                "--replicaof", *cluster.redis.address.split(":")], stdout=subprocess.DEVNULL)
    try:
        told.until_told("redis-replicas", "cluster", "recovered")
        assert told.events("redis-replicas", "cluster") == ["fired", "recovered"]
    finally:
        replica.kill()
        replica.wait(20)
