"""skeinctl itself: how it is called, how it reaches Redis and logs in there, and its exit codes."""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess

import pytest

from ctl_lab import (  # noqa: F401
    A, CTL, Ctl, DEADLINE_S, NEGATIVE, OLD, REFUSED, Redis, TOP, UNREACHABLE, USAGE, all_commands,
    fixture_cluster, fixture_redis, free_port)


# ---- how it is called ----

@pytest.mark.parametrize("words, complaint", [
    ([], "which command?"),
    (["staus"], "did you mean \"status\"?"),
    (["queue", "lits"], "did you mean \"queue list\"?"),
    (["queue"], "queue what? list, show"),
    (["status", "now"], "takes no \"now\""),
    (["queue", "show"], "ID is missing: skeinctl queue show ID"),
    (["queue", "hold"], "ID is missing: skeinctl queue hold ID..."),
    (["queue", "list", "--state", "lost"], "none of due, deferred, owned, held, quarantined"),
    (["queue", "list", "--sort", "size"], "only \"age\""),
    (["queue", "list", "--limit", "0"], "no number from 1"),
    (["drain", "a", "--wait", "--cancel"], "drain NODE"),
    (["--nothing", "status"], "unknown option"),
])
def test_a_wrong_call_is_told_what_is_wrong_without_redis(words, complaint):
    ctl = Ctl(None)
    assert complaint in ctl.complaint(*words, code=USAGE, options=["--redis", "127.0.0.1:1"])


def test_help_is_there_for_all_and_for_each():
    ctl = Ctl(None)
    text, commands = ctl.text("--help", options=[]), all_commands(ctl)
    assert len(commands) == 55 and "Exit codes" in text
    assert len(text.splitlines()) <= 75 and max(map(len, text.splitlines())) <= 80
    assert ctl.text("help", options=[]) == text
    for command in commands:
        told = ctl.text(*command.split(), "--help", options=[])
        assert told.startswith(f"skeinctl {command}")
        assert told == ctl.text("help", *command.split(), options=[])
    assert ctl.text("queue", "--help", options=[]) == ctl.text("help", "queue", options=[])
    assert ctl.text("--version", options=[]).startswith("skeinctl ")


def test_the_manual_has_every_command_and_exit_code():
    manual, text = (TOP / "docs" / "skeinctl.md").read_text(encoding="utf-8"), Ctl(None).text("--help", options=[])
    titles = [title for title in re.findall(r"^## (.*)$", manual, re.M) if title.islower()]
    assert sorted(titles) == sorted(all_commands(Ctl(None)))
    for option in re.findall(r"--[a-z-]+", text.split("Options")[1]):
        assert option in manual or option in ("--version",), option


def test_redis_is_found_by_environment_or_settings(cluster, tmp_path):
    assert cluster.text("nodes", options=[], environment={"SKEIN_REDIS": cluster.redis.address})
    settings = tmp_path / "node.yaml"
    settings.write_text(f"redis:\n  address: {cluster.redis.address}\n")
    assert cluster.text("nodes", options=["--config", str(settings)])
    assert cluster.text("nodes", options=[], environment={"SKEIN_CONFIG": str(settings)})
    missing = cluster.complaint("nodes", options=[], code=USAGE, environment={"SKEIN_CONFIG": str(tmp_path / "none.yaml")})
    assert "where is Redis?" in missing and f"(cannot read {tmp_path}/none.yaml: No such file or directory)" in missing


def test_an_unreachable_redis_has_its_own_exit_code():
    complaint = Ctl(None).complaint("status", options=["--redis", f"127.0.0.1:{free_port()}"], code=UNREACHABLE)
    assert "Connection refused; does Redis run there, and is --redis right?" in complaint


def test_a_replica_is_told_with_its_master(cluster, tmp_path):
    (tmp_path / "replica").mkdir()
    replica = Redis(tmp_path / "replica", "--replicaof", "127.0.0.1", str(cluster.redis.port))
    try:
        complaint = Ctl(replica).complaint("status", code=UNREACHABLE)
        assert f"is a replica of 127.0.0.1:{cluster.redis.port}" in complaint or "loading" in complaint
        assert "say that one with --redis" in complaint or "loading" in complaint
    finally:
        replica.stop()


def test_a_silent_redis_is_given_up(cluster):
    os.kill(cluster.redis.process.pid, signal.SIGSTOP)
    try:
        assert "no connection to Redis within 5000 ms" in cluster.complaint("status", code=UNREACHABLE)
    finally:
        os.kill(cluster.redis.process.pid, signal.SIGCONT)


def test_colour_is_for_terminals_that_want_it(cluster):
    assert "\x1b[" not in cluster.text("nodes")
    if not shutil.which("script"):
        pytest.skip("script(1) is not installed")
    command = f"{CTL} --redis {cluster.redis.address} nodes"

    def on_a_terminal(**environment):
        return subprocess.run(["script", "-qec", command, "/dev/null"], capture_output=True, text=True, check=True,
                              timeout=DEADLINE_S, env={"PATH": os.environ["PATH"], **environment}).stdout

    assert "\x1b[32malive" in on_a_terminal()
    assert "\x1b[" not in on_a_terminal(NO_COLOR="1")


def test_an_output_that_cannot_be_written_is_an_error(cluster):
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([CTL, "--redis", cluster.redis.address, "nodes"], stdout=full, stderr=subprocess.PIPE,
                              text=True, check=False, timeout=DEADLINE_S)
    assert done.returncode == REFUSED and "could not be written" in done.stderr


# ---- logging in ----

def test_user_and_password(tmp_path):
    redis = Redis(tmp_path, "--user", "default", "off", "--user", "op", "on", ">secret", "~*", "+@all")
    password = tmp_path / "password"
    ctl = Ctl(redis)
    try:
        password.write_text("secret\n")
        options = ["--redis", redis.address, "--redis-user", "op", "--redis-password-file", str(password)]
        assert "no cluster" in ctl.complaint("status", options=options, code=NEGATIVE)
        password.write_text("wrong\n")
        assert "check user and password" in ctl.complaint("status", options=options, code=UNREACHABLE)
        complaint = ctl.complaint("status", code=UNREACHABLE)
        assert "wants a password" in complaint and "say --redis-password-file FILE" in complaint
    finally:
        redis.stop()


def test_a_user_that_may_not_call_functions_is_told_so(tmp_path, redis):
    redis.seed(("cluster", 4), ("node", "relay-a", A))
    with socket.create_connection(("127.0.0.1", redis.port)) as conn:
        conn.sendall(b"ACL SETUSER op on >secret ~* +info +function +hmget +time\r\n")
        assert conn.recv(64) == b"+OK\r\n"
    password = tmp_path / "password"
    password.write_text("secret")
    options = ["--redis", redis.address, "--redis-user", "op", "--redis-password-file", str(password)]
    assert "NOPERM" in Ctl(redis).complaint("nodes", options=options, code=REFUSED)


def test_the_rights_in_the_manual_are_enough(cluster, tmp_path):
    manual = (TOP / "docs" / "skeinctl.md").read_text(encoding="utf-8")
    rights = re.search(r"^user operator (.*)$", manual, re.M)[1].replace("PASSWORD", "secret")
    with socket.create_connection(("127.0.0.1", cluster.redis.port)) as conn:
        conn.sendall(f"ACL SETUSER operator {rights}\r\n".encode())
        assert conn.recv(64) == b"+OK\r\n"
    (tmp_path / "password").write_text("secret")
    login = ["--redis", cluster.redis.address, "--redis-user", "operator",
             "--redis-password-file", str(tmp_path / "password")]
    for words in (["status"], ["nodes"], ["queue", "list"], ["queue", "show", OLD], ["queue", "retry", OLD],
                  ["queue", "hold", OLD], ["queue", "release", OLD], ["queue", "cancel", OLD, "--yes"], ["drain", "relay-a"]):
        cluster.text(*words, options=login)
    cluster.redis.seed(("kill", A, cluster.epoch_a, 1))
    cluster.text("node", "forget", "relay-a", "--yes", options=login)


def make_certificates(folder):
    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=DEADLINE_S)

    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=Test Authority", "-days", "2")
    for name, alt in ("server", "DNS:redis.example,IP:127.0.0.1"), ("client", "DNS:operator"):
        openssl("req", *new_key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / f"{name}.ext").write_text(f"subjectAltName={alt}\n")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", f"{name}.ext", "-out", f"{name}.crt")


def test_tls_with_both_certificates(tmp_path):
    make_certificates(tmp_path)
    files = {name: str(tmp_path / name) for name in ("ca.crt", "server.crt", "server.key", "client.crt", "client.key")}
    redis = Redis(tmp_path, "--tls-cert-file", files["server.crt"], "--tls-key-file", files["server.key"],
                  "--tls-ca-cert-file", files["ca.crt"], tls=True)
    ctl, base = Ctl(redis), ["--redis", redis.address]
    both = ["--tls-ca", files["ca.crt"], "--tls-cert", files["client.crt"], "--tls-key", files["client.key"]]
    try:
        assert "no cluster" in ctl.complaint("status", options=[*base, *both], code=NEGATIVE)
        assert "no cluster" in ctl.complaint(
            "status", options=[*base, *both, "--tls-name", "redis.example"], code=NEGATIVE)
        assert "hostname mismatch" in ctl.complaint(
            "status", options=[*base, *both, "--tls-name", "other.example"], code=UNREACHABLE)
        assert "certificate" in ctl.complaint("status", options=[*base, "--tls"], code=UNREACHABLE)
        ctl.complaint("status", options=[*base, "--tls-ca", files["ca.crt"]], code=UNREACHABLE)
        assert "cannot use /nowhere" in ctl.complaint("status", options=[*base, "--tls-ca", "/nowhere"], code=UNREACHABLE)
    finally:
        redis.stop()


def test_it_leaves_no_core_dump():
    """It may hold a password, or the cluster's key."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        process = subprocess.Popen([CTL, "--redis", f"127.0.0.1:{silent.getsockname()[1]}", "status"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        connection, _ = silent.accept()
        limits = pathlib.Path(f"/proc/{process.pid}/limits").read_text()
        process.kill()
        process.wait()
        connection.close()
    assert re.search(r"^Max core file size +0 +0 ", limits, re.M)
