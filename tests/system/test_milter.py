"""One visit of a filter, through tests/tools/milter_visit.c: a scripted filter for all answers and faults, and
libmilter itself, which is what filters are written with."""
import base64
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import threading
import time

import pytest
from lab.cluster import build_folder

import milter_filter as mf
from milter_filter import Filter

RECEIVED = b"Received: from client.example ([192.0.2.1])\r\n\tby mx.example (Skein) with ESMTP id 01TEST;\r\n\tnow\r\n"
HEADER = b"From: a@a.example\r\nSubject: one\r\n two\r\nX-Tag: 1\r\nX-Tag: 2\r\nTo: b@b.example\r\n"
BODY = b"Hello.\r\n.dot\r\n\r\nBye.\r\n"
SECONDS = 0.5  # that a filter may take


class Visit:
    def __init__(self, folder, filter_, header=HEADER, body=BODY, **options):
        path = folder / "message"
        path.write_bytes(RECEIVED + header + b"\r\n" + body)
        order = {"host": "" if filter_.path else "127.0.0.1", "port": filter_.port, "path": filter_.path,
                 "connect_ms": 2000, "answer_ms": 5000, "total_ms": 20000, "folder": str(folder), "message": str(path),
                 "own": 1, "sender": "a@a.example", "recipients": ["b@b.example", "c@b.example"],
                 "client": "192.0.2.1", "helo": "client.example", "user": "jo", "cancel_ms": 0, **options}
        began = time.monotonic()
        done = subprocess.run([str(build_folder() / "tests" / "milter_visit")], input=json.dumps(order), text=True,
                              stdout=subprocess.PIPE, timeout=60)
        assert done.returncode == 0
        self.took = time.monotonic() - began
        self.answer = json.loads(done.stdout)
        self.outcome = self.answer["outcome"]
        self.message = pathlib.Path(self.answer["edited"]).read_bytes()

    def failed(self):
        assert self.outcome == "failed"
        assert self.message.startswith(RECEIVED + HEADER.split(b"\r\n")[0])
        return self.answer["why"]


@pytest.fixture
def filters():
    made = []

    def make(*args, **options):
        made.append(Filter(*args, **options))
        return made[-1]
    yield make
    for filter_ in made:
        filter_.stop()


def test_a_filter_hears_the_whole_message(tmp_path, filters):
    filter_ = filters()
    visit = Visit(tmp_path, filter_)
    assert visit.outcome == "accepted"
    assert visit.message == RECEIVED + HEADER + b"\r\n" + BODY
    assert filter_.ended.wait(10)
    heard = [command for command, _ in filter_.heard if command != mf.MACRO]
    assert heard == list("CHMRRTLLLLLNBEQ")
    assert filter_.all(mf.CONNECT) == [b"[192.0.2.1]\x004\x04\x01192.0.2.1\0"]
    assert filter_.all(mf.HELO) == [b"client.example\0"]
    assert filter_.all(mf.MAIL) == [b"<a@a.example>\0"]
    assert filter_.all(mf.RCPT) == [b"<b@b.example>\0", b"<c@b.example>\0"]
    assert filter_.all(mf.HEADER) == [b"From\0a@a.example\0", b"Subject\0one\n two\0", b"X-Tag\x001\0", b"X-Tag\x002\0",
                                      b"To\0b@b.example\0"]
    assert filter_.body() == BODY
    macros = filter_.macros()
    assert {name: macros[name] for name in (b"j", b"i", b"{daemon_name}", b"{client_addr}", b"{auth_authen}",
                                            b"{auth_type}", b"{mail_addr}")} == {
        b"j": b"mx.example", b"i": b"01TEST", b"{daemon_name}": b"mx.example", b"{client_addr}": b"192.0.2.1",
        b"{auth_authen}": b"jo", b"{auth_type}": b"PLAIN", b"{mail_addr}": b"a@a.example"}


def test_what_it_changes_leaves_with_the_message(tmp_path, filters):
    answers = (mf.insert_header(0, "Authentication-Results", "mx.example; none") + mf.insert_header(2, "X-First", "1\n 2")
               + mf.change_header(1, "subject", "[SPAM] one") + mf.change_header(2, "X-Tag", "") + mf.PROGRESS
               + mf.add_header("X-Last", "l") + mf.texts("+", "<d@b.example>") + mf.texts("-", "<b@b.example>")
               + mf.texts("e", "<new@a.example>", "SIZE=1") + mf.texts("q", "odd") + mf.CONTINUE)
    visit = Visit(tmp_path, filters({mf.END: answers}))
    assert visit.answer == {"outcome": "accepted", "why": None, "code": 0, "enhanced": "", "text": "",
                            "added": ["d@b.example"], "removed": ["b@b.example"], "sender": "new@a.example",
                            "quarantine": "odd", "edited": visit.answer["edited"]}
    assert visit.message == (b"Authentication-Results: mx.example; none\r\n" + RECEIVED + b"X-First: 1\r\n 2\r\n"
                             b"From: a@a.example\r\nsubject: [SPAM] one\r\nX-Tag: 1\r\nTo: b@b.example\r\n"
                             b"X-Last: l\r\n\r\n" + BODY)


@pytest.mark.parametrize("command", [mf.CONNECT, mf.HELO, mf.MAIL, mf.RCPT, mf.DATA, mf.HEADER, mf.EOH, mf.BODY, mf.END])
@pytest.mark.parametrize("answer, outcome, code", [
    (mf.ACCEPT, "accepted", 0), (mf.REJECT, "refused", 550), (mf.TEMPFAIL, "refused", 451), (mf.DISCARD, "discarded", 0),
    (mf.texts("y", "554 5.7.9 because\r\n"), "refused", 554)], ids=["accept", "reject", "tempfail", "discard", "reply"])
def test_each_verdict_may_come_at_each_step(tmp_path, filters, command, answer, outcome, code):
    filter_ = filters({command: answer})
    visit = Visit(tmp_path, filter_)
    assert (visit.outcome, visit.answer["code"]) == (outcome, code)
    if code == 554:
        assert (visit.answer["enhanced"], visit.answer["text"]) == ("5.7.9", "because")
    assert filter_.ended.wait(10)
    assert filter_.heard[-1][0] == mf.QUIT
    assert [heard for heard, _ in filter_.heard if heard != mf.MACRO][-2] == command


def test_a_filter_without_answers_is_not_waited_for(tmp_path, filters):
    filter_ = filters(negotiate=mf.negotiation(steps=mf.MUTE_ALL | 0x100000))
    body = os.urandom(300000).hex().encode() + b"\r\n"
    visit = Visit(tmp_path, filter_, body=body)
    assert visit.outcome == "accepted"
    assert filter_.body() == body
    assert filter_.all(mf.HEADER)[0] == b"From\0 a@a.example\0"


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 200000, 5_000_000])
@pytest.mark.parametrize("steps", [0, mf.MUTE_ALL], ids=["answered", "mute"])
def test_a_body_of_any_size_arrives(tmp_path, filters, size, steps):
    body = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    filter_ = filters({mf.END: mf.add_header("X-Seen", "1") + mf.ACCEPT}, negotiate=mf.negotiation(steps=steps))
    visit = Visit(tmp_path, filter_, body=body)
    assert visit.outcome == "accepted"
    assert filter_.body() == body
    assert all(len(chunk) <= 65535 for chunk in filter_.all(mf.BODY))
    assert visit.message == RECEIVED + HEADER + b"X-Seen: 1\r\n\r\n" + body


def test_a_filter_that_reads_slowly_slows_the_reading(tmp_path, filters):
    def slowly(self, data):
        time.sleep(0.01)
        return b""
    body = b"x" * 3_000_000
    filter_ = filters({mf.BODY: slowly}, negotiate=mf.negotiation(steps=0x80000))
    assert Visit(tmp_path, filter_, body=body).outcome == "accepted"
    assert filter_.body() == body


def test_it_may_skip_the_rest_of_the_body(tmp_path, filters):
    filter_ = filters({mf.BODY: mf.SKIP})
    assert Visit(tmp_path, filter_, body=b"x" * 1_000_000).outcome == "accepted"
    assert len(filter_.all(mf.BODY)) == 1
    assert len(filter_.all(mf.END)) == 1


def test_a_unix_socket_will_do(tmp_path, filters):
    filter_ = filters(path=str(tmp_path / "socket"))
    assert Visit(tmp_path, filter_).outcome == "accepted"
    assert filter_.body() == BODY


def test_a_name_is_looked_up_by_the_system(tmp_path, filters):
    filter_ = filters()
    assert Visit(tmp_path, filter_, host="localhost").outcome == "accepted"
    assert "name" in Visit(tmp_path, filter_, host="nowhere.invalid").failed()


def test_one_that_is_not_there_is_told(tmp_path, filters):
    gone = filters()
    gone.stop()
    gone.thread.join(1)
    port = subprocess.run([sys.executable, "-c", "import socket; s=socket.create_server(('127.0.0.1',0)); "
                           "print(s.getsockname()[1])"], text=True, stdout=subprocess.PIPE).stdout
    assert "cannot be reached" in Visit(tmp_path, gone, port=int(port)).failed()
    assert "cannot be reached" in Visit(tmp_path, gone, host="", path=str(tmp_path / "nothing")).failed()


def hang(self, data):
    self.ended.wait(20)
    return None


FAULTS = {
    "close": (None, "the connection was lost"),
    "garbage": (b"220 mail.example ESMTP\r\n", "malformed"),
    "empty": (struct.pack(">I", 0), "malformed"),
    "long": (struct.pack(">I", 1 << 24) + b"h", "malformed"),
    "unknown": (mf.packet("Z"), "malformed"),
    "body": (mf.packet("b", b"another"), "malformed"),
    "half": (lambda self, data: self.connection.sendall(mf.add_header("A", "b")[:7]), "the connection was lost"),
    "unasked": (mf.CONTINUE * 30, "not asked"),
    "bad-code": (mf.texts("y", "250 2.0.0 fine"), "no refusal"),
}


# At the end of the message the first of the answers that nobody asked for ends it well.
@pytest.mark.parametrize("fault, command", [(fault, command) for fault in FAULTS for command in (mf.CONNECT, mf.BODY, mf.END)
                                            if (fault, command) != ("unasked", mf.END)])
def test_a_fault_is_told_and_changes_nothing(tmp_path, filters, fault, command):
    answer, why = FAULTS[fault]
    if command == mf.END and answer and not callable(answer):
        answer = mf.add_header("X-New", "1") + answer
    visit = Visit(tmp_path, filters({command: answer}))
    assert why in visit.failed()
    assert visit.message == RECEIVED + HEADER + b"\r\n" + BODY


@pytest.mark.parametrize("answer", [
    mf.add_header("X Y", "1"), mf.texts("+", "<no\r\nQUIT>"), mf.texts("e", "<a b>"), mf.add_header("A", "b" * 70000) * 2],
    ids=["name", "recipient", "sender", "size"])
def test_a_change_that_cannot_be_made_undoes_all(tmp_path, filters, answer):
    visit = Visit(tmp_path, filters({mf.END: mf.add_header("X-New", "1") + answer + mf.CONTINUE}))
    assert visit.failed()
    assert visit.message == RECEIVED + HEADER + b"\r\n" + BODY


@pytest.mark.parametrize("command", [mf.CONNECT, mf.MAIL, mf.BODY, mf.END])
def test_one_that_hangs_is_left(tmp_path, filters, command):
    filter_ = filters({command: hang})
    visit = Visit(tmp_path, filter_, answer_ms=300)
    filter_.ended.set()
    assert "in time" in visit.failed()
    assert visit.took < 15  # not total_ms


def test_one_that_says_nothing_at_all_is_left(tmp_path, filters):
    assert "in time" in Visit(tmp_path, filters(negotiate=b"\0"), answer_ms=300).failed()


def test_one_that_drips_is_left(tmp_path, filters):
    visit = Visit(tmp_path, filters({mf.END: mf.drip(mf.add_header("X-New", "1" * 50), 0.1)}), answer_ms=400)
    assert "in time" in visit.failed()


def test_progress_prolongs_the_answer_but_not_the_whole(tmp_path, filters):
    def work(self, data):
        for _ in range(8):
            time.sleep(0.2)
            self.connection.sendall(mf.PROGRESS)
        return mf.ACCEPT
    assert Visit(tmp_path, filters({mf.END: work}), answer_ms=800).outcome == "accepted"
    assert "too long" in Visit(tmp_path, filters({mf.END: work}), answer_ms=800, total_ms=900).failed()


def test_a_visit_can_be_cancelled(tmp_path, filters):
    filter_ = filters({mf.END: hang})
    visit = Visit(tmp_path, filter_, cancel_ms=300)
    filter_.ended.set()
    assert visit.outcome == "cancelled"
    assert visit.message == RECEIVED + HEADER + b"\r\n" + BODY


# --- libmilter ---------------------------------------------------------------------------------------------------------

LIBMILTER = """
import sys
import Milter

class Real(Milter.Base):
    def connect(self, name, family, address):
        self.facts = [name, address[0], self.getsymval("j"), self.getsymval("{daemon_name}")]
        return Milter.CONTINUE

    def hello(self, name):
        self.facts.append(name)
        return Milter.CONTINUE

    def envfrom(self, sender, *parameters):
        self.facts += [sender, self.getsymval("i"), self.getsymval("{auth_authen}")]
        self.size = 0
        return Milter.CONTINUE

    def envrcpt(self, recipient, *parameters):
        self.facts.append(recipient)
        if "refused" in recipient:
            self.setreply("550", "5.1.1", "100%% unknown")
            return Milter.REJECT
        return Milter.CONTINUE

    def header(self, name, value):
        self.facts.append(name + "=" + value.replace("\\n", "|"))
        return Milter.CONTINUE

    def body(self, chunk):
        self.size += len(chunk)
        return Milter.CONTINUE

    def eom(self):
        self.addheader("X-Facts", ";".join(map(str, self.facts)))
        self.addheader("X-Size", str(self.size), 0)
        self.chgheader("X-Tag", 1, "")
        self.progress()
        self.addrcpt("<added@b.example>")
        self.delrcpt("<c@b.example>")
        self.chgfrom("<changed@a.example>")
        return Milter.ACCEPT

Milter.factory = Real
Milter.set_flags(Milter.ADDHDRS + Milter.CHGHDRS + Milter.ADDRCPT + Milter.DELRCPT + Milter.CHGFROM)
Milter.runmilter("real", sys.argv[1], 10)
"""


class RealFilter:
    path = ""

    def __init__(self, socket_name, *command):
        self.path = socket_name
        self.port = 0
        self.process = subprocess.Popen(command)
        give_up = time.monotonic() + 20
        while not os.path.exists(socket_name):
            assert time.monotonic() < give_up and self.process.poll() is None
            threading.Event().wait(0.02)

    def stop(self):
        self.process.kill()
        self.process.wait(5)


def test_libmilter_understands_us_and_we_it(tmp_path):
    pytest.importorskip("Milter")
    socket_name = str(tmp_path / "real")
    (tmp_path / "real.py").write_text(LIBMILTER)
    real = RealFilter(socket_name, sys.executable, str(tmp_path / "real.py"), socket_name)
    try:
        visit = Visit(tmp_path, real, body=b"0123456789\r\n" * 20000)
        refused = Visit(tmp_path, real, recipients=["refused@b.example"])
    finally:
        real.stop()
    assert visit.outcome == "accepted"
    assert visit.answer["added"] == ["added@b.example"]
    assert visit.answer["removed"] == ["c@b.example"]
    assert visit.answer["sender"] == "changed@a.example"
    assert visit.message.startswith(b"X-Size: 240000\r\n" + RECEIVED)
    assert b"X-Tag: 1\r\n" not in visit.message
    facts = next(line for line in visit.message.split(b"\r\n") if line.startswith(b"X-Facts: "))
    assert facts == (b"X-Facts: [192.0.2.1];192.0.2.1;mx.example;mx.example;client.example;<a@a.example>;01TEST;jo;<b@b.example>;"
                     b"<c@b.example>;From=a@a.example;Subject=one| two;X-Tag=1;X-Tag=2;To=b@b.example")
    assert (refused.outcome, refused.answer["code"], refused.answer["enhanced"], refused.answer["text"]) == (
        "refused", 550, "5.1.1", "100% unknown")


# --- OpenDKIM ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("form", ["simple/simple", "relaxed/relaxed"])
def test_what_opendkim_signs_is_what_leaves(tmp_path, form):
    dkim = pytest.importorskip("dkim")
    program = shutil.which("opendkim", path="/usr/sbin:/usr/bin")
    if not program:
        pytest.skip("opendkim is not installed")
    key, socket_name = tmp_path / "key.pem", str(tmp_path / "opendkim")
    subprocess.run(["openssl", "genrsa", "-traditional", "-out", str(key), "2048"], check=True, capture_output=True)
    public = subprocess.run(["openssl", "rsa", "-in", str(key), "-pubout", "-outform", "DER"], check=True,
                            capture_output=True).stdout
    (tmp_path / "opendkim.conf").write_text(
        f"Mode s\nDomain a.example\nSelector s1\nKeyFile {key}\nSocket local:{socket_name}\nBackground no\n"
        f"Canonicalization {form}\nRequireSafeKeys no\nInternalHosts 192.0.2.0/24\nSyslog no\n")
    real = RealFilter(socket_name, program, "-f", "-x", str(tmp_path / "opendkim.conf"))
    try:
        visit = Visit(tmp_path, real, body=b"two  words \r\n\r\n" * 9000 + b"\r\n\r\n",
                      header=b"From:a@a.example\r\nSubject:  one\r\n\ttwo  \r\nTo: b@b.example\r\n")
    finally:
        real.stop()
    assert visit.outcome == "accepted"
    assert visit.message.startswith(b"DKIM-Signature: v=1; ")
    record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)
    assert dkim.verify(visit.message, dnsfunc=lambda name, timeout=5: record)
