"""Free ports on loopback that stay with a cluster until it is down.

Nodes listen with SO_REUSEPORT, so two clusters that pick the same port would not notice and share their clients.
Hence a book of this user's reservations. Ports are taken from below the range that the kernel gives to outgoing
connections: a node that was killed finds its port free when it starts again.
"""
import contextlib
import fcntl
import itertools
import json
import os
import random
import socket
import tempfile

RANGE = range(12000, 30000)


def runtime_folder():
    """Where this user's clusters live by default."""
    folder = os.path.join(os.environ.get("TMPDIR", tempfile.gettempdir()), f"skein-local-{os.getuid()}")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    if os.stat(folder).st_uid != os.getuid():
        raise SystemExit(f"{folder} belongs to somebody else")
    return folder


@contextlib.contextmanager
def _book():
    """The reservations, port -> folder of the cluster, locked and written back."""
    with open(os.path.join(runtime_folder(), "ports.json"), "a+", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        text = file.read()
        book = json.loads(text) if text else {}
        yield book
        file.seek(0)
        file.truncate()
        json.dump(book, file)


def _is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def reserve(count, folder):
    """`count` ports for the cluster in `folder`."""
    with _book() as book:
        for port, owner in list(book.items()):
            if not os.path.isdir(owner):
                del book[port]
        found = []
        start = random.randrange(len(RANGE))
        for port in itertools.chain(RANGE[start:], RANGE[:start]):
            if str(port) not in book and _is_free(port):
                book[str(port)] = str(folder)
                found.append(port)
            if len(found) == count:
                return found
    raise SystemExit(f"no {count} free ports in {RANGE}")


def release(folder):
    with _book() as book:
        for port, owner in list(book.items()):
            if owner == str(folder):
                del book[port]
