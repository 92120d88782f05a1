"""A process of the cluster: how it is started, and when it is there."""
import os
import socket
from pathlib import Path

from .process import Process
from .wait import TimedOut, until

START_SECONDS = 30
STOP_SECONDS = 60


class Failed(RuntimeError):
    """A part of the cluster did not do what it should; the text has the tail of its log."""


def accepts(address):
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=2).close()
    except OSError:
        return False
    return True


class Part:
    """A process of the cluster: how it is started, and when it is there."""

    def __init__(self, cluster, name, command, is_up, folder):
        self.cluster, self.name, self.command, self.is_up = cluster, name, command, is_up
        self.folder = Path(folder)
        self.log = cluster.folder / f"{name}.log"

    @property
    def process(self):
        return Process.load(self.cluster.processes.get(self.name))

    def is_alive(self):
        return bool(self.process) and self.process.is_alive()

    def launch(self):
        """Starts it without waiting."""
        if self.is_alive():
            raise Failed(f"{self.name} runs already")
        self.folder.mkdir(parents=True, exist_ok=True)
        environment = dict(os.environ, **self.cluster.environment)
        self.cluster.note(self.name, Process.start(self.command, self.log, env=environment, cwd=self.folder))

    def until_up(self, seconds=START_SECONDS):
        try:
            until(lambda: self.is_up() or not self.is_alive(), seconds, self.name)
        except TimedOut as error:
            raise Failed(f"{self.name} is not up after {seconds} s; end of its log:\n{self.process.log_tail()}") from error
        if not self.is_alive():
            raise Failed(f"{self.name} ended; end of its log:\n{self.process.log_tail()}")

    def start(self):
        self.launch()
        self.until_up()

    def kill(self):
        if self.process:
            self.process.kill()

    def stop(self, seconds=STOP_SECONDS):
        """True when it ended by itself in time."""
        return self.process.stop(seconds) if self.process else True

    def signal(self, number):
        if not self.process or not self.process.signal(number):
            raise Failed(f"{self.name} does not run")

    def pause(self):
        self.process.pause()

    def resume(self):
        self.process.resume()
