#!/usr/bin/env python3
"""What a search among tracking events takes: fills a Redis of its own with them (tests/bench/track_fill.c) and asks skeinctl
trace. After a build; with 10 million events it needs 1 GiB of memory and some minutes."""
import argparse
import contextlib
import os
import pathlib
import resource
import subprocess
import tempfile
import time

from access import BUILD, free_port, start


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def spent(redis):
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime + cpu_seconds(redis)


def ask(port, redis, *words):
    """Seconds, seconds of processor (skeinctl and Redis), messages."""
    begun, before = time.monotonic(), spent(redis)
    done = subprocess.run([BUILD / "bin" / "skeinctl", "--redis", f"127.0.0.1:{port}", "trace", *words], capture_output=True,
                          text=True)
    took = time.monotonic() - begun
    assert done.returncode in (0, 1), done.stderr
    return took, spent(redis) - before, len([line for line in done.stdout.splitlines() if "RECEIVE" in line])


def searches(found):
    return {
        "by id": [found["id"]],
        "by recipient": ["--to", found["recipient"]],
        "by sender and recipient": ["--from", found["sender"], "--to", found["recipient"]],
        "by sender, newest 20": ["--from", found["sender"]],
        "by client, newest 20": ["--client", found["client"]],
        "by sender, 1000 messages": ["--from", found["sender"], "--limit", "1000"],
        "last hour": ["--since", "1h"],
        "an hour ten days ago": ["--since", "241h", "--until", "240h", "--limit", "1000"],
        "nobody": ["--from", "nobody@nowhere.example"],
        "id of nothing": ["0" * 26],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    port = free_port()
    with tempfile.TemporaryDirectory() as state, contextlib.ExitStack() as stack:
        redis = start(stack, ["redis-server", "--port", str(port), "--save", "", "--appendonly", "no", "--dir", state], port)
        before, begun = memory(redis.pid), cpu_seconds(redis.pid)
        text = subprocess.run([BUILD / "tests" / "bench_track_fill", str(port), str(options.events)], check=True,
                              capture_output=True, text=True).stdout
        found = dict(line.split(" ", 1) for line in text.splitlines())
        print(f"{options.events} events in {found['chunks']} chunks; {found['raw']} bytes an event as it is, heads of "
              f"{found['heads']} bytes, bodies of {found['bodies']}")
        print(f"memory of Redis: {(memory(redis.pid) - before) / options.events:.1f} bytes an event; its CPU: "
              f"{(cpu_seconds(redis.pid) - begun) / options.events * 1e9:.0f} ns an event; encoding and compressing it: "
              f"{found['encode_ns']} ns")
        for name, words in searches(found).items():
            times = [ask(port, redis.pid, *words) for _ in range(options.rounds)]
            print(f"{name:28} {min(t for t, _, _ in times):6.2f} to {max(t for t, _, _ in times):.2f} s, CPU "
                  f"{min(c for _, c, _ in times):.2f} s, {times[0][2]} messages")


if __name__ == "__main__":
    main()
