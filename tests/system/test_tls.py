"""TLS of listeners: which certificate is shown, who gets in, and clients that come back."""
import re
import secrets
import signal
import smtplib
import socket
import ssl
import subprocess

from authority import Authority, row
from lab.settings_text import to_yaml
from lab.wait import until
import pytest

from support import message, new_tag, until_arrived

pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "certificates")


def open_context(version=None, certificate=None):
    """A client that takes any server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if version:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
    if certificate:
        context.load_cert_chain(*certificate)
    return context


class Visit:
    """A session on an implicit listener, up to the answer to EHLO."""

    def __init__(self, address, context, asked=None, session=None):
        host, port = address.split(":")
        raw = socket.create_connection((host, int(port)), timeout=20)
        try:
            self.sock = context.wrap_socket(raw, server_hostname=asked, session=session)
            self.stream = self.sock.makefile("rwb")
            self.greeting = self.stream.readline()
            self.say(b"EHLO client.skein.test")
            self.reused, self.session = self.sock.session_reused, self.sock.session
        except BaseException:
            raw.close()
            raise

    def say(self, line):
        self.stream.write(line + b"\r\n")
        self.stream.flush()
        while True:
            answer = self.stream.readline()
            if answer[3:4] == b" ":
                return answer

    def close(self):
        self.say(b"QUIT")
        self.stream.close()
        self.sock.close()

    def name(self):
        """The CN that was shown."""
        der = self.sock.getpeercert(binary_form=True)
        shown = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-subject", "-nameopt", "multiline"],
                               input=der, capture_output=True, check=True).stdout.decode()
        return shown.rpartition("= ")[2].strip()


def shown(address, asked=None, context=None):
    visit = Visit(address, context or open_context(), asked)
    try:
        return visit.name()
    finally:
        visit.close()


def listeners(cluster, **more):
    """The node's settings with these laid over its implicit listener."""
    rows = cluster.nodes[1].settings()["listeners"]
    return [dict(entry, **more) if entry["name"] == "implicit" else entry for entry in rows]


def restart(node):
    assert node.stop()
    node.start()


def with_settings(cluster, settings):
    """Nodes start again with these laid over theirs."""
    cluster.record["settings"] = settings
    for node in cluster.nodes.values():
        restart(node)


def lines_of(node, pattern):
    return [line for line in node.log.read_text(errors="replace").splitlines() if re.search(pattern, line)]


def until_logged(node, text, count=1):
    until(lambda: len(lines_of(node, text)) >= count, 20, f"the log says {text}")
    return lines_of(node, text)


# --- certificates


def test_the_name_asked_for_chooses_the_certificate(alone, authority):
    rows = [row(authority.issue("first", "DNS:first.skein.test")),
            row(authority.issue("old", "DNS:first.skein.test", ec=False)),
            row(authority.issue("wild", "DNS:*.wild.skein.test"))]
    with_settings(alone, {"tls": {"certificate": None, "key": None, "certificates": rows}})
    address = alone.nodes[1].smtps
    assert shown(address) == "first"
    assert shown(address, "first.skein.test") == "first"
    assert shown(address, "a.wild.skein.test") == "wild"
    assert shown(address, "a.b.wild.skein.test") == "first"
    assert shown(address, "nobody.skein.test") == "first"
    old = open_context(ssl.TLSVersion.TLSv1_2)
    old.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
    assert shown(address, "first.skein.test", old) == "old"


def test_both_ways_to_name_a_certificate_are_refused_together(alone, authority, skeind):
    files = authority.issue("first", "DNS:first.skein.test")
    node = alone.nodes[1]
    alone.record["settings"] = {"tls": {"certificates": [row(files)]}}
    node.settings_file.write_text(to_yaml(node.settings()))
    done = subprocess.run([skeind, "--config", node.settings_file, "--check"], capture_output=True, text=True,
                          timeout=20, check=False)
    assert done.returncode != 0
    assert "give one or the other, not both" in done.stdout + done.stderr


def test_a_check_tries_certificates_and_keys(alone, authority, skeind):
    """A start would fail with them, and nobody runs it before the old process has ended."""
    node, one, other = alone.nodes[1], row(authority.issue("one", "DNS:one.skein.test")), row(authority.issue("other", "DNS:o.skein.test"))

    def check(**tls):
        alone.record["settings"] = {"tls": tls, "cluster": {"key_file": one["key"]}}
        node.settings_file.write_text(to_yaml(node.settings()))
        return subprocess.run([skeind, "--config", node.settings_file, "--check"], capture_output=True, text=True, timeout=20,
                              check=False)

    done = check(certificate=one["certificate"], key=other["key"])
    assert done.returncode == 1 and done.stdout == ""
    assert f"{other['key']}: the key does not belong to the certificate" in done.stderr
    # All of it is told at once.
    assert f"cluster.key_file: {one['key']} " in done.stderr
    assert "no usable PEM certificate" in check(certificate=one["key"], key=one["key"]).stderr


def test_sessions_live_through_a_reload_that_changes_their_certificate(alone, authority):
    node = alone.nodes[1]
    files = authority.issue("before", "DNS:mx.skein.test")
    with_settings(alone, {"tls": {"certificate": None, "key": None, "certificates": [row(files)]}})
    visit = Visit(node.smtps, open_context(), "mx.skein.test")
    assert visit.name() == "before"
    alone.record["settings"]["tls"]["certificates"] = [row(authority.issue("after", "DNS:mx.skein.test"))]
    node.settings_file.write_text(to_yaml(node.settings()))
    node.signal(signal.SIGHUP)
    until(lambda: shown(node.smtps) == "after", 20, "the new certificate is shown")
    tag = new_tag()
    assert visit.say(b"MAIL FROM:<a@client.skein.test>").startswith(b"250")
    assert visit.say(b"RCPT TO:<b@sink.skein.test>").startswith(b"250")
    assert visit.say(b"DATA").startswith(b"354")
    assert visit.say(message(tag) + b".").startswith(b"250")
    visit.close()
    until_arrived(alone, tag)


def test_a_certificate_that_cannot_be_read_leaves_the_old_ones(alone, authority):
    node = alone.nodes[1]
    files = authority.issue("good", "DNS:mx.skein.test")
    with_settings(alone, {"tls": {"certificate": None, "key": None, "certificates": [row(files)]}})
    bad = authority.folder / "bad.pem"
    bad.write_text("nothing\n")
    alone.record["settings"]["tls"]["certificates"] = [row(files), row((str(bad), files[1]))]
    node.settings_file.write_text(to_yaml(node.settings()))
    node.signal(signal.SIGHUP)
    until_logged(node, "bad.pem: no usable PEM certificate")
    assert shown(node.smtps) == "good"


def test_a_reload_cannot_take_the_certificate_from_listeners_that_speak_tls(alone):
    node = alone.nodes[1]
    name = shown(node.smtps)
    alone.record["settings"] = {"listeners": [{"address": node.smtp}], "tls": {"certificate": None, "key": None}}
    node.settings_file.write_text(to_yaml(node.settings()).replace("tls:\n", ""))
    node.signal(signal.SIGHUP)
    until_logged(node, "speaks TLS until a restart")
    assert shown(node.smtps) == name
    assert node.is_alive()


def test_a_cluster_key_that_is_none_stops_the_start(skeind, tmp_path):
    key = tmp_path / "cluster.key"
    key.write_text("too short\n")
    done = subprocess.run([skeind, "--listen", "127.0.0.1:1", "--next-hop", "127.0.0.1:2", "--spool", tmp_path / "spool",
                           "--set", f"cluster.key_file={key}"], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode != 0
    assert "64 hexadecimal digits" in done.stderr
    assert "too short" not in done.stderr


# --- versions


def speaks(address, version, ciphers=None):
    context = open_context(version)
    if ciphers:
        context.set_ciphers(ciphers + ":@SECLEVEL=0")
    try:
        Visit(address, context).close()
    except (ssl.SSLError, ConnectionResetError):
        return False
    return True


def test_old_versions_and_ciphers_are_refused(alone):
    address = alone.nodes[1].smtps
    assert speaks(address, ssl.TLSVersion.TLSv1_3)
    assert speaks(address, ssl.TLSVersion.TLSv1_2)
    assert not speaks(address, ssl.TLSVersion.TLSv1_1)
    assert not speaks(address, ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-SHA")
    until_logged(alone.nodes[1], "unsupported protocol")
    until_logged(alone.nodes[1], "no shared cipher")


def test_an_old_device_gets_a_listener_of_its_own(alone):
    node = alone.nodes[1]
    with_settings(alone, {"listeners": listeners(alone, tls_minimum="1.0"), "tls": {"minimum": "1.3"}})
    assert speaks(node.smtps, ssl.TLSVersion.TLSv1)
    until_logged(node, "TLS 1.0 and 1.1 are broken")
    host, port = node.smtp.split(":")
    with smtplib.SMTP(host, int(port), timeout=20) as client:
        with pytest.raises(ssl.SSLError):
            client.starttls(context=open_context(ssl.TLSVersion.TLSv1_2))
    with smtplib.SMTP(host, int(port), timeout=20) as client:
        client.starttls(context=open_context(ssl.TLSVersion.TLSv1_3))


# --- client certificates


def gets_in(address, context):
    try:
        Visit(address, context).close()
    except (ssl.SSLError, ConnectionResetError):
        return False
    return True


@pytest.mark.parametrize("how", ["none", "request", "require"])
def test_client_certificates(alone, authority, how):
    node = alone.nodes[1]
    more = {"client_certificate": how}
    if how != "none":
        more["client_ca"] = authority.certificate
    with_settings(alone, {"listeners": listeners(alone, **more)})
    known = authority.issue("joe", "email:joe@client.skein.test")
    stranger = authority.self_signed("stranger")
    assert gets_in(node.smtps, open_context()) == (how != "require")
    assert gets_in(node.smtps, open_context(certificate=known))
    assert gets_in(node.smtps, open_context(certificate=stranger)) == (how != "require")
    wanted = {"none": [], "request": [("CN=joe", "trusted"), ("CN=stranger", "self-signed certificate")],
              "require": [("CN=joe", "trusted")]}[how]
    until(lambda: len(node.tracked("TLS", text="CN=")) >= len(wanted), 20, "certificates are tracked")
    # Each worker brings its own: they may have changed places.
    assert sorted((event["text"], event["status"]) for event in node.tracked("TLS", text="CN=")) == wanted
    if how == "require":
        until_logged(node, "the client shows no certificate")
        until_logged(node, "self-signed certificate")


# --- clients that come back


@pytest.fixture
def key_file(tmp_path):
    """The cluster's key."""
    path = tmp_path / "cluster.key"
    write_key(path)
    return path


def write_key(path):
    path.write_text(secrets.token_hex(32) + "\n")
    path.chmod(0o600)


def shared(new_cluster, key_file, **tls):
    """Two nodes that have the same ticket keys."""
    cluster = new_cluster(nodes=2, balancer=False, settings={"cluster": {"key_file": str(key_file)}, "tls": tls})
    until_keys(cluster, 1)
    return cluster


def until_keys(cluster, serial):
    for node in cluster.nodes.values():
        until_logged(node, f" ticket-keys  .*serial={serial}$")


def comes_back(node, context, session):
    visit = Visit(node.smtps, context, session=session)
    visit.close()
    return visit.reused


def first_visit(node, context):
    visit = Visit(node.smtps, context)
    visit.close()
    assert not visit.reused
    return visit.session


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_ticket_of_one_node_is_taken_by_the_others(new_cluster, key_file, version):
    cluster = shared(new_cluster, key_file)
    one, two = cluster.nodes.values()
    context = open_context(version)
    session = first_visit(one, context)
    assert comes_back(two, context, session)
    assert comes_back(one, context, session)


def test_an_identity_is_known_on_the_other_node(new_cluster, key_file, authority):
    cluster = shared(new_cluster, key_file)
    for node in cluster.nodes.values():
        rows = [dict(address=node.smtps, name="implicit", tls="implicit", client_certificate="require",
                     client_ca=authority.certificate)]
        cluster.record["settings"]["listeners"] = rows
        restart(node)
    one, two = cluster.nodes.values()
    until_keys(cluster, 1)
    context = open_context(certificate=authority.issue("joe", "email:joe@client.skein.test"))
    session = first_visit(one, context)
    assert comes_back(two, context, session)
    event, = until(lambda: two.tracked("TLS", text="CN="), 20, "the certificate is tracked")
    assert event["text"] == "CN=joe" and event["status"] == "trusted" and event["rule"] == "resumed"


def test_tickets_outlive_a_turn_and_a_restart(new_cluster, key_file):
    cluster = shared(new_cluster, key_file, ticket_lifetime="30s")
    one, two = cluster.nodes.values()
    context = open_context()
    session = first_visit(one, context)
    until_keys(cluster, 2)
    assert comes_back(two, context, session)
    one.kill()
    one.start()
    until_logged(one, " ticket-keys  .*serial=2$", 2)
    assert comes_back(one, context, session)


def test_redis_that_lost_everything_gets_the_keys_again(new_cluster, key_file):
    cluster = shared(new_cluster, key_file)
    one, two = cluster.nodes.values()
    context = open_context()
    session = first_visit(one, context)
    cluster.redis.kill()
    cluster.redis.wipe()
    cluster.redis.start()
    until(lambda: cluster.redis.ask("HGET", "skein:{meta}:tickets", "serial") == "1", 30, "the keys are in Redis again")
    assert comes_back(two, context, session)


def test_another_cluster_key_means_a_full_handshake(new_cluster, key_file):
    cluster = shared(new_cluster, key_file)
    one, two = cluster.nodes.values()
    context = open_context()
    session = first_visit(one, context)
    write_key(key_file)
    restart(two)
    until_logged(two, " ticket-keys-unreadable ")
    assert not comes_back(two, context, session)
    assert comes_back(one, context, session)


def test_without_a_cluster_key_each_node_has_its_own(new_cluster):
    cluster = new_cluster(nodes=2, balancer=False)
    one, two = cluster.nodes.values()
    context = open_context()
    session = first_visit(one, context)
    assert not comes_back(two, context, session)
    assert comes_back(one, context, session)
