#!/usr/bin/python3
"""What policy, a limit, TLS and AUTH cost a node: the same messages through each, in turns.

    tests/bench/access.py [--rounds N] [--messages N] [--size BYTES] [--sessions N]

Starts skeind of ./build (or $SKEIN_BUILD), redis-server and smtp-sink (postfix) on loopback and prints a table: messages a
second end to end, and the processor time that the node and its Redis took for one. The policy has 1000 rules, the last of
which decides; the limit counts each message in Redis and never refuses.
"""
import argparse
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from memory import SKEIND, TOP, free_port, listens, wait_for

BUILD = SKEIND.parent.parent
SOURCE = BUILD / "tests" / "bench_source"
PASSWORD = "a long one for the bench"
LIMIT = "limits: {all: {key: cluster, rate: 1000000/s, global: true}}\n"
# name: policy, limit, TLS, AUTH, messages in a connection
VARIANTS = {
    "networks of the settings": (False, False, False, False, 10000),
    "policy of 1000 rules": (True, False, False, False, 10000),
    "policy, a limit": (True, True, False, False, 10000),
    "policy, TLS": (True, False, True, False, 10000),
    "policy, TLS, AUTH": (True, False, True, True, 10000),
    "policy, a limit, TLS, AUTH": (True, True, True, True, 10000),
    "all that, 10 messages a connection": (True, True, True, True, 10),
}


def policy(has_limit):
    rules = [f"  - {{name: rule-{n}, match: {{network: 10.{n // 250}.{n % 250}.0/24}}, effect: deny}}\n" for n in range(999)]
    return (LIMIT if has_limit else "") + "clients:\n" + "".join(rules) + \
        "  - {name: here, match: {network: 127.0.0.0/8}, effect: allow, recipients: [bench.test]}\n"


def cpu_seconds(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start(stack, command, port):
    process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    stack.callback(process.terminate)
    wait_for(lambda: listens(port), 20, " ".join(command[:2]))
    return process


def make_files(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                    "/CN=bench.test", "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"], check=True, capture_output=True)
    subprocess.run([BUILD / "bin" / "skeinctl", "--users-file", f"{folder}/users", "user", "add", "bench"],
                   input=f"{PASSWORD}\n", text=True, check=True, capture_output=True)
    for name, has_limit in (("policy", False), ("limited", True)):
        pathlib.Path(folder, name).write_text(policy(has_limit), encoding="utf-8")


def write_settings(folder, state, ports):
    settings = {
        "node": {"name": "bench", "spool": f"{state}/queue"},
        "listeners": [{"address": f"127.0.0.1:{ports['clear']}"},
                      {"address": f"127.0.0.1:{ports['tls']}", "tls": "implicit", "name": "tls"}],
        "tls": {"certificate": f"{folder}/cert.pem", "key": f"{folder}/key.pem"},
        "route": {"next_hops": [{"host": "127.0.0.1", "port": ports["sink"]}]},
        "redis": {"address": f"127.0.0.1:{ports['redis']}"},
        "auth": {"backends": ["file"], "file": {"path": f"{folder}/users"}},
        "log": {"format": "json", "file": f"{state}/log"},
        "admin": {"listen": f"127.0.0.1:{ports['admin']}"},
        "relay": {"allow": ["127.0.0.0/8"]},
    }
    pathlib.Path(state, "skeind.yaml").write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML


def apply_policy(ports, path):
    subprocess.run([BUILD / "bin" / "skeinctl", "--redis", f"127.0.0.1:{ports['redis']}", "policy", "apply", path, "-m", "bench"],
                   check=True, stdout=subprocess.DEVNULL)
    wait_for(lambda: '"version":1' in get(ports["admin"], "/healthz").stdout.replace(" ", ""), 20, "the node runs the policy")


def measure(folder, variant, options):
    has_policy, has_limit, is_tls, has_auth, per_connection = variant
    ports = {name: free_port() for name in ("clear", "tls", "sink", "redis", "admin")}
    with tempfile.TemporaryDirectory(dir=options.state) as state, contextlib.ExitStack() as stack:
        start(stack, ["smtp-sink", "-4", "-c", "-u", "nobody", f"127.0.0.1:{ports['sink']}", "1024"], ports["sink"])
        redis = start(stack, ["redis-server", "--port", str(ports["redis"]), "--save", "", "--appendonly", "no", "--dir", state],
                      ports["redis"])
        write_settings(folder, state, ports)
        os.mkdir(f"{state}/queue", 0o700)
        node = start(stack, [str(SKEIND), "--config", f"{state}/skeind.yaml"], ports["clear"])
        wait_for(lambda: is_ready(ports["admin"]), 20, "the node is ready")
        if has_policy:
            apply_policy(ports, f"{folder}/{'limited' if has_limit else 'policy'}")
        before, began = cpu_seconds(node) + cpu_seconds(redis), time.monotonic()
        command = [str(SOURCE), str(ports["tls" if is_tls else "clear"]), str(options.sessions), str(options.messages),
                   str(options.size), str(per_connection), "tls" if is_tls else "clear", *(["bench"] if has_auth else [])]
        subprocess.run(command, check=True, env=dict(os.environ, SOURCE_PASSWORD=PASSWORD))
        wait_for(lambda: delivered(ports["admin"]) >= options.messages, 60, "all is delivered")
        took = time.monotonic() - began
        return options.messages / took, (cpu_seconds(node) + cpu_seconds(redis) - before) * 1e6 / options.messages


def get(port, path):
    return subprocess.run(["curl", "-fs", f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=False)


def is_ready(port):
    return get(port, "/readyz").returncode == 0


def delivered(port):
    return next((float(line.split()[1]) for line in get(port, "/metrics").stdout.splitlines()
                 if line.startswith("skein_messages_delivered_total ")), 0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--messages", type=int, default=20000)
    parser.add_argument("--size", type=int, default=5000)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--state", default="/var/tmp", help="where queues lie: the disk to measure")
    options = parser.parse_args()
    figures = {name: [] for name in VARIANTS}
    with tempfile.TemporaryDirectory() as folder:
        make_files(folder)
        for number in range(options.rounds):
            for name, variant in VARIANTS.items():
                figures[name].append(measure(folder, variant, options))
                print(f"round {number + 1}: {name}: {figures[name][-1][0]:.0f}/s", file=sys.stderr)
    base = statistics.median(speed for speed, _ in figures["networks of the settings"])
    print(f"{'':36} {'messages/s':>26} {'ratio':>6} {'CPU of one':>11}")
    for name, seen in figures.items():
        speeds = [speed for speed, _ in seen]
        speed = statistics.median(speeds)
        print(f"{name:36} {speed:8.0f} [{min(speeds):6.0f} to {max(speeds):6.0f}] {speed / base:6.2f} "
              f"{statistics.median(cpu for _, cpu in seen):8.0f} µs")


if __name__ == "__main__":
    main()
