"""Nodes follow the cluster's secrets: new ones within seconds, through a rotation, and through a loss of Redis."""
import os
import re
import subprocess

import pytest
from lab.wait import until
from ctl_lab import CTL

VALUE = "correct horse battery"


def ctl(cluster, key, *words, stdin=""):
    done = subprocess.run([CTL, "--redis", cluster.redis.address, "--key-file", str(key), *words],
                          input=stdin, capture_output=True, text=True, timeout=30, check=False,
                          env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"})
    assert done.returncode == 0, done.stderr
    return done.stdout


def until_logged(cluster, text):
    for node in cluster.nodes.values():
        until(lambda node=node: re.search(text, node.log.read_text(errors="replace"), re.M), 20, f"the log says {text}")


def restart(cluster):
    for node in cluster.nodes.values():
        node.stop()
        node.start()


@pytest.fixture(name="key")
def fixture_key(tmp_path):
    path = tmp_path / "cluster.key"
    subprocess.run([CTL, "key", "new", str(path)], check=True, capture_output=True, timeout=30)
    return path


@pytest.fixture(name="cluster")
def fixture_cluster(new_cluster, key):
    cluster = new_cluster(nodes=2, balancer=False, settings={"cluster": {"key_file": str(key)}})
    until_logged(cluster, r" secrets-loaded .*version=0 count=0$")
    return cluster


def test_what_is_set_is_known_to_every_node_and_said_by_none(cluster, key):
    ctl(cluster, key, "secret", "set", "hop", stdin=VALUE)
    until_logged(cluster, r" secrets-loaded .*version=1 count=1$")
    ctl(cluster, key, "secret", "remove", "hop", "--yes")
    until_logged(cluster, r" secrets-loaded .*version=2 count=0$")
    for node in cluster.nodes.values():
        assert VALUE not in node.log.read_text(errors="replace")


def test_a_key_that_no_node_has_is_told_and_the_older_value_stays(cluster, key, tmp_path):
    ctl(cluster, key, "secret", "set", "hop", stdin=VALUE)
    until_logged(cluster, r" secrets-loaded .*version=1 count=1$")
    other = tmp_path / "other.key"
    subprocess.run([CTL, "key", "new", str(other)], check=True, capture_output=True, timeout=30)
    ctl(cluster, other, "secret", "set", "hop", stdin="x")
    until_logged(cluster, r" secret-unreadable .*not in the key file.*stays in use")
    until_logged(cluster, r" secrets-loaded .*version=2 count=1$")


def test_a_rotation_loses_no_secret(cluster, key, tmp_path):
    old, new = tmp_path / "old.key", tmp_path / "new.key"
    old.write_text(key.read_text())
    subprocess.run([CTL, "key", "new", str(new)], check=True, capture_output=True, timeout=30)
    ctl(cluster, key, "secret", "set", "hop", stdin=VALUE)
    key.write_text(new.read_text() + old.read_text())
    restart(cluster)
    until_logged(cluster, r" secrets-loaded .*version=1 count=1$")
    ctl(cluster, old, "secret", "rotate", "--new-key", str(new))
    until_logged(cluster, r" secrets-loaded .*version=2 count=1$")
    key.write_text(new.read_text())
    restart(cluster)
    for node in cluster.nodes.values():
        until(lambda node=node: len(re.findall(r" secrets-loaded .*version=2 count=1$", node.log.read_text(), re.M)) == 2, 20,
              "the new key alone opens it")
        assert " secret-unreadable " not in node.log.read_text()


def test_a_redis_that_lost_them_is_told(cluster, key):
    ctl(cluster, key, "secret", "set", "hop", stdin=VALUE)
    until_logged(cluster, r" secrets-loaded .*version=1 count=1$")
    cluster.redis.kill()
    cluster.redis.wipe()
    cluster.redis.start()
    until_logged(cluster, r" secrets-lost .*version=1 ")
