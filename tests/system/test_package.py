"""The Debian package: what is in it, and its life on a clean system, from apt install to purge."""
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys

from lab.cluster import build_folder
from lab.settings_text import to_yaml
from lab.sink import SinkControl
from lab.wait import until
import pytest

import container
from support import message, new_tag

TOP = pathlib.Path(__file__).resolve().parents[2]
SINK = "127.0.0.1:2526"
SETTINGS = {
    "node": {"spool": "/var/lib/skein", "hostname": "relay.skein.test"},
    "listeners": [{"name": "smtp", "address": "0.0.0.0:25"}, {"name": "smtp-v6", "address": "[::]:25"}],
    "relay": {"allow": ["127.0.0.0/8", "::1/128"]},
    "route": {"next_hops": [{"host": "127.0.0.1", "port": 2526, "tls": "none"}],
              "breaker": {"pause_first": "200ms", "pause_max": "1s"}},
    "retry": {"first": "1s", "max": "2s"},
}
SEND = """
import smtplib, sys
with smtplib.SMTP(sys.argv[1], int(sys.argv[2]), timeout=60) as client:
    client.sendmail("a@client.skein.test", ["b@sink.skein.test"], sys.stdin.buffer.read())
"""


def build(out, release=1):
    done = subprocess.run([TOP / "deploy" / "build-package", "--build", build_folder(), "--release", str(release), out],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return pathlib.Path(done.stdout.strip())


def programs():
    """Which files they are: other tests run them meanwhile."""
    files = [build_folder() / "bin" / name for name in ("skeind", "skeinctl")]
    return [(path.stat().st_ino, path.stat().st_mtime_ns) for path in files]


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """Two revisions. To make them leaves the build as it is."""
    if not shutil.which("dpkg-shlibdeps"):
        pytest.skip("not installed: dpkg-dev")
    out = tmp_path_factory.mktemp("packages")
    before = programs()
    made = [build(out, 1), build(out, 2)]
    assert programs() == before, "the package's configuration is not the build's: everything was compiled again"
    return made


def field(package, name):
    return subprocess.run(["dpkg-deb", "--field", package, name], capture_output=True, text=True, check=True).stdout.strip()


def test_the_same_sources_give_the_same_package(packages, tmp_path):
    again = build(tmp_path)
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (packages[0], again)]
    assert digests[0] == digests[1]


def test_lintian_finds_no_error(packages):
    if not shutil.which("lintian"):
        pytest.skip("lintian is not installed")
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error", "--no-tag-display-limit", packages[0]],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_example_that_documents_name_is_in_it(packages):
    listed = subprocess.run(["dpkg-deb", "--contents", packages[0]], capture_output=True, text=True, check=True).stdout
    inside = {line.split()[5] for line in listed.splitlines()}
    documents = [path.read_text(encoding="utf-8") for path in (TOP / "docs").glob("*.md")]
    named = {name for text in documents for name in re.findall(r"\bdeploy/((?:[a-z]+/)?[a-z.-]+\.(?:cfg|conf|json|yml)|rolling-restart)", text)}
    assert {"haproxy.cfg", "nginx.conf", "redis/sentinel.conf", "prometheus/skein.rules.yml", "rolling-restart"} <= named
    assert not {name for name in named if f"./usr/share/doc/skein/examples/{name}" not in inside}


def test_the_manual_has_every_option(skeind):
    options = set(re.findall(r"^  (--[a-z-]+)", subprocess.run([skeind, "--help"], capture_output=True, text=True).stdout, re.M))
    manual = (build_folder() / "man" / "skeind.8").read_text().replace("Fl Fl ", "--")
    assert options and not options - set(re.findall(r"--[a-z-]+", manual))


def test_the_service_is_exposed_to_little():
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    unit = TOP / "deploy" / "systemd" / "skein.service"
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", unit], capture_output=True, text=True,
                          env=dict(os.environ, LC_ALL="C.UTF-8"), check=False)
    level = re.search(r"exposure level for skein.service: ([0-9.]+)", done.stdout)
    assert level, done.stdout + done.stderr
    assert float(level[1]) <= 1.5, done.stdout


class Host:
    """A clean system on which the package lives."""

    def __init__(self, root, folder):
        (folder / "mount").mkdir()
        self.folder = folder
        self.inside = container.Container(root, folder / "mount")
        self.sink_process = None
        self.records = SinkControl(folder / "sink.socket", folder / "received.jsonl")

    def install(self, package):
        self.inside.put(package, f"/root/{package.name}")
        return self.inside.run(f"apt-get install -y --no-install-recommends /root/{package.name}").stdout

    def configure(self):
        file = self.folder / "skein.yaml"
        file.write_text(to_yaml(SETTINGS))
        self.inside.run("test -d /etc/skein")
        self.inside.put(file, "/etc/skein/skein.yaml")
        self.inside.run("skeind --config /etc/skein/skein.yaml --check")

    def show(self, name, unit="skein.service"):
        return self.inside.ask(f"systemctl show --value -p {name} {unit}")

    def is_ready(self):
        return self.show("ActiveState") == "active" and self.show("StatusText") == "ready"

    def until_ready(self):
        until(self.is_ready, 60, self.inside.journal)

    def send(self, port=25, host="127.0.0.1"):
        tag = new_tag()
        client = subprocess.run(["nsenter", f"--net=/proc/{self.inside.pid}/ns/net", sys.executable, "-c", SEND, host, str(port)],
                                input=message(tag), capture_output=True, timeout=90, check=False)
        assert client.returncode == 0, client.stderr.decode()[-500:]
        return tag

    def sink_up(self):
        self.sink_process = self.inside.start_in_network(
            [TOP / "deploy" / "sink", "--listen", SINK, "--records", self.records.path, "--control", self.records.control])

    def sink_down(self):
        self.sink_process.kill()
        self.sink_process.wait()
        self.sink_process = None

    def received(self):
        path = pathlib.Path(self.records.path)
        return sorted(record["tag"] for record in self.records.records()) if path.exists() else []

    def until_received(self, tags):
        until(lambda: len(self.received()) >= len(tags), 60, self.inside.journal)
        assert self.received() == sorted(tags)

    def end(self):
        if self.sink_process:
            self.sink_down()
        self.inside.end()


@pytest.fixture
def host(packages, tmp_path):
    try:
        container.require()
        root = container.base_root(build_folder() / "debian-root", field(packages[0], "Depends"))
        made = Host(root, tmp_path)
    except container.Unavailable as why:
        pytest.skip(str(why))
    yield made
    made.end()


def test_a_life_on_a_clean_system(host, packages):
    tags = []
    starts_as_installed(host, packages[0])
    takes_port_25_and_delivers(host, tags)
    host.sink_down()
    survives_kill_9(host, tags)
    is_upgraded_with_mail_in_its_queue(host, packages[1], tags)
    host.sink_up()
    host.until_received(tags)
    host.sink_down()
    is_purged_and_keeps_mail(host, tags)
    delivers_it_when_installed_again(host, packages[1], tags)
    is_purged_and_keeps_nothing(host)


def starts_as_installed(host, package):
    host.install(package)
    host.until_ready()
    ask = host.inside.ask
    assert ask("awk '/^Uid:/ { print $2 }' /proc/" + host.show("MainPID") + "/status") == ask("id -u skein")
    assert ask("getent passwd skein").endswith(("/usr/sbin/nologin", "/sbin/nologin"))
    assert ask("stat -c '%a %U %G' /etc/skein/skein.yaml") == "640 root skein"
    assert ask("stat -c '%a %U %G' /var/lib/skein") == "700 skein skein"
    assert ask("systemctl is-enabled skein.service") == "enabled"
    assert "disabled" in host.inside.run("systemctl is-enabled skein.socket", check=False).stdout
    log = ask("journalctl -u skein --no-pager -o cat")
    assert "confined" in log, log
    assert "listening" in log and "name=local address=127.0.0.1 port=2525 tls=none" in log, log
    # Root checks as the service would, and skeinctl finds the settings of this host.
    assert "checked as the user skein" in host.inside.run("skeind --config /etc/skein/skein.yaml --check").stderr
    assert "(/etc/skein/skein.yaml names none: its node stands alone)" in host.inside.run("skeinctl status", check=False).stderr
    with pytest.raises(AssertionError, match="SMTPRecipientsRefused"):
        host.send(port=2525)


def takes_port_25_and_delivers(host, tags):
    host.configure()
    host.inside.run("systemctl stop skein.service && systemctl enable --now skein.socket && systemctl start skein.service")
    host.until_ready()
    host.sink_up()
    tags += [host.send(), host.send(host="::1")]
    host.until_received(tags)
    host.inside.run("systemctl reload skein.service")
    until(lambda: "reloaded" in host.inside.ask("journalctl -u skein --no-pager -o cat"), 30, host.inside.journal)


def survives_kill_9(host, tags):
    tags += [host.send() for _ in range(3)]
    before = host.show("MainPID")
    host.inside.run(f"kill -9 {before}")
    until(lambda: host.show("NRestarts") == "1" and host.is_ready(), 60, host.inside.journal)
    assert host.show("MainPID") != before
    tags.append(host.send())


def is_upgraded_with_mail_in_its_queue(host, package, tags):
    before = host.show("MainPID")
    host.install(package)
    host.until_ready()
    assert host.show("MainPID") != before
    assert host.inside.ask("dpkg-query -W -f '${Version}' skein") == field(package, "Version")
    # The administrator's settings, and the owner of the file, are what they were.
    assert "relay.skein.test" in host.inside.ask("cat /etc/skein/skein.yaml")
    assert host.inside.ask("stat -c '%a %U %G' /etc/skein/skein.yaml") == "640 root skein"
    assert host.inside.ask("systemctl is-enabled skein.socket") == "enabled"
    tags.append(host.send())


def is_purged_and_keeps_mail(host, tags):
    tags.append(host.send())
    said = host.inside.run("apt-get remove -y skein").stdout
    assert "1 messages are still in /var/lib/skein" in said
    for unit in ("skein.service", "skein.socket"):
        assert host.inside.run(f"systemctl is-active {unit}", check=False).stdout.strip() != "active"
    assert not host.inside.run("grep -l ^skeind$ /proc/[0-9]*/comm", check=False).stdout
    host.inside.run("test -e /etc/skein/skein.yaml && test -d /var/lib/skein && ! test -e /usr/sbin/skeind")
    said = host.inside.run("apt-get purge -y skein").stdout
    assert "/var/lib/skein may hold mail and is kept" in said
    host.inside.run("test -d /var/lib/skein && ! test -e /etc/skein/skein.yaml && ! test -e /var/log/skein")


def delivers_it_when_installed_again(host, package, tags):
    host.install(package)
    host.configure()
    host.inside.run("systemctl stop skein.service && systemctl enable --now skein.socket && systemctl start skein.service")
    host.until_ready()
    host.sink_up()
    host.until_received(tags)


def is_purged_and_keeps_nothing(host):
    host.inside.run("apt-get purge -y skein")
    host.inside.run("! test -e /var/lib/skein && ! test -e /etc/skein && ! test -e /usr/sbin/skeind")
    host.inside.run("id skein")
    assert "skein" not in host.inside.ask("systemctl list-units --all --no-legend 'skein*' || true")
