"""skeinctl user: the file of local users, alone, by many at once, and under a node that runs."""
import fcntl
import json
import os
import pathlib
import pty
import smtplib
import ssl
import subprocess

from lab.wait import until
import pytest
from ctl_lab import CTL, DEADLINE_S, NEGATIVE, OK, USAGE, Ctl

PASSWORD = "correct horse battery"
POLICY = """clients:
  - name: local-users
    match: {user: '*'}
    effect: allow
    senders: [own]
abuse:
  failures: {address: 0, network: 0, account: 0}
  delay: 0s
"""


class UserCtl(Ctl):
    def __init__(self, path):
        super().__init__(None)
        self.path = path

    def run(self, *words, stdin="", options=None, environment=None):
        options = ["--users-file", str(self.path)] if options is None else options
        return subprocess.run([CTL, *options, "user", *words], input=stdin, capture_output=True, text=True,
                              timeout=DEADLINE_S, check=False,
                              env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **(environment or {})})

    def add(self, name, *options, password=PASSWORD):
        assert self.text("add", name, *options, stdin=password + "\n") == f"{name} is added\n"

    def users(self):
        return {row["name"]: row for row in self.json("list")}


@pytest.fixture(name="ctl")
def fixture_ctl(tmp_path):
    return UserCtl(tmp_path / "users")


def test_a_user_is_added_listed_changed_and_removed(ctl):
    ctl.add("printer", "--group", "devices", "--group", "floor-2", "--address", "printer@example.org")
    ctl.add("backup", "--scram")
    text = ctl.path.read_text()
    assert text.count("password=$y$") == 2 and text.count("scram=SCRAM-SHA-256$4096:") == 1 and PASSWORD not in text
    users = ctl.users()
    assert list(users) == ["printer", "backup"]
    assert users["printer"] == {"name": "printer", "disabled": False, "password": True, "scram": False,
                                "groups": ["devices", "floor-2"], "addresses": ["printer@example.org"]}
    assert users["backup"]["scram"] is True and users["backup"]["groups"] == []
    title, first, second = ctl.text("list").splitlines()
    assert title.split() == ["NAME", "STATE", "LOGIN", "GROUPS", "ADDRESSES"]
    assert first.split() == ["printer", "good", "password", "devices", "floor-2", "printer@example.org"]
    assert second.split() == ["backup", "good", "password,", "SCRAM"]
    assert ctl.text("set", "printer", "--no-groups", "--address", "scan@example.org", "--disable") == "printer is changed\n"
    assert ctl.users()["printer"] == {"name": "printer", "disabled": True, "password": True, "scram": False, "groups": [],
                                      "addresses": ["scan@example.org"]}
    ctl.text("set", "printer", "--enable")
    assert ctl.users()["printer"]["disabled"] is False and ctl.users()["printer"]["addresses"] == ["scan@example.org"]
    assert ctl.text("remove", "printer", "--yes") == "printer is removed\n"
    assert list(ctl.users()) == ["backup"]


def test_json_names_the_user_and_the_file(ctl):
    done = json.loads(ctl.text("add", "printer", "--json", stdin=PASSWORD))
    assert done == {"name": "printer", "file": str(ctl.path)}
    ctl.add("backup")
    done = ctl.run("remove", "printer", "nobody", "backup", "--yes", "--json")
    assert done.returncode == NEGATIVE and "there is no user nobody" in done.stderr
    assert json.loads(done.stdout) == {"removed": ["printer", "backup"]}


def scram_of(ctl, name):
    line, = [line for line in ctl.path.read_text().splitlines() if line.startswith(name + " ")]
    return [word for word in line.split() if word.startswith("scram=")]


def test_a_new_password_keeps_the_kinds_of_login(ctl):
    ctl.add("a", "--scram", "--group", "devices")
    before = scram_of(ctl, "a")
    assert ctl.text("passwd", "a", stdin="other") == "a has a new password\n"
    assert len(scram_of(ctl, "a")) == 1 and scram_of(ctl, "a") != before
    ctl.text("passwd", "a", "--no-scram", stdin="third")
    assert not scram_of(ctl, "a")
    ctl.text("passwd", "a", stdin="fourth")
    assert not scram_of(ctl, "a")
    ctl.text("passwd", "a", "--scram", stdin="fifth")
    assert scram_of(ctl, "a") and ctl.users()["a"]["groups"] == ["devices"]


def test_the_file_may_come_from_a_node_s_settings_and_the_password_from_a_file(ctl, tmp_path):
    settings, password = tmp_path / "skein.yaml", tmp_path / "password"
    settings.write_text(f"auth:\n  backends: [file]\n  file:\n    path: {ctl.path}\n")
    password.write_text(PASSWORD + "\n")
    ctl.text("add", "printer", "--file", str(password), options=["--config", str(settings)])
    assert "printer" in ctl.users()
    assert "which file of users?" in ctl.complaint("list", options=[], code=USAGE)


def test_comments_and_what_people_wrote_stay(ctl):
    ctl.path.write_text("# ours\n\n  hand  password=$6$made-elsewhere   disabled\n")
    ctl.add("printer")
    ctl.text("remove", "printer", "--yes")
    assert ctl.path.read_text() == "# ours\n\n  hand  password=$6$made-elsewhere   disabled\n"


@pytest.mark.parametrize("words, stdin, why", [
    (("add",), PASSWORD, "user add NAME"),
    (("add", "a", "b"), PASSWORD, "never an argument"),
    (("add", "a b"), PASSWORD, "no spaces"),
    (("add", "#a"), PASSWORD, "no '#' at its start"),
    (("add", "a", "--group", "two words"), PASSWORD, '--group "two words": a group or address has no spaces'),
    (("add", "a", "--address", "example.org"), PASSWORD, "written in full"),
    (("add", "a", "--address", "@example.org"), PASSWORD, "written in full"),
    (("add", "a"), "", "is empty: that is no password"),
    (("add", "a"), "x" * 512, "more than 511 bytes"),
    (("add", "a"), "x\0y", "control character"),
    (("add", "a", "--file", "/nonexistent"), "", "cannot open"),
    (("passwd", "a", "--scram", "--no-scram"), PASSWORD, "which one?"),
    (("set", "a"), "", "set what?"),
    (("set", "a", "--group", "g", "--no-groups"), "", "which one?"),
    (("set", "a", "--disable", "--enable"), "", "which one?"),
    (("remove",), "", "user remove NAME"),
    (("change", "a"), "", "user what? add, passwd, set, list, remove"),
])
def test_a_wrong_call_is_told_and_makes_no_file(ctl, words, stdin, why):
    assert why in ctl.complaint(*words, stdin=stdin, code=USAGE)
    assert not ctl.path.exists()


@pytest.mark.parametrize("words, stdin, why", [
    (("add", "PRINTER"), PASSWORD, "there is a user PRINTER already"),
    (("add", "a"), "two\nlines", "more than one line"),
    (("passwd", "nobody"), PASSWORD, "there is no user nobody in "),
    (("set", "nobody", "--disable"), "", "there is no user nobody in "),
    (("remove", "nobody", "--yes"), "", "there is no user nobody in "),
])
def test_what_is_not_possible_changes_nothing(ctl, words, stdin, why):
    ctl.add("printer")
    before = ctl.path.read_bytes()
    assert why in ctl.complaint(*words, stdin=stdin, code=NEGATIVE)
    assert ctl.path.read_bytes() == before
    assert sorted(path.name for path in ctl.path.parent.iterdir()) == ["users", "users.lock"]


def test_a_file_that_is_broken_or_not_there_is_named(ctl):
    assert f"cannot read {ctl.path}: No such file" in ctl.complaint("list", code=NEGATIVE)
    ctl.path.write_text("printer password=$y$x\nscanner\n")
    for words in (("list",), ("add", "a"), ("remove", "printer", "--yes")):
        assert f"{ctl.path}:2: neither password= nor scram= is there" in ctl.complaint(*words, stdin="x", code=NEGATIVE)
    nowhere = UserCtl(pathlib.Path("/nonexistent/users"))
    assert "cannot lock /nonexistent/users.lock" in nowhere.complaint("add", "a", stdin="x", code=NEGATIVE)


def test_the_file_is_for_its_owner_alone_and_keeps_its_mode(ctl):
    old = os.umask(0)
    try:
        ctl.add("a")
        assert ctl.path.stat().st_mode & 0o777 == 0o600
        ctl.path.chmod(0o640)
        ctl.add("b")
        assert ctl.path.stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(old)


def test_many_changes_at_once_are_all_there(ctl):
    names = [f"user-{number}" for number in range(16)]
    command = [CTL, "--users-file", str(ctl.path), "user", "add"]
    running = [subprocess.Popen([*command, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE) for name in names]
    for process in running:
        process.communicate(b"x", timeout=DEADLINE_S)
    assert [process.returncode for process in running] == [OK] * len(names)
    assert sorted(ctl.users()) == sorted(names)


def test_a_change_waits_for_another(ctl):
    ctl.add("a")
    lock_path = f"{ctl.path}.lock"
    with open(lock_path, "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with subprocess.Popen([CTL, "--users-file", str(ctl.path), "user", "remove", "a", "--yes"], stdout=subprocess.PIPE) as process:
            files = pathlib.Path(f"/proc/{process.pid}/fd")
            until(lambda: lock_path in [os.readlink(file) for file in files.iterdir()], DEADLINE_S, "it has the lock open")
            assert process.poll() is None and "a" in ctl.users()
            fcntl.flock(lock, fcntl.LOCK_UN)
            process.communicate(timeout=DEADLINE_S)
    assert process.returncode == OK and not ctl.users()


def at_a_terminal(ctl, *lines):
    """(exit code, what was told, what the terminal showed) of a user that is added by somebody who types."""
    leader, follower = pty.openpty()
    prompts = [b"Password (is not shown): ", b"\nThe same again: "]
    with subprocess.Popen([CTL, "--users-file", str(ctl.path), "user", "add", "typed"], stdin=follower,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        for prompt, line in zip(prompts, lines):
            assert process.stderr.read(len(prompt)) == prompt
            os.write(leader, line.encode() + b"\n")
        told = b"".join(process.communicate(timeout=DEADLINE_S))
    os.close(follower)
    os.set_blocking(leader, False)
    try:
        shown = os.read(leader, 4096)
    except (BlockingIOError, OSError):
        shown = b""
    os.close(leader)
    return process.returncode, told.decode(), shown.decode()


def test_a_terminal_asks_twice_and_shows_nothing(ctl):
    code, told, shown = at_a_terminal(ctl, PASSWORD, PASSWORD)
    assert code == OK and "typed is added" in told and PASSWORD not in told + shown
    ctl.text("remove", "typed", "--yes")
    code, told, shown = at_a_terminal(ctl, PASSWORD, PASSWORD + "!")
    assert code == USAGE and "not the same password twice" in told and PASSWORD not in told + shown
    assert not ctl.users()


# ---- a node that runs ----

@pytest.fixture(name="node")
def fixture_node(new_cluster, ctl, tmp_path):
    """One that knows the users of the file."""
    ctl.add("first")
    (tmp_path / "policy.yaml").write_text(POLICY, encoding="utf-8")
    cluster = new_cluster(nodes=1, redis=False, balancer=False, settings={
        "relay": None, "policy": {"file": str(tmp_path / "policy.yaml")},
        "auth": {"backends": ["file"], "file": {"path": str(ctl.path)}}})
    return cluster.nodes[1]


def log_in(node, user, password, sender=None):
    """The code of AUTH PLAIN, or of the MAIL after it where a sender is named."""
    host, port = node.smtp.split(":")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP(host, int(port), timeout=20) as client:
        client.starttls(context=context)
        client.ehlo()
        client.user, client.password = user, password
        try:
            code, _ = client.auth("PLAIN", client.auth_plain)
        except smtplib.SMTPAuthenticationError as refused:
            return refused.smtp_code
        return client.mail(sender)[0] if sender else code


def until_refused(node, user, password):
    until(lambda: log_in(node, user, password) == 535, 30, f"{user} does not get in any more", poll=0.5)


def test_a_node_takes_a_new_user_at_once(node, ctl):
    assert log_in(node, "printer", PASSWORD) == 535
    ctl.add("printer", "--address", "printer@example.org", password="another one")
    assert log_in(node, "Printer", "another one") == 235
    assert log_in(node, "printer", "another one", "printer@example.org") == 250
    assert log_in(node, "printer", "another one", "first@example.org") == 550
    # What was wrong a moment ago and is right now: the same wrong password is remembered no longer than old users.
    ctl.text("passwd", "printer", stdin=PASSWORD)
    until(lambda: log_in(node, "printer", PASSWORD) == 235, 30, "the password that was wrong is right", poll=0.5)


def test_a_node_follows_within_ten_seconds(node, ctl):
    names = ("renewed", "moved", "disabled", "removed")
    for name in names:
        ctl.add(name, "--address", f"{name}@example.org")
        assert log_in(node, name, PASSWORD, f"{name}@example.org") == 250
    ctl.text("passwd", "renewed", stdin="another one")
    ctl.text("set", "moved", "--address", "scan@example.org")
    ctl.text("set", "disabled", "--disable")
    ctl.text("remove", "removed", "--yes")
    assert log_in(node, "renewed", "another one") == 235
    for name in ("renewed", "disabled", "removed"):
        until_refused(node, name, PASSWORD)
    assert log_in(node, "moved", PASSWORD, "scan@example.org") == 250
    assert log_in(node, "moved", PASSWORD, "moved@example.org") == 550
    ctl.text("set", "disabled", "--enable")
    assert log_in(node, "disabled", PASSWORD) == 235
    assert log_in(node, "first", PASSWORD) == 235
