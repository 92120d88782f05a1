"""Every node is restarted in turn, behind HAProxy and under load, twice; the second time as another version, side by side with
the first. No client notices more than a 421 between two messages."""
import json
import re
import shlex
import signal
import subprocess
import time

from lab import admin
from lab.burst import Client, Refused
from lab.cluster import accepts
from lab.wait import until
import pytest

from conftest import TOP
from steady import SteadyLoad
from support import SLOW_SINK, message, new_tag, send, settle, until_arrived

ALL = {"node1", "node2", "node3"}


@pytest.fixture(scope="module")
def cluster(module_clusters):
    cluster = module_clusters(settings={"drain": {"linger": "3s"}})
    cluster.sink.rules(SLOW_SINK)
    return cluster


@pytest.fixture
def load(cluster, record_property):
    """What a test does to the cluster happens under it; at the end comes the reckoning."""
    load = SteadyLoad(cluster.record["lb"]).start()
    yield load
    rate = load.per_second()
    load.stop()
    account = settle(cluster, load, record=record_property)
    print(f"{rate:.0f} messages a second, slowest connect {load.slowest_connect * 1000:.0f} ms, ended {load.ended}")
    assert not load.errors, load.errors
    assert not account.unknown
    assert not account.duplicated


def restart(cluster, node, load):
    load.until_acknowledged(len(load.acknowledged) + 100)
    assert node.stop(), "it did not end in time"
    assert node.process.exit_code() in (0, None)  # None: deploy/local started it
    node.start()
    cluster.until_balanced(ALL)


def libraries(cluster):
    return set(re.findall(r"\bskein_[0-9a-f]{8}\b(?!_)", cluster.redis.ask("FUNCTION", "LIST")))


def rolling_restart(cluster, command):
    """The command of deploy/, with another one that restarts a node."""
    done = subprocess.run([TOP / "deploy" / "rolling-restart", "--redis", cluster.record["redis"], "--skeinctl",
                           cluster.build / "bin" / "skeinctl", "--run", command, "--pause", "2", "--timeout", "60"],
                          capture_output=True, text=True, timeout=250, check=False)
    cluster.record = json.loads(cluster.state_file.read_text(encoding="utf-8"))  # deploy/local has written there.
    return done


def test_all_nodes_are_restarted_in_turn(cluster, load):
    local = f"{shlex.quote(str(TOP / 'deploy' / 'local'))} --dir {shlex.quote(str(cluster.folder))}"
    before = {node.process.pid for node in cluster.nodes.values()}
    done = rolling_restart(cluster, f"sh -c 'n={{node}}; n=${{n#node}}; {local} stop $n && {local} start $n'")
    assert done.returncode == 0 and done.stdout.endswith("3 nodes restarted\n"), done.stdout + done.stderr
    assert not before & {node.process.pid for node in cluster.nodes.values()}
    cluster.until_balanced(ALL)


def test_a_rolling_restart_stops_at_the_first_trouble(cluster):
    done = rolling_restart(cluster, "false")
    assert done.returncode == 1 and "exit code 1; the nodes behind it were left as they are" in done.stderr
    cluster.nodes[3].kill()
    until(lambda: "nothing is restarted: dead: node3" in rolling_restart(cluster, "false").stderr, 20, "it is seen dead")
    cluster.nodes[3].start()
    cluster.until_balanced(ALL)


def test_all_nodes_are_upgraded_in_turn_beside_the_old_version(cluster, load):
    old = libraries(cluster)
    assert len(old) == 1
    for node in cluster.nodes.values():
        node.command[0] = str(cluster.build / "tests" / "skeind_next")
        restart(cluster, node, load)
        assert len(libraries(cluster)) == 2
    # As docs/operations.md has it, when nobody uses the old one any more.
    assert cluster.redis.ask("FUNCTION", "DELETE", *old) == "OK"
    load.until_acknowledged(len(load.acknowledged) + 100)


@pytest.fixture
def leaver(cluster):
    """A node that has just been told to end."""
    node = cluster.nodes[1]
    yield node
    node.process.wait(30)
    assert node.process.exit_code() in (0, None)  # None: deploy/local started it
    node.start()
    cluster.until_balanced(ALL)


def test_a_node_that_leaves_takes_mail_until_its_balancer_knows_then_its_ports_close(cluster, leaver):
    leaver.signal(signal.SIGTERM)
    until(lambda: admin.get(leaver.admin, "/readyz") == (503, "draining\n"), 20, "it tells the balancer")
    tag, _ = send(leaver.smtp)
    until(lambda: not accepts(leaver.smtp), 10, "its ports close")
    until_arrived(cluster, tag)


def test_sessions_end_between_messages(cluster, leaver):
    silent, busy, sending = (Client(leaver.smtp, 30) for _ in range(3))
    for line in ("MAIL FROM:<a@client.skein.test>", "RCPT TO:<b@sink.skein.test>", "DATA"):
        sending.command(line)
    leaver.signal(signal.SIGTERM)
    tags, refusal = [], None
    while not refusal:
        try:
            busy.command("MAIL FROM:<a@client.skein.test>")
        except Refused as error:
            refusal = str(error)
            break
        for line in ("RCPT TO:<b@sink.skein.test>", "DATA"):
            busy.command(line)
        tags.append(new_tag())
        busy.send(message(tags[-1]))
        busy.command(".")
        time.sleep(0.1)  # Silent for less than the node bears.
    assert refusal.startswith("421 4.3.2")
    assert not accepts(leaver.smtp), "it took mail after its ports were closed"
    with pytest.raises(Refused, match="^421 4.3.2"):
        silent.reply()
    tags.append(new_tag())
    sending.send(message(tags[-1]))
    assert sending.command(".").startswith("250 ")
    with pytest.raises(Refused, match="^421 4.3.2"):
        sending.reply()
    for client in (silent, busy, sending):
        client.close()
    for tag in tags:
        until_arrived(cluster, tag)
