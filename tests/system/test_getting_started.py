"""docs/getting-started.md, followed literally on a clean system: from nothing to a delivered, signed message of a user
of a real Active Directory. Only the values of the first step are this test's."""
import os
import pathlib
import re
import subprocess

import dkim
from lab.cluster import build_folder
from lab.wait import until
import pytest

import container
from test_package import build, field

TOP = pathlib.Path(__file__).resolve().parents[2]
PAGE = TOP / "docs" / "getting-started.md"
SINK = "127.0.0.1:2526"
TRACE = "skeinctl trace"
USER_PASSWORD, BIND_PASSWORD = "User-Passw0rd-1", "Svc-Relay-Pw1"
SITE = """HOSTNAME=relay-1.adlab.test
DOMAIN=adlab.test
DC=dc1.adlab.test
BASE='DC=adlab,DC=test'
REALM=adlab.test
BIND_DN='CN=svc-relay,CN=Users,DC=adlab,DC=test'
GROUP='smtp-relay-users'
NEXT_HOP=127.0.0.1
NEXT_HOP_PORT=2526
"""


def blocks():
    """(word behind ```sh, text) of each block of the page, in order."""
    return re.findall(r"^```sh ?(\w*)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)


class Directory:
    """The lab's domain, with the container's network as its own."""

    def __init__(self, inside, folder):
        self.inside = inside
        self.environment = dict(os.environ, ADLAB_STATE=f"{folder}/ad", TMPDIR="/tmp")
        done = self.run("up")
        if done.returncode == 77:
            pytest.skip(done.stdout.strip())
        assert done.returncode == 0, done.stdout
        self.variables = dict(re.findall(r"^(?:export )?(\w+)='?([^'\n]*)'?$", self.run("env").stdout, re.M))

    def run(self, *words):
        return subprocess.run(
            ["nsenter", f"--net=/proc/{self.inside.pid}/ns/net", str(TOP / "tests" / "lib" / "adlab"), *words],
            env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=400, check=False)

    def end(self):
        self.run("clean")


@pytest.fixture
def host(tmp_path):
    package = build(tmp_path / "package")
    try:
        container.require()
        root = container.base_root(build_folder() / "debian-root",
                                   field(package, "Depends") + ", redis-server, swaks, openssl, libnet-ssleay-perl, dns-root-data", "start")
        (tmp_path / "mount").mkdir()
        inside = container.Container(root, tmp_path / "mount")
    except container.Unavailable as why:
        pytest.skip(str(why))
    directory = sink = None
    try:
        short = subprocess.run(["mktemp", "-d", "/tmp/start-XXXXXX"], capture_output=True, text=True, check=True).stdout.strip()
        directory = Directory(inside, short)
        (tmp_path / "kept").mkdir()
        sink = inside.start_in_network([TOP / "deploy" / "sink", "--listen", SINK, "--records", tmp_path / "received.jsonl",
                                        "--control", tmp_path / "sink.socket", "--keep", tmp_path / "kept"])
        inside.put(package, f"/root/{package.name}")
        yield inside, directory, tmp_path
    finally:
        if sink:
            sink.kill()
            sink.wait()
        if directory:
            directory.end()
        inside.end()


def test_each_step_as_it_is_written(host):
    inside, directory, folder = host
    address, authority = directory.variables["ADLAB_ADDR"], directory.variables["ADLAB_CA"]
    inside.run(f"echo '{address} dc1.adlab.test' >>/etc/hosts")
    inside.put(authority, "/root/domain-ca.pem")
    said = {}
    for number, (word, text) in enumerate(blocks()):
        if word == "site":
            text = re.sub(r"^[A-Z_]+=.*\n", "", text, flags=re.M).replace("<<'END'\n", "<<'END'\n" + SITE)
        if word == "password":
            text = f"printf '%s\\n' '{BIND_PASSWORD}' | " + text
        if word == "message":
            text = f"printf '%s\\n' '{USER_PASSWORD}' | " + text.replace("example.net", "adlab.test").replace(
                "swaks ", "swaks --protect-prompt ")
            # A person is slower than what nodes take to hear of secrets and policies: two seconds.
            until(lambda: all(told in inside.journal(200) for told in ("secrets-loaded", "version=2")), 30, inside.journal)
        done = inside.run(f"cd /root; {'' if word == 'doctor' else 'set -e;'} {text}", check=False)
        print(f"--- {number + 1} {word}\n{text}{done.stdout}{done.stderr}")
        said[number] = done.stdout
        # A trial on one host is not all green, and says so.
        assert done.returncode in ((0, 1) if word == "doctor" else (0,)), done.stdout + done.stderr + inside.journal()
        if "systemctl start skein" in text or "apt-get install" in text:
            until(lambda: inside.ask("systemctl show --value -p StatusText skein.service") == "ready", 60, inside.journal)
        if "policy apply" in text:
            until(lambda: inside.run("skeinctl nodes", check=False).returncode == 0, 30, "a node")
        if word == "message":
            until(lambda: list((folder / "kept").iterdir()), 60, inside.journal)
            until(lambda: "DELIVER" in inside.run(f"{TRACE} --since 1h", check=False).stdout, 20, "its events are in Redis")
    assert "queued as" in "".join(said.values())
    traced = next(text for text in said.values() if "DELIVER" in text and "RECEIVE" in text)
    assert traced.index("AUTH") < traced.index("RECEIVE") < traced.index("DELIVER")
    kept, = (folder / "kept").iterdir()
    published = next(text for text in said.values() if "v=DKIM1" in text)
    key = re.search(r"^;   (v=DKIM1; .*)$", published, re.M)[1]
    assert dkim.verify(kept.read_bytes(), dnsfunc=lambda name, timeout=5: key.encode())
