"""Nothing relays without permission, whatever an address pretends: over IPv4 and IPv6, on each kind of listener."""
import socket
import ssl

import pytest

from support import message, new_tag, until_arrived

LISTENERS = ("direct", "implicit", "balanced")
FAMILIES = ("127.0.0.1", "::1")
SENDERS = ("<>", "<user@own.test>", "<postmaster@own.test>", "<root@localhost>", "<user@[127.0.0.1]>", "<user@else.test>",
           "<@own.test:user@else.test>")
# Each would reach somebody at else.test if we, or a next hop that trusts us, read it as its author hopes.
TRICKS = ("<victim@else.test>", "<@own.test:victim@else.test>", "<@own.test,@relay.test:victim@else.test>",
          "<victim%else.test@own.test>", "<@own.test:victim%else.test@own.test>", '<"victim@else.test"@own.test>',
          '<"victim%else.test"@own.test>', '<"victim\\@else.test"@own.test>', "<else.test!victim@own.test>",
          "<own.test!else.test!victim@own.test>", "<victim@else.test@own.test>", "<victim@own.test@else.test>",
          "<victim@[127.0.0.1]>", "<victim@[IPv6:::1]>", "<victim@127.0.0.1>", "<victim@own.test.else.test>",
          '<"victim"@else.test>', "victim@else.test", "<victim>", "<victim@>", "<victim@own.test(@else.test)>",
          "<victim@else.test,ok@own.test>", "<<victim@else.test>>")
OWN_ONLY = """clients:
  - name: own
    match: {network: [127.0.0.0/8, '::1']}
    effect: allow
    recipients: [own.test]
"""
NOBODY = "clients: []\n"


class Client:
    """A session on one of the listeners, in TLS where it has it, with the address that a balancer would tell."""

    def __init__(self, node, listener, family):
        ports = {"direct": node.smtp, "implicit": node.smtps, "balanced": node.proxied}
        self.socket = socket.create_connection((family, int(ports[listener].rpartition(":")[2])), timeout=20)
        if listener == "balanced":
            self.socket.sendall(b"PROXY TCP4 127.0.0.1 127.0.0.1 40000 25\r\n" if family == "127.0.0.1"
                                else b"PROXY TCP6 ::1 ::1 40000 25\r\n")
        if listener == "implicit":
            self._wrap()
        self.file = self.socket.makefile("rb")
        assert self.reply().startswith("220")
        self.say("EHLO client.test")
        if listener == "direct":
            assert self.say("STARTTLS").startswith("220")
            self.file.close()
            self._wrap()
            self.file = self.socket.makefile("rb")
            self.say("EHLO client.test")

    def _wrap(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def reply(self):
        while (line := self.file.readline())[3:4] == b"-":
            pass
        assert line, "the server has hung up"
        return line.decode()

    def say(self, line):
        self.socket.sendall(line.encode() + b"\r\n")
        return self.reply()


def start(new_cluster, tmp_path, policy):
    """One node alone, each listener on both families."""
    (tmp_path / "policy.yaml").write_text(policy, encoding="utf-8")
    cluster = new_cluster(nodes=1, redis=False, balancer=False)
    node = cluster.nodes[1]
    listeners = []
    for row in node.settings()["listeners"]:
        port = row["address"].rpartition(":")[2]
        listeners.append(row)
        listeners.append(dict(row, name=row["name"] + "-6", address=f"[::1]:{port}",
                              **({"proxy_from": ["::1/128"]} if "proxy_from" in row else {})))
    cluster.record["settings"] = {"listeners": listeners, "relay": None, "limits": {"errors": 1000},
                                  "policy": {"file": str(tmp_path / "policy.yaml")}}
    node.stop()
    node.start()
    return cluster


def accepted_tricks(node, listener, family):
    """(sender, recipient) pairs that got a 250 to RCPT."""
    accepted = []
    for sender in SENDERS:
        with Client(node, listener, family) as client:
            for trick in TRICKS:
                if client.say(f"MAIL FROM:{sender}").startswith("2") and client.say(f"RCPT TO:{trick}").startswith("2"):
                    accepted.append((sender, trick))
                client.say("RSET")
    return accepted


def test_nobody_without_permission_gets_anywhere(new_cluster, tmp_path):
    cluster = start(new_cluster, tmp_path, NOBODY)
    for listener in LISTENERS:
        for family in FAMILIES:
            assert not accepted_tricks(cluster.nodes[1], listener, family), (listener, family)
    assert not cluster.sink.records()


def test_permission_for_a_domain_is_none_for_others(new_cluster, tmp_path):
    cluster = start(new_cluster, tmp_path, OWN_ONLY)
    for listener in LISTENERS:
        for family in FAMILIES:
            assert not accepted_tricks(cluster.nodes[1], listener, family), (listener, family)
            tag = new_tag()
            with Client(cluster.nodes[1], listener, family) as client:
                assert client.say("MAIL FROM:<user@own.test>").startswith("250")
                assert client.say("RCPT TO:<ok@own.test>").startswith("250")
                assert client.say("DATA").startswith("354")
                client.socket.sendall(message(tag))
                assert client.say(".").startswith("250")
            assert until_arrived(cluster, tag)["to"] == ["ok@own.test"]


@pytest.mark.parametrize("family", FAMILIES)
def test_no_password_is_taken_in_clear(new_cluster, tmp_path, family):
    node = start(new_cluster, tmp_path, OWN_ONLY).nodes[1]
    port = int(node.smtp.rpartition(":")[2])
    for command in (b"AUTH PLAIN AGEAYg==", b"AUTH LOGIN", b"AUTH NTLM", b"AUTH GSSAPI", b"AUTH SCRAM-SHA-256"):
        with socket.create_connection((family, port), timeout=20) as link, link.makefile("rb") as answers:
            answers.readline()
            link.sendall(b"EHLO client.test\r\n")
            while (line := answers.readline())[3:4] == b"-":
                assert b"AUTH" not in line
            link.sendall(command + b"\r\n")
            assert answers.readline()[:3] in (b"538", b"502", b"503", b"500")
