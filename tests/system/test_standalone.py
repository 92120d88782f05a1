"""One node without Redis: the journal alone keeps what was acknowledged."""
import os
import pwd
import subprocess

from lab import admin, ports
from lab.burst import Burst
from lab.process import Process
from lab.wait import until
import pytest

from support import SLOW_SINK, send, settle, until_arrived


@pytest.mark.sanitize
def test_a_journal_alone_survives_kill_9(alone, record_property):
    node = alone.nodes[1]
    alone.sink_part.stop()
    burst = Burst(node.smtp, 500).run()
    assert len(burst.acknowledged) == 500
    node.kill()
    node.start()
    alone.sink_part.start()
    account = settle(alone, burst, record=record_property)
    assert not account.duplicated


def test_a_node_killed_under_load_loses_nothing(alone, record_property):
    node = alone.nodes[1]
    alone.sink.rules(SLOW_SINK)
    burst = Burst(node.smtp, 1500).start()
    for _ in range(3):
        burst.until_acknowledged(len(burst.acknowledged) + 200)
        node.kill()
        node.start()
    alone.sink.rules()
    settle(alone, burst, record=record_property)


def test_a_clean_restart_duplicates_nothing(alone):
    node = alone.nodes[1]
    alone.sink.rules(SLOW_SINK)
    burst = Burst(node.smtp, 800).start()
    burst.until_acknowledged(300)
    assert node.stop()
    assert node.process.exit_code() == 0
    node.start()
    alone.sink.rules()
    account = settle(alone, burst)
    assert not account.unknown
    assert not account.duplicated


def test_a_damaged_journal_is_told_and_not_skipped(alone):
    node = alone.nodes[1]
    alone.sink_part.stop()
    burst = Burst(node.smtp, 50, connections=2).run()
    assert len(burst.acknowledged) == 50
    node.kill()
    damaged = damage_first_message(node.spool)
    node.launch()
    until(lambda: not node.is_alive() or admin.get(node.admin, "/healthz")[0], 20, "it starts or refuses to")
    log = node.log.read_text(errors="replace")
    assert damaged.name in log, log[-2000:]


def damage_first_message(spool):
    """Changes one byte in the body of a journaled message; returns the file."""
    for path in sorted(path for path in spool.rglob("*") if path.is_file()):
        content = path.read_bytes()
        at = content.find(b"the quick brown fox")
        if at >= 0:
            with open(path, "r+b") as file:
                file.seek(at)
                file.write(b"T")
            return path
    raise AssertionError(f"no message in {spool}")


@pytest.fixture
def one_liner(alone, skeind, tmp_path):
    """skeind from its command line alone, delivering to the sink of `alone`: start(*options) -> (process, address)."""
    started = []

    def start(*options, spool="spool"):
        smtp, http = (f"127.0.0.1:{port}" for port in ports.reserve(2, tmp_path))
        command = [str(skeind), "--listen", smtp, "--next-hop", alone.record["sink"], "--spool", str(tmp_path / spool),
                   "--admin", http, "--set", "journal.segment_size=8MiB", *options]
        process = Process.start(command, tmp_path / f"log-{len(started)}")
        started.append(process)
        until(lambda: admin.is_ready(http) or not process.is_alive(), 20, process.log_tail)
        return process, smtp
    yield start
    for process in started:
        process.kill()
    ports.release(tmp_path)


def test_one_command_line_is_enough(one_liner, alone):
    process, smtp = one_liner("--allow", "127.0.0.0/8")
    tag, _ = send(smtp)
    until_arrived(alone, tag)
    assert process.stop(20)
    assert process.exit_code() == 0


def test_two_processes_never_share_a_spool(one_liner):
    first, _ = one_liner("--allow", "127.0.0.0/8")
    second, _ = one_liner("--allow", "127.0.0.0/8")
    until(lambda: not second.is_alive(), 20, "the second refuses")
    assert first.is_alive()
    assert "spool" in second.log_tail()


def test_wrong_settings_are_told_with_file_line_and_column(skeind, tmp_path):
    settings = tmp_path / "skeind.yaml"
    settings.write_text("listeners:\n  - adress: 127.0.0.1:2525\n    tls: sometimes\n")
    done = subprocess.run([skeind, "--config", settings, "--check"], capture_output=True, text=True, timeout=20, check=False)
    output = done.stdout + done.stderr
    assert done.returncode == 1
    assert f"{settings}:2:5: " in output and 'did you mean "address"' in output
    assert f"{settings}:3:10: " in output and "none, starttls" in output


@pytest.mark.skipif(os.getuid() != 0, reason="only root can look as another user")
def test_root_checks_as_the_user_who_runs_the_node(skeind, tmp_path):
    """What root can read and the node cannot would only be found at its start."""
    spool, key, settings = (tmp_path / name for name in ("spool", "key", "skein.yaml"))
    spool.mkdir()
    key.write_text("not looked into")
    key.chmod(0o600)
    settings.write_text(f"node: {{spool: {spool}}}\nlisteners: [{{address: '127.0.0.1:2525'}}]\n"
                        f"route: {{next_hops: [{{host: a.example}}]}}\ncluster: {{key_file: {key}}}\n")

    def check():
        return subprocess.run([skeind, "--config", settings, "--check"], capture_output=True, text=True, timeout=20, check=False)

    assert "Permission denied" not in check().stderr
    os.chown(spool, pwd.getpwnam("nobody").pw_uid, -1)
    done = check()
    assert done.returncode == 1
    assert f"$.cluster.key_file: cannot read {key}: Permission denied\n" in done.stderr
    assert done.stderr.endswith("checked as the user nobody, who owns node.spool\n")
