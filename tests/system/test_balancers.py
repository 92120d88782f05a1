"""The examples for balancers under deploy/, with the real programs: mail passes, the client's address arrives, a node that dies
is left out, and an address of two balancers moves."""
import contextlib
import os
import re
import shutil
import smtplib
import socket
import ssl
import subprocess

from lab import admin, ports
from lab.cluster import Failed, accepts
from lab.process import Process
from lab.wait import until
import pytest

from conftest import TOP
from steady import SteadyLoad
from support import new_tag, send, settle

SOURCE = "127.0.0.77"


@pytest.fixture(scope="module")
def cluster(module_clusters):
    return module_clusters(settings={"drain": {"linger": "3s"}})


@contextlib.contextmanager
def running(command, log, is_up):
    """A process of this test alone."""
    process = Process.start([str(word) for word in command], log)
    try:
        until(lambda: is_up() or not process.is_alive(), 20, f"{command[0]} is up")
        if not process.is_alive():
            raise Failed(f"{command[0]} ended:\n{process.log_tail()}")
        yield process
    finally:
        process.kill()


@pytest.fixture(scope="module")
def nginx(cluster):
    """deploy/nginx.conf with this cluster's addresses: its ports for SMTP and for SMTP over TLS."""
    if not shutil.which("nginx"):
        pytest.skip("nginx is not installed")
    plain, tls = (f"127.0.0.1:{port}" for port in ports.reserve(2, cluster.folder))
    text = (TOP / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    text = re.sub(r"(?m)^(user|pid) .*\n", "", text)
    text = text.replace("listen 25 ", f"listen {plain} ").replace("listen 465 ", f"listen {tls} ")
    for number, node in cluster.nodes.items():
        text = text.replace(f"192.0.2.1{number}:26 ", f"{node.proxied} ")
        text = text.replace(f"192.0.2.1{number}:466 ", f"{node.proxied_tls} ")
    folder = cluster.folder / "nginx"
    folder.mkdir()
    (folder / "nginx.conf").write_text(text, encoding="utf-8")
    command = ["nginx", "-c", folder / "nginx.conf", "-g", f"daemon off; pid {folder}/pid;"]
    with running(command, folder / "log", lambda: accepts(plain) and accepts(tls)):
        yield plain, tls


@contextlib.contextmanager
def client_of(address, tls):
    host, port = address.split(":")
    if tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        client = smtplib.SMTP_SSL(host, int(port), timeout=20, source_address=(SOURCE, 0), context=context)
    else:
        client = smtplib.SMTP(host, int(port), timeout=20, source_address=(SOURCE, 0))
    with client:
        yield client


def received_field(cluster, address, tls):
    """Sends a message by a balancer; what a node has written about its client."""
    mark = new_tag()
    with client_of(address, tls) as client:
        client.sendmail("a@client.skein.test", ["b@sink.skein.test"], f"Subject: {mark}\r\n\r\nHello.\r\n")

    def found():
        return next((content for _, content in cluster.sink.untagged() if mark.encode() in content), None)
    return re.sub(r"\s+", " ", until(found, 20, "the message arrives").decode().partition("\r\n\r\n")[0])


@pytest.mark.parametrize("port, tls", [("lb", False), ("lb_tls", True)])
def test_haproxy_passes_mail_and_where_it_comes_from(cluster, port, tls):
    head = received_field(cluster, cluster.record[port], tls)
    assert f"[{SOURCE}]" in head
    assert (" with ESMTPS" in head) == tls


@pytest.mark.parametrize("tls", [False, True])
def test_nginx_passes_mail_and_where_it_comes_from(cluster, nginx, tls):
    head = received_field(cluster, nginx[tls], tls)
    assert f"[{SOURCE}]" in head
    assert (" with ESMTPS" in head) == tls


def test_haproxy_shows_who_is_up(cluster):
    status, page = admin.get(cluster.record["lb_stats"], "/")
    assert status == 200 and "node3" in page
    status, page = admin.get(cluster.record["lb_stats"], "/metrics")
    assert status == 200 and 'haproxy_server_status{proxy="skein_tls",server="node1",state="UP"} 1' in page


def test_haproxy_and_nginx_leave_a_dead_node_out(cluster, nginx):
    cluster.nodes[2].kill()
    cluster.until_balanced({"node1", "node3"})
    for _ in range(12):
        for address, tls in ((cluster.record["lb"], False), (cluster.record["lb_tls"], True), (nginx[0], False),
                             (nginx[1], True)):
            with client_of(address, tls) as client:
                assert client.noop()[0] == 250
    cluster.nodes[2].start()
    cluster.until_balanced({"node1", "node2", "node3"})


def test_haproxy_turns_a_flood_of_one_client_away(cluster):
    """With the example's numbers made small."""
    text = (cluster.balancer.folder / "haproxy.cfg").read_text(encoding="utf-8")
    listen = [f"127.0.0.1:{port}" for port in ports.reserve(3, cluster.folder)]
    for old, new in zip((cluster.record["lb"], cluster.record["lb_tls"], cluster.record["lb_stats"]), listen):
        text = text.replace(f"bind {old}", f"bind {new}")
    text = text.replace(cluster.stats_socket, cluster.stats_socket + "2").replace("gt 2000", "gt 4")
    file = cluster.folder / "flood.cfg"
    file.write_text(text, encoding="utf-8")
    with running(["haproxy", "-db", "-f", file], cluster.folder / "flood.log", lambda: accepts(listen[2])):
        with contextlib.ExitStack() as open_links:
            def greeting(source):
                host, port = listen[0].split(":")
                with contextlib.suppress(ConnectionResetError):
                    link = socket.create_connection((host, int(port)), timeout=20, source_address=(source, 0))
                    open_links.enter_context(link)
                    return link.recv(100)
                return b""
            assert [greeting(SOURCE)[:3] for _ in range(5)] == [b"220"] * 4 + [b""]
            assert greeting("127.0.0.78").startswith(b"220")


def test_a_restart_behind_nginx_is_no_clients_trouble(cluster, nginx):
    load = SteadyLoad(nginx[0], connections=8).start()
    for node in (cluster.nodes[1], cluster.nodes[2]):
        load.until_acknowledged(len(load.acknowledged) + 50)
        assert node.stop()
        node.start()
    load.until_acknowledged(len(load.acknowledged) + 50)
    load.stop()
    account = settle(cluster, load)
    assert not load.errors, load.errors
    assert not account.unknown and not account.duplicated


class Host:
    """A network namespace as a host with both balancers' programs; the two are joined by a cable."""

    def __init__(self, name, address, folder):
        self.name, self.address, self.folder = name, address, folder
        self.folder.mkdir()

    def run(self, *words):
        return subprocess.run(["ip", "netns", "exec", self.name, *words], capture_output=True, text=True, timeout=20,
                              check=False)

    def start(self, command, log):
        return Process.start(["ip", "netns", "exec", self.name, *map(str, command)], self.folder / log)

    def haproxy(self):
        """The example, as it stands but for its user and its socket."""
        text = (TOP / "deploy" / "haproxy.cfg").read_text(encoding="utf-8")
        text = re.sub(r"(?m)^ +(user|group|maxconn) .*\n", "", text).replace("/run/haproxy/admin.sock", f"{self.folder}/admin")
        (self.folder / "haproxy.cfg").write_text(text, encoding="utf-8")
        return self.start(["haproxy", "-db", "-f", self.folder / "haproxy.cfg"], "haproxy.log")

    def keepalived(self, other, priority):
        text = (TOP / "deploy" / "keepalived.conf").read_text(encoding="utf-8")
        text = text.replace("192.0.2.2", "SELF").replace("192.0.2.3", "OTHER")
        text = text.replace("SELF", self.address).replace("OTHER", other.address)
        text = text.replace("priority 101", f"priority {priority}").replace("balancer1", self.name)
        (self.folder / "keepalived.conf").write_text(text, encoding="utf-8")
        pids = [option for name in ("pid", "vrrp_pid") for option in (f"--{name}", self.folder / name)]
        return self.start(["keepalived", "--dont-fork", "--log-console", "--vrrp", "--use-file",
                           self.folder / "keepalived.conf", *pids], "keepalived.log")

    def has_address(self):
        return "192.0.2.1/24" in self.run("ip", "-4", "addr", "show", "dev", "eth0").stdout


@pytest.fixture
def pair(tmp_path):
    """Two hosts, each with its own address on eth0."""
    if os.geteuid() or not shutil.which("keepalived"):
        pytest.skip("needs root and keepalived")
    mark = f"{os.getpid() % 100000}"
    names = [f"skein-{mark}-{letter}" for letter in "ab"]
    commands = [["ip", "netns", "add", name] for name in names]
    commands.append(["ip", "link", "add", "eth0", "netns", names[0], "type", "veth", "peer", "name", "eth0", "netns",
                     names[1]])
    hosts = [Host(name, f"192.0.2.{last}", tmp_path / name) for name, last in zip(names, (2, 3))]
    for host in hosts:
        inside = ["ip", "-n", host.name]
        commands += [[*inside, "link", "set", "lo", "up"], [*inside, "link", "set", "eth0", "up"],
                     [*inside, "addr", "add", f"{host.address}/24", "dev", "eth0"]]
    try:
        for command in commands:
            done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
            if done.returncode:
                pytest.skip(f"no network namespaces here: {done.stderr.strip()}")
        yield hosts
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, timeout=20, check=False)


def test_the_example_for_keepalived_is_valid():
    done = subprocess.run(["keepalived", "--config-test", "-f", TOP / "deploy" / "keepalived.conf"],
                          capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_address_of_two_balancers_moves_when_haproxy_or_its_host_dies(pair):
    first, second = pair
    haproxies = {host: host.haproxy() for host in pair}
    started = list(haproxies.values())
    try:
        keepers = {first: first.keepalived(second, 101)}
        started.append(keepers[first])
        until(first.has_address, 30, lambda: keepers[first].log_tail(), poll=0.2)
        keepers[second] = second.keepalived(first, 100)
        started.append(keepers[second])
        haproxies[first].kill()
        until(second.has_address, 30, lambda: keepers[second].log_tail(), poll=0.2)
        until(lambda: not first.has_address(), 10, "the first one gives it up", poll=0.2)
        haproxies[first] = first.haproxy()
        started.append(haproxies[first])
        until(lambda: "succeeded" in keepers[first].log_tail(3), 20, lambda: keepers[first].log_tail(), poll=0.2)
        assert second.has_address(), "it went back, and sessions with it"
        keepers[second].stop(10)
        until(first.has_address, 30, lambda: keepers[first].log_tail(), poll=0.2)
    finally:
        for process in reversed(started):
            process.stop(5)
