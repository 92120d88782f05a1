"""The receiving end: an SMTP server that takes everything, tells what it took, and misbehaves on request.

One line of JSON per message goes to the records file before the message is answered. PIPELINING, so that one core
takes some thousand messages a second.
"""
import argparse
import asyncio
import base64
import binascii
import hashlib
import json
import os
import re
import signal
import socket
import ssl
import struct
import sys
import time
from collections import Counter

from .sink_rules import BadRule, Rules

KEYWORDS = ["PIPELINING", "SIZE 104857600", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "DSN"]
TAG = re.compile(rb"^X-Skein-Tag:[ \t]*([^\s]+)", re.M | re.I)
PATH = re.compile(r"<([^>]*)>")
BUFFER_MAX = 1 << 20
ENDLESS = b"x" * 4096


class Login:
    """One client's AUTH. Only over TLS: what comes in clear is noted, so that tests see it."""
    PROMPTS = {"PLAIN": [""], "LOGIN": ["VXNlcm5hbWU6", "UGFzc3dvcmQ6"], "XOAUTH2": [""]}

    def __init__(self, mechanism):
        self.mechanism = mechanism
        self.said = []
        self.is_refused = False

    def prompt(self):
        """What is to be asked next, or None when all is said."""
        prompts = self.PROMPTS[self.mechanism]
        return prompts[len(self.said)] if len(self.said) < len(prompts) else None

    def identity(self):
        """(user, password or token)"""
        if self.mechanism == "LOGIN":
            return self.said[0], self.said[1]
        if self.mechanism == "PLAIN":
            _, user, password = self.said[0].split("\0")
            return user, password
        words = dict(word.split("=", 1) for word in self.said[0].split("\1") if word)
        return words["user"], words["auth"].removeprefix("Bearer ")


class Sink:
    """What all sessions share."""

    def __init__(self, options):
        self.rules = Rules()
        self.records = open(options.records, "a", encoding="utf-8")
        self.folder = options.keep
        self.keywords = KEYWORDS
        self.taken = 0
        self.connections = 0
        self.by_port = Counter()
        self.most = 0  # open at once
        self.open = set()
        self.accounts = {}  # user: the passwords and tokens that are good. Empty: nobody need log in.
        self.mechanisms = ["PLAIN", "LOGIN", "XOAUTH2"]
        self.logins = []  # what was tried, in order
        self.tls_first = options.tls_first
        self.offers_tls = True
        self.tls = None
        if options.certificate:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(options.certificate, options.key)

    def take(self, session, content):
        """Notes a message; `content` is without dot-stuffing."""
        header, _, body = content.partition(b"\r\n\r\n")
        self.taken += 1
        record = {
            "tag": session.tag,
            "at": time.time(),
            "size": len(content),
            "sha256": hashlib.sha256(body).hexdigest(),
            "connection": session.number,
            "port": session.port,
            "tls": session.is_tls,
            "user": session.user,
            "helo": session.helo,
            "from": session.sender,
            "options": session.options,
            "to": session.recipients,
        }
        if content.count(b"\n") != content.count(b"\r\n") or content.count(b"\r") != content.count(b"\r\n"):
            record["bare_newline"] = True
        if self.folder and not session.tag:
            record["file"] = os.path.join(self.folder, f"{os.getpid()}-{self.taken}.eml")
            with open(record["file"], "wb") as file:
                file.write(content)
        self.records.write(json.dumps(record) + "\n")

    def control(self, request):
        """One request of the control socket: {} or any of
        {"rules": [...]}, {"keywords": [...]}, {"drop": true},
        {"accounts": {user: [password or token, ...]}}: all must log in; {}: nobody need,
        {"mechanisms": [...]}, {"starttls": false}, {"logins": true}: tells what was tried,
        {"anew": true}: `most` is counted from now on."""
        if "rules" in request:
            self.rules.set(request["rules"])
        if "keywords" in request:
            self.keywords = request["keywords"] or KEYWORDS
        if "accounts" in request:
            self.accounts = {user: set(good) for user, good in request["accounts"].items()}
        self.mechanisms = request.get("mechanisms", self.mechanisms)
        self.offers_tls = request.get("starttls", self.offers_tls)
        if request.get("drop"):
            for session in list(self.open):
                session.transport.abort()
        if request.get("anew"):
            self.most = len(self.open)
        answer = {"taken": self.taken, "open": len(self.open), "connections": self.connections, "by_port": self.by_port,
                  "most": self.most}
        if request.get("logins"):
            answer["logins"] = self.logins
        return answer


class Session(asyncio.Protocol):
    def __init__(self, sink):
        self.sink = sink
        self.buffer = bytearray()
        self.out = []
        self.is_stopped = False  # An answer is late on purpose, or the connection is at its end.
        self.is_in_body = False
        self.chunk = None  # (octets that are to come, whether it is the last)
        self.chunks = bytearray()
        self.is_tls = sink.tls_first
        self.user = None
        self.helo = ""
        self.login = None  # A Login that waits for the client's next line.
        self.searched = 0
        self.reset()

    def reset(self):
        self.sender, self.options, self.recipients, self.tag = None, "", [], None
        self.chunks = bytearray()

    # --- what asyncio calls

    def connection_made(self, transport):
        self.transport = transport
        self.sink.open.add(self)
        self.sink.connections += 1
        self.sink.most = max(self.sink.most, len(self.sink.open))
        self.number = f"{os.getpid()}-{self.sink.connections}"
        self.port = transport.get_extra_info("sockname")[1]
        self.sink.by_port[self.port] += 1
        self.answer("connect", "", "220 sink.skein.test ESMTP")
        self.flush()

    def connection_lost(self, _error):
        self.is_stopped = True
        self.sink.open.discard(self)

    def data_received(self, data):
        self.buffer += data
        if self.is_stopped:
            if len(self.buffer) > BUFFER_MAX:
                self.transport.pause_reading()
            return
        self.advance()

    # --- the dialogue

    def advance(self):
        while not self.is_stopped:
            if not (self.read_body() if self.is_in_body else self.read_chunk() if self.chunk else self.read_command()):
                break
        self.flush()

    def flush(self):
        self.sink.records.flush()
        if self.out:
            self.transport.write(b"".join(self.out))
            self.out.clear()

    def read_command(self):
        end = self.buffer.find(b"\n")
        if end < 0:
            return False
        line = self.buffer[:end].decode("utf-8", "replace").rstrip("\r")
        del self.buffer[:end + 1]
        if self.login:
            self.on_response(line)
            return True
        verb = line[:4].upper()
        handler = getattr(self, "on_" + verb.lower(), None) if verb.isalpha() else None
        if handler:
            handler(line)
        else:
            self.say("500 5.5.2 What?")
        return True

    def on_ehlo(self, line):
        self.reset()
        self.helo = line[5:].strip()
        keywords = list(self.sink.keywords)
        if self.may_start_tls():
            keywords.append("STARTTLS")
        if self.sink.accounts and (self.is_tls or not self.sink.offers_tls):
            keywords.append(" ".join(["AUTH", *self.sink.mechanisms]))
        lines = ["sink.skein.test", *keywords]
        text = "\r\n".join("250" + (" " if last else "-") + word
                           for word, last in zip(lines, [False] * (len(lines) - 1) + [True]))
        self.answer("ehlo", line, text)

    def on_helo(self, line):
        self.reset()
        self.helo = line[5:].strip()
        self.answer("ehlo", line, "250 sink.skein.test")

    def may_start_tls(self):
        return self.sink.tls and self.sink.offers_tls and not self.is_tls

    def on_star(self, line):
        if not self.may_start_tls():
            return self.say("503 5.5.1 No STARTTLS here")
        if not self.answer("starttls", line, "220 2.0.0 Go ahead") or self.is_stopped:
            return None
        self.flush()
        self.buffer.clear()
        self.is_stopped = True
        asyncio.ensure_future(self.start_tls())

    async def start_tls(self):
        loop = asyncio.get_running_loop()
        self.is_tls = True
        try:
            transport = await loop.start_tls(self.transport, self, self.sink.tls, server_side=True)
        except (OSError, ssl.SSLError):
            transport = None
        if transport is None:  # The client left during the handshake: connection_lost() may not come any more.
            self.sink.open.discard(self)
            return
        self.transport = transport
        self.is_stopped = False
        self.advance()  # A quick client sends its EHLO along with the end of the handshake.

    def on_auth(self, line):
        words = line.split(" ")
        mechanism = words[1].upper() if len(words) > 1 else ""
        if mechanism not in self.sink.mechanisms:
            return self.say("504 5.5.4 No such mechanism")
        self.login = Login(mechanism)
        if len(words) > 2:
            self.on_response(words[2])
        else:
            self.say("334 " + self.login.prompt())

    def on_response(self, line):
        try:
            self.login.said.append(base64.b64decode(line, validate=True).decode())
        except (binascii.Error, UnicodeDecodeError):
            self.login = None
            return self.say("501 5.5.2 Not base64")
        prompt = self.login.prompt()
        if prompt is not None:
            self.say("334 " + prompt)
        elif self.login.is_refused:
            self.login = None
            self.say("535 5.7.3 Authentication unsuccessful")
        else:
            self.judge_login(self.login)

    def judge_login(self, login):
        self.login = None
        try:
            user, secret = login.identity()
        except (KeyError, ValueError):
            return self.say("501 5.5.2 Not a login")
        good = secret in self.sink.accounts.get(user, ())
        self.sink.logins.append({"mechanism": login.mechanism, "user": user, "good": good, "tls": self.is_tls,
                                 "at": time.time(), "secret": secret})
        if good:
            if self.answer("auth", f"{login.mechanism} {user}", "235 2.7.0 Welcome"):
                self.user = user
        elif login.mechanism == "XOAUTH2":
            # The reason, which the client confirms with an empty line.
            login.is_refused = True
            self.login = login
            self.say("334 " + base64.b64encode(b'{"status":"401","schemes":"bearer"}').decode())
        else:
            self.answer("auth", f"{login.mechanism} {user}", "535 5.7.8 Bad user or password")

    def on_mail(self, line):
        self.reset()
        if self.sink.accounts and not self.user:
            return self.say("530 5.7.0 Log in first")
        if self.answer("mail", line, "250 2.1.0 Ok"):
            found = PATH.search(line)
            self.sender = found[1] if found else ""
            self.options = line.partition(">")[2].strip()

    def on_rcpt(self, line):
        if self.sender is None:
            return self.say("503 5.5.1 MAIL first")
        if self.answer("rcpt", line, "250 2.1.5 Ok"):
            found = PATH.search(line)
            self.recipients.append(found[1] if found else "")

    def on_data(self, line):
        if not self.recipients:
            return self.say("554 5.5.1 No valid recipients")
        if self.answer("data", line, "354 Go ahead"):
            self.is_in_body = True
            self.searched = 0
            rule = self.pick("body", self.subject())
            if rule:
                self.act(rule, None)

    def on_bdat(self, line):
        """Only where KEYWORDS were told to have CHUNKING, so that DATA is what most tests see."""
        words = line.upper().split()
        self.chunk = (int(words[1]), words[2:] == ["LAST"])

    def read_chunk(self):
        size, is_last = self.chunk
        if len(self.buffer) < size:
            return False
        self.chunks += self.buffer[:size]
        del self.buffer[:size]
        self.chunk = None
        if not self.recipients:
            self.say("503 5.5.1 RCPT first")
        elif not is_last:
            self.answer("bdat", self.subject(), f"250 2.0.0 {size} octets")
        else:
            self.judge(bytes(self.chunks))
        return True

    def on_rset(self, line):
        self.reset()
        self.answer("rset", line, "250 2.0.0 Ok")

    def on_noop(self, _line):
        self.say("250 2.0.0 Ok")

    def on_quit(self, line):
        self.answer("quit", line, "221 2.0.0 Bye")
        self.is_stopped = True
        self.flush()
        self.transport.close()

    def read_body(self):
        content = self.cut_body()
        if content is None:
            return False
        self.is_in_body = False
        self.judge(content)
        return True

    def judge(self, content):
        # Of the message's own header section: a delivery report quotes another's.
        found = TAG.search(content[:content.find(b"\r\n\r\n") + 2])
        self.tag = found[1].decode("ascii", "replace") if found else None
        rule = self.pick("dot", self.subject())
        if not rule or rule.action != "reply":
            self.sink.take(self, content)
        if rule:
            self.act(rule, "250 2.0.0 Taken")
        else:
            self.say("250 2.0.0 Taken")
        self.reset()

    def cut_body(self):
        """The message when all of it is there, else None."""
        if self.buffer.startswith(b".\r\n"):
            del self.buffer[:3]
            return b""
        end = self.buffer.find(b"\r\n.\r\n", max(0, self.searched - 4))
        if end < 0:
            self.searched = len(self.buffer)
            return None
        content = bytes(self.buffer[:end + 2])
        del self.buffer[:end + 5]
        if content.startswith(b".."):
            content = content[1:]
        return content.replace(b"\r\n..", b"\r\n.")

    def subject(self):
        return " ".join([self.sender or "", *self.recipients, self.tag or ""])

    # --- answers, as the rules want them

    def say(self, text):
        self.out.append(text.encode() + b"\r\n")

    def pick(self, stage, subject):
        return self.sink.rules.pick(stage, subject, self.port) if self.sink.rules.rules else None

    def answer(self, stage, subject, text):
        """Says `text` unless a rule has it otherwise; false when the command is to have no effect."""
        rule = self.pick(stage, subject)
        if not rule:
            self.say(text)
            return True
        self.act(rule, text)
        return rule.action in ("delay", "drip", "answer-close", "inject")

    def act(self, rule, text):
        """`text` is None where no answer is due: in the body."""
        getattr(self, "do_" + rule.action.replace("-", "_"))(rule, text)

    def do_reply(self, rule, _text):
        self.say(rule.argument)
        if rule.stage == "connect" or rule.argument.startswith("421"):
            self.end()

    def do_close(self, _rule, _text):
        self.end()

    def do_reset(self, _rule, _text):
        self.stop()
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def do_answer_close(self, _rule, text):
        self.say(text)
        self.end()

    def do_half(self, _rule, text):
        self.out.append(text[:len(text) // 2].encode())
        self.end()

    def do_hang(self, _rule, _text):
        """What the kernel takes on its own is not much either."""
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.stop()

    def do_delay(self, rule, text):
        self.stop()
        self.later(rule.seconds, [text.encode() + b"\r\n"] if text else [])

    def do_drip(self, rule, text):
        self.stop()
        self.later(rule.seconds, [bytes([byte]) for byte in text.encode() + b"\r\n"] if text else [])

    def do_garbage(self, _rule, _text):
        self.out.append(b"\x16\x03\x01\x00\xff SSH-2.0-nothing\r\n")
        self.stop()

    def do_inject(self, rule, text):
        self.say(f"{text}\r\n{rule.argument}")

    def do_endless(self, rule, _text):
        self.stop()
        self.forever(ENDLESS, rule.seconds)

    def do_lines(self, rule, text):
        self.stop()
        self.forever(f"{text[:3]}-and so on\r\n".encode(), rule.seconds)

    def forever(self, piece, seconds):
        if self.transport.is_closing():
            return
        if self.transport.get_write_buffer_size() < BUFFER_MAX:
            self.transport.write(piece)
        asyncio.get_running_loop().call_later(seconds, self.forever, piece, seconds)

    def end(self):
        self.stop()
        self.transport.close()

    def stop(self):
        """Nothing further is read or said, until later() goes on."""
        self.is_stopped = True
        self.flush()

    def later(self, seconds, parts):
        asyncio.get_running_loop().call_later(seconds, self.go_on, seconds, parts)

    def go_on(self, seconds, parts):
        if self.transport.is_closing():
            return
        if parts:
            self.transport.write(parts[0])
        if len(parts) > 1:
            return self.later(seconds, parts[1:])
        self.is_stopped = False
        self.transport.resume_reading()
        self.advance()


async def _serve_control(sink, reader, writer):
    while line := await reader.readline():
        try:
            answer = sink.control(json.loads(line))
        except Exception as error:
            answer = {"error": str(error) if isinstance(error, (BadRule, ValueError)) else repr(error)}
        writer.write(json.dumps(answer).encode() + b"\n")
    writer.close()


async def _run(options):
    loop = asyncio.get_running_loop()
    sink = Sink(options)
    if options.control:
        if os.path.exists(options.control):
            os.unlink(options.control)
        await asyncio.start_unix_server(lambda r, w: _serve_control(sink, r, w), options.control)
    # Last: whoever finds it listening may use the control socket.
    for address in options.listen:
        host, _, port = address.rpartition(":")
        await loop.create_server(lambda: Session(sink), host, int(port), backlog=1024,
                                 ssl=sink.tls if options.tls_first else None)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    print(f"sink listens on {', '.join(options.listen)}", flush=True)
    await ended.wait()
    sink.records.flush()


def main():
    parser = argparse.ArgumentParser(description="A receiving SMTP server for the demo and the tests.")
    parser.add_argument("--listen", nargs="+", default=["127.0.0.1:2526"], metavar="ADDR:PORT")
    parser.add_argument("--records", default="/dev/stdout", metavar="FILE", help="gets a line of JSON per message")
    parser.add_argument("--keep", metavar="DIR", help="keeps messages without X-Skein-Tag here, delivery reports say")
    parser.add_argument("--control", metavar="SOCKET", help="unix socket that takes rules, see deploy/lib/lab/sink_rules.py")
    parser.add_argument("--certificate", metavar="PEM", help="offers STARTTLS")
    parser.add_argument("--key", metavar="PEM")
    parser.add_argument("--tls-first", action="store_true", help="TLS from the first byte")
    asyncio.run(_run(parser.parse_args()))
    sys.exit(0)
