"""What became of the mail of some bursts: acknowledged, received, lost, duplicated."""
import json
from collections import Counter

from . import admin
from .wait import until


class Account:
    def __init__(self, sink, *bursts):
        self.acknowledged, self.sums = {}, {}
        self.sent = sum(burst.count - len(burst.unsent) for burst in bursts)
        self.unknown = set().union(*(burst.unknown for burst in bursts))
        self.refused = {tag: why for burst in bursts for tag, why in burst.refused.items()}
        for burst in bursts:
            self.acknowledged.update(burst.acknowledged)
        ours = set(self.acknowledged) | self.unknown | set(self.refused)
        self.records = [record for record in sink.records() if record["tag"] in ours]
        times = Counter(record["tag"] for record in self.records)
        self.received = set(times)
        self.lost = set(self.acknowledged) - self.received
        self.duplicated = {tag: count for tag, count in times.items() if count > 1}
        self.altered = [record for record in self.records
                        if record.get("bare_newline") or not self._is_whole(record, bursts)]

    @staticmethod
    def _is_whole(record, bursts):
        return any(record["tag"].startswith(burst.prefix + "-") and record["sha256"] == burst.sha256(record["tag"])
                   for burst in bursts)

    @property
    def sent_twice(self):
        """How many messages too many arrived."""
        return sum(count - 1 for count in self.duplicated.values())

    def first_received(self, tags):
        """When each of `tags` first arrived, in order of time."""
        first = {}
        for record in self.records:
            if record["tag"] in tags:
                first.setdefault(record["tag"], record["at"])
        return sorted(first.values())

    def __str__(self):
        return (f"sent {self.sent}, acknowledged {len(self.acknowledged)}, received {len(self.received)}, "
                f"lost {len(self.lost)}, duplicated {len(self.duplicated)}, no answer {len(self.unknown)}, "
                f"refused {len(self.refused)}")


def until_received(sink, *bursts, seconds=60):
    """Waits until everything acknowledged has arrived."""
    def missing():
        have = {record["tag"] for record in sink.records()}
        return [tag for burst in bursts for tag in list(burst.acknowledged) if tag not in have]
    until(lambda: not missing(), seconds, lambda: _what_is_missing(missing()))


def _what_is_missing(tags):
    return f"{len(tags)} acknowledged messages have not arrived, such as {sorted(tags)[:3]}"


def queue(nodes):
    """Messages still to be delivered, as the living of `nodes` and Redis count them. The nodes come first: what one of
    them tells Redis in between is counted there."""
    counts = Counter()
    for node in nodes:
        values = admin.metrics(node.admin) if node.is_alive() else {}
        for state in ("active", "local"):
            counts[state] += int(values.get(f'skein_queue_messages{{state="{state}"}}', 0))
    redis = nodes[0].cluster.redis
    if redis and redis.is_alive():
        in_redis = json.loads(nodes[0].cluster.ctl("--json", "status")[1])["queue"]
        counts.update({state: in_redis[state] for state in ("due", "deferred", "owned")})
    return counts


def until_quiet(nodes, seconds=60):
    """Waits until none of `nodes` that lives has anything left to do, nor the cluster: nothing more will arrive."""
    until(lambda: not any(queue(nodes).values()), seconds, lambda: f"the queue is empty: {dict(queue(nodes))}", poll=0.2)
