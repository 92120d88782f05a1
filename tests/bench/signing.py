#!/usr/bin/env python3
"""What signing costs: a node alone with its Redis, mail to smtp-sink, without signatures and with them. Messages per
second and CPU of node and Redis for one message; run by hand, with nothing else on the machine."""
import argparse
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

from access import BUILD, SKEIND, SOURCE, cpu_seconds, delivered, free_port, is_ready, start, wait_for

DOMAIN = "bench.test"
VARIANTS = {"not signed": [], "ed25519": ["ed25519"], "rsa": ["rsa"], "rsa and ed25519": ["rsa", "ed25519"]}
CLIENTS = "clients: [{match: {network: 127.0.0.0/8}, effect: allow}]\n"


def ctl(folder, ports, *words):
    subprocess.run([BUILD / "bin" / "skeinctl", "--redis", f"127.0.0.1:{ports['redis']}", "--key-file", f"{folder}/cluster.key",
                    *words], check=True, stdout=subprocess.DEVNULL)


def write_settings(folder, state, ports):
    settings = {
        "node": {"name": "bench", "spool": f"{state}/queue"},
        "cluster": {"key_file": f"{folder}/cluster.key"},
        "listeners": [{"address": f"127.0.0.1:{ports['clear']}"}],
        "route": {"next_hops": [{"host": "127.0.0.1", "port": ports["sink"]}]},
        "redis": {"address": f"127.0.0.1:{ports['redis']}"},
        "log": {"format": "json", "file": f"{state}/log"},
        "admin": {"listen": f"127.0.0.1:{ports['admin']}"},
        "relay": {"allow": ["127.0.0.0/8"]},
    }
    pathlib.Path(state, "skeind.yaml").write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML


def set_up_keys(folder, state, ports, kinds):
    for kind in kinds:
        ctl(folder, ports, "dkim", "create", DOMAIN, "--selector", kind, "--algorithm", kind)
    if kinds:
        ctl(folder, ports, "dkim", "publish", DOMAIN)
        ctl(folder, ports, "dkim", "activate", DOMAIN, "--yes")
    policy = pathlib.Path(state, "policy.yaml")
    policy.write_text(CLIENTS + (f"sign: [{{domain: {DOMAIN}}}]\n" if kinds else ""), encoding="utf-8")
    ctl(folder, ports, "policy", "apply", str(policy), "-m", "bench")
    log = pathlib.Path(state, "log")
    loaded = f'"version":{3 * len(kinds)},'
    wait_for(lambda: '"policy-applied"' in log.read_text() and any(
        '"secrets-loaded"' in line and loaded in line for line in log.read_text().splitlines()), 20, "the node has policy and keys")


def measure(folder, kinds, options):
    ports = {name: free_port() for name in ("clear", "sink", "redis", "admin")}
    with tempfile.TemporaryDirectory(dir=options.state) as state, contextlib.ExitStack() as stack:
        start(stack, ["smtp-sink", "-4", "-c", "-u", "nobody", f"127.0.0.1:{ports['sink']}", "1024"], ports["sink"])
        redis = start(stack, ["redis-server", "--port", str(ports["redis"]), "--save", "", "--appendonly", "no", "--dir", state],
                      ports["redis"])
        write_settings(folder, state, ports)
        os.mkdir(f"{state}/queue", 0o700)
        node = start(stack, [str(SKEIND), "--config", f"{state}/skeind.yaml"], ports["clear"])
        wait_for(lambda: is_ready(ports["admin"]), 20, "the node is ready")
        set_up_keys(folder, state, ports, kinds)
        before, began = cpu_seconds(node) + cpu_seconds(redis), time.monotonic()
        subprocess.run([str(SOURCE), str(ports["clear"]), str(options.sessions), str(options.messages), str(options.size), "100",
                        "clear"], check=True)
        wait_for(lambda: delivered(ports["admin"]) >= options.messages, 120, "all is delivered")
        took = time.monotonic() - began
        return options.messages / took, (cpu_seconds(node) + cpu_seconds(redis) - before) * 1e6 / options.messages


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--messages", type=int, default=20000)
    parser.add_argument("--size", type=int, default=5000)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--state", default="/var/tmp", help="where queues lie: the disk to measure")
    options = parser.parse_args()
    figures = {name: [] for name in VARIANTS}
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([BUILD / "bin" / "skeinctl", "key", "new", f"{folder}/cluster.key"], check=True, stdout=subprocess.DEVNULL)
        for _ in range(options.rounds):
            for name, kinds in VARIANTS.items():
                figures[name].append(measure(folder, kinds, options))
    print(f"{'':20} {'messages/s':>26} {'CPU of one':>11}")
    for name, seen in figures.items():
        speeds = [speed for speed, _ in seen]
        print(f"{name:20} {statistics.median(speeds):8.0f} [{min(speeds):6.0f} to {max(speeds):6.0f}] "
              f"{statistics.median(cpu for _, cpu in seen):8.0f} µs")


if __name__ == "__main__":
    main()
