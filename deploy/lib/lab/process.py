"""Processes that outlive the command that started them, known by pid and start time."""
import os
import signal
import subprocess

from .wait import TimedOut, until


# After SIGKILL: a machine that is busy takes its time to free what a process had.
END_SECONDS = 30
_exit_codes = {}  # Of our own children, once reaped.


def _stat(pid):
    """(state, start time in ticks since boot), or None. The start time tells a process from a later one with its pid."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return fields[0], int(fields[19])


class Process:
    """One process that we started. It is a plain record, so that another command can go on with it."""

    def __init__(self, pid, started, log):
        self.pid, self.started, self.log = pid, started, log

    @classmethod
    def start(cls, command, log, env=None, cwd=None):
        """Starts `command` in a session of its own; output is appended to the file `log`."""
        with open(log, "ab") as out:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env, cwd=cwd,
                                     start_new_session=True)
        child.returncode = 0  # Reaping is done by is_alive(); this keeps Popen from complaining about it.
        stat = _stat(child.pid)
        return cls(child.pid, stat[1] if stat else 0, str(log))

    @classmethod
    def load(cls, record):
        return cls(**record) if record else None

    def record(self):
        return {"pid": self.pid, "started": self.started, "log": self.log}

    def is_alive(self):
        stat = _stat(self.pid)
        if not stat or stat[1] != self.started:
            return False
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            return stat[0] not in "ZX"  # Started by another command: somebody else reaps it.
        if pid:
            _exit_codes[pid] = os.waitstatus_to_exitcode(status)
        return not pid

    def exit_code(self):
        """Of a child of this very command that has ended: negative for a signal. None when that is not known."""
        return None if self.is_alive() else _exit_codes.get(self.pid)

    def is_paused(self):
        stat = _stat(self.pid)
        return bool(stat) and stat[0] == "T"

    def signal(self, number):
        """False when it is gone already."""
        if not self.is_alive():
            return False
        os.kill(self.pid, number)
        return True

    def pause(self):
        if self.signal(signal.SIGSTOP):
            until(self.is_paused, 5, f"pid {self.pid} stops")

    def resume(self):
        self.signal(signal.SIGCONT)

    def kill(self):
        """SIGKILL, and waits until it is gone."""
        self.signal(signal.SIGKILL)
        self.wait(END_SECONDS)

    def wait(self, seconds):
        until(lambda: not self.is_alive(), seconds, f"pid {self.pid} ends; its log: {self.log}")

    def stop(self, seconds):
        """SIGTERM, then SIGKILL for what is still there; True when it went by itself."""
        self.resume()
        self.signal(signal.SIGTERM)
        try:
            self.wait(seconds)
            return True
        except TimedOut:
            self.kill()
            return False

    def log_tail(self, lines=15):
        try:
            with open(self.log, "rb") as file:
                text = file.read()[-20000:].decode("utf-8", "replace")
        except FileNotFoundError:
            return "(no log)"
        return "\n".join("    " + line for line in text.splitlines()[-lines:]) or "    (empty)"
