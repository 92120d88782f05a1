"""A filter (milter) that follows a script: for tests of the client's side of the protocol, with all that a filter may
say, and what it must not."""
import socket
import struct
import threading
import time

CONNECT, HELO, MAIL, RCPT, DATA, HEADER, EOH, BODY, END, ABORT, QUIT, MACRO = "CHMRTLNBEAQD"
ADD_HEADERS, ADD_RCPT, DELETE_RCPT, CHANGE_HEADERS, QUARANTINE, CHANGE_FROM = 0x1, 0x4, 0x8, 0x10, 0x20, 0x40
ALL_ACTIONS = 0x1ff
MUTE_ALL = 0x80 | 0x1000 | 0x2000 | 0x4000 | 0x8000 | 0x10000 | 0x40000 | 0x80000


def packet(command, data=b""):
    return struct.pack(">I", len(data) + 1) + command.encode() + data


def texts(command, *words):
    return packet(command, b"".join(word.encode("latin-1") + b"\0" for word in words))


def negotiation(version=6, actions=ALL_ACTIONS, steps=0):
    return packet("O", struct.pack(">III", version, actions, steps))


def numbered(command, number, name, value):
    return packet(command, struct.pack(">I", number) + name.encode() + b"\0" + value.encode() + b"\0")


def add_header(name, value):
    return texts("h", name, value)


def insert_header(index, name, value):
    return numbered("i", index, name, value)


def change_header(nth, name, value):
    return numbered("m", nth, name, value)


CONTINUE, ACCEPT, REJECT, TEMPFAIL, DISCARD, SKIP, PROGRESS = map(packet, "cartdsp")


class Filter:
    """`answers`: by command the packets that answer it, or a function (filter, data) that returns them; None: nothing
    is said and the connection closed. What is not in it gets CONTINUE."""

    def __init__(self, answers=None, negotiate=None, path=None):
        self.answers = answers or {}
        self.negotiate = negotiation() if negotiate is None else negotiate
        self.heard = []  # (command, data), without the negotiation
        self.ended = threading.Event()  # the client has closed, or we have
        self.is_stopped = False
        if path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(path)
        else:
            self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.listen(5)
        self.path = path or ""
        self.port = 0 if path else self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while not self.is_stopped:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                try:
                    self.talk(connection)
                except OSError:
                    pass
            self.ended.set()

    def talk(self, connection):
        self.connection = connection
        steps = self.mute_steps()
        while True:
            command, data = self.read(connection)
            if command in (None, QUIT, ABORT):
                self.heard.append((command, b""))
                return
            if command == "O":
                answer = self.negotiate
            else:
                self.heard.append((command, data))
                if command == MACRO or command in steps:
                    continue
                answer = self.answers.get(command, CONTINUE)
                if callable(answer):
                    answer = answer(self, data)
            if answer is None:
                return
            connection.sendall(answer)

    def mute_steps(self):
        """Commands that are not answered, as it was negotiated."""
        if len(self.negotiate) < 17:
            return ""
        steps = struct.unpack(">I", self.negotiate[13:17])[0]
        bits = {HEADER: 0x80, CONNECT: 0x1000, HELO: 0x2000, MAIL: 0x4000, RCPT: 0x8000, DATA: 0x10000, EOH: 0x40000,
                BODY: 0x80000}
        return "".join(command for command, bit in bits.items() if steps & bit)

    @staticmethod
    def read(connection):
        def read_all(count):
            data = b""
            while len(data) < count:
                piece = connection.recv(count - len(data))
                if not piece:
                    return None
                data += piece
            return data

        length = read_all(4)
        if length is None:
            return None, b""
        data = read_all(struct.unpack(">I", length)[0])
        return (None, b"") if data is None else (data[:1].decode(), data[1:])

    def all(self, command):
        return [data for heard, data in self.heard if heard == command]

    def macros(self):
        found = {}
        for data in self.all(MACRO):
            words = data[1:].split(b"\0")[:-1]
            found.update(zip(words[::2], words[1::2]))
        return found

    def body(self):
        return b"".join(self.all(BODY))

    def stop(self):
        self.is_stopped = True
        self.listener.close()


def drip(data, seconds):
    """An answer that comes byte by byte."""
    def answer(self, _):
        for byte in data:
            self.connection.sendall(bytes([byte]))
            time.sleep(seconds)
        return b""
    return answer
