"""The first next hop dies, and what waits moves to the second."""
import contextlib
import socket
import time

from lab.account import until_quiet
from lab.burst import Burst
from lab.wait import until
import pytest

from more_sinks import ALLOW, MoreSink, apply, target
from support import new_tag, send

COUNT = 1000
IN_FLIGHT = 16  # Two workers, four connections each, two messages on each: those wait for what the first answers.
SECONDS = 5


class Pair:
    """A node, its first hop, and the second."""

    def __init__(self, new_cluster, first=None):
        self.cluster = new_cluster(nodes=1, balancer=False)
        self.node = self.cluster.nodes[1]
        self.second = MoreSink(self.cluster, "second")
        first = first or self.cluster.record["sink"]
        apply(self.cluster, ALLOW + f"""routes: [ {{ name: all, to: [{target(first)}, {target(self.second.address)}] }} ]
""")

    def until_claimed(self):
        """Until the node may take back what it gave to the cluster, as is so from some seconds after the first node of a
        cluster has started: there waits what is more than 500 messages of a worker's."""
        self.second.control.rules({"stage": "rcpt", "match": "later@", "do": "reply 450 4.2.1 Not now", "times": 1})
        self.cluster.sink.rules({"stage": "rcpt", "match": "later@", "do": "reply 450 4.2.1 Not now", "times": 1})
        tag, _ = send(self.node.smtp, recipients=["later@sink.skein.test"])
        until(lambda: tag in self.at_first() | set(self.second.tags()), 30, "a message comes back")

    def wait_at_first(self):
        """The burst, most of it waiting for a hop that takes its time."""
        self.until_claimed()
        tag = new_tag()
        send(self.node.smtp, tag=tag)
        until(lambda: tag in self.at_first(), 30, "the first hop works")
        self.cluster.sink.rules({"stage": "dot", "do": "delay 2"})
        burst = Burst(self.node.smtp, COUNT, connections=20).run()
        assert len(burst.acknowledged) == COUNT
        assert len(self.at_first()) < COUNT / 10
        return burst

    def at_first(self):
        return {record["tag"] for record in self.cluster.sink.records()}

    def until_moved(self, burst, began, but, record):
        """All but so many are somewhere, within five seconds. Prints how long it took."""
        tags = set(burst.acknowledged)
        until(lambda: len(tags & (self.at_first() | set(self.second.tags()))) >= COUNT - but, 30,
              lambda: f"all is somewhere: {len(tags & self.at_first())} and {len(self.second.tags())}", poll=0.05)
        seconds = time.monotonic() - began
        text = f"{len(tags & set(self.second.tags()))} of {COUNT} moved in {seconds:.1f} s"
        print(text)
        record("moved", text)
        assert seconds < SECONDS

    def until_all_arrived(self, burst):
        tags = set(burst.acknowledged)
        until(lambda: tags <= self.at_first() | set(self.second.tags()), 60, "nothing is lost")
        until_quiet([self.node])
        arrivals = self.second.tags() + [record["tag"] for record in self.cluster.sink.records()]
        return sum(arrivals.count(tag) - 1 for tag in tags)


def test_a_killed_hop(new_cluster, record_property):
    pair = Pair(new_cluster)
    burst = pair.wait_at_first()
    began = time.monotonic()
    pair.cluster.sink_part.kill()
    pair.until_moved(burst, began, 0, record_property)
    assert pair.until_all_arrived(burst) <= IN_FLIGHT


def test_a_hop_that_stands_still(new_cluster, record_property):
    """It takes connections and says nothing any more, as a machine that has lost its disk."""
    pair = Pair(new_cluster)
    burst = pair.wait_at_first()
    began = time.monotonic()
    pair.cluster.sink_part.pause()
    try:
        pair.until_moved(burst, began, IN_FLIGHT, record_property)
    finally:
        pair.cluster.sink_part.resume()
        pair.cluster.sink.rules()
    assert pair.until_all_arrived(burst) == 0


@contextlib.contextmanager
def silence():
    """A port whose backlog is full: the kernel drops SYNs, as a machine without power does."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        address = listener.getsockname()
        for _ in range(8):
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(address)
        with pytest.raises(TimeoutError):
            socket.create_connection(address, timeout=0.5)
        yield f"127.0.0.1:{address[1]}"


def test_a_hop_that_drops_everything(new_cluster, record_property):
    with silence() as address:
        pair = Pair(new_cluster, address)
        pair.until_claimed()
        burst = Burst(pair.node.smtp, COUNT, connections=20).run()
        began = time.monotonic()
        pair.until_moved(burst, began, 0, record_property)
        assert pair.until_all_arrived(burst) == 0
