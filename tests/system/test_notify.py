"""How somebody outside is told, through tests/tools/notify.c: a POST to a web server, syslog over UDP, TCP and TLS."""
import json
import os
import subprocess
import threading

import pytest
from lab.cluster import build_folder
from lab.wait import until

from authority import Authority
from receivers import SyslogReceiver, WebReceiver


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def certificate(authority):
    return authority.issue("good", "IP:127.0.0.1")


class Teller:
    """Ends as they come in `ends`."""

    def __init__(self, authority, url, timeout_ms=10000, queue_bytes=1000000, secret=None):
        environment = {**os.environ, **({"SKEIN_TEST_SECRET": str(secret)} if secret else {})}
        self.process = subprocess.Popen([str(build_folder() / "tests" / "notify"), authority.certificate, str(timeout_ms), url,
                                         str(queue_bytes)], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=environment)
        self.ends = []
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.process.stdout:
            self.ends.append(json.loads(line))

    def tell(self, *texts):
        self.process.stdin.write("".join(text + "\n" for text in texts))
        self.process.stdin.flush()

    def end_of(self, text):
        self.tell(text)
        until(lambda: any(end["text"] == text for end in self.ends), 20, f"an end of {text}")
        return next(end for end in self.ends if end["text"] == text)

    def finish(self):
        """All ends; the program says that nothing is left of it."""
        self.process.stdin.close()
        assert self.process.wait(30) == 0
        self.thread.join(20)
        return self.ends


@pytest.fixture
def teller(authority):
    tellers = []

    def make(url, **options):
        tellers.append(Teller(authority, url, **options))
        return tellers[-1]
    yield make
    for one in tellers:
        if one.process.poll() is None:
            one.finish()


def texts(ends, how):
    return [end["text"] for end in ends if end["end"] == how]


# --- web servers ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("is_secure", [False, True])
def test_a_post_carries_its_headers_and_its_secret(teller, certificate, tmp_path, is_secure):
    secret = tmp_path / "secret"
    secret.write_text("s3cret token\n")
    secret.chmod(0o600)
    server = WebReceiver(certificate if is_secure else None)
    one = teller(server.url("/a?b"), secret=secret)
    assert one.end_of('{"x":1}') == {"text": '{"x":1}', "end": "sent", "why": "", "wait_ms": 0}
    path, headers, body = server.asked[0]
    assert (path, body) == ("/a?b", b'{"x":1}')
    assert headers["Authorization"] == "Bearer s3cret token"
    assert (headers["Content-Type"], headers["Skein-Batch"]) == ("application/json", "7")
    assert one.end_of("again")["end"] == "sent"
    assert server.connections == 1, "the connection was not kept"
    one.finish()
    server.stop()


@pytest.mark.parametrize("status, headers, end, wait_ms", [
    (204, {"Content-Length": "0"}, "sent", 0),
    (301, {"Location": "/elsewhere"}, "later", 0),
    (400, {}, "never", 0),
    (401, {}, "later", 0),
    (404, {}, "later", 0),
    (413, {}, "never", 0),
    (422, {}, "never", 0),
    (429, {"Retry-After": "7"}, "later", 7000),
    (500, {}, "later", 0),
    (503, {"Retry-After": "nonsense"}, "later", 0),
])
def test_what_the_server_answers_decides(teller, status, headers, end, wait_ms):
    server = WebReceiver(answer=lambda number, body: (status, headers))
    result = teller(server.url()).end_of("x")
    assert (result["end"], result["wait_ms"]) == (end, wait_ms)
    assert result["why"] == ("" if end == "sent" else f"the server answered {status}")
    assert len(server.asked) == 1, "a redirect was followed"
    server.stop()


def test_who_does_not_answer_is_given_up(teller):
    server = WebReceiver(answer=lambda number, body: None)
    result = teller(server.url(), timeout_ms=300).end_of("x")
    assert result["end"] == "later" and "in time" in result["why"]
    server.stop()
    result = teller(server.url()).end_of("x")
    assert result["end"] == "later" and result["why"]


def test_web_servers_with_bad_certificates_are_told_nothing(teller, authority):
    for files in (authority.issue("other", "DNS:other.example"), authority.issue_expired("old", "IP:127.0.0.1"),
                  authority.self_signed("self")):
        server = WebReceiver(files)
        result = teller(server.url()).end_of("x")
        assert result["end"] == "later" and "certificate" in result["why"].lower(), result
        assert not server.asked
        server.stop()


# --- collectors of syslog --------------------------------------------------------------------------------

def collector(kind, certificate):
    return SyslogReceiver(kind, certificate if kind == "tls" else None)


@pytest.mark.parametrize("kind", ["udp", "tcp", "tls"])
def test_messages_arrive_in_their_order(teller, certificate, kind):
    receiver = collector(kind, certificate)
    # Over UDP no more than the socket of a collector that is busy holds.
    sent = ["first"] + [f'{i} "]\\ Jörg €' for i in range(1, 80 if kind == "udp" else 2000)]
    one = teller(receiver.url())
    one.tell(*sent)
    assert texts(one.finish(), "sent") == sent
    until(lambda: len(receiver.messages) == len(sent), 20, "all messages")
    parsed = receiver.parsed()
    assert [message["text"] for message in parsed] == sent
    assert [message["params"] for message in parsed] == [{"id": text} for text in sent]
    assert {**parsed[0], "process": "1"} == {
        "facility": 2, "severity": 5, "time": "2020-11-24T16:00:00.123456Z", "host": "test-node", "app": "skein", "process": "1",
        "kind": "TEST", "element": "skein@32473", "params": {"id": "first"}, "text": "first"}
    assert receiver.messages[0].endswith("] first")
    assert receiver.messages[1].endswith('] \ufeff1 "]\\ Jörg €')
    assert kind == "udp" or receiver.connections == 1
    receiver.stop()


@pytest.mark.parametrize("kind", ["tcp", "tls"])
def test_a_collector_that_was_away_is_found_again(teller, certificate, kind):
    receiver = collector(kind, certificate)
    one = teller(receiver.url())
    assert one.end_of("before")["end"] == "sent"
    until(lambda: receiver.messages, 20, "the first")
    receiver.stop()
    one.tell("a", "b")
    receiver.start()
    assert one.end_of("c")["end"] == "sent"
    until(lambda: [m["text"] for m in receiver.parsed()][-3:] == ["a", "b", "c"], 20, "the others, in order")
    assert texts(one.finish(), "sent") == ["before", "a", "b", "c"]
    receiver.stop()


@pytest.mark.parametrize("kind", ["tcp", "tls"])
def test_nothing_counts_as_sent_that_the_collector_does_not_take(teller, certificate, kind):
    receiver = collector(kind, certificate)
    one = teller(receiver.url(), timeout_ms=800, queue_bytes=100_000_000)
    assert one.end_of("before")["end"] == "sent"
    receiver.reads.clear()
    # More than both kernels hold, so that the rest is not acknowledged.
    sent = [f"{i} " + "x" * 4000 for i in range(1000)]
    one.tell(*sent)
    ends = one.finish()
    assert texts(ends, "later"), "4 MB went into sockets: this test needs more"
    assert {end["why"] for end in ends if end["end"] == "later"} & {"not acknowledged in time", "not sent in time"}
    assert len(ends) == 1 + len(sent)
    receiver.stop()


def test_collectors_with_bad_certificates_are_told_nothing(teller, authority):
    for files in (authority.issue("other", "DNS:other.example"), authority.issue_expired("old", "IP:127.0.0.1")):
        receiver = SyslogReceiver("tls", files)
        result = teller(receiver.url(), timeout_ms=700).end_of("x")
        assert result["end"] == "later" and "handshake" in result["why"], result
        assert not receiver.messages
        receiver.stop()


def test_the_queue_is_bounded(teller, certificate):
    receiver = collector("tcp", certificate)
    receiver.stop()
    one = teller(receiver.url(), timeout_ms=1000, queue_bytes=3000)
    one.tell(*[f"{i:03}" for i in range(100)])
    ends = one.finish()
    full = [end["text"] for end in ends if "full" in end["why"]]
    assert 80 < len(full) < 98 and full[-1] == "099"
    assert all("refused" in end["why"] for end in ends if end["text"] not in full)


@pytest.mark.parametrize("url, why", [("ftp://x", "begins with none"), ("tls://127.0.0.1:x", "port")])
def test_bad_urls_are_told(authority, url, why):
    result = subprocess.run([str(build_folder() / "tests" / "notify"), authority.certificate, "1000", url], text=True,
                            capture_output=True, timeout=20)
    assert result.returncode == 1 and why in result.stderr
