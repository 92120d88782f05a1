"""skeinctl key and secret against a real Redis: values come in by file, pipe and terminal, and never out."""
import json
import os
import pty
import re
import subprocess

import pytest
from ctl_lab import A, CTL, DEADLINE_S, NEGATIVE, OK, USAGE, Ctl, Redis

VALUE = "correct horse battery"


class SecretCtl(Ctl):
    """With a key file, as operators have it in --config or on the command line."""

    def __init__(self, redis, key):
        super().__init__(redis)
        self.key = key

    def run(self, *words, key=None, stdin="", options=None, environment=None):
        options = ["--redis", self.redis.address, "--key-file", str(key or self.key)] if options is None else options
        return subprocess.run([CTL, *options, *words], input=stdin, capture_output=True, text=True, timeout=DEADLINE_S,
                              check=False, env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **(environment or {})})

    def json(self, *words, code=OK, **options):
        return json.loads(self.text(*words, "--json", code=code, **options))

    def everything(self):
        """What Redis holds of secrets, as bytes."""
        keys = ["{secrets}", "{secrets}:sealed", "{secrets}:notes"]
        return b"".join(subprocess.run(["redis-cli", "-p", str(self.redis.port), "HGETALL", f"skein:{key}"],
                                       capture_output=True, check=True, timeout=DEADLINE_S).stdout for key in keys)


def make_key(path):
    done = subprocess.run([CTL, "key", "new", str(path), "--json"], capture_output=True, text=True, timeout=DEADLINE_S,
                          check=True)
    return json.loads(done.stdout)["key"]


@pytest.fixture(name="ctl")
def fixture_ctl(tmp_path):
    redis = Redis(tmp_path)
    redis.seed(("cluster", 4), ("node", "relay-a", A))
    make_key(tmp_path / "key")
    yield SecretCtl(redis, tmp_path / "key")
    redis.stop()


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path):
    path = tmp_path / "key"
    old = os.umask(0)
    try:
        key = make_key(path)
    finally:
        os.umask(old)
    text = path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert re.fullmatch(r"[A-Za-z0-9+/]{43}=\n", text) and re.fullmatch("[0-9a-f]{16}", key)
    done = subprocess.run([CTL, "key", "new", str(path)], capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == NEGATIVE and "never overwritten" in done.stderr
    assert path.read_text() == text
    assert make_key(tmp_path / "other") != key


def test_a_secret_is_set_listed_and_removed_and_never_shown(ctl):
    assert ctl.text("secret", "set", "hop", stdin=VALUE + "\n") == "hop is set\n"
    row, = ctl.json("secret", "list")
    assert row["name"] == "hop" and row["version"] == 1 and "@" in row["author"]
    listed = ctl.text("secret", "list")
    assert "hop" in listed and row["key"] in listed
    assert VALUE not in listed and VALUE.encode() not in ctl.everything()
    assert "in place of what" in ctl.text("secret", "set", "hop", stdin="other")
    assert ctl.json("secret", "set", "hop", stdin="third")["replaced"] is True
    assert ctl.text("secret", "remove", "hop", "--yes") == "hop is removed\n"
    assert ctl.json("secret", "list") == []
    assert "no secret hop" in ctl.complaint("secret", "remove", "hop", "--yes", code=NEGATIVE)


def test_several_are_removed_and_those_that_are_missing_are_named(ctl):
    for name in ("a", "b"):
        ctl.text("secret", "set", name, stdin="x")
    done = ctl.run("secret", "remove", "a", "c", "b", "--yes", "--json")
    assert done.returncode == NEGATIVE and "no secret c" in done.stderr
    assert json.loads(done.stdout) == {"removed": ["a", "b"]}


def test_a_file_and_the_key_of_a_node_s_settings_will_do(ctl, tmp_path):
    value, settings = tmp_path / "value", tmp_path / "skein.yaml"
    value.write_bytes(bytes(range(256)))
    settings.write_text(f"redis: {{address: '{ctl.redis.address}'}}\ncluster: {{key_file: '{ctl.key}'}}\n")
    ctl.text("secret", "set", "dkim", "--file", str(value), options=["--config", str(settings)])
    assert [row["name"] for row in ctl.json("secret", "list")] == ["dkim"]


@pytest.mark.parametrize("words, stdin, why", [
    (("set", "hop"), "", "is empty"),
    (("set", "hop"), "\n", "is empty"),
    (("set", "hop"), "x" * 65537, "more than 65536 bytes"),
    (("set", "hop", VALUE), "", "never an argument"),
    (("set", "../hop"), "x", "is no name"),
    (("set", "hop", "--file", "/nonexistent"), "", "cannot open"),
    (("remove",), "", "secret remove NAME"),
    (("rotate",), "", "--new-key"),
])
def test_what_cannot_be_is_told_and_nothing_is_stored(ctl, words, stdin, why):
    complaint = ctl.complaint("secret", *words, code=USAGE, stdin=stdin)
    assert why in complaint and VALUE not in complaint
    assert ctl.json("secret", "list") == []


def test_the_longest_secret_fits(ctl):
    ctl.text("secret", "set", "long", stdin="x" * 65536 + "\n")


def test_without_a_key_or_with_a_bad_one_nothing_is_set(ctl, tmp_path):
    bad = tmp_path / "bad"
    bad.write_text("hunter2\n")
    done = ctl.run("secret", "set", "hop", stdin="x", options=["--redis", ctl.redis.address])
    assert done.returncode == USAGE and "--key-file" in done.stderr
    complaint = ctl.complaint("secret", "set", "hop", stdin="x", key=bad, code=USAGE)
    assert "line 1" in complaint and "hunter2" not in complaint
    assert "No such file" in ctl.complaint("secret", "set", "hop", stdin="x", key=tmp_path / "none", code=USAGE)


def test_another_key_than_the_cluster_s_is_refused(ctl, tmp_path):
    ctl.text("secret", "set", "hop", stdin="x")
    other = make_key(tmp_path / "other")
    complaint = ctl.complaint("secret", "set", "dir", stdin="x", key=tmp_path / "other", code=NEGATIVE)
    assert other in complaint and "hop is sealed by key" in complaint
    # The only one may be set anew: the cure for a lost key.
    ctl.text("secret", "set", "hop", stdin="x", key=tmp_path / "other")


def test_a_terminal_does_not_show_what_is_typed(ctl):
    leader, follower = pty.openpty()
    with subprocess.Popen([CTL, "--redis", ctl.redis.address, "--key-file", str(ctl.key), "secret", "set", "hop"],
                          stdin=follower, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        # Whoever is asked may type: the prompt comes after the echo is off.
        assert process.stderr.read(len("Secret (is not shown): ")) == b"Secret (is not shown): "
        os.write(leader, VALUE.encode() + b"\n")
        out, err = process.communicate(timeout=DEADLINE_S)
    os.close(follower)
    os.set_blocking(leader, False)
    try:
        shown = os.read(leader, 4096)
    except (BlockingIOError, OSError):
        shown = b""
    os.close(leader)
    assert process.returncode == OK and out == b"hop is set\n"
    assert VALUE.encode() not in shown + err
    assert [row["name"] for row in ctl.json("secret", "list")] == ["hop"]


def test_a_rotation_seals_all_anew_and_may_be_repeated(ctl, tmp_path):
    for name in ("a", "b", "c"):
        ctl.text("secret", "set", name, stdin=f"value of {name}")
    new_id = make_key(tmp_path / "new")
    done = ctl.json("secret", "rotate", "--new-key", str(tmp_path / "new"))
    assert done == {"key": new_id, "rotated": 3, "already": 0, "failed": 0}
    assert {row["key"] for row in ctl.json("secret", "list")} == {new_id}
    again = ctl.text("secret", "rotate", "--new-key", str(tmp_path / "new"))
    assert "3 of 3" in again and "first line" in again
    # Back, with a file as nodes have it: what opens is on its second line.
    both = tmp_path / "both"
    both.write_text(ctl.key.read_text() + (tmp_path / "new").read_text())
    assert ctl.json("secret", "rotate", "--new-key", str(both))["rotated"] == 3


def test_a_rotation_that_stopped_halfway_goes_on(ctl, tmp_path):
    make_key(tmp_path / "new")
    for name in ("a", "b"):
        ctl.text("secret", "set", name, stdin="x")
    both = tmp_path / "both"
    both.write_text((tmp_path / "new").read_text() + ctl.key.read_text())
    ctl.text("secret", "set", "a", stdin="y", key=both)
    assert len({row["key"] for row in ctl.json("secret", "list")}) == 2
    done = ctl.json("secret", "rotate", "--new-key", str(tmp_path / "new"))
    assert (done["rotated"], done["already"], done["failed"]) == (1, 1, 0)


def test_a_rotation_names_what_it_cannot_open_and_does_the_rest(ctl, tmp_path):
    make_key(tmp_path / "new")
    make_key(tmp_path / "stranger")
    for name in ("a", "b"):
        ctl.text("secret", "set", name, stdin="x")
    # The sealed text of a is put in the place of b: no key opens it there.
    sealed = "skein:{secrets}:sealed"
    script = f"redis.call('HSET', '{sealed}', 'b', redis.call('HGET', '{sealed}', 'a'))"
    subprocess.run(["redis-cli", "-p", str(ctl.redis.port), "EVAL", script, "1", sealed], check=True,
                   capture_output=True, timeout=DEADLINE_S)
    done = ctl.run("secret", "rotate", "--new-key", str(tmp_path / "new"))
    assert done.returncode == NEGATIVE and "b was changed in Redis" in done.stderr and "1 of 2" in done.stdout
    done = ctl.run("secret", "rotate", "--new-key", str(tmp_path / "stranger"))
    assert done.returncode == NEGATIVE and "is sealed by a key that is not in the key file" in done.stderr


def test_a_policy_is_told_of_secrets_that_are_not_there(ctl, tmp_path):
    path = tmp_path / "policy.yaml"
    text = "credentials: {m365: {user: u, secret: cloud}, spare: {user: u, secret: nobody-asks}}\nroutes:\n" \
           "  - {name: office, match: {recipient: a.org}, to: [{host: a.org, tls: verify, credentials: m365}, {host: b.org,\n" \
           "     tls: verify, credentials: m365}]}\n" \
           "  - {name: rest, to: [{direct: true}], rewrite: {return_path: srs, return_domain: b.org, return_secret: srs}}\n"

    def warnings():
        path.write_text(path.read_text() + "#\n" if path.exists() else text)
        done = ctl.run("policy", "apply", str(path))
        assert done.returncode == OK, done.stderr
        return [line.partition("warning: ")[2] for line in done.stderr.splitlines()]

    cloud = 'there is no secret "cloud", by which the credentials "m365" of the route "office" log in: skeinctl secret set cloud'
    srs = 'there is no secret "srs", by which the route "rest" signs return paths: skeinctl secret set srs'
    assert warnings() == [cloud, srs]
    ctl.text("secret", "set", "srs", stdin="x")
    assert warnings() == [cloud]
    ctl.text("secret", "set", "cloud", stdin="x")
    assert warnings() == []
