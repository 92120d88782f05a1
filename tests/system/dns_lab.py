"""A DNS of its own on loopback: knotd with a root zone and the zones that a test gives as text.

    lab = DnsLab(folder, {"good.example": Zone("@ MX 10 mx\\nmx A 127.0.0.2"), "plain.example": Zone("...", signed=False)})
    lab.server      "127.0.0.1:PORT": ask it as a forwarder
    lab.anchor      file with the root's DS, for dns.trust_anchor
    lab.change("plain.example", Zone("...", signed=False))      an unsigned zone; who asks sees it when the TTL is over
    lab.stop()

Zones are signed here and served as they are, so that they can be broken on purpose: Zone(broken=...) takes "bogus" (data
altered after it was signed), "expired", "no-ds" (signed, but the parent does not say so: insecure) and "wrong-ds".
SilentServer takes questions and never answers.
"""
import dataclasses
import datetime
import signal
import socket
import subprocess
import threading
import time

import dns.dnssec
import dns.message
import dns.name
import dns.query
import dns.rdata
import dns.rdataset
import dns.rdatatype
import dns.rrset
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec

ALGORITHM = dns.dnssec.Algorithm.ECDSAP256SHA256
APEX = "@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n"


@dataclasses.dataclass
class Zone:
    text: str = ""
    signed: bool = True
    broken: str = ""


class _Signer:
    def __init__(self, broken):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.dnskey = dns.dnssec.make_dnskey(self.key.public_key(), ALGORITHM, flags=257)
        now = datetime.datetime.now(datetime.timezone.utc)
        age = datetime.timedelta(days=30 if broken == "expired" else 1)
        self.inception, self.expiration = now - age, now - age + datetime.timedelta(days=14)

    def ds(self, origin):
        return dns.dnssec.make_ds(origin, self.dnskey, "SHA256")

    def sign(self, zone):
        origin = zone.origin
        assert not any(name.is_wild() for name in zone.nodes), "dnspython 2.3 signs wildcards wrongly"
        zone.find_rdataset(origin, "DNSKEY", create=True).add(self.dnskey, 300)
        cuts = {name for name in zone.nodes if name != origin and zone.get_rdataset(name, "NS")}
        # What lies below a cut belongs to another.
        names = [name for name in sorted(zone.nodes) if not any(name != cut and name.is_subdomain(cut) for cut in cuts)]
        for name, following in zip(names, names[1:] + names[:1]):
            types = sorted({rdataset.rdtype for rdataset in zone.nodes[name].rdatasets} |
                           {dns.rdatatype.NSEC, dns.rdatatype.RRSIG})
            listed = " ".join(dns.rdatatype.to_text(rdtype) for rdtype in types)
            zone.find_rdataset(name, "NSEC", create=True).add(
                dns.rdata.from_text("IN", "NSEC", f"{following} {listed}"), 60)
            for rdataset in list(zone.nodes[name].rdatasets):
                if name in cuts and rdataset.rdtype not in (dns.rdatatype.DS, dns.rdatatype.NSEC):
                    continue
                rrset = dns.rrset.from_rdata_list(name, rdataset.ttl, list(rdataset))
                signature = dns.dnssec.sign(rrset, self.key, origin, self.dnskey, inception=self.inception,
                                            expiration=self.expiration)
                zone.find_rdataset(name, "RRSIG", rdataset.rdtype, create=True).add(signature, rdataset.ttl)


def _alter(zone):
    """Another address in each A record, another host in each MX, another key in each TLSA: what somebody on the way would do."""
    for name, node in zone.nodes.items():
        for rdataset in list(node.rdatasets):
            if rdataset.rdtype == dns.rdatatype.A and name != zone.origin:
                node.replace_rdataset(dns.rdataset.from_text("IN", "A", rdataset.ttl, "127.66.6.6"))
            if rdataset.rdtype == dns.rdatatype.TLSA:
                node.replace_rdataset(dns.rdataset.from_text("IN", "TLSA", rdataset.ttl, f"3 1 1 {'66' * 32}"))
            if rdataset.rdtype == dns.rdatatype.MX:
                node.replace_rdataset(dns.rdataset.from_text("IN", "MX", rdataset.ttl, f"1 evil.{zone.origin}"))


class DnsLab:
    def __init__(self, folder, zones):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.port, self.serial = _free_port(), 1
        self.server = f"127.0.0.1:{self.port}"
        self.anchor = folder / "anchor"
        self._write_zones({dns.name.from_text(name): zone for name, zone in zones.items()})
        self._start()

    def _write_zones(self, zones):
        signers = {name: _Signer(zone.broken) for name, zone in zones.items() if zone.signed}
        root = Zone()
        zones = {**zones, dns.name.root: root}
        signers[dns.name.root] = _Signer("")
        for name in list(zones):
            if name == dns.name.root:
                continue
            # The nearest zone above it delegates.
            parent = next(above for above in _above(name) if above in zones)
            label = name.relativize(parent)
            zones[parent] = dataclasses.replace(
                zones[parent], text=zones[parent].text + f"\n{label} NS ns.{name}\nns.{label} A 127.0.0.1\n")
            if name in signers and zones[name].broken != "no-ds":
                ds = signers[name].ds(name).to_text()
                if zones[name].broken == "wrong-ds":
                    ds = ds[:-8] + ("0" * 8 if ds[-8:] != "0" * 8 else "1" * 8)
                zones[parent] = dataclasses.replace(zones[parent], text=zones[parent].text + f"{label} DS {ds}\n")
        self.names = list(zones)
        for name, zone in zones.items():
            self._write_zone(name, zone, signers.get(name))
        self.anchor.write_text(f". IN DS {signers[dns.name.root].ds(dns.name.root).to_text()}\n")

    def _write_zone(self, name, zone, signer):
        text = "\n".join(line.strip() for line in f"$TTL 300\n{self._apex()}{zone.text}".splitlines())
        made = dns.zone.from_text(text + "\n", origin=name, relativize=False)
        if signer:
            signer.sign(made)
        if zone.broken == "bogus":
            _alter(made)
        made.to_file(str(self._file(name)), relativize=False)

    def _apex(self):
        return APEX.replace(" 1 3600", f" {self.serial} 3600")

    def change(self, name, zone):
        assert not zone.signed
        self.serial += 1
        self._write_zone(dns.name.from_text(name), zone, None)
        self.process.send_signal(signal.SIGHUP)

    def _file(self, name):
        return self.folder / (name.to_text(omit_final_dot=True).replace(".", "_") or "root") if name != dns.name.root \
            else self.folder / "root.zone"

    def _start(self):
        zones = "".join(f"  - domain: {name.to_text()}\n    file: {self._file(name)}\n" for name in self.names)
        config = self.folder / "knot.conf"
        config.write_text(f"""server:
    rundir: {self.folder}
    listen: 127.0.0.1@{self.port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: {self.folder}
log:
  - target: stderr
    any: info
template:
  - id: default
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
    semantic-checks: off
zone:
{zones}""")
        with open(self.folder / "knotd.log", "wb") as log:
            self.process = subprocess.Popen(["/usr/sbin/knotd", "-c", config], stdout=log, stderr=log)
        question = dns.message.make_query(self.names[0], "SOA")
        end = time.monotonic() + 20
        while not self._answers(question):
            if time.monotonic() > end or self.process.poll() is not None:
                self.stop()
                raise AssertionError("knotd does not serve: " + (self.folder / "knotd.log").read_text())

    def _answers(self, question):
        try:
            return bool(dns.query.udp(question, "127.0.0.1", port=self.port, timeout=0.1).answer)
        except (dns.exception.DNSException, OSError):
            return False

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


def _above(name):
    while name != dns.name.root:
        name = name.parent()
        yield name


def _free_port():
    """Free for UDP and TCP."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            try:
                udp.bind(tcp.getsockname())
                return tcp.getsockname()[1]
            except OSError:
                continue


class SilentServer:
    """Notes what it is asked, and does not answer before it is told to."""

    def __init__(self):
        self.socket = socket.socket(type=socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.server = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.questions = []
        self.answer = None
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                packet, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            message = dns.message.from_wire(packet)
            self.questions.append(message.question[0])
            reply = self.answer and self.answer(message)
            if reply:
                self.socket.sendto(reply.to_wire(), peer)

    def stop(self):
        self.socket.close()
