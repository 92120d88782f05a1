"""Further next hops beside the cluster's own sink, and the YAML of routes to them."""
import json

from lab import admin
from lab.cluster import REPOSITORY, Part, accepts
from lab.ports import reserve
from lab.sink import SinkControl
from lab.wait import until

ALLOW = "clients:\n  - {name: here, match: {network: 127.0.0.0/8}, effect: allow}\n"


class MoreSink:
    """One of the cluster's processes: it ends with the cluster."""

    def __init__(self, cluster, name, address=None, ports=1, certificate=None, arguments=()):
        """`certificate`: (certificate, key), files; not given: the cluster's; (): no TLS."""
        folder = cluster.folder / name
        folder.mkdir()
        records, control = folder / "received.jsonl", folder / "sink.socket"
        self.addresses = [address] if address else [f"127.0.0.1:{port}" for port in reserve(ports, cluster.folder)]
        self.address = self.addresses[0]
        self.control = SinkControl(control, records)
        command = [str(REPOSITORY / "deploy" / "sink"), "--listen", *self.addresses, "--records", str(records),
                   "--control", str(control), *arguments]
        files = (str(cluster.certificate), str(cluster.key)) if certificate is None else certificate
        if files:
            command += ["--certificate", files[0], "--key", files[1]]
        self.part = Part(cluster, name, command, lambda: accepts(self.addresses[-1]), folder)
        self.part.start()

    def tags(self):
        return [record["tag"] for record in self.control.records()]


def target(address, **more):
    host, _, port = address.rpartition(":")
    words = "".join(f", {key}: {value}" for key, value in more.items())
    return f"{{ host: {host}, port: {port}{words} }}"


def apply(cluster, text, comment="test"):
    """A new policy, on all nodes when this returns."""
    path = cluster.folder / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    code, output, errors = cluster.ctl("--json", "policy", "apply", str(path), "-m", comment)
    assert code == 0, errors
    version = json.loads(output)["version"]
    for node in cluster.nodes.values():
        until(lambda node=node: admin.health(node.admin)["policy"]["version"] == version, 20,
              f"{node.name} runs version {version}")


def add_node(cluster):
    """One more node, which goes by the policy when this returns."""
    node = cluster.add_node()
    version = admin.health(cluster.nodes[1].admin)["policy"]["version"]
    until(lambda: admin.health(node.admin)["policy"]["version"] == version, 20, f"{node.name} runs version {version}")
    return node
