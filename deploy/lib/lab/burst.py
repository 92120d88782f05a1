"""A burst of mail from many connections at once, with a note of what became of each message.

Every message carries a tag of its own in X-Skein-Tag and is in exactly one of these at the end:
    acknowledged  answered with 250 after its final dot: somebody has custody
    refused       answered with 5xx
    unknown       the connection was lost after the final dot was sent: it may arrive, and nobody promised
    unsent        the burst ended before its turn
What fails before the final dot, or is answered with 4xx, is tried again with the same tag: nobody has custody of it.
"""
import hashlib
import itertools
import socket
import threading
import time
from collections import namedtuple

from .wait import until

Acknowledged = namedtuple("Acknowledged", "at node")  # node: the host name in the greeting
_serial = itertools.count(1)


class ConnectionLost(Exception):
    pass


class Refused(Exception):
    """A 4xx or 5xx answer."""

    def __init__(self, line):
        super().__init__(line)
        self.is_permanent = line.startswith("5")


class Client:
    """One SMTP connection; blocking, without ceremony."""

    def __init__(self, address, seconds):
        host, _, port = address.rpartition(":")
        try:
            self.socket = socket.create_connection((host.strip("[]"), int(port)), timeout=seconds)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            raise ConnectionLost(str(error)) from error
        self.file = self.socket.makefile("rb")
        greeting = self.reply()
        self.node = greeting[4:].split(" ")[0]
        self.command("EHLO client.skein.test")

    def close(self):
        self.file.close()
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise ConnectionLost(str(error)) from error

    def reply(self):
        """The last line of a 2xx or 3xx answer."""
        while True:
            try:
                line = self.file.readline(2048).decode("utf-8", "replace").rstrip("\r\n")
            except OSError as error:
                raise ConnectionLost(str(error)) from error
            if not line:
                raise ConnectionLost("closed")
            if line[3:4] != "-":
                break
        if line[0] not in "23":
            raise Refused(line)
        return line

    def command(self, line):
        self.send(line.encode() + b"\r\n")
        return self.reply()


class Burst:
    def __init__(self, addresses, count, connections=20, size=2000, seconds=120, answer_seconds=30, per_connection=50,
                 pause=0.0, sender="burst@client.skein.test", recipient="sink@sink.skein.test"):
        self.addresses = [addresses] if isinstance(addresses, str) else list(addresses)
        self.prefix = f"{int(time.time() * 1000):x}-{next(_serial)}"
        self.sender, self.recipient, self.size = sender, recipient, size
        self.answer_seconds, self.per_connection = answer_seconds, per_connection
        self.pause = pause  # Of each connection after each message: a burst that lasts.
        self.end = time.monotonic() + seconds
        self.lock = threading.Lock()
        self.todo = [f"{self.prefix}-{number}" for number in range(count)]
        self.count = count
        self.acknowledged, self.refused = {}, {}
        self.unknown, self.trouble = set(), {}
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(index,), daemon=True) for index in range(connections)]

    # --- for the test

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def until_acknowledged(self, count, seconds=60):
        until(lambda: len(self.acknowledged) >= count, seconds,
              lambda: f"{count} messages are acknowledged (now {len(self.acknowledged)}, {self.trouble})")

    def acknowledged_by(self, hostname):
        """Tags; also while the senders run."""
        return {tag for tag, known in list(self.acknowledged.items()) if known.node == hostname}

    def stop(self):
        """What has not been begun stays unsent."""
        self.stopped.set()
        return self.wait()

    def wait(self):
        for thread in self.threads:
            thread.join(max(0.0, self.end - time.monotonic()) + self.answer_seconds + 5)
            if thread.is_alive():
                raise AssertionError("a sender of the burst hangs")
        return self

    def run(self):
        return self.start().wait()

    @property
    def unsent(self):
        return set(self.todo)

    def body(self, tag):
        """What the sink must find below the header, byte for byte."""
        line = f"{tag} the quick brown fox jumps over the lazy dog\r\n.\r\n..two dots begin this line\r\n".encode()
        return (line * (self.size // len(line) + 1))[:self.size - 2].rstrip(b"\r\n") + b"\r\n"

    def sha256(self, tag):
        return hashlib.sha256(self.body(tag)).hexdigest()

    # --- one connection's thread

    def _run(self, index):
        for turn in itertools.count(index):
            if self._is_over():
                return
            try:
                client = Client(self.addresses[turn % len(self.addresses)], self.answer_seconds)
            except (ConnectionLost, Refused) as error:
                self._note(error)
                self.stopped.wait(0.05)  # A relay that is away is not worth a busy loop.
                continue
            try:
                for _ in range(self.per_connection):
                    if not self._next(client):
                        break
            except ConnectionLost as error:
                self._note(error)
            finally:
                client.close()

    def _is_over(self):
        return not self.todo or self.stopped.is_set() or time.monotonic() > self.end

    def _next(self, client):
        """Sends one message; false when there is none, or this connection is not worth keeping."""
        with self.lock:
            if self._is_over():
                return False
            tag = self.todo.pop()
        try:
            self._send(client, tag)
            if self.pause:
                self.stopped.wait(self.pause)
            return True
        except Refused as error:
            self._note(error)
            if error.is_permanent:
                self.refused[tag] = str(error)
            else:
                self._again(tag)
                self.stopped.wait(0.02)
            return False

    def _send(self, client, tag):
        try:
            client.send(f"MAIL FROM:<{self.sender}>\r\nRCPT TO:<{self.recipient}>\r\nDATA\r\n".encode())
            for _ in range(3):
                client.reply()
        except ConnectionLost:
            self._again(tag)
            raise
        content = (f"From: <{self.sender}>\r\nTo: <{self.recipient}>\r\nSubject: {tag}\r\nX-Skein-Tag: {tag}\r\n"
                   "\r\n").encode() + self.body(tag).replace(b"\r\n.", b"\r\n..")
        try:
            client.send(content + b".\r\n")
            client.reply()
        except ConnectionLost:
            self.unknown.add(tag)
            raise
        self.acknowledged[tag] = Acknowledged(time.time(), client.node)

    def _again(self, tag):
        with self.lock:
            self.todo.append(tag)

    def _note(self, error):
        with self.lock:
            text = str(error)[:80]
            self.trouble[text] = self.trouble.get(text, 0) + 1
