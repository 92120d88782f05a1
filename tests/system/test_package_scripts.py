"""What the scripts of the package do with the spool, in a folder of the test's own and with programs that only pretend."""
import os
import pathlib
import subprocess

import pytest

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "package" / "debian"
PRETEND = {
    "setpriv": 'while [ "${1#--}" != "$1" ]; do shift; done; exec "$@"',
    "skeind": 'echo "$MAIL"',
    "systemctl": "exit 0",
    "systemd-sysusers": "exit 0",
    "systemd-tmpfiles": "exit 0",
    "deb-systemd-helper": "exit 0",
    "deb-systemd-invoke": "exit 0",
}


@pytest.fixture(name="root")
def fixture_root(tmp_path):
    """A root folder with a spool in it."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in PRETEND.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    (tmp_path / "var" / "lib" / "skein").mkdir(parents=True)
    (tmp_path / "var" / "log" / "skein").mkdir(parents=True)
    (tmp_path / "etc" / "skein").mkdir(parents=True)
    return tmp_path


def run(root, script, *args, mail=0):
    text = (SCRIPTS / script).read_text()
    for folder in ("/var/", "/etc/", "/run/"):
        text = text.replace(folder, f"{root}{folder}")
    done = subprocess.run(["sh", "-c", text, script, *args], capture_output=True, text=True, check=False,
                          env={"PATH": f"{root}/bin:{os.environ['PATH']}", "MAIL": str(mail)})
    assert done.returncode == 0, done.stderr
    return done.stdout


def spool(root):
    return root / "var" / "lib" / "skein"


def test_root_writes_through_no_link_that_the_service_made(root):
    """Whatever the service's user put into its own folder, the scripts of root write nothing there."""
    victim = root / "victim"
    victim.write_text("precious")
    for name in (".no-mail", "no-mail", "skein.no-mail", "mail"):
        (spool(root) / name).symlink_to(victim)
    before = sorted(spool(root).iterdir())
    run(root, "prerm", "remove")
    run(root, "postrm", "remove")
    assert victim.read_text() == "precious"
    assert sorted(spool(root).iterdir()) == before


def test_purging_deletes_a_spool_without_mail_and_nothing_beside_it(root):
    run(root, "prerm", "remove")
    run(root, "postrm", "remove")
    assert spool(root).exists()
    run(root, "postrm", "purge")
    assert not list((root / "var" / "lib").iterdir())


def test_purging_keeps_a_spool_with_mail(root):
    assert "3 messages are still in" in run(root, "prerm", "remove", mail=3)
    run(root, "postrm", "remove")
    assert "is kept" in run(root, "postrm", "purge")
    assert spool(root).exists()


def test_what_was_empty_when_it_was_removed_is_not_when_it_was_installed_again(root):
    run(root, "prerm", "remove")
    run(root, "postrm", "remove")
    run(root, "postinst", "configure", "1")
    run(root, "prerm", "remove", mail=1)
    run(root, "postrm", "remove")
    run(root, "postrm", "purge")
    assert spool(root).exists()
