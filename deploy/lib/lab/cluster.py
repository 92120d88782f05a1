"""The cluster: Redis, nodes, HAProxy and a sink on loopback, each a process with a folder of its own.

State is DIR/cluster.json, so that `deploy/local` in one shell and a test in another can work on the same cluster.
Only processes noted there are ever signalled, and only while pid and start time agree.
"""
import contextlib
import fcntl
import json
import os
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

from . import admin, balancer, ports
from .part import START_SECONDS, Failed, Part, accepts
from .process import END_SECONDS, Process
from .redis_servers import Redis, ReplicatedRedis
from .settings_text import merge, to_yaml
from .sink import SinkControl
from .wait import until

REPOSITORY = Path(__file__).resolve().parents[3]


def build_folder():
    return Path(os.environ.get("SKEIN_BUILD", REPOSITORY / "build")).resolve()


class Node(Part):
    def __init__(self, cluster, record):
        self.number, self.smtp, self.smtps = record["number"], record["smtp"], record["smtps"]
        self.proxied, self.proxied_tls, self.admin = record["proxied"], record["proxied_tls"], record["admin"]
        name = f"node{self.number}"
        folder = cluster.folder / name
        self.spool = folder / "spool"
        self.settings_file = folder / "skeind.yaml"
        command = [*cluster.place(name)["wrapper"], *cluster.record.get("wrapper", ()),
                   str(cluster.build / "bin" / "skeind"), "--config", str(self.settings_file)]
        super().__init__(cluster, name, command, lambda: admin.is_ready(self.admin), folder)

    @property
    def hostname(self):
        """As in its greeting."""
        return f"{self.name}.skein.test"

    def settings(self):
        cluster = self.cluster
        near = ["127.0.0.0/8"]
        if not self.smtp.startswith("127."):
            near.append(cluster.place(self.name)["host"].rpartition(".")[0] + ".0/24")
        settings = {
            "node": {"name": self.name, "hostname": self.hostname, "spool": str(self.spool), "workers": 2},
            "listeners": [
                {"name": "direct", "address": self.smtp, "tls": "starttls"},
                {"name": "implicit", "address": self.smtps, "tls": "implicit"},
                {"name": "balanced", "address": self.proxied, "tls": "starttls", "proxy_from": near},
                {"name": "balanced-tls", "address": self.proxied_tls, "tls": "implicit", "proxy_from": near},
            ],
            "tls": {"certificate": str(cluster.certificate), "key": str(cluster.key)},
            "relay": {"allow": near},
            "route": {"next_hops": [cluster.hop(cluster.record["sink"])], "breaker": {"pause_first": "500ms", "pause_max": "2s"}},
            "retry": {"first": "1s", "max": "5s"},
            "admin": {"listen": self.admin},
            "journal": {"segment_size": "8MiB"},
            "log": {"level": "info"},
        }
        if cluster.redis:
            settings["redis"] = cluster.redis.settings()
        if not cluster.record["lb"]:
            settings["drain"] = {"notice": "0s"}  # There is no balancer that has to notice.
        return merge(settings, cluster.record["settings"])

    def launch(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.spool.mkdir(mode=0o700, exist_ok=True)
        self.settings_file.write_text(to_yaml(self.settings()), encoding="utf-8")
        super().launch()

    def wipe(self):
        """The disk is gone."""
        if self.is_alive():
            raise Failed(f"{self.name} runs: kill it before its spool goes")
        shutil.rmtree(self.spool, ignore_errors=True)

    def tracked(self, *kinds, **fields):
        """The events of its tracking files, oldest first: of these kinds, with text that is found in these fields."""
        folder = self.spool / "tracking"
        files = [*sorted(folder.glob("tracking-*.json")), folder / "tracking.json"]
        # The last line may be under way.
        lines = [line for file in files if file.exists() for line in file.read_text(encoding="utf-8").split("\n")[:-1]]
        events = [json.loads(line) for line in lines]
        return [event for event in events if (not kinds or event["event"] in kinds) and
                all(text in str(event.get(name, "")) for name, text in fields.items())]

    def metric(self, name):
        return admin.metrics(self.admin).get(name, 0.0)


class Cluster:
    def __init__(self, folder):
        self.folder = Path(folder).resolve()
        self.state_file = self.folder / "cluster.json"
        self.environment = {}
        self.record = None
        if self.state_file.exists():
            self.record = json.loads(self.state_file.read_text(encoding="utf-8"))
            self._parts()

    # --- what is noted

    @contextlib.contextmanager
    def _locked(self):
        with open(self.folder / "lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _save(self):
        draft = self.state_file.with_suffix(".new")
        draft.write_text(json.dumps(self.record, indent=1), encoding="utf-8")
        draft.replace(self.state_file)

    def note(self, name, process):
        with self._locked():
            self.record["processes"] = json.loads(self.state_file.read_text(encoding="utf-8"))["processes"]
            self.record["processes"][name] = process.record()
            self._save()

    @property
    def processes(self):
        return self.record["processes"]

    @property
    def certificate(self):
        return self.folder / "tls" / "certificate.pem"

    @property
    def key(self):
        return self.folder / "tls" / "key.pem"

    @staticmethod
    def hop(address):
        host, _, port = address.rpartition(":")
        return {"host": host, "port": int(port)}

    # --- making and ending it

    def up(self, nodes=3, redis=True, balancer=True, settings=None, environment=None, wrapper=(), sentinel=False,
           redis_tls=False, down_after_ms=1500, places=None):
        """Starts everything and waits until it is ready. `settings` is laid over each node's settings file; `wrapper`
        is a command that runs another one, in front of each node's. With `sentinel`, Redis is three of them and three
        Sentinels that miss the master after `down_after_ms`, all with TLS if `redis_tls`. `places`: name of a part ->
        place() of those that are not on loopback."""
        if self.record:
            raise Failed(f"there is a cluster in {self.folder} already: deploy/local --dir {self.folder} down")
        build = build_folder()
        if not (build / "bin" / "skeind").exists():
            raise Failed(f"there is no {build}/bin/skeind: build first, cmake -S . -B build -G Ninja && ninja -C build")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.environment = environment or {}
        self.record = {"build": str(build), "settings": settings or {}, "processes": {}, "nodes": [], "lb": None,
                       "lb_tls": None, "lb_stats": None, "redis": None, "group": None, "wrapper": list(wrapper),
                       "places": places or {}}
        self.record["sink"] = self._address("sink")
        if sentinel:
            names = [f"{kind}{number}" for kind in ("redis", "sentinel") for number in (1, 2, 3)]
            self.record["group"] = ReplicatedRedis.record([self._address(name) for name in names], down_after_ms, redis_tls)
        elif redis:
            self.record["redis"] = self._address("redis")
        if balancer:
            for name in ("lb", "lb_tls", "lb_stats"):
                self.record[name] = self._address("haproxy")
        for _ in range(nodes):
            self._new_node()
        self._save()
        self._parts()
        self._make_certificate()
        self._start_all()
        return self

    def add_node(self):
        """One more node, started and ready; HAProxy does not know it."""
        node = Node(self, self._new_node())
        self._save()
        self.nodes[node.number] = node
        node.start()
        return node

    def down(self):
        """Ends what runs, whoever started it, and removes the folder."""
        processes = [Process.load(record) for record in self.processes.values()]
        for process in processes:
            process.signal(signal.SIGKILL)
        try:
            for process in processes:
                process.wait(END_SECONDS)
        finally:
            ports.release(self.folder)
            shutil.rmtree(self.folder, ignore_errors=True)
            self.record = None

    def _new_node(self):
        number = len(self.record["nodes"]) + 1
        names = ("smtp", "smtps", "proxied", "proxied_tls", "admin")
        record = {name: self._address(f"node{number}") for name in names}
        record["number"] = number
        self.record["nodes"].append(record)
        return record

    def place(self, name):
        """Where a part runs: the address it has there, and a command that runs another one there."""
        return self.record.get("places", {}).get(name, {"host": "127.0.0.1", "wrapper": []})

    def _address(self, name):
        return f"{self.place(name)['host']}:{ports.reserve(1, self.folder)[0]}"

    def _parts(self):
        self.build = Path(self.record["build"])
        record = self.record
        records, control = self.folder / "received.jsonl", self.folder / "sink.socket"
        kept = self.folder / "kept"
        self.sink = SinkControl(control, records)
        command = [str(REPOSITORY / "deploy" / "sink"), "--listen", record["sink"], "--records", str(records),
                   "--control", str(control), "--keep", str(kept), "--certificate", str(self.certificate),
                   "--key", str(self.key)]
        self.sink_part = Part(self, "sink", command, lambda: accepts(record["sink"]), kept)
        self.redis = Redis(self, record["redis"]) if record["redis"] else None
        if record.get("group"):
            self.redis = ReplicatedRedis(self, record["group"])
        self.nodes = {entry["number"]: Node(self, entry) for entry in record["nodes"]}
        self.balancer = None
        if record["lb"]:
            command = ["haproxy", "-db", "-f", str(self.folder / "haproxy" / "haproxy.cfg")]
            self.balancer = Part(self, "haproxy", command, self._balancer_is_up, self.folder / "haproxy")

    def parts(self):
        return [part for part in (self.balancer, *self.nodes.values(), self.sink_part) if part] + (
            self.redis.parts if self.redis else [])

    @property
    def stats_socket(self):
        return str(self.folder / "haproxy.socket")

    def _balancer_is_up(self):
        return len(balancer.servers_up(self.stats_socket)) == sum(node.is_alive() for node in self.nodes.values())

    def _make_certificate(self):
        self.certificate.parent.mkdir(mode=0o700, exist_ok=True)
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                   "-days", "30", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                   "-keyout", str(self.key), "-out", str(self.certificate)]
        subprocess.run(command, check=True, capture_output=True)
        self.key.chmod(0o600)

    def _start_all(self):
        # Python is the slowest of them to start, and nobody needs it before there is mail.
        self.sink_part.launch()
        if self.redis:
            self.redis.start()
        for node in self.nodes.values():
            node.launch()
        for part in (*self.nodes.values(), self.sink_part):
            part.until_up()
        if self.balancer:
            self.balancer.folder.mkdir(exist_ok=True)
            template = (REPOSITORY / "deploy" / "haproxy.cfg").read_text(encoding="utf-8")
            listen = [self.record[name] for name in ("lb", "lb_tls", "lb_stats")]
            rows = [(node.name, node.proxied, node.proxied_tls, node.admin.rpartition(":")[2])
                    for node in self.nodes.values()]
            (self.balancer.folder / "haproxy.cfg").write_text(
                balancer.render(template, listen, rows, self.stats_socket), encoding="utf-8")
            self.balancer.start()

    # --- for those who use it

    @property
    def admins(self):
        return [node.admin for node in self.nodes.values()]

    def until_balanced(self, names, seconds=START_SECONDS):
        """Waits until HAProxy gives new connections to exactly these nodes."""
        until(lambda: balancer.servers_up(self.stats_socket) == set(names), seconds,
              lambda: f"HAProxy uses {sorted(names)}: it uses {sorted(balancer.servers_up(self.stats_socket))}")

    def ctl(self, *words):
        """skeinctl's exit code and output."""
        done = subprocess.run([*self.ctl_command(), *words], capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout, done.stderr

    def ctl_command(self):
        return [str(self.build / "bin" / "skeinctl"), *self.redis.ctl_options()]

    def env(self):
        """The shell variables of `deploy/local env`."""
        nodes = self.nodes.values()
        return {
            "SKEIN_LB": self.record["lb"] or "",
            "SKEIN_SMTP": " ".join(node.smtp for node in nodes),
            "SKEIN_ADMIN": " ".join(self.admins),
            "SKEIN_REDIS": self.redis.address if self.redis else "",
            "SKEIN_SINK": self.record["sink"],
            "SKEIN_PIDS": " ".join(str(node.process.pid) for node in nodes if node.is_alive()),
            "SKEIN_REDIS_PID": " ".join(str(part.process.pid) for part in self.redis.parts if part.is_alive())
            if self.redis else "",
            "SKEIN_CTL": shlex.join(self.ctl_command()) if self.redis else "",
        }
