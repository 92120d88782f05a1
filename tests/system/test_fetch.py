"""HTTPS out of a node, asked through tests/tools/fetch.c: what it takes, and what it does not."""
import json
import subprocess

import pytest
from lab.cluster import build_folder

from authority import Authority
from dns_lab import DnsLab, Zone
from https_server import HttpsServer


def answer(method, path, headers, body):
    if path == "/hang":
        return None
    if path == "/moved":
        return 302, {"Location": "/here"}, b""
    if path == "/long":
        return 200, {}, b"x" * 5000
    if path == "/endless":
        return 200, {"Transfer-Encoding": "chunked"}, b"".join(b"400\r\n" + b"y" * 1024 + b"\r\n" for _ in range(5))
    if path == "/echo":
        return 201, {"Content-Type": "text/plain"}, f"{method} {headers['X-Test']} {headers['Content-Type']} ".encode() + body
    return 404, {}, b"not here"


class Fetcher:
    def __init__(self, server, authority):
        self.process = subprocess.Popen([str(build_folder() / "tests" / "fetch"), server, authority], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        assert self.process.wait(20) == 0


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """(fetcher, port of a good server, port of one with a certificate that has expired)"""
    folder = tmp_path_factory.mktemp("fetch")
    authority = Authority(folder / "certificates")
    names = DnsLab(folder / "dns", {"web.example": Zone("good A 127.0.0.1\nother A 127.0.0.1\nnothing TXT x\n")})
    good = HttpsServer(authority.issue("good", "DNS:good.web.example,IP:127.0.0.1"), answer)
    old = HttpsServer(authority.issue_expired("old", "DNS:good.web.example"), answer)
    fetcher = Fetcher(names.server, authority.certificate)
    yield fetcher, good.port, old.port
    fetcher.stop()
    good.stop()
    old.stop()
    names.stop()


def test_requests_are_answered(world):
    fetcher, port, _ = world
    url = f"https://good.web.example:{port}/echo"
    assert fetcher.ask("POST", 1000, 10000, url, "a body") == {
        "outcome": "answered", "status": 201, "type": "text/plain", "body": "POST yes text/x-test a body", "why": ""}
    assert fetcher.ask("GET", 1000, 10000, url)["body"].startswith("GET yes")
    assert fetcher.ask("GET", 1000, 10000, f"https://127.0.0.1:{port}/echo")["status"] == 201
    assert fetcher.ask("GET", 1000, 10000, f"https://good.web.example:{port}/elsewhere")["status"] == 404
    assert fetcher.ask("DROP", 1000, 10000, url) == {"dropped": True}
    assert fetcher.ask("GET", 1000, 10000, f"https://good.web.example:{port}/moved")["status"] == 302


@pytest.mark.parametrize("url, most, outcome, why", [
    ("https://good.web.example:{0}/long", 4999, "too-long", ""),
    ("https://good.web.example:{0}/endless", 4999, "too-long", ""),
    ("https://good.web.example:{0}/long", 5000, "answered", ""),
    ("https://good.web.example:{0}/hang", 5000, "unreachable", "in time"),
    ("https://other.web.example:{0}/echo", 5000, "untrusted", "other.web.example"),
    ("https://good.web.example:{1}/echo", 5000, "untrusted", "expired"),
    ("https://nothing.web.example:{0}/echo", 5000, "unreachable", "no address"),
    ("https://good.web.example:1/echo", 5000, "unreachable", ""),
    ("http://good.web.example:{0}/echo", 5000, "refused", ""),
    ("https://me:secret@good.web.example:{0}/echo", 5000, "refused", ""),
    ("nonsense", 5000, "refused", ""),
])
def test_what_is_not_good_is_told(world, url, most, outcome, why):
    fetcher, *ports = world
    result = fetcher.ask("GET", most, 1500, url.format(*ports))
    assert result["outcome"] == outcome and why in result["why"], result
