"""skeinctl in a shell: completion in a real bash and a real zsh, and the man page."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import pytest

from ctl_lab import BUILD, CTL, DEADLINE_S, MIDDLE, NEW, OK, OLD, USAGE, Ctl, all_commands, fixture_cluster, fixture_redis
from test_skeinctl_terminal import Terminal

assert fixture_cluster and fixture_redis
BASH_COMPLETION = pathlib.Path("/usr/share/bash-completion/bash_completion")


def offered(cluster, *words, environment=None):
    """What __complete says of the last word."""
    done = subprocess.run([CTL, "__complete", "--", *words], capture_output=True, text=True, check=True, timeout=DEADLINE_S,
                          env={"PATH": os.environ["PATH"], "SKEIN_REDIS": cluster.redis.address, **(environment or {})})
    assert done.stderr == ""
    return [line.split("\t")[0] for line in done.stdout.splitlines()]


# ---- what is offered ----

def test_names_are_those_that_the_cluster_has(cluster, tmp_path):
    assert offered(cluster, "drain", "") == ["relay-a", "relay-b"]
    assert offered(cluster, "drain", "relay-b") == ["relay-b"]
    assert sorted(offered(cluster, "queue", "hold", "")) == [OLD, MIDDLE, NEW]
    assert offered(cluster, "queue", "show", OLD[:20]) == [OLD]
    (tmp_path / "policy.yaml").write_text(
        "clients:\n  - name: internal\n    match: {network: [127.0.0.0/8], group: staff}\n    effect: allow\n"
        "alerts: {channels: {desk: {mail: ops@example.org, from: skein@example.org}, chat: {webhook: 'http://127.0.0.1:1/'}}}\n")
    cluster.text("policy", "apply", str(tmp_path / "policy.yaml"))
    assert offered(cluster, "policy", "rollback", "") == ["1"]
    assert offered(cluster, "policy", "diff", "") == [":file", "1"]
    assert offered(cluster, "acl", "add", "--rule", "") == ["internal"]
    assert offered(cluster, "acl", "add", "--rule=int") == ["--rule=internal"]
    assert offered(cluster, "acl", "remove", "") == ["127.0.0.0/8"]
    assert offered(cluster, "user", "add", "--group", "") == ["staff"]
    assert offered(cluster, "alerts", "test", "d") == ["desk"]
    assert offered(cluster, "alerts", "silence", "node") == ["node-lost"]
    cluster.text("ban", "add", "192.0.2.0/24")
    assert offered(cluster, "ban", "remove", "") == ["192.0.2.0/24"]
    cluster.text("key", "new", str(tmp_path / "key"))
    (tmp_path / "secret").write_text("x")
    cluster.text("--key-file", str(tmp_path / "key"), "secret", "set", "hop", "--file", str(tmp_path / "secret"))
    cluster.text("--key-file", str(tmp_path / "key"), "dkim", "create", "example.com", "--selector", "s1")
    assert offered(cluster, "secret", "remove", "h") == ["hop"]
    assert offered(cluster, "dkim", "publish", "") == ["example.com"]
    assert offered(cluster, "dkim", "retire", "example.com", "") == ["s1"]
    assert offered(cluster, "dkim", "retire", "example.net", "") == []
    assert offered(cluster, "dns", "check", "--dkim", "") == ["s1@example.com"]
    cluster.text("hops", "down", "mx.partner")
    assert offered(cluster, "hops", "up", "") == ["mx.partner:25"]


def test_users_are_those_of_the_file(cluster, tmp_path):
    (tmp_path / "password").write_text("open sesame")
    users = str(tmp_path / "users")
    cluster.text("--users-file", users, "user", "add", "printer", "--file", str(tmp_path / "password"))
    assert offered(cluster, "--users-file", users, "user", "set", "") == ["printer"]


def test_redis_is_the_one_that_the_line_names(cluster):
    nowhere = {"SKEIN_REDIS": "127.0.0.1:1"}
    assert offered(cluster, "drain", "", environment=nowhere) == []
    assert offered(cluster, "--redis", cluster.redis.address, "drain", "", environment=nowhere) == ["relay-a", "relay-b"]


def test_a_silent_redis_offers_nothing_and_soon(cluster):
    os.kill(cluster.redis.process.pid, signal.SIGSTOP)
    try:
        assert offered(cluster, "drain", "") == []
        assert offered(cluster, "queue", "li") == ["list"]
    finally:
        os.kill(cluster.redis.process.pid, signal.SIGCONT)


# ---- shells ----

def in_bash(cluster, line, load):
    """COMPREPLY for the cursor at the end of the line."""
    script = f"""
{load}
source <(skeinctl completion bash)
COMP_LINE=$1 COMP_POINT=${{#1}}
mapfile -t COMP_WORDS < <("$2" - "$1")
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
compopt() {{ :; }}
_skeinctl
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    # As readline splits a line: at blanks, and around each of COMP_WORDBREAKS.
    splitter = cluster.folder / "split"
    splitter.write_text("#!/usr/bin/python3\nimport re, sys\n"
                        "words = re.findall(r'[=:]+|[^\\s=:]+', sys.argv[2])\n"
                        "print('\\n'.join(words + [''] * sys.argv[2].endswith((' ', '=', ':'))))\n")
    splitter.chmod(0o755)
    done = subprocess.run(["bash", "--norc", "-c", script, "bash", line, str(splitter)], capture_output=True, text=True,
                          check=False, timeout=DEADLINE_S, cwd=cluster.folder,
                          env={"PATH": f"{CTL.parent.resolve()}:{os.environ['PATH']}", "SKEIN_REDIS": cluster.redis.address})
    assert done.stderr == "", done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("load", [f"source {BASH_COMPLETION}", "true"], ids=["bash-completion", "alone"])
def test_bash_completes(cluster, tmp_path, load):
    if not BASH_COMPLETION.exists():
        pytest.skip("bash-completion is not installed")
    cluster.folder = tmp_path
    (tmp_path / "policy.yaml").touch()
    assert in_bash(cluster, "skeinctl que", load) == ["queue"]
    assert in_bash(cluster, "skeinctl queue c", load) == ["cancel"]
    assert in_bash(cluster, "skeinctl drain relay-", load) == ["relay-a", "relay-b"]
    assert in_bash(cluster, "skeinctl queue list --st", load) == ["--state"]
    assert in_bash(cluster, "skeinctl queue list --state ow", load) == ["owned"]
    assert in_bash(cluster, "skeinctl policy check pol", load) == ["policy.yaml"]
    if load != "true":
        cluster.text("hops", "down", "mx.partner:2525")
        assert in_bash(cluster, "skeinctl queue list --state=ow", load) == ["owned"]
        assert in_bash(cluster, "skeinctl hops up mx.partner:2", load) == ["2525"]


def test_zsh_completes(cluster, tmp_path):
    zsh = shutil.which("zsh")
    if not zsh:
        pytest.skip("zsh is not installed")
    folder = CTL.parent.resolve()
    cluster.text("hops", "down", "mx.partner")
    with Terminal(zsh, "-f", "-i", ZDOTDIR=str(tmp_path), HOME=str(tmp_path), SKEIN_REDIS=cluster.redis.address,
                  PATH=f"{folder}:{os.environ['PATH']}", PS1="ready> ") as terminal:
        terminal.until(b"ready> ")
        terminal.type(b"autoload -U compinit; compinit -u -D; source <(skeinctl completion zsh); echo set''up\n")
        terminal.until(b"setup")
        terminal.until(b"ready> ")
        for typed, whole in (b"skeinctl que\t", rb"queue"), (b" canc\t", rb"cancel"), (b" --y\t", rb"--yes"):
            terminal.type(typed)
            terminal.until(whole)
        terminal.type(b"\x15skeinctl hops up m\t")
        terminal.until(rb"mx\.partner:25")
        terminal.type(b"\x15\x04")
        terminal.type(b"exit\n")
        give_up = time.monotonic() + DEADLINE_S
        while terminal.process.poll() is None and time.monotonic() < give_up:
            terminal.read_some(0.05)
        assert terminal.process.returncode is not None


def test_only_shells_that_are_known_have_a_script():
    assert "bash or zsh" in Ctl(None).complaint("completion", "fish", code=USAGE, options=[])
    for shell in "bash", "zsh":
        script = Ctl(None).text("completion", shell, options=[])
        assert subprocess.run([shell, "-n"], input=script, text=True, capture_output=True, check=False).returncode == OK


# ---- man pages ----

@pytest.mark.parametrize("page, title", [("skeinctl.1", "SKEINCTL(1)"), ("skeind.8", "SKEIND(8)")])
def test_the_man_page_is_good_mdoc(page, title):
    path = BUILD / "man" / page
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not installed")
    lint = subprocess.run(["mandoc", "-T", "lint", path], capture_output=True, text=True, check=False, timeout=DEADLINE_S)
    # Of pages that are not installed it cannot know.
    told = [line for line in (lint.stdout + lint.stderr).splitlines() if "referenced manual not found" not in line]
    assert told == []
    text = subprocess.run(["mandoc", "-T", "utf8", path], capture_output=True, text=True, check=True, timeout=DEADLINE_S).stdout
    assert title in text


def test_the_man_page_has_every_command_and_option():
    text = subprocess.run(["mandoc", "-T", "ascii", "-O", "width=200", BUILD / "man" / "skeinctl.1"], capture_output=True,
                          text=True, check=True, timeout=DEADLINE_S).stdout
    text = re.sub(r".\x08", "", text)
    for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "COMMANDS", "ENVIRONMENT", "FILES", "EXIT STATUS", "EXAMPLES"):
        assert re.search(rf"^{section}$", text, re.M), section
    ctl = Ctl(None)
    for command in all_commands(ctl):
        assert re.search(rf"^ +{command}\b", text, re.M), command
        for option in re.findall(r"^  (?:-\w, )?(--[a-z-]+)", ctl.text("help", *command.split(), options=[]), re.M):
            assert option in text, (command, option)
    assert "__" not in text
