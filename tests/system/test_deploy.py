"""What deploy/ offers works as its help says: the local cluster, the demo, the example for HAProxy."""
import os
import re
import shlex
import subprocess
import tempfile

from lab import admin, ports
from lab.cluster import build_folder
from lab.wait import until
import pytest

from conftest import TOP
from support import send


@pytest.fixture
def local(skeind):
    """local(words...) -> what deploy/local prints, for a cluster of its own."""
    folder = tempfile.mkdtemp(prefix="test-local-", dir=ports.runtime_folder())

    def run(*words, code=0):
        done = subprocess.run([TOP / "deploy" / "local", "--dir", folder, *words], capture_output=True, text=True,
                              timeout=120, check=False, env=dict(os.environ, SKEIN_BUILD=str(build_folder())))
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code == 0 else done.stderr
    yield run
    run("down")
    assert not os.path.exists(folder)


def variables(text):
    return {name: " ".join(shlex.split(value)) for name, value in re.findall(r"^(\w+)=(.*)$", text, re.M)}


def test_a_local_cluster_comes_up_is_told_about_and_goes(local):
    assert variables(local("up", "--nodes", "2", "--set", "log.level=warn")) == variables(local("env"))
    env = variables(local("env"))
    assert len(env["SKEIN_SMTP"].split()) == len(env["SKEIN_ADMIN"].split()) == len(env["SKEIN_PIDS"].split()) == 2
    assert all(admin.is_ready(address) for address in env["SKEIN_ADMIN"].split())
    send(env["SKEIN_LB"])
    done = subprocess.run([*env["SKEIN_CTL"].split(), "nodes"], capture_output=True, text=True, timeout=20, check=False)
    assert "node2" in done.stdout, done.stderr

    assert "taken" in local("sink", '{"stage": "rcpt", "do": "reply 450 4.2.1 Busy", "times": 1}')
    assert "no such stage" in local("sink", '{"stage": "lunch", "do": "hang"}', code=1)
    assert "'does' is no key of a rule" in local("sink", '{"stage": "rcpt", "does": "hang"}', code=1)

    local("kill", "1")
    assert re.search(r"node1 +not running", local("status"))
    local("wipe", "1")
    local("start", "1")
    local("pause", "2")
    assert re.search(r"node2 +pid \d+, paused", local("status"))
    local("resume", "2")
    local("stop", "2")
    local("redis-kill")
    local("redis-start", "--empty")
    local("add")
    assert "node3" in local("status")
    assert len(variables(local("env"))["SKEIN_PIDS"].split()) == 2


def test_a_local_cluster_with_sentinels_survives_its_master(local):
    env = variables(local("up", "--sentinel", "--nodes", "1"))
    assert len(env["SKEIN_REDIS_PID"].split()) == 6
    assert re.search(r"redis1 +pid \d+ .* master", local("status"))
    local("redis-kill")
    until(lambda: re.search(r"redis[23] +pid \d+ .* master", local("status")), 30, "another one is master")
    done = subprocess.run([*env["SKEIN_CTL"].split(), "status"], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


def test_two_clusters_do_not_disturb_each_other(local, new_cluster):
    mine = variables(local("up", "--nodes", "1"))
    other = new_cluster(nodes=1).env()
    assert not {mine[name] for name in ("SKEIN_SMTP", "SKEIN_LB", "SKEIN_REDIS")} & set(other.values())
    local("kill", "1")
    assert admin.is_ready(other["SKEIN_ADMIN"])


def test_a_node_that_cannot_start_is_told_with_its_log(local):
    errors = local("up", "--nodes", "1", "--set", "journal.segment_size=3", code=1)
    assert "node1 ended" in errors and "journal.segment_size" in errors


def test_the_balancer_takes_a_dead_node_out_and_a_living_one_in(cluster):
    cluster.nodes[1].kill()
    cluster.until_balanced({"node2", "node3"})
    for _ in range(20):
        send(cluster.record["lb"])
    cluster.nodes[1].start()
    cluster.until_balanced({"node1", "node2", "node3"})


def test_the_example_for_haproxy_is_valid_as_it_stands():
    done = subprocess.run(["haproxy", "-c", "-f", TOP / "deploy" / "haproxy.cfg"], capture_output=True, text=True,
                          timeout=20, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_demo_loses_nothing(skeind):
    done = subprocess.run([TOP / "deploy" / "demo", "--messages", "3000"], capture_output=True, text=True, timeout=300,
                          check=False, env=dict(os.environ, SKEIN_BUILD=str(build_folder())))
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^ +lost +0 ", done.stdout, re.M), done.stdout
    assert "moved on" in done.stdout
    folder = re.search(r"on loopback, in (\S+)", done.stdout)[1]
    assert not os.path.exists(folder)
