"""skeinctl on a terminal: what is watched, and what is asked. A pseudo-terminal plays the reader."""
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pytest
from lab.wait import until

from ctl_lab import A, B, CTL, DEADLINE_S, MIDDLE, NEGATIVE, NEW, OK, OLD, USAGE, Ctl, fixture_cluster, fixture_redis, states

assert fixture_cluster and fixture_redis
ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, *command, size=(24, 120), **environment):
        self.master, self.slave = pty.openpty()
        self.resize(*size)
        self.before = termios.tcgetattr(self.slave)
        self.said, self.seen = b"", 0
        self.process = subprocess.Popen(
            command, stdin=self.slave, stdout=self.slave, stderr=self.slave, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TERM": "xterm", **environment})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read_some(self, seconds):
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        self.said += os.read(self.master, 65536)
        return True

    def until(self, pattern):
        """Waits for what is not seen yet; what came up to its end is seen then."""
        give_up = time.monotonic() + DEADLINE_S
        while True:
            found = re.search(pattern, self.said[self.seen:], re.S)
            if found:
                self.seen += found.end()
                return found
            assert time.monotonic() < give_up, (pattern, self.said[self.seen:])
            self.read_some(0.1)

    def type(self, text):
        os.write(self.master, text)

    def end(self):
        """The exit code; the terminal must be as it was."""
        give_up = time.monotonic() + DEADLINE_S
        while self.process.poll() is None:
            assert time.monotonic() < give_up, self.said
            self.read_some(0.05)
        while self.read_some(0):
            pass
        assert termios.tcgetattr(self.slave) == self.before
        return self.process.returncode


def watch(cluster, *words, **options):
    return Terminal(CTL, "--redis", cluster.redis.address, *words, **options)


def until_stopped(terminal):
    """As a shell waits, before it has a program go on."""
    until(lambda: os.waitid(os.P_PID, terminal.process.pid, os.WSTOPPED | os.WNOHANG), DEADLINE_S, "it stops")


# ---- watch ----

def test_a_table_is_watched_in_place(cluster):
    with watch(cluster, "queue", "list", "--watch", "1") as terminal:
        terminal.until(re.escape(ENTER))
        terminal.until(rb"skeinctl queue list, every 1s +q quits")
        terminal.until(OLD.encode() + rb"  deferred")
        cluster.text("queue", "hold", OLD)
        terminal.until(OLD.encode() + rb"  .{0,5}held")
        terminal.type(b"q")
        assert terminal.end() == OK
    assert terminal.said.endswith(LEAVE) and terminal.said.count(ENTER) == 1
    assert b"\x1b[2J" not in terminal.said


def test_the_connection_stays_while_watching(cluster):
    with watch(cluster, "nodes", "--watch=1") as terminal:
        terminal.until(rb"relay-b.*relay-b.*relay-b")
        clients = subprocess.run(["redis-cli", "-p", str(cluster.redis.port), "INFO", "stats"], capture_output=True,
                                 text=True, check=True, timeout=DEADLINE_S).stdout
        before = int(re.search(r"total_connections_received:(\d+)", clients)[1])
        terminal.until(rb"relay-b.*relay-b")
        clients = subprocess.run(["redis-cli", "-p", str(cluster.redis.port), "INFO", "stats"], capture_output=True,
                                 text=True, check=True, timeout=DEADLINE_S).stdout
        assert int(re.search(r"total_connections_received:(\d+)", clients)[1]) == before + 1  # that of redis-cli
        terminal.type(b"q")
        assert terminal.end() == OK


def test_ctrl_c_leaves_the_screen_as_it_was(cluster):
    with watch(cluster, "status", "--watch", "60") as terminal:
        terminal.until(rb"Cluster.*test-cluster")
        terminal.type(b"\x03")
        assert terminal.end() == OK
    assert terminal.said.endswith(LEAVE)


def test_ctrl_c_is_heard_while_redis_is_silent(cluster):
    with watch(cluster, "status", "--watch", "1") as terminal:
        terminal.until(rb"Cluster.*test-cluster")
        os.kill(cluster.redis.process.pid, signal.SIGSTOP)
        try:
            terminal.type(b"x")  # the next round, which waits
            terminal.type(b"\x03")
            assert terminal.end() == OK
        finally:
            os.kill(cluster.redis.process.pid, signal.SIGCONT)


def test_a_signal_that_ends_it_leaves_the_screen_as_it_was(cluster):
    with watch(cluster, "status", "--watch", "60") as terminal:
        terminal.until(rb"Cluster.*test-cluster")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() == -signal.SIGTERM
    assert terminal.said.endswith(LEAVE)


def test_another_size_is_drawn_at_once(cluster):
    with watch(cluster, "nodes", "--watch", "3600", size=(24, 200)) as terminal:
        terminal.until(A.encode())
        terminal.until(B.encode())
        terminal.resize(4, 200)
        terminal.process.send_signal(signal.SIGWINCH)
        terminal.until(rb"every 3600s")
        terminal.until(rb"relay-a.*\x1b\[J")
        assert B.encode() not in terminal.said[terminal.said.rindex(b"every 3600s"):]
        terminal.type(b"q")
        assert terminal.end() == OK


def test_a_stopped_watch_gives_the_terminal_back_until_it_goes_on(cluster):
    with watch(cluster, "status", "--watch", "60") as terminal:
        terminal.until(rb"Cluster.*test-cluster")
        terminal.process.send_signal(signal.SIGTSTP)
        terminal.until(re.escape(LEAVE))
        until_stopped(terminal)
        terminal.process.send_signal(signal.SIGCONT)
        terminal.until(re.escape(ENTER))
        terminal.until(rb"Cluster.*test-cluster")
        terminal.type(b"q")
        assert terminal.end() == OK


STOP_BEFORE_WAITING = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <sys/select.h>

int pselect(int count, fd_set *reads, fd_set *writes, fd_set *others, const struct timespec *time, const sigset_t *mask)
{
    static int is_done;
    __typeof__(&pselect) next = (__typeof__(&pselect))dlsym(RTLD_NEXT, "pselect");

    if (!is_done++)
        raise(SIGTSTP);
    return next(count, reads, writes, others, time, mask);
}
"""


def test_a_stop_between_drawing_and_waiting_is_not_overlooked(cluster, tmp_path):
    library = tmp_path / "stop.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", library], input=STOP_BEFORE_WAITING, text=True, check=True)
    with watch(cluster, "status", "--watch", "600", LD_PRELOAD=str(library)) as terminal:
        terminal.until(rb"Cluster.*test-cluster")
        until_stopped(terminal)
        terminal.process.send_signal(signal.SIGCONT)
        terminal.until(re.escape(ENTER))
        terminal.until(rb"Cluster.*test-cluster")
        terminal.type(b"q")
        assert terminal.end() == OK


def test_a_redis_that_goes_away_is_told_and_found_again(tmp_path, cluster):
    with watch(cluster, "nodes", "--watch", "1") as terminal:
        terminal.until(rb"relay-b")
        clients = ["redis-cli", "-p", str(cluster.redis.port), "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]
        subprocess.run(clients, capture_output=True, check=True, timeout=DEADLINE_S)
        terminal.until(rb"skeinctl: the connection to Redis ended")
        terminal.until(rb"relay-b")
        terminal.type(b"q")
        assert terminal.end() == OK


def blocks(cluster, *words):
    """The lines that come before the reader ends it."""
    with subprocess.Popen([CTL, "--redis", cluster.redis.address, *words], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield from process.stdout
        finally:
            process.kill()


def test_without_a_terminal_each_round_is_a_block_with_its_time(cluster):
    lines = blocks(cluster, "queue", "list", "--watch", "1")
    for _ in range(2):
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\n", next(lines))
        assert next(lines).split()[0] == "ID"
        assert sorted(next(lines).split()[0] for _ in range(3)) == [OLD, MIDDLE, NEW]
        assert next(lines) == "\n"
    lines.close()


@pytest.mark.parametrize("words", [
    ["status"], ["nodes"], ["queue", "list"], ["queue", "show", OLD], ["hops"], ["ban", "list"], ["secret", "list"],
    ["policy", "history"]], ids=" ".join)
def test_json_is_a_document_on_each_line(cluster, words):
    lines = blocks(cluster, *words, "--json", "--watch", "1")
    first, second = json.loads(next(lines)), json.loads(next(lines))
    lines.close()
    assert type(first) is type(second) and len(first) == len(second)


def test_the_users_of_a_file_are_watched_without_a_cluster(tmp_path):
    users = tmp_path / "users"
    users.write_text("", encoding="utf-8")
    command = [CTL, "--redis", "127.0.0.1:1", "--users-file", str(users), "user", "list", "--json", "--watch", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert json.loads(process.stdout.readline()) == []
        (tmp_path / "password").write_text("open sesame", encoding="utf-8")
        subprocess.run([CTL, "--users-file", str(users), "user", "add", "printer", "--file", str(tmp_path / "password")],
                       check=True, capture_output=True, timeout=DEADLINE_S)
        rows = []
        while not rows:
            rows = json.loads(process.stdout.readline())
        process.kill()
    assert rows[0]["name"] == "printer"


# ---- what destroys ----

def test_what_destroys_is_asked_about_with_how_much(cluster):
    with watch(cluster, "queue", "cancel", OLD, MIDDLE) as terminal:
        terminal.until(rb"2 messages will be deleted, and nobody is told: there is no way back\. Go on\? \[y/N\] ")
        terminal.type(b"y\n")
        assert terminal.end() == OK
    assert OLD not in states(cluster)


@pytest.mark.parametrize("answer", [b"\n", b"n\n", b"yesterday\n", b"\x04"])
def test_every_answer_but_yes_leaves_all_as_it_was(cluster, answer):
    with watch(cluster, "queue", "cancel", OLD) as terminal:
        terminal.until(rb"1 message will be deleted.*\[y/N\] ")
        terminal.type(answer)
        assert terminal.end() == NEGATIVE
    assert b"nothing is changed" in terminal.said
    assert states(cluster)[OLD] == "deferred"


def test_a_node_to_be_forgotten_is_named_with_what_waits_for_it(cluster):
    cluster.redis.seed(("kill", A, cluster.epoch_a, 1))
    with watch(cluster, "node", "forget", "relay-a") as terminal:
        terminal.until(rb"relay-a \(" + A.encode() + rb"\) is dead, and \d+ ends of messages wait for its journal\..*\[y/N\] ")
        terminal.type(b"YES\n")
        assert terminal.end() == OK
    assert [node["name"] for node in cluster.json("nodes")] == ["relay-b"]


def policy(effect):
    return f"clients:\n  - name: internal\n    match: {{network: [127.0.0.0/8]}}\n    effect: {effect}\n"


def test_a_rollback_says_who_made_what_and_how_much_it_is(cluster, tmp_path):
    for effect in "allow", "deny":
        (tmp_path / "policy.yaml").write_text(policy(effect))
        cluster.text("policy", "apply", str(tmp_path / "policy.yaml"), environment={"USER": "ann"})
    with watch(cluster, "policy", "rollback", "1") as terminal:
        terminal.until(rb"Version 1 by ann@\S+ comes in place of version 2 by ann@\S+ on all nodes: 1 line goes, 1 comes\. Go on")
        terminal.type(b"y\n")
        assert terminal.end() == OK
    assert cluster.json("policy", "show")["version"] == 3


@pytest.mark.parametrize("words, told", [
    (["node", "forget", "relay-a"], "node forget has the node's journal refused for ever"),
    (["queue", "cancel", OLD, NEW], "queue cancel deletes messages, and nobody is told"),
    (["policy", "rollback", "1", "-m", "too strict"], "policy rollback puts an older policy"),
    (["secret", "remove", "hop"], "secret remove forgets secrets"),
    (["dkim", "retire", "example.com", "s1"], "dkim retire ends signing with keys"),
    (["user", "remove", "o'neil"], "user remove forgets users"),
], ids=lambda words: " ".join(words[:2]) if isinstance(words, list) else "")
def test_a_script_that_does_not_say_yes_is_refused_with_the_line_to_say(words, told):
    ctl = Ctl(None)
    complaint = ctl.complaint(*words, code=USAGE, options=["--redis", "127.0.0.1:1"])
    assert complaint.startswith(f"skeinctl: {told}")
    line = complaint.split("if that is meant: ")[1]
    again = subprocess.run(["sh", "-c", f'skeinctl() {{ printf "%s\\n" "$@"; }}; {line}'], capture_output=True, text=True,
                           check=True, timeout=DEADLINE_S).stdout.splitlines()
    assert again == ["--redis", "127.0.0.1:1", *words, "--yes"]


# ---- top ----

def test_top_shows_the_cluster_live(cluster):
    cluster.redis.seed(("hop", "mx1.partner:25", 2, 60_000, "relay-a", "connection refused"))
    with watch(cluster, "top", "--every", "1", size=(30, 160)) as terminal:
        terminal.until(rb"skeinctl top, every 1s +s sorts, q quits")
        terminal.until(rb"2 alive, 0 dead, 0 left; relay-b leads; by name")
        terminal.until(rb"0 due, 1 deferred, 2 owned")
        terminal.until(rb"relay-a  .{0,5}alive.*relay-b  .{0,5}alive, leader")
        terminal.until(rb"mx1.partner:25  .{0,5}down.*connection refused")
        for order in b"in", b"out", b"deferred", b"owns", b"name":
            terminal.type(b"s")
            terminal.until(rb"relay-b leads; by " + order)
        terminal.type(b"q")
        assert terminal.end() == OK
    assert terminal.said.endswith(LEAVE)


def test_top_without_a_terminal_is_one_look(cluster):
    text = cluster.text("top")
    assert "relay-b leads; by name" in text and "\x1b" not in text
    assert re.search(r"^relay-a  alive +- +- +- +- +- +0 +1 +0  0.1.0$", text, re.M)


def test_top_as_json(cluster):
    top = cluster.json("top")
    assert top["leader"] == "relay-b" and top["queue"]["deferred"] == 1 and top["hops"] == []
    assert [(node["name"], node["owns"], node["per_second"]) for node in top["nodes"]] == [("relay-a", 1, None), ("relay-b", 1, None)]


def test_top_once_on_a_terminal_leaves_the_screen_alone(cluster):
    with watch(cluster, "top", "--once") as terminal:
        terminal.until(rb"relay-b leads")
        assert terminal.end() == OK
    assert ENTER not in terminal.said
