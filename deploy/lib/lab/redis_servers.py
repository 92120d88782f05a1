"""Redis: alone, or a master with replicas that Sentinels watch over, from the files in deploy/redis that users read."""
import re
import secrets
import shutil
import subprocess
from collections import Counter
from pathlib import Path

from .part import Failed, Part, START_SECONDS
from .wait import until

EXAMPLES = Path(__file__).resolve().parents[2] / "redis"
MASTER_NAME = "mymaster"
# May do everything; of the lab alone.
LAB_USER = "user lab on nopass ~* &* +@all\n"


class Redis(Part):
    def __init__(self, cluster, address):
        port = address.rpartition(":")[2]
        folder = cluster.folder / "redis"
        command = ["redis-server", "--bind", "127.0.0.1", "--port", port, "--dir", str(folder), "--appendonly", "yes",
                   "--save", "", "--maxmemory-policy", "noeviction", "--daemonize", "no", "--loglevel", "notice"]
        self.address = address
        super().__init__(cluster, "redis", command, lambda: self.ask("PING") == "PONG", folder)

    @property
    def parts(self):
        return [self]

    def settings(self):
        """For nodes."""
        return {"address": self.address}

    def ctl_options(self):
        return ["--redis", self.address]

    def ask(self, *words):
        """What redis-cli prints; empty when Redis does not answer."""
        return "\n".join(ask(self.address, words))

    def wipe(self):
        if self.is_alive():
            raise Failed("redis runs: kill it before its data goes")
        shutil.rmtree(self.folder, ignore_errors=True)


def ask(address, words, wrapper=(), login=()):
    """What redis-cli prints; empty when nobody answers. As a list of lines."""
    host, _, port = address.rpartition(":")
    command = [*wrapper, "redis-cli", "-h", host, "-p", port, *login, *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except subprocess.TimeoutExpired:
        return []
    return done.stdout.strip().splitlines()


def render(template, changes, passwords):
    """The example with `changes` (words a line begins with -> that line; a key it does not have is added) and passwords."""
    text = (EXAMPLES / template).read_text(encoding="utf-8")
    for name, password in passwords.items():
        text = text.replace(f"{name.upper()}-PASSWORD", password)
    for key, line in changes.items():
        text, count = re.subn(rf"(?m)^{re.escape(key)} .*$", line, text)
        text += "" if count else line + "\n"
    return text + LAB_USER


class Rewritten(Part):
    """A server that writes its own configuration anew: it is made once."""

    def __init__(self, cluster, name, address, *options):
        self.address = address
        self.host, _, self.port = address.rpartition(":")
        folder = cluster.folder / name
        self.file = folder / "redis.conf"
        self.wrapper = cluster.place(name)["wrapper"]
        super().__init__(cluster, name, [*self.wrapper, "redis-server", str(self.file), *options], self._answers, folder)

    def _answers(self):
        return self.ask("PING") == ["PONG"]

    def ask(self, *words):
        login = ["--user", "lab", "--pass", "-", "--no-auth-warning"]
        if self.group.has_tls:
            login += ["--tls", "--cacert", str(self.cluster.certificate)]
        return ask(self.address, words, self.wrapper, login)

    def place(self):
        """What the example has, as it is here."""
        changes = {"bind": f"bind {self.host}", "port": f"port {self.port}", "dir": f"dir {self.folder}"}
        if self.group.has_tls:
            changes.update({"port": f"port 0\ntls-port {self.port}", "tls-replication": "tls-replication yes",
                            "tls-cert-file": f"tls-cert-file {self.cluster.certificate}",
                            "tls-key-file": f"tls-key-file {self.cluster.key}",
                            "tls-ca-cert-file": f"tls-ca-cert-file {self.cluster.certificate}",
                            "tls-auth-clients": "tls-auth-clients no"})
        return changes

    def launch(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.file.exists():
            self.file.write_text(self.configuration(), encoding="utf-8")
        super().launch()

    def wipe(self):
        if self.is_alive():
            raise Failed(f"{self.name} runs: kill it before its data goes")
        shutil.rmtree(self.folder, ignore_errors=True)


class RedisServer(Rewritten):
    """One of the master and its replicas; who is which changes."""

    def __init__(self, group, name, address):
        self.group = group
        super().__init__(group.cluster, name, address)

    def configuration(self):
        first = self.group.servers[0]
        changes = {**self.place(), "maxmemory": "maxmemory 1gb", "repl-backlog-size": "repl-backlog-size 16mb",
                   "repl-diskless-sync-delay": "repl-diskless-sync-delay 0"}
        if self is not first:
            changes["replicaof"] = f"replicaof {first.host} {first.port}"
        return render("redis.conf", changes, self.group.passwords)

    def info(self):
        return dict(line.split(":", 1) for line in self.ask("INFO", "replication") if ":" in line)


class Sentinel(Rewritten):
    def __init__(self, group, name, address):
        self.group = group
        super().__init__(group.cluster, name, address, "--sentinel")

    def configuration(self):
        first, sentinel = self.group.servers[0], f"sentinel down-after-milliseconds {MASTER_NAME}"
        return render("sentinel.conf", {
            **self.place(), "sentinel monitor": f"sentinel monitor {MASTER_NAME} {first.host} {first.port} 2",
            sentinel: f"{sentinel} {self.group.down_after_ms}"}, self.group.passwords)

    def master(self):
        """host:port, or None."""
        place = self.ask("SENTINEL", "get-master-addr-by-name", MASTER_NAME)
        return ":".join(place) if len(place) == 2 else None

    def sees(self, replicas, sentinels):
        words = self.ask("SENTINEL", "master", MASTER_NAME)
        facts = dict(zip(words[::2], words[1::2]))
        return (facts.get("num-slaves"), facts.get("num-other-sentinels")) == (str(replicas), str(sentinels - 1))


class ReplicatedRedis:
    """As a whole it can be used like the one Redis of a simple cluster: that is the master then."""

    def __init__(self, cluster, record):
        self.cluster, self.passwords, self.down_after_ms = cluster, record["passwords"], record["down_after_ms"]
        self.has_tls = record["has_tls"]
        self.servers = [RedisServer(self, f"redis{i}", address) for i, address in enumerate(record["redis"], 1)]
        self.sentinels = [Sentinel(self, f"sentinel{i}", address) for i, address in enumerate(record["sentinels"], 1)]

    @staticmethod
    def record(addresses, down_after_ms, has_tls):
        return {"redis": addresses[:3], "sentinels": addresses[3:], "down_after_ms": down_after_ms, "has_tls": has_tls,
                "passwords": {name: secrets.token_hex(16) for name in ("skein", "sentinel", "replica")}}

    @property
    def parts(self):
        return [*self.servers, *self.sentinels]

    def is_alive(self):
        return any(server.is_alive() for server in self.servers)

    @property
    def password_file(self):
        return self.cluster.folder / "redis-password"

    def settings(self):
        """For nodes."""
        login = {"user": "skein", "password_file": str(self.password_file), "sentinel_user": "skein",
                 "sentinel_password_file": str(self.password_file)}
        tls = {"tls": {"enabled": True, "ca": str(self.cluster.certificate)}} if self.has_tls else {}
        return {"sentinels": [sentinel.address for sentinel in self.sentinels], "master_name": MASTER_NAME,
                "wait_replicas": 1, **login, **tls}

    def ctl_options(self):
        return ["--sentinel", ",".join(sentinel.address for sentinel in self.sentinels), "--master-name", MASTER_NAME,
                "--redis-user", "skein", "--redis-password-file", str(self.password_file),
                "--sentinel-user", "skein", "--sentinel-password-file", str(self.password_file),
                *(["--tls-ca", str(self.cluster.certificate)] if self.has_tls else [])]

    def start(self):
        """Those that do not run, and waits until they have found one another."""
        self.password_file.touch(mode=0o600)
        self.password_file.write_text(self.passwords["skein"], encoding="ascii")
        for part in self.parts:
            if not part.is_alive():
                part.start()
        until(self.is_whole, START_SECONDS, "two replicas follow the master, and all Sentinels know it")

    def is_whole(self):
        """Everything runs and agrees."""
        master = self.master
        return (master and master.info().get("connected_slaves") == "2"
                and all(server.info().get("master_link_status", "up") == "up" for server in self.servers)
                and all(sentinel.master() == master.address and sentinel.sees(2, 3) for sentinel in self.sentinels))

    @property
    def master(self):
        """The server that most Sentinels call master; None when none answers."""
        told = Counter(filter(None, (sentinel.master() for sentinel in self.sentinels if sentinel.is_alive())))
        by_address = {server.address: server for server in self.servers}
        return by_address[told.most_common(1)[0][0]] if told else None

    @property
    def address(self):
        return self.master.address

    def ask(self, *words):
        return "\n".join(self.master.ask(*words))

    def kill(self):
        self.master.kill()

    def pause(self):
        self.master.pause()

    def resume(self):
        for server in self.servers:
            server.resume()

    def wipe(self):
        for server in self.servers:
            if not server.is_alive():
                server.wipe()
