"""Clients that people really use, and the ways in which they authenticate."""
import json
import smtplib
import ssl
import subprocess

from lab.wait import until
import pytest

from directory_lab import PASSWORD, UNGUARDED, connect, log_in, node_of_domain
from support import message, new_tag, until_arrived

SECONDS = 60
POLICY = UNGUARDED + """clients:
  - name: users
    match: {user: '*'}
    effect: require-auth
"""


@pytest.fixture(scope="module")
def relay(module_clusters, domain, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clients")
    return node_of_domain(module_clusters, domain, folder, POLICY)


def run(*command, **options):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=SECONDS, check=False, **options)


def swaks(relay, mechanism, user, password, tag, program=("swaks",)):
    host, port = relay.nodes[1].smtp.split(":")
    return run(*program, "--server", host, "--port", port, "--tls", "--auth", mechanism, "--auth-user", user,
               "--auth-password", password, "--from", "alice@adlab.test",
               "--to", "b@sink.skein.test", "--header", f"X-Skein-Tag: {tag}")


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_swaks(relay, mechanism):
    tag = new_tag()
    done = swaks(relay, mechanism, "alice", PASSWORD, tag)
    assert done.returncode == 0, done.stdout
    until_arrived(relay, tag)
    done = swaks(relay, mechanism, "alice", "Wrong-Passw0rd", new_tag())
    assert done.returncode and "535 5.7.8" in done.stdout


def test_swaks_with_ntlm_of_version_2(relay):
    """Its library does version 1 unless it is told."""
    tag = new_tag()
    version_2 = ("perl", "-MAuthen::NTLM", "-e", "ntlmv2(1); do shift", "/usr/bin/swaks")
    done = swaks(relay, "NTLM", "alice", PASSWORD, tag, version_2)
    assert done.returncode == 0, done.stdout + done.stderr
    until_arrived(relay, tag)
    done = swaks(relay, "NTLM", "alice", PASSWORD, new_tag())
    assert done.returncode and "535 5.7.8" in done.stdout
    until(lambda: "why=NTLMv1" in relay.nodes[1].log.read_text(encoding="utf-8"), 10, "the reason in the log")


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_smtplib(relay, mechanism):
    tag = new_tag()
    with connect(relay.nodes[1].smtps) as client:
        assert log_in(client, "alice", "Wrong-Passw0rd", mechanism)[0] == 535
        assert log_in(client, "alice", PASSWORD, mechanism)[0] == 235
        client.sendmail("alice@adlab.test", ["b@sink.skein.test"], message(tag))
    until_arrived(relay, tag)


def test_smtplib_chooses_for_itself(relay):
    tag = new_tag()
    host, port = relay.nodes[1].smtp.split(":")
    with smtplib.SMTP(host, int(port), timeout=SECONDS) as client:
        client.ehlo()
        assert not client.has_extn("auth")
        client.starttls(context=ssl.create_default_context(cafile=str(relay.certificate)))
        client.login("alice@adlab.test", PASSWORD)
        client.sendmail("alice@adlab.test", ["b@sink.skein.test"], message(tag))
    until_arrived(relay, tag)


def test_sambas_ntlm_with_a_mic(relay, domain):
    """What Windows does."""
    tag = new_tag()
    with connect(relay.nodes[1].smtps) as client:
        assert domain.samba_ntlm(client, "alice", PASSWORD)[0] == 235
        client.sendmail("alice@adlab.test", ["b@sink.skein.test"], message(tag))
    until_arrived(relay, tag)


def test_an_exchange_that_was_altered_on_its_way_is_refused(relay, domain):
    with connect(relay.nodes[1].smtps) as client:
        assert domain.samba_ntlm(client, "alice", PASSWORD, tamper=True)[0] == 535
        assert domain.samba_ntlm(client, "alice", "Wrong-Passw0rd")[0] == 535
        assert domain.samba_ntlm(client, "alice", PASSWORD)[0] == 235


NODEMAILER = """
const { port, tag, ca, method, password } = JSON.parse(process.argv[2]);
const transport = require("nodemailer").createTransport({ host: "localhost", port, secure: true, authMethod: method,
    auth: { user: "alice", pass: password }, tls: { ca: require("fs").readFileSync(ca) } });
transport.sendMail({ from: "alice@adlab.test", to: "b@sink.skein.test", subject: "nodemailer",
    headers: { "X-Skein-Tag": tag }, text: "Hello.\\n" }).then(() => transport.close(),
    error => { console.error(error.responseCode, error.response); process.exit(1); });
"""


@pytest.mark.parametrize("method", ["PLAIN", "LOGIN"])
def test_nodemailer(relay, nodemailer, method):
    script = nodemailer / "login.js"
    script.write_text(NODEMAILER)

    def send(tag, password):
        facts = {"port": int(relay.nodes[1].smtps.split(":")[1]), "tag": tag, "ca": str(relay.certificate), "method": method,
                 "password": password}
        return run("node", script, json.dumps(facts), cwd=nodemailer)

    tag = new_tag()
    done = send(tag, PASSWORD)
    assert done.returncode == 0, done.stderr
    until_arrived(relay, tag)
    done = send(new_tag(), "Wrong-Passw0rd")
    assert done.returncode == 1 and done.stderr.startswith("535 535 5.7.8"), done.stderr
