"""Plays a dialogue script (tests/dialog/README.md) against a real server."""
import re
import socket
import ssl

ESCAPE = re.compile(rb"\\(r|n|\\|x[0-9a-fA-F]{2})")
NAMED = {b"r": b"\r", b"n": b"\n", b"\\": b"\\"}
SECONDS = 20


class Mismatch(AssertionError):
    """The server did not say what the script expects."""


def unescape(text):
    return ESCAPE.sub(lambda match: NAMED.get(match[1]) or bytes([int(match[1][1:], 16)]), text)


def pattern(text):
    return re.compile(b".*".join(re.escape(unescape(part)) for part in text.split(b"*")) + rb"\Z", re.S)


class Script:
    """directives: name -> rest of the line; steps: (line number, kind, text)."""

    def __init__(self, path):
        self.directives, self.steps = {}, []
        for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
            kind, text = line[:2].rstrip(), line[2:].removeprefix(b" ")
            if kind == b"@":
                name, _, rest = line[2:].strip().decode().partition(" ")
                self.directives[name] = rest
            elif kind and not kind.startswith(b"#"):
                self.steps.append((number, kind.decode(), text))


class Player:
    def __init__(self, address, certificate, content_arrives):
        """content_arrives(ending) waits until the next hop has a message of this script that ends so."""
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=SECONDS)
        self.certificate, self.content_arrives = certificate, content_arrives
        self.received, self.group, self.content = b"", b"", []

    def close(self):
        self.socket.close()

    def play(self, script):
        for number, kind, text in script.steps:
            try:
                self.step(kind, text)
            except (AssertionError, OSError) as error:
                raise Mismatch(f"line {number}, {kind} {text.decode('latin-1')}: {error}") from error
        self.leave_content()
        self.leave_group()
        if self.received:
            raise Mismatch(f"it said more: {self.received!r}")

    def step(self, kind, text):
        if kind != "M:":
            self.leave_content()
        if kind in ("C:", "C!", "R:"):
            self.add(kind, unescape(text))
            return
        self.leave_group()
        if kind == "S:":
            self.expect(pattern(text), self.line())
        elif kind == "S~":
            while (line := self.line())[3:4] == b"-":
                pass
            self.expect(pattern(text), line)
        elif kind == "M:":
            self.content.append(unescape(text) + b"\r\n")
        elif kind == "T":
            self.start_tls()
        elif kind == "X":
            self.expect_end()
        else:
            raise Mismatch("no such kind of line")

    def add(self, kind, text):
        if kind == "R:":
            count, _, text = text.partition(b" ")
            text *= int(count)
        self.group += text + (b"\r\n" if kind == "C:" else b"")

    def leave_group(self):
        """Everything that the client says between two answers leaves at once."""
        if not self.group:
            return
        if self.received:
            raise Mismatch(f"it said more: {self.received!r}")
        group, self.group = self.group, b""
        try:
            self.socket.sendall(group)
        except ConnectionError:
            pass  # It closed in the middle: what it said before is still to be read.

    def leave_content(self):
        if self.content:
            content, self.content = b"".join(self.content), []
            self.content_arrives(content)

    def line(self):
        while b"\r\n" not in self.received:
            part = self.socket.recv(65536)
            if not part:
                raise Mismatch(f"it closed, after {self.received!r}")
            self.received += part
        line, _, self.received = self.received.partition(b"\r\n")
        return line

    @staticmethod
    def expect(wanted, line):
        if not wanted.match(line):
            raise Mismatch(f"it said {line!r}")

    def expect_end(self):
        try:
            more = self.received + self.socket.recv(65536)
        except ConnectionError:
            more = self.received
        if more:
            raise Mismatch(f"it said {more!r} instead of closing")

    def start_tls(self):
        context = ssl.create_default_context(cafile=str(self.certificate))
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
