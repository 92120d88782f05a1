"""Who may connect and relay: closed by default, and a PROXY header only from balancers that are listed."""
import smtplib
import socket
import struct

from lab.wait import until
import pytest

from support import message, new_tag, send, until_arrived

V2_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


class Raw:
    """A connection of which every byte is the test's."""

    def __init__(self, address):
        host, port = address.split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=20)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def line_or_end(self):
        """The next line; empty when the server closes or resets."""
        try:
            return self.file.readline()
        except ConnectionError:
            return b""

    def reply(self):
        """The last line of an answer."""
        while (line := self.line_or_end())[3:4] == b"-":
            pass
        return line

    def relay(self, tag):
        """Says EHLO and sends a message: the answers to EHLO, MAIL, RCPT."""
        answers = []
        for line in (b"EHLO c", b"MAIL FROM:<a@client.skein.test>", b"RCPT TO:<b@sink.skein.test>"):
            self.send(line + b"\r\n")
            answers.append(self.reply()[:3])
        if answers[-1] == b"250":
            self.send(b"DATA\r\n")
            assert self.reply().startswith(b"354")
            self.send(message(tag) + b".\r\n")
            assert self.reply().startswith(b"250")
        return answers


def v2(client, command=1, family=0x11):
    addresses = socket.inet_aton(client) + socket.inet_aton("127.0.0.1") + struct.pack(">HH", 40000, 25)
    return V2_SIGNATURE + bytes([0x20 | command, family]) + struct.pack(">H", len(addresses)) + addresses


def v1(client):
    return f"PROXY TCP4 {client} 127.0.0.1 40000 25\r\n".encode()


@pytest.fixture(scope="module")
def balanced(module_clusters):
    """A node where 10.0.0.0/8 may relay, and 127.0.0.1 is a balancer on one listener."""
    return module_clusters(nodes=1, redis=False, balancer=False, settings={"relay": {"allow": ["10.0.0.0/8"]}})


@pytest.mark.parametrize("header", [v1, v2])
def test_the_client_behind_a_balancer_is_the_one_who_must_be_allowed(balanced, header):
    for client, code in (("10.1.2.3", b"250"), ("192.0.2.1", b"5")):
        tag = new_tag()
        with Raw(balanced.nodes[1].proxied) as link:
            link.send(header(client))
            assert link.reply().startswith(b"220")
            assert link.relay(tag)[2].startswith(code)
        if code == b"250":
            until_arrived(balanced, tag)


def test_a_header_may_come_in_pieces(balanced):
    tag = new_tag()
    with Raw(balanced.nodes[1].proxied) as link:
        for byte in v2("10.1.2.3"):
            link.send(bytes([byte]))
        assert link.reply().startswith(b"220")
        assert link.relay(tag)[2] == b"250"


def test_a_check_by_the_balancer_itself_is_greeted(balanced):
    with Raw(balanced.nodes[1].proxied) as link:
        link.send(V2_SIGNATURE + bytes([0x20, 0]) + struct.pack(">H", 0))
        assert link.reply().startswith(b"220")


@pytest.mark.parametrize("first", [b"EHLO c\r\n", b"PROXY TCP4 nonsense\r\n", b"PROXY TCP4 1.2.3.4 1.2.3.4 1 99999\r\n",
                                   V2_SIGNATURE + b"\x31\x11\0\x0c" + bytes(12)])
def test_a_balancer_that_sends_no_header_is_not_served(balanced, first):
    with Raw(balanced.nodes[1].proxied) as link:
        link.send(first)
        assert not link.reply().startswith(b"2")


def answers_to_all(address, header):
    """Everything that is said to a header with a whole transaction behind it."""
    commands = b"EHLO c\r\nMAIL FROM:<claimed@client.skein.test>\r\nRCPT TO:<b@sink.skein.test>\r\nDATA\r\nQUIT\r\n"
    with Raw(address) as link:
        link.send(header + commands)
        return b"".join(iter(link.line_or_end, b""))


@pytest.mark.parametrize("header", [v1, v2])
def test_nobody_else_may_claim_to_be_a_balancer(balanced, header):
    answers = answers_to_all(balanced.nodes[1].smtp, header("10.1.2.3"))
    assert answers.startswith(b"220") and b"\r\n354" not in answers
    assert "claimed@client.skein.test" not in {record["from"] for record in balanced.sink.records()}


def test_a_balancer_that_is_not_listed_is_a_client_like_any_other(new_cluster):
    cluster = new_cluster(nodes=1, redis=False, balancer=False)
    node = cluster.nodes[1]
    settings = node.settings()["listeners"]
    settings[2]["proxy_from"] = ["192.0.2.0/24"]
    cluster.record["settings"] = {"listeners": settings, "relay": {"allow": ["10.0.0.0/8"]}}
    node.stop()
    node.start()
    answers = answers_to_all(node.proxied, v1("10.1.2.3"))
    assert answers.startswith(b"220") and b"\r\n550 " in answers and b"\r\n354" not in answers


def test_nobody_relays_unless_a_network_is_named(new_cluster):
    cluster = new_cluster(nodes=1, redis=False, balancer=False, settings={"relay": None})
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        send(cluster.nodes[1].smtp)
    (code, _), = refused.value.recipients.values()
    assert 500 <= code < 600
    assert not cluster.sink.records()


def test_the_address_of_the_client_is_in_the_trace(balanced):
    with Raw(balanced.nodes[1].proxied) as link:
        link.send(v2("10.1.2.3"))
        link.reply()
        for line in (b"EHLO c", b"MAIL FROM:<a@client.skein.test>", b"RCPT TO:<b@sink.skein.test>", b"DATA",
                     b"Subject: untagged\r\n\r\nHello.\r\n."):
            link.send(line + b"\r\n")
            assert link.reply()[:1] in (b"2", b"3")
    _, content = until(lambda: next(iter(balanced.sink.untagged()), None), 20, "it arrives")
    trace = content.decode().split("\r\nSubject:")[0].replace("\r\n\t", " ").replace("\r\n ", " ")
    assert "[10.1.2.3]" in trace and "ESMTP" in trace and "node1.skein.test" in trace


def test_a_loop_is_stopped(alone):
    trace = "".join(f"Received: from a by b; Mon, 1 Jan 2024 00:00:{number % 60:02} +0000\r\n" for number in range(120))
    with pytest.raises(smtplib.SMTPDataError) as refused:
        send(alone.nodes[1].smtp, content=trace.encode() + message(new_tag()))
    assert 500 <= refused.value.smtp_code < 600


def test_connections_of_one_client_are_limited(new_cluster):
    cluster = new_cluster(nodes=1, redis=False, balancer=False, settings={"limits": {"connections_per_client": 3}})
    links = [Raw(cluster.nodes[1].smtp) for _ in range(3)]
    try:
        assert all(link.reply().startswith(b"220") for link in links)
        with Raw(cluster.nodes[1].smtp) as late:
            assert late.reply().startswith(b"421")
    finally:
        for link in links:
            link.__exit__()
