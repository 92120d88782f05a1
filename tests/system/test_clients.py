"""Clients that people really use."""
import json
import smtplib
import ssl
import subprocess

from lab.wait import until
import pytest

from support import message, new_tag, send, until_arrived

SECONDS = 60


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def trusting(cluster):
    return ssl.create_default_context(cafile=str(cluster.certificate))


@pytest.mark.parametrize("tls", [[], ["--tls"]], ids=["plain", "starttls"])
def test_swaks(alone, tls):
    tag = new_tag()
    host, port = alone.nodes[1].smtp.split(":")
    output = run("swaks", "--server", host, "--port", port, "--from", "a@client.skein.test", "--to",
                 "b@sink.skein.test", "--header", f"X-Skein-Tag: {tag}", *tls)
    assert ("=== TLS started" in output) == bool(tls)
    until_arrived(alone, tag)


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_curl_with_tls_that_it_verifies(alone, tmp_path, scheme):
    tag = new_tag()
    content = tmp_path / "message"
    content.write_bytes(message(tag))
    address = alone.nodes[1].smtp if scheme == "smtp" else alone.nodes[1].smtps
    run("curl", "--silent", "--show-error", "--noproxy", "*", "--ssl-reqd", "--cacert", str(alone.certificate),
        f"{scheme}://localhost:{address.split(':')[1]}", "--mail-from", "a@client.skein.test", "--mail-rcpt",
        "b@sink.skein.test", "--upload-file", str(content))
    until_arrived(alone, tag)


def test_smtplib_with_starttls(alone):
    tag = new_tag()
    with smtplib.SMTP("localhost", int(alone.nodes[1].smtp.split(":")[1]), timeout=20) as client:
        client.starttls(context=trusting(alone))
        client.ehlo()
        assert not client.has_extn("starttls")
        client.sendmail("a@client.skein.test", ["b@sink.skein.test"], message(tag))
    until_arrived(alone, tag)


def test_smtplib_with_implicit_tls(alone):
    tag = new_tag()
    with smtplib.SMTP_SSL("localhost", int(alone.nodes[1].smtps.split(":")[1]), timeout=20,
                          context=trusting(alone)) as client:
        client.sendmail("a@client.skein.test", ["b@sink.skein.test"], message(tag))
    until_arrived(alone, tag)


def test_what_is_said_before_starttls_is_forgotten(alone):
    """A command smuggled in clear behind STARTTLS must not be answered inside TLS."""
    with smtplib.SMTP("localhost", int(alone.nodes[1].smtp.split(":")[1]), timeout=20) as client:
        client.ehlo()
        client.send(b"STARTTLS\r\nNOOP\r\n")
        assert client.getreply()[0] == 220
        client.sock = trusting(alone).wrap_socket(client.sock, server_hostname="localhost")
        client.file = None
        assert client.docmd("HELP")[0] == 214


def test_an_internationalised_address_passes_whole(alone):
    tag = new_tag()
    host, port = alone.nodes[1].smtp.split(":")
    with smtplib.SMTP(host, int(port), timeout=20) as client:
        client.ehlo()
        client.sendmail("jörg@client.skein.test", ["müller@sink.skein.test"], message(tag),
                        mail_options=["SMTPUTF8", "BODY=8BITMIME"])
    record = until_arrived(alone, tag)
    assert (record["from"], record["to"]) == ("jörg@client.skein.test", ["müller@sink.skein.test"])


def test_mail_without_date_and_id_gets_them(alone):
    send(alone.nodes[1].smtp, content=b"Subject: bare\r\n\r\nHello.\r\n")
    _, content = until(lambda: next(iter(alone.sink.untagged()), None), 20, "it arrives")
    header = content.partition(b"\r\n\r\n")[0].decode().lower()
    assert "\r\ndate: " in header and "\r\nmessage-id: <" in header and header.startswith("received: ")


NODEMAILER = """
const { port, tag, ca } = JSON.parse(process.argv[2]);
const transport = require("nodemailer").createTransport({ host: "localhost", port, secure: false, requireTLS: true,
    pool: true, tls: { ca: require("fs").readFileSync(ca) } });
const mails = [...Array(20).keys()].map(n => transport.sendMail({ from: "a@client.skein.test", to: "b@sink.skein.test",
    subject: "nodemailer", headers: { "X-Skein-Tag": `${tag}-${n}` }, text: "Hello.\\n.dot\\n" }));
Promise.all(mails).then(() => transport.close(), error => { console.error(error); process.exit(1); });
"""


def test_nodemailer_with_a_pool_and_starttls(alone, nodemailer):
    tag = new_tag()
    script = nodemailer / "send.js"
    script.write_text(NODEMAILER)
    port = int(alone.nodes[1].smtp.split(":")[1])
    run("node", str(script), json.dumps({"port": port, "tag": tag, "ca": str(alone.certificate)}), cwd=nodemailer)
    for number in range(20):
        until_arrived(alone, f"{tag}-{number}")
