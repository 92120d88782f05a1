"""Steady load of clients as they are, with a note of everything that one of them would call an error.

Three kinds share the connections of the load: `fresh` ones connect for each message and say QUIT, `reused` ones send one
message after the other, `idle` ones keep a session and use it every few seconds. What they see:
    ended     421 between two messages: in answer to MAIL, or while nothing was under way. The client connects again
              and sends its message there: nothing is lost, and nothing is in doubt
    errors    everything else that is no 2xx or 3xx: a connection that is refused, reset or closed without a word, a
              greeting that is none, an answer in the middle of a message
"""
import itertools
import time

from lab.burst import Acknowledged, Burst, Client, ConnectionLost, Refused

FRESH, REUSED, IDLE = "fresh", "reused", "idle"
KINDS = (FRESH, FRESH, REUSED, IDLE)
PAUSES = {FRESH: 0.05, REUSED: 0.05, IDLE: 3.0}


class SteadyLoad(Burst):
    """Runs until stop()."""

    def __init__(self, address, connections=12, size=2000, seconds=300):
        super().__init__(address, 1000000, connections=connections, size=size, seconds=seconds)
        self.errors, self.ended = {}, {}
        self.began = time.monotonic()
        self.slowest_connect = 0.0

    def per_second(self):
        return len(self.acknowledged) / (time.monotonic() - self.began)

    def _run(self, index):
        kind = KINDS[index % len(KINDS)]
        client = None
        for _ in itertools.count():
            with self.lock:
                if self._is_over():
                    break
                tag = self.todo.pop()
            client = self._deliver(client, kind, tag)
            if client and kind == FRESH:
                client = self._quit(client)
            self.stopped.wait(PAUSES[kind])
        if client:
            self._quit(client)

    def _deliver(self, client, kind, tag):
        """Sends one message, by another connection when this one has ended; returns the one to keep."""
        while not self._is_over():
            step = "connect"
            try:
                if not client:
                    client = self._connect()
                step = "mail"
                client.send(f"MAIL FROM:<{self.sender}>\r\n".encode())
                client.reply()
                step = "message"
                self._message(client, tag)
                return client
            except (ConnectionLost, Refused) as error:
                is_ended = step == "mail" and str(error).startswith("421 ")
                self._count(self.ended if is_ended else self.errors, f"{kind} {step}: {error}")
                if client:
                    client.close()
                client = None
                if tag in self.unknown:
                    return None
        self._again(tag)
        return client

    def _connect(self):
        start = time.monotonic()
        client = Client(self.addresses[0], self.answer_seconds)
        self.slowest_connect = max(self.slowest_connect, time.monotonic() - start)
        return client

    def _message(self, client, tag):
        for line in (f"RCPT TO:<{self.recipient}>", "DATA"):
            client.command(line)
        content = (f"From: <{self.sender}>\r\nTo: <{self.recipient}>\r\nSubject: {tag}\r\nX-Skein-Tag: {tag}\r\n"
                   "\r\n").encode() + self.body(tag).replace(b"\r\n.", b"\r\n..")
        client.send(content[:len(content) // 2])
        time.sleep(0.01)  # A message under way: a restart may come now.
        client.send(content[len(content) // 2:])
        try:
            client.command(".")
        except ConnectionLost:
            self.unknown.add(tag)
            raise
        self.acknowledged[tag] = Acknowledged(time.time(), client.node)

    def _quit(self, client):
        try:
            client.command("QUIT")
        except (ConnectionLost, Refused) as error:
            # 421 and 221 say the same to who leaves.
            self._count(self.ended if str(error).startswith("421 ") else self.errors, f"quit: {error}")
        client.close()

    def _count(self, kind, text):
        with self.lock:
            kind[text] = kind.get(text, 0) + 1
