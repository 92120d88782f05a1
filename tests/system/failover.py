"""Load on a cluster whose Redis has replicas and Sentinels, a fault of the master, and what became of the mail.

A duplicate is explained by what docs/architecture.md promises (P5), or it is `strange`. There is one reason: a node that
was cut off together with the master sent the message while its lease lasted, and the mainland never heard of it.
"""
import time
from collections import defaultdict

from lab.account import Account
from lab.burst import Burst
from lab.wait import until

from support import SLOW_SINK, settle, waiting_on

LEASE_SECONDS = 5
# Between the dot and the record of it on a replica, before the cut; between the last look at the lease and the dot.
SLACK_SECONDS = 1


class Failover:
    def __init__(self, cluster, messages=3000, connections=10, pause=0.05, has_backlog=False):
        """With a backlog, mail waits on every node when the fault comes."""
        self.cluster = cluster
        cluster.sink.rules({"stage": "dot", "do": "delay 1"} if has_backlog else SLOW_SINK)
        self.burst = Burst(cluster.record["lb"], messages, connections=connections, pause=pause).start()
        self.burst.until_acknowledged(messages // 10)
        self.old = cluster.redis.master

    def fault(self, make):
        """Makes it and waits until the Sentinels that can be asked have another master."""
        self.broken_at = time.time()
        make()
        self.cluster.sink.rules(SLOW_SINK)
        until(self._has_moved, 30, "the Sentinels make another one master")
        self.moved_at = time.time()

    def _has_moved(self):
        master = self.cluster.redis.master
        return master and master is not self.old

    def until_new_mail_arrives(self, seconds=20):
        """Of what came in after the failover."""
        def arrived():
            new = {tag for tag, known in list(self.burst.acknowledged.items()) if known.at > self.moved_at}
            return self.account().first_received(new)
        self.flowed_at = until(arrived, seconds, "what came in after the failover arrives")[0]

    def until_every_node_has_redis(self, seconds=30):
        """Registered at the new master, and its mail asserted: 250 means two places again."""
        until(lambda: all(node.metric("skein_lease_remaining_seconds") > 0 for node in self.cluster.nodes.values()),
              seconds, "every node has a lease again")
        self.leased_at = time.time()

    def until_taken_over(self, node, seconds=60):
        """The others have swept what `node` owned, and what it acknowledged before the fault has arrived from whomever."""
        others = [other for other in self.cluster.nodes.values() if other is not node]

        def waiting():
            return [tag for tag in waiting_on(self.cluster, self.burst, node)
                    if self.burst.acknowledged[tag].at < self.broken_at]
        until(lambda: any(" swept " in other.log.read_text(errors="replace") for other in others), seconds,
              f"the others take the mail of {node.name} over")
        until(lambda: not waiting(), seconds, lambda: f"{len(waiting())} messages of {node.name} move on")
        self.taken_over_at = time.time()

    def account(self):
        return Account(self.cluster.sink, self.burst)

    def settle(self, record=None):
        """The end: everything acknowledged has arrived. Fills `lost` and the duplicates."""
        self.cluster.sink.rules()
        self.result = settle(self.cluster, self.burst, record=record, seconds=90)

    # --- figures

    @property
    def failover_seconds(self):
        return self.moved_at - self.broken_at

    def gap(self, times):
        """The longest pause among `times` after the fault."""
        after = [self.broken_at, *sorted(at for at in times if at > self.broken_at)]
        return max((b - a for a, b in zip(after, after[1:])), default=0.0)

    @property
    def accept_gap(self):
        return self.gap([known.at for known in self.burst.acknowledged.values()])

    @property
    def arrival_gap(self):
        return self.gap([record["at"] for record in self.result.records])

    def strange(self, cut_off=None):
        """Duplicates without a reason. `cut_off`: the node that was cut off together with the master."""
        copies = defaultdict(list)
        for record in self.result.records:
            copies[record["tag"]].append(record)
        return {tag: [(round(record["at"] - self.broken_at, 2), record["helo"]) for record in copies[tag]]
                for tag in self.result.duplicated if not self._is_explained(copies[tag], cut_off)}

    def _is_explained(self, copies, cut_off):
        first, last = self.broken_at - SLACK_SECONDS, self.broken_at + LEASE_SECONDS + SLACK_SECONDS
        by_cut_off = [record for record in copies if cut_off and record["helo"] == cut_off.hostname]
        return len(copies) == 2 and len(by_cut_off) == 1 and first <= by_cut_off[0]["at"] <= last

    def __str__(self):
        return (f"failover {self.failover_seconds:.1f} s, new mail arrives {self.flowed_at - self.broken_at:.1f} s after the "
                f"fault, leases after {self.leased_at - self.broken_at:.1f} s, longest time without a 250 "
                f"{self.accept_gap:.2f} s, without an arrival {self.arrival_gap:.2f} s, "
                f"duplicates {len(self.result.duplicated)}; {self.result}")
