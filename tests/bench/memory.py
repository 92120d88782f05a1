#!/usr/bin/python3
"""Memory of a node: per idle connection, in clear and with TLS, and while the next hop is slower than the senders.

    tests/bench/memory.py [--connections N] [--messages N] [--size BYTES]

Starts one skeind of ./build (or $SKEIN_BUILD) on loopback and prints a table. Needs openssl and smtp-source (postfix).
"""
import argparse
import contextlib
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
SKEIND = pathlib.Path(os.environ.get("SKEIN_BUILD", TOP / "build")) / "bin" / "skeind"


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def pss(pid):
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return 1024 * int(next(line.split()[1] for line in text.splitlines() if line.startswith("Pss:")))


def wait_for(check, seconds, what):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if check():
            return
        time.sleep(0.05)
    sys.exit(f"not within {seconds} s: {what}")


def listens(port):
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def read_reply(sock):
    got = b""
    while not (got.endswith(b"\r\n") and got.splitlines()[-1][3:4] == b" "):
        got += sock.recv(4096)
    return got


def open_session(port, context):
    sock = socket.create_connection(("127.0.0.1", port))
    read_reply(sock)
    sock.sendall(b"EHLO idle.test\r\n")
    read_reply(sock)
    if context:
        sock.sendall(b"STARTTLS\r\n")
        read_reply(sock)
        sock = context.wrap_socket(sock)
        sock.sendall(b"EHLO idle.test\r\n")
        read_reply(sock)
    return sock


def idle(port, pid, count, context):
    before = pss(pid)
    sessions = [open_session(port, context) for _ in range(count)]
    used = (pss(pid) - before) / count
    for sock in sessions:
        sock.close()
    return used


class SlowSink(threading.Thread):
    """Takes one message a connection at a time, slowly."""

    def __init__(self, delay):
        super().__init__(daemon=True)
        self.delay, self.taken = delay, 0
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.start()

    def run(self):
        while True:
            sock, _ = self.server.accept()
            threading.Thread(target=self.serve_until_reset, args=(sock,), daemon=True).start()

    def serve_until_reset(self, sock):
        with contextlib.suppress(OSError):
            self.serve(sock)

    def serve(self, sock):
        stream = sock.makefile("rb")
        sock.sendall(b"220 slow\r\n")
        in_body = False
        for line in stream:
            if in_body:
                if line == b".\r\n":
                    time.sleep(self.delay)
                    self.taken += 1
                    in_body = False
                    sock.sendall(b"250 2.0.0 taken\r\n")
            elif line[:4].upper() == b"DATA":
                in_body = True
                sock.sendall(b"354 go\r\n")
            elif line[:4].upper() == b"EHLO":
                sock.sendall(b"250-slow\r\n250 PIPELINING\r\n")
            else:
                sock.sendall(b"250 2.0.0 ok\r\n")


def overload(port, pid, sink, options):
    """Senders as fast as they can, a next hop that is not: the peak, and what was still waiting then."""
    before, peak = pss(pid), 0
    source = subprocess.Popen(["smtp-source", "-4", "-s", "20", "-d", "-m", str(options.messages), "-l", str(options.size),
                               "-f", "a@bench.test", "-t", "b@bench.test", f"127.0.0.1:{port}"])
    while source.poll() is None:
        peak = max(peak, pss(pid))
        time.sleep(0.2)
    return before, max(peak, pss(pid)), options.messages - sink.taken


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--messages", type=int, default=20000)
    parser.add_argument("--size", type=int, default=20000)
    parser.add_argument("--budget", default="32MiB", help="memory.budget of the node")
    options = parser.parse_args()
    sink, port = SlowSink(0.05), free_port()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-subj", "/CN=bench.test", "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"],
                       check=True, capture_output=True)
        node = subprocess.Popen([
            SKEIND, "--listen", f"127.0.0.1:{port}", "--next-hop", f"127.0.0.1:{sink.port}", "--spool", f"{folder}/spool",
            "--allow", "127.0.0.0/8", "--set", f"tls.certificate={folder}/cert.pem", "--set", f"tls.key={folder}/key.pem",
            "--set", f"listeners=[{{address: \"127.0.0.1:{port}\", tls: starttls}}]", "--set", "log.level=warn",
            "--set", "limits.connections=100000", "--set", "limits.connections_per_client=100000",
            "--set", f"memory.budget={options.budget}", "--set", "memory.body=256KiB"])
        try:
            wait_for(lambda: listens(port), 10, "skeind listens")
            idle(port, node.pid, 50, None)
            context = ssl._create_unverified_context()
            idle(port, node.pid, 50, context)
            clear = idle(port, node.pid, options.connections, None)
            secure = idle(port, node.pid, options.connections, context)
            before, peak, waiting = overload(port, node.pid, sink, options)
            print(f"idle connection, in clear     {clear / 1024:8.1f} KiB")
            print(f"idle connection, TLS          {secure / 1024:8.1f} KiB")
            print(f"slow next hop: {options.messages} messages of {options.size} bytes = "
                  f"{options.messages * options.size >> 20} MiB, memory.budget {options.budget}")
            print(f"  before                      {before / 2**20:8.1f} MiB")
            print(f"  peak                        {peak / 2**20:8.1f} MiB with {waiting} messages not yet sent on")
        finally:
            node.kill()
            node.wait()


if __name__ == "__main__":
    main()
