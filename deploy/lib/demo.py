"""The demo: what deploy/demo runs once everything is built."""
import argparse
import signal
import subprocess
import sys
import time
from pathlib import Path

from lab import ports
from lab.account import Account, until_quiet, until_received
from lab.burst import Burst
from lab.cluster import Cluster, Failed
from lab.wait import TimedOut, until


def say(text=""):
    print(text, flush=True)


def show_one_message(cluster):
    """A stock client, so that everybody can see that this is plain SMTP."""
    host, port = cluster.record["lb"].split(":")
    say(f"1. One message through HAProxy, with swaks:  swaks --server {host} --port {port} --to you@example.net")
    began = time.time()
    command = ["swaks", "--server", host, "--port", port, "--from", "demo@example.com", "--to", "you@example.net",
               "--header", "X-Skein-Tag: swaks", "--ehlo", "demo.example.com"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    wanted = [line.rstrip() for line in done.stdout.splitlines() if line.startswith("<") and " 2" in line[:7]]
    say("\n".join("     " + line for line in (wanted[0], wanted[-2]) if len(wanted) > 1))
    if done.returncode:
        raise Failed(f"swaks failed:\n{done.stdout}{done.stderr}")
    record = until(lambda: next((r for r in cluster.sink.records() if r["tag"] == "swaks"), None), 20,
                   "the message of swaks arrives")
    say(f"     the sink has it {1000 * (record['at'] - began):.0f} ms after swaks began")


def burst_with_a_kill(cluster, options):
    """Sends; kills a node when a third is acknowledged; returns the burst and what is known of the kill."""
    victim = cluster.nodes[options.victim]
    # A next hop that takes its time, so that acknowledged mail waits on every node when one dies.
    cluster.sink.rules({"stage": "dot", "do": "delay 0.1"})
    burst = Burst(cluster.record["lb"], options.messages, connections=30, size=4000).start()
    burst.until_acknowledged(options.messages // 3)
    victim.kill()
    at = time.time()
    cluster.sink.rules()
    arrived = {record["tag"] for record in cluster.sink.records()}
    waiting = burst.acknowledged_by(victim.hostname) - arrived
    say(f"     kill -9 {victim.name} after {len(burst.acknowledged)} were acknowledged; "
        f"{len(waiting)} of them wait on it")
    burst.wait()
    return burst, at, waiting


def tell(account, victim, at, waiting):
    say("3. The account, by the tag that each message carries:")
    rows = [
        ("sent", account.sent, ""),
        ("acknowledged", len(account.acknowledged), "answered 250: in Skein's custody"),
        ("no answer", len(account.unknown), "the connection died with the node; nobody promised anything"),
        ("refused", len(account.refused), ""),
        ("received", len(account.received), "by the sink"),
        ("lost", len(account.lost), "acknowledged and not received"),
        ("duplicated", len(account.duplicated), "sent by the dead node, but not yet on record as sent"),
        ("altered", len(account.altered), ""),
    ]
    for name, count, meaning in rows:
        if count or meaning:
            say(f"     {name:14}{count:7}   {meaning}".rstrip())
    times = account.first_received(waiting)
    if times:
        say(f"     {victim.name}'s {len(waiting)} waiting messages moved on: the first {times[0] - at:.1f} s, the last "
            f"{times[-1] - at:.1f} s after the kill")


def run(cluster, options):
    say(f"Skein: {options.nodes} nodes, Redis, HAProxy and a sink on loopback, in {cluster.folder}")
    cluster.up(nodes=options.nodes)
    show_one_message(cluster)
    say(f"2. A burst of {options.messages} messages on 30 connections through HAProxy; the next hop is slow")
    burst, at, waiting = burst_with_a_kill(cluster, options)
    try:
        until_received(cluster.sink, burst, seconds=60)
        until_quiet(list(cluster.nodes.values()), seconds=60)
    except TimedOut as error:
        say(f"     {error}")
    account = Account(cluster.sink, burst)
    tell(account, cluster.nodes[options.victim], at, waiting)
    for node in cluster.nodes.values():
        if node.number != options.victim and not node.is_alive():
            raise Failed(f"{node.name} ended by itself; end of its log:\n{node.process.log_tail()}")
    return 1 if account.lost or account.altered or not account.acknowledged else 0


def tell_addresses(cluster):
    say("\nIt stays up. Its addresses, as deploy/local env prints them:")
    for name, value in cluster.env().items():
        say(f"     {name}={value!r}")
    say(f"End it with: deploy/local --dir {cluster.folder} down")


def main():
    parser = argparse.ArgumentParser(prog="deploy/demo", description="Kills a node in the middle of a burst of mail.")
    parser.add_argument("--keep", action="store_true", help="leave the cluster running")
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--messages", type=int, default=6000)
    parser.add_argument("--victim", type=int, default=2, metavar="N", help="the node to kill")
    options = parser.parse_args()
    if not 1 <= options.victim <= options.nodes or options.nodes < 2:
        parser.error("the node to kill must be one of two or more")
    cluster = Cluster(Path(ports.runtime_folder()) / f"demo-{int(time.time())}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    keep = False
    try:
        code = run(cluster, options)
        keep = options.keep
        if keep:
            tell_addresses(cluster)
        return code
    except (Failed, TimedOut) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    finally:
        if cluster.record and not keep:
            cluster.down()


if __name__ == "__main__":
    sys.exit(main())
