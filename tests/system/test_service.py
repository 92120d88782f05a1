"""What skeind does for a service manager, and takes from it; what it gives up. The unit itself: test_package.py."""
import signal
import socket
import threading

from lab import ports
from lab.settings_text import to_yaml
from lab.wait import until
import pytest

from manager import Manager
from support import send


@pytest.fixture
def folder(tmp_path):
    yield tmp_path
    ports.release(tmp_path)


class Service:
    def __init__(self, skeind, folder):
        self.manager = Manager(folder)
        self.address, self.second = (f"127.0.0.1:{port}" for port in ports.reserve(2, folder))
        self.file = folder / "skein.yaml"
        self.command = [skeind, "--config", self.file]
        self.settings = {
            "node": {"name": "a", "hostname": "a.skein.test", "spool": str(folder / "spool"), "workers": 2},
            "listeners": [{"name": "smtp", "address": self.address}],
            "relay": {"allow": ["127.0.0.0/8"]},
            "route": {"next_hops": [{"host": "127.0.0.1", "port": 1}]},
            "journal": {"segment_size": "8MiB"},
        }

    def write(self):
        self.file.write_text(to_yaml(self.settings))

    def start(self, ready=1, **options):
        self.write()
        self.manager.start(self.command, **options)
        self.manager.until_told("READY=1", ready)


@pytest.fixture
def service(skeind, folder):
    made = Service(skeind, folder)
    yield made
    made.manager.close()


def test_a_manager_hears_of_each_step(service):
    service.start(watchdog=0.3)
    manager = service.manager
    manager.until_told("STATUS=ready")
    manager.until_told("WATCHDOG=1", 3)
    manager.process.send_signal(signal.SIGHUP)
    manager.until_told("READY=1", 2)
    reloading = manager.told.index("RELOADING=1")
    assert manager.told[reloading + 1].startswith("MONOTONIC_USEC=")
    assert manager.end(signal.SIGTERM) == 0
    told = manager.hear()
    stopping = told.index("STOPPING=1")
    assert stopping > reloading
    # drain.timeout is 30 s.
    assert int(told[stopping + 1].removeprefix("EXTEND_TIMEOUT_USEC=")) > 35e6
    assert "STATUS=draining" in told[stopping:]


def test_no_watchdog_means_no_word_of_it(service):
    service.start()
    service.manager.until_told("STATUS=ready")
    assert "WATCHDOG=1" not in service.manager.hear()


def test_a_loop_that_stands_still_is_not_told_as_well(service):
    """The process is stopped as a whole: what a manager sees is silence."""
    service.start(watchdog=0.3)
    service.manager.until_told("WATCHDOG=1", 2)
    service.manager.process.send_signal(signal.SIGSTOP)
    until(lambda: open(f"/proc/{service.manager.process.pid}/stat").read().split()[2] == "T", 10, "it stands still")
    count = service.manager.hear().count("WATCHDOG=1")
    service.manager.process.send_signal(signal.SIGCONT)
    service.manager.until_told("WATCHDOG=1", count + 1)


def test_sockets_are_found_by_address_or_by_name(service):
    service.settings["listeners"].append({"name": "submission", "address": "192.0.2.1:587"})
    service.manager.listen(service.address, "x")
    service.manager.listen(service.second, "submission")
    service.start()
    send(service.address)
    send(service.second)
    assert service.manager.end(signal.SIGTERM) == 0


def test_a_socket_that_nobody_takes_is_an_error(service):
    service.write()
    service.manager.listen(service.second, "x")
    service.manager.start(service.command)
    assert service.manager.process.wait(30) == 1
    assert f'add "address: {service.second}" to listeners' in service.manager.log()


class Visitors:
    """Clients that come one after the other, until told to stop, each for a greeting."""

    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self.where, self.greetings, self.troubles = (host, int(port)), [], []
        self.is_over = threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(4)]
        for thread in self.threads:
            thread.start()

    def run(self):
        while not self.is_over.is_set():
            try:
                with socket.create_connection(self.where, timeout=30) as link:
                    self.greetings.append(link.recv(500)[:3])
            except OSError as error:
                self.troubles.append(error)

    def until_more(self, count):
        goal = len(self.greetings) + count
        until(lambda: len(self.greetings) >= goal or self.troubles, 30, "they are greeted")

    def end(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join()


def test_restarts_lose_no_client(service):
    service.manager.listen(service.address, "smtp")
    service.start()
    visitors = Visitors(service.address)
    for turn in range(3):
        visitors.until_more(100)
        if turn == 1:
            service.manager.end(signal.SIGKILL)
        else:
            assert service.manager.end(signal.SIGTERM) == 0
        service.start(ready=turn + 2)
    visitors.until_more(100)
    visitors.end()
    # Whom the kill found in the middle.
    broken = [error for error in visitors.troubles if not isinstance(error, ConnectionResetError)]
    assert not broken, broken
    assert len(visitors.troubles) + visitors.greetings.count(b"") <= len(visitors.threads)
    # Nobody hears 421, neither at the end of the old process nor at the start of the new one.
    assert set(visitors.greetings) <= {b"220", b""}


def is_confined(service):
    until(lambda: "confined" in service.manager.log(), 30, "it says whether it is confined")
    return "not-confined" not in service.manager.log()


def test_a_reload_with_a_file_that_was_given_up_says_so(service, folder, tmp_path_factory):
    service.start()
    if not is_confined(service):
        pytest.skip("this kernel has no Landlock")
    policy = tmp_path_factory.mktemp("elsewhere") / "policy.yaml"
    policy.write_text("{}\n")
    service.settings["policy"] = {"file": str(policy)}
    service.write()
    service.manager.process.send_signal(signal.SIGHUP)
    until(lambda: "reload-failed" in service.manager.log(), 30, "the reload fails")
    failure = next(line for line in service.manager.log().splitlines() if "reload-failed" in line)
    assert "policy.file" in failure and "node.confine" in failure and "restart" in failure
    assert service.manager.end(signal.SIGTERM) == 0
    service.start(ready=3)


def test_off_is_told(service):
    service.settings["node"]["confine"] = "off"
    service.start()
    assert not is_confined(service)
