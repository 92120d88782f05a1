#!/usr/bin/python3
"""Large messages through one node: its peak memory, the time, what was lost, and what was altered, by checksum.

    tests/bench/large.py [--messages N] [--size BYTES] [--sessions N] [--redis] [--sign] [--cut-through] [--slow SECONDS]

Starts skeind of ./build (or $SKEIN_BUILD) on loopback with memory.budget at its default of 256 MiB, and a receiver of its own
that keeps nothing. With --slow the receiver waits that long before it answers a final dot, so that mail waits in the node. The
exit code is 1 when a message was lost or altered, or a process was larger than --bound.
"""
import argparse
import contextlib
import hashlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time

from access import BUILD, SKEIND, is_ready, start
from memory import free_port, wait_for

DOMAIN = "bench.test"
READ = 1 << 18
LINE = 76


class Content:
    """The bodies: the same MiB of lines again and again, each message from another place on. Some lines begin with a dot."""

    def __init__(self, size):
        text = os.urandom(READ // 2).hex()
        lines = [(("." if number % 50 == 0 else "") + text[at:at + LINE - 1]).encode() + b"\r\n"
                 for number, at in enumerate(range(0, len(text), LINE - 1))]
        self.lines, self.size = lines, size

    def pieces(self, number):
        first = number % len(self.lines)
        block = b"".join(self.lines[first:] + self.lines[:first])
        for _ in range(self.size // len(block)):
            yield block
        rest = block[:self.size % len(block)]
        if rest:
            yield rest[:rest.rfind(b"\n") + 1]


def stuffed(piece):
    piece = piece.replace(b"\r\n.", b"\r\n..")
    return b"." + piece if piece.startswith(b".") else piece


class Receiver:
    """Takes messages, and of each keeps the checksum of its body alone."""

    def __init__(self, delay):
        self.delay, self.sums, self.lock = delay, {}, threading.Lock()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            connection, _ = self.server.accept()
            threading.Thread(target=self.serve_until_reset, args=(connection,), daemon=True).start()

    def serve_until_reset(self, connection):
        with contextlib.suppress(OSError, EOFError):
            Receiving(self, connection).serve()

    def note(self, number, digest):
        with self.lock:
            self.sums.setdefault(number, []).append(digest)


class Receiving:
    def __init__(self, receiver, connection):
        self.receiver, self.connection, self.bytes = receiver, connection, b""

    def read_more(self):
        got = self.connection.recv(READ)
        if not got:
            raise EOFError
        self.bytes += got

    def read_until(self, mark):
        while mark not in self.bytes:
            self.read_more()
        found, self.bytes = self.bytes.split(mark, 1)
        return found

    def serve(self):
        self.connection.sendall(b"220 receiver\r\n")
        while True:
            line = self.read_until(b"\r\n").upper()
            if line.startswith(b"EHLO"):
                self.connection.sendall(b"250-receiver\r\n250-PIPELINING\r\n250-SIZE\r\n250 8BITMIME\r\n")
            elif line == b"DATA":
                self.connection.sendall(b"354 go\r\n")
                self.take()
            else:
                self.connection.sendall(b"250 2.0.0 ok\r\n")

    def take(self):
        header = self.read_until(b"\r\n\r\n")
        number = int(header.split(b"\r\nX-Number: ")[1].split(b"\r\n")[0])
        digest, carry = hashlib.sha256(), b"\r\n" + self.bytes
        digest_from = 2  # the line end in front is not the body's
        while b"\r\n.\r\n" not in carry:
            cut = carry.rfind(b"\r\n")  # a line end and what follows it stay together
            if cut > 0:
                digest.update(carry[:cut].replace(b"\r\n..", b"\r\n.")[digest_from:])
                carry, digest_from = carry[cut:], 0
            self.bytes = b""
            self.read_more()
            carry += self.bytes
        last, self.bytes = carry.split(b"\r\n.\r\n", 1)
        digest.update((last + b"\r\n").replace(b"\r\n..", b"\r\n.")[digest_from:])
        time.sleep(self.receiver.delay)
        self.receiver.note(number, digest.hexdigest())
        self.connection.sendall(b"250 2.0.0 taken\r\n")


class Senders:
    def __init__(self, port, content, options):
        self.port, self.content, self.options = port, content, options
        self.sums, self.refused, self.next, self.lock = {}, [], 0, threading.Lock()

    def run(self):
        threads = [threading.Thread(target=self.send_all, daemon=True) for _ in range(self.options.sessions)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def take_number(self):
        with self.lock:
            self.next += 1
            return self.next - 1

    def send_all(self):
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            replies = connection.makefile("rb")
            replies.readline()
            self.ask(connection, replies, b"EHLO sender.test\r\n")
            while (number := self.take_number()) < self.options.messages:
                answer, digest = self.send(connection, replies, number)
                with self.lock:
                    if answer.startswith(b"250"):
                        self.sums[number] = digest
                    else:
                        self.refused.append(answer.decode(errors="replace").strip())

    @staticmethod
    def ask(connection, replies, command):
        connection.sendall(command)
        while (line := replies.readline())[3:4] == b"-":
            pass
        return line

    def send(self, connection, replies, number):
        for command in (f"MAIL FROM:<a@{DOMAIN}> SIZE={self.options.size}\r\n", f"RCPT TO:<b@{DOMAIN}>\r\n", "DATA\r\n"):
            answer = self.ask(connection, replies, command.encode())
            if answer[:1] not in b"23":
                return answer, None
        connection.sendall(f"From: <a@{DOMAIN}>\r\nTo: <b@{DOMAIN}>\r\nX-Number: {number}\r\n\r\n".encode())
        digest = hashlib.sha256()
        for piece in self.content.pieces(number):
            digest.update(piece)
            connection.sendall(stuffed(piece))
        return self.ask(connection, replies, b".\r\n"), digest.hexdigest()


def peak(process):
    text = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return 1024 * int(next(line.split()[1] for line in text.splitlines() if line.startswith("VmHWM:")))


def write_settings(state, ports, options):
    settings = {
        "node": {"name": "bench", "spool": f"{state}/queue"},
        "listeners": [{"address": f"127.0.0.1:{ports['smtp']}"}],
        "route": {"next_hops": [{"host": "127.0.0.1", "port": ports["hop"]}], "cut_through": options.cut_through},
        "limits": {"message_size": "1GiB"},
        "log": {"format": "json", "file": f"{state}/log"},
        "admin": {"listen": f"127.0.0.1:{ports['admin']}"},
        "relay": {"allow": ["127.0.0.0/8"]},
    }
    if options.redis or options.sign:
        settings["redis"] = {"address": f"127.0.0.1:{ports['redis']}"}
        settings["cluster"] = {"key_file": f"{state}/cluster.key"}
    pathlib.Path(state, "skeind.yaml").write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML


def ctl(state, ports, *words):
    subprocess.run([BUILD / "bin" / "skeinctl", "--redis", f"127.0.0.1:{ports['redis']}", "--key-file", f"{state}/cluster.key",
                    *words], check=True, stdout=subprocess.DEVNULL)


def set_up_signing(state, ports):
    ctl(state, ports, "dkim", "create", DOMAIN, "--selector", "s", "--algorithm", "ed25519")
    ctl(state, ports, "dkim", "publish", DOMAIN)
    ctl(state, ports, "dkim", "activate", DOMAIN, "--yes")
    policy = pathlib.Path(state, "policy.yaml")
    policy.write_text(f"clients: [{{match: {{network: 127.0.0.0/8}}, effect: allow}}]\nsign: [{{domain: {DOMAIN}}}]\n")
    ctl(state, ports, "policy", "apply", str(policy), "-m", "bench")
    log = pathlib.Path(state, "log")
    wait_for(lambda: '"policy-applied"' in log.read_text() and '"version":3,' in log.read_text(), 20, "policy and keys")


def start_all(stack, state, ports, options):
    """The node, and its Redis or None."""
    redis = None
    if options.redis or options.sign:
        subprocess.run([BUILD / "bin" / "skeinctl", "key", "new", f"{state}/cluster.key"], check=True, stdout=subprocess.DEVNULL)
        redis = start(stack, ["redis-server", "--port", str(ports["redis"]), "--save", "", "--appendonly", "no", "--dir", state,
                              "--maxmemory", options.redis_memory, "--maxmemory-policy", "noeviction"], ports["redis"])
    write_settings(state, ports, options)
    os.mkdir(f"{state}/queue", 0o700)
    node = start(stack, [str(SKEIND), "--config", f"{state}/skeind.yaml"], ports["smtp"])
    wait_for(lambda: is_ready(ports["admin"]), 20, "the node is ready")
    if options.sign:
        set_up_signing(state, ports)
    return node, redis


def until_received(receiver, senders, seconds):
    """Waits while messages still come."""
    seen, end = -1, 0
    while not all(number in receiver.sums for number in senders.sums):
        if len(receiver.sums) != seen:
            seen, end = len(receiver.sums), time.monotonic() + seconds
        if time.monotonic() > end:
            return
        time.sleep(0.1)


def run(state, options):
    """Prints the figures; true when they are as they should be."""
    ports = {name: free_port() for name in ("smtp", "redis", "admin")}
    receiver = Receiver(options.slow)
    ports["hop"] = receiver.port
    with contextlib.ExitStack() as stack:
        node, redis = start_all(stack, state, ports, options)
        before, began = peak(node), time.monotonic()
        senders = Senders(ports["smtp"], Content(options.size), options)
        senders.run()
        until_received(receiver, senders, 60)
        took = time.monotonic() - began
        largest = peak(node)
        lost = [number for number in senders.sums if number not in receiver.sums]
        altered = [number for number, digest in senders.sums.items() if any(it != digest for it in receiver.sums.get(number, []))]
        twice = [number for number, digests in receiver.sums.items() if len(digests) > 1]
        print(f"{options.messages} messages of {options.size} bytes, {options.sessions} sessions: {took:.1f} s, "
              f"{options.messages * options.size / took / 2**20:.0f} MiB/s")
        print(f"acknowledged {len(senders.sums)}, refused {len(senders.refused)}, lost {len(lost)}, altered {len(altered)}, "
              f"twice {len(twice)}")
        for text in sorted(set(senders.refused)):
            print(f"    {text}")
        print(f"peak memory of the node {largest / 2**20:.1f} MiB, {before / 2**20:.1f} MiB before" +
              (f"; of Redis {peak(redis) / 2**20:.0f} MiB" if redis else ""))
        return senders.sums and not lost and not altered and largest < options.bound * 2**20


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=200)
    parser.add_argument("--size", type=int, default=100_000_000)
    parser.add_argument("--sessions", type=int, default=8)
    parser.add_argument("--redis", action="store_true", help="a node of a cluster")
    parser.add_argument("--redis-memory", default="1gb", help="maxmemory of Redis")
    parser.add_argument("--sign", action="store_true", help="with a DKIM signature (and Redis, for the keys)")
    parser.add_argument("--cut-through", action="store_true")
    parser.add_argument("--slow", type=float, default=0)
    parser.add_argument("--bound", type=int, default=256, help="MiB that the node may take")
    parser.add_argument("--state", default="/var/tmp", help="where the queue lies")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.state) as state:
        sys.exit(not run(state, options))


if __name__ == "__main__":
    main()
