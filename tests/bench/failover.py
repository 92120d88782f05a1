#!/usr/bin/python3
"""How long mail stands still when the master of Redis fails under load, and what becomes of it.

    tests/bench/failover.py [--rounds N] [--messages N] [--down-after MS] [--fault killed|paused|cut-off]...

Starts, for each round, three nodes, a master with two replicas, three Sentinels, HAProxy and a sink on loopback, with mail
waiting on every node; makes the fault; and prints a table: medians and worst values of all rounds. `cut-off` puts the master,
a Sentinel and a node into a network namespace whose link to the rest is cut until the others have taken the node's mail over:
it needs root. Programs are those of ./build, or of $SKEIN_BUILD. Exit code 1: something was lost, or a duplicate has no reason.
"""
import argparse
import pathlib
import statistics
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "deploy" / "lib"), str(TOP / "tests" / "system")]
from lab.cluster import Cluster  # noqa: E402
from lab.island import Island, why_not  # noqa: E402

from failover import Failover  # noqa: E402

FAULTS = ("killed", "paused", "cut-off")


def killed(cluster, failover):
    failover.fault(failover.old.kill)
    failover.until_new_mail_arrives(60)
    failover.until_every_node_has_redis(60)


def paused(cluster, failover):
    failover.fault(failover.old.pause)
    failover.until_new_mail_arrives(60)
    failover.old.resume()
    failover.until_every_node_has_redis(60)


def cut_off(cluster, failover, island):
    failover.fault(island.cut)
    failover.until_new_mail_arrives(60)
    failover.until_taken_over(cluster.nodes[1])
    island.heal()
    failover.until_every_node_has_redis(60)


def one_round(fault, redundancy, options):
    island = Island().up() if fault == "cut-off" else None
    cluster = Cluster(pathlib.Path(tempfile.mkdtemp(prefix="skein-failover-")) / "cluster")
    try:
        cluster.up(sentinel=True, down_after_ms=options.down_after, places=island.places("node1", "redis1", "sentinel3")
                   if island else None, settings={"redundancy": redundancy, "route": {"connections": 2}})
        failover = Failover(cluster, options.messages, has_backlog=True)
        if island:
            cut_off(cluster, failover, island)
        else:
            {"killed": killed, "paused": paused}[fault](cluster, failover)
        failover.settle()
        failover.odd = failover.strange(cluster.nodes[1] if island else None)
        if failover.odd:
            print(f"{fault}, {redundancy}: without a reason {failover.odd}", file=sys.stderr)
        return failover
    finally:
        if cluster.record:
            cluster.down()
        if island:
            island.down()


def both(values):
    return f"{statistics.median(values):.1f} ({max(values):.1f})"


def row(fault, redundancy, rounds):
    counts = [sum(len(getattr(each.result, name)) for each in rounds)
              for name in ("acknowledged", "lost", "duplicated", "unknown")]
    return [f"{fault}, {redundancy}", both([each.failover_seconds for each in rounds]),
            both([each.flowed_at - each.broken_at for each in rounds]), both([each.accept_gap for each in rounds]),
            both([each.arrival_gap for each in rounds]), *map(str, counts), str(sum(len(each.odd) for each in rounds))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=3000)
    parser.add_argument("--down-after", type=int, default=1500)
    parser.add_argument("--fault", action="append", choices=FAULTS)
    options = parser.parse_args()
    faults = options.fault or [fault for fault in FAULTS if fault != "cut-off" or not why_not()]
    print("| fault | failover, s | new mail arrives after, s | no 250 for, s | no arrival for, s | acknowledged | lost | "
          "duplicates | no answer | duplicates without a reason |\n|" + "---|" * 10)
    is_bad = False
    for fault in faults:
        for redundancy in ("preferred", "required"):
            rounds = [one_round(fault, redundancy, options) for _ in range(options.rounds)]
            print("| " + " | ".join(row(fault, redundancy, rounds)) + " |", flush=True)
            is_bad = is_bad or any(each.odd or each.result.lost for each in rounds)
    return is_bad


if __name__ == "__main__":
    sys.exit(main())
