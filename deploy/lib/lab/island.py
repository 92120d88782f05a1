"""A host of its own for parts of a cluster: a network namespace with one link for mail, which always works, and one for
Redis and Sentinel, which can be cut without anybody being told. Needs root."""
import os
import random
import subprocess


def why_not():
    """Why there can be no island here; empty when there can."""
    if os.geteuid() != 0:
        return "a network namespace needs root"
    probe = f"skprobe{os.getpid()}"
    done = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True, check=False)
    if done.returncode:
        return "no network namespaces here: " + done.stderr.strip()
    subprocess.run(["ip", "netns", "del", probe], check=True)
    return ""


class Island:
    def __init__(self):
        self.name = f"sk{random.randrange(16 ** 6):06x}"
        self.nets = {link: f"10.{random.randrange(64, 128)}.{random.randrange(256)}" for link in ("mail", "redis")}

    def up(self):
        self._ip("netns", "add", self.name)
        self._inside("link", "set", "lo", "up")
        for link, net in self.nets.items():
            here, there = self._ends(link)
            self._ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", self.name)
            self._ip("address", "add", f"{net}.1/24", "dev", here)
            self._ip("link", "set", here, "up")
            self._inside("address", "add", f"{net}.2/24", "dev", there)
            self._inside("link", "set", there, "up")
        return self

    def down(self):
        """The links go with it."""
        self._ip("netns", "del", self.name)

    def places(self, *inside):
        """For Cluster.up(): the parts named are on the island, all others on the mainland."""
        names = ["sink", *(f"{kind}{number}" for kind in ("node", "redis", "sentinel") for number in (1, 2, 3))]
        return {name: self._place(name, name in inside) for name in names
                if name in inside or not name.startswith("node")}

    def cut(self):
        """Neither side's packets of Redis and Sentinel reach the other from now on."""
        here, there = self._ends("redis")
        wrong = ("lladdr", "02:00:00:00:00:01", "nud", "permanent", "dev")
        self._ip("neigh", "replace", f"{self.nets['redis']}.2", *wrong, here)
        self._inside("neigh", "replace", f"{self.nets['redis']}.1", *wrong, there)

    def heal(self):
        here, there = self._ends("redis")
        self._ip("neigh", "del", f"{self.nets['redis']}.2", "dev", here)
        self._inside("neigh", "del", f"{self.nets['redis']}.1", "dev", there)

    def _place(self, name, is_inside):
        link = "mail" if name.startswith(("node", "sink")) else "redis"
        return {"host": f"{self.nets[link]}.{2 if is_inside else 1}",
                "wrapper": ["ip", "netns", "exec", self.name] if is_inside else []}

    def _ends(self, link):
        return f"{self.name}{link[0]}0", f"{self.name}{link[0]}1"

    def _inside(self, *words):
        self._ip("-n", self.name, *words)

    @staticmethod
    def _ip(*words):
        subprocess.run(["ip", *words], check=True)
