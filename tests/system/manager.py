"""What a service manager does for skeind, without one: holds its listening sockets (sd_listen_fds(3)) and hears what
it tells (sd_notify(3))."""
import os
import socket
import subprocess

from lab.wait import until

FIRST = 3  # SD_LISTEN_FDS_START
SET_PID = 'LISTEN_PID=$$ WATCHDOG_PID=$$ exec "$@"'


class Manager:
    def __init__(self, folder):
        self.folder, self.sockets, self.told, self.process = folder, {}, [], None
        self.link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.link.bind(str(folder / "notify"))

    def listen(self, address, name):
        host, _, port = address.rpartition(":")
        self.sockets[name] = socket.create_server((host, int(port)), backlog=1024)

    def start(self, command, watchdog=0):
        environment = dict(os.environ, NOTIFY_SOCKET=str(self.folder / "notify"), LISTEN_FDS=str(len(self.sockets)),
                           LISTEN_FDNAMES=":".join(self.sockets))
        if watchdog:
            environment["WATCHDOG_USEC"] = str(int(watchdog * 1e6))
        numbers = range(FIRST, FIRST + len(self.sockets))
        # Copies from high numbers, so that none is overwritten before it is handed over.
        copies = [os.dup(held.fileno()) for held in self.sockets.values()]
        redirections = " ".join(f"{to}<&{fd}" for to, fd in zip(numbers, copies))
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                ["bash", "-c", f"{SET_PID} {redirections}", "skeind", *map(str, command)], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env=environment, pass_fds=copies)
        for fd in copies:
            os.close(fd)

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def hear(self):
        """Reads what was told meanwhile; all of it so far."""
        while True:
            try:
                self.told += self.link.recv(4096, socket.MSG_DONTWAIT).decode().splitlines()
            except BlockingIOError:
                return self.told

    def until_told(self, line, count=1):
        until(lambda: self.hear().count(line) >= count or self.process.poll() is not None, 30, f"it tells {line}")
        assert self.told.count(line) >= count, self.log()[-2000:]

    def end(self, number):
        self.process.send_signal(number)
        return self.process.wait(60)

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for held in (*self.sockets.values(), self.link):
            held.close()
