"""skeinctl explain agrees with the server: generated policies, and generated clients who are asked about and played."""
import base64
import collections
import concurrent.futures
import ipaddress
import itertools
import json
import os
import random
import socket
import ssl
import subprocess

from lab import admin
from lab.wait import until

from ctl_lab import CTL

POLICIES, RULES, SESSIONS, MESSAGES = 15, (20, 30), 90, 3
# What must be seen of each outcome, or the policies say nothing.
LEAST = 10

NETWORKS = ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.128/25", "172.16.0.0/12", "192.0.2.0/24", "198.51.100.7",
            "2001:db8::/32", "2001:db8:1::/48", "2001:db8:1:2::/64", "fd00::/8", "2001:db8::25"]
EVERYWHERE = ["0.0.0.0/0", "::/0"]
LISTENERS = ("plain", "submit", "implicit")
LISTENER_PATTERNS = [*LISTENERS, "s*", "*l*i*", "Plain", "other"]
HELOS = ["pc1.lab.example", "PC2.Lab.Example", "printer-7", "mail.corp.example", "[10.1.2.3]", "localhost"]
HELO_PATTERNS = ["*.lab.example", "printer-?", "MAIL.corp.example", "*", "pc?.*", "other.example"]
PASSWORD = "correct horse"
USERS = {
    "alice": {"groups": ["staff", "bulk"], "addresses": ["alice@corp.example", "sales@corp.example"]},
    "bob": {"groups": ["staff"], "addresses": ["bob@corp.example"]},
    "printer": {"groups": ["devices"], "addresses": ["printer@lab.example"]},
    "carol": {"groups": [], "addresses": []},
}
USER_PATTERNS = ["*", "alice", "BOB", "p*", "?arol", "nobody"]
GROUPS = ["staff", "Bulk", "devices", "directors"]
SENDERS = ["<>", "alice@corp.example", "Alice@Corp.Example", "sales@corp.example", "bob@corp.example", "printer@lab.example",
           "x@partner.example", "y@sub.partner.example", "z@elsewhere.test", '"a b"@corp.example', "w@[192.0.2.1]"]
SENDER_PATTERNS = ["own", "<>", "corp.example", "*@lab.example", "ALICE@corp.example", "*@*.example", "list:partners", "z@*"]
RECIPIENTS = ["a@example.net", "B@Example.NET", "c@sub.example.net", "d@partner.example", "e@partner.example", "fg@x.test",
              "h@x.test", "i%else.test@example.net", "else.test!j@x.test", '"k@else.test"@partner.example', "l@[192.0.2.1]",
              "postmaster"]
RECIPIENT_PATTERNS = ["example.net", "*@*.example.net", "d@partner.example", "?@x.test", "list:partners", "*@*", "*.test",
                      "node1.skein.test"]
LISTS = {"offices": {"networks": ["10.1.0.0/16", "2001:db8:1::/48"]},
         "partners": {"addresses": ["partner.example", "*@*.partner.example"]}}
FINGERPRINT = "sha256:" + "ab" * 32  # of nobody: whoever may say STARTTLS yet may still show it
SIZES = [0, 50_000, 500_000, 5_000_000]


# ---- what is generated ----

def some(rng, items, most=3):
    return rng.sample(items, rng.randint(1, min(most, len(items))))


def make_match(rng):
    match = {}
    if rng.random() < 0.7:
        match["network"] = [*some(rng, NETWORKS), *(["list:offices"] if rng.random() < 0.2 else [])]
    elif rng.random() < 0.3:
        match["network"] = some(rng, EVERYWHERE, 1)
    for key, entries, chance in (("listener", LISTENER_PATTERNS, 0.3), ("user", USER_PATTERNS, 0.25), ("group", GROUPS, 0.25),
                                 ("helo", HELO_PATTERNS, 0.25), ("certificate", [FINGERPRINT], 0.05)):
        if rng.random() < chance:
            match[key] = some(rng, entries)
    if rng.random() < 0.35:
        match["tls"] = rng.choice(["none", "any", "1.3", "either"])
    return match


def make_rule(rng, name):
    rule = {"match": make_match(rng), "effect": rng.choice(["allow"] * 4 + ["deny", "require-auth", "require-auth", "require-tls"])}
    if not rule["match"]:
        rule["match"] = {"network": some(rng, NETWORKS, 1)}
    if rng.random() < 0.8:
        rule["name"] = name
    if rule["effect"] == "require-tls" and rule["match"].get("tls") == "none":
        del rule["match"]["tls"]
    if rule["effect"] != "deny":
        for key, entries in ("senders", SENDER_PATTERNS), ("recipients", RECIPIENT_PATTERNS):
            if rng.random() < 0.5:
                rule[key] = some(rng, entries, 4)
        if rng.random() < 0.3:
            rule["size"] = rng.choice(["100KiB", "1MiB"])
    return rule


def make_policy(rng, number):
    count = rng.randint(*RULES)
    return {"lists": LISTS, "clients": [make_rule(rng, f"rule-{number}-{place}") for place in range(count)]}


def make_client(rng):
    network = ipaddress.ip_network(rng.choice(NETWORKS))
    address = network[rng.randrange(min(network.num_addresses, 1 << 64))]
    if rng.random() < 0.1:
        address = ipaddress.ip_address(rng.getrandbits(32) % (223 << 24) + (1 << 24))
    # As a balancer on an IPv6 socket may tell of an IPv4 client.
    return f"::ffff:{address}" if address.version == 4 and rng.random() < 0.05 else str(address)


def make_session(rng, client):
    listener = rng.choice(LISTENERS)
    tls = {"plain": None, "submit": rng.choice([None, "1.2", "1.3"]), "implicit": rng.choice(["1.2", "1.3"])}[listener]
    return {"client": client, "listener": listener, "tls": tls, "helo": rng.choice(HELOS),
            "user": rng.choice([None, *USERS]) if tls else None,
            "messages": [(rng.choice(SENDERS), rng.choice(RECIPIENTS), rng.choice(SIZES)) for _ in range(MESSAGES)]}


def make_sessions(rng, count):
    """Each client once, so that it is known whose a line of the log is."""
    clients = {ipaddress.ip_address(client): client for client in (make_client(rng) for _ in range(count * 2))}
    return [make_session(rng, client) for client in itertools.islice(clients.values(), count)]


# ---- what the server says ----

def context_of(version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    return context


CONTEXTS = {"1.2": context_of(ssl.TLSVersion.TLSv1_2), "1.3": context_of(ssl.TLSVersion.TLSv1_3)}


class Client:
    """One session, as a balancer tells of it."""

    def __init__(self, address, session):
        host, port = address.split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        family, local = ("TCP6", "::1") if ":" in session["client"] else ("TCP4", "127.0.0.1")
        self.socket.sendall(f"PROXY {family} {session['client']} {local} 40000 25\r\n".encode())
        if session["listener"] == "implicit":
            self.secure(session["tls"])
        self.file = self.socket.makefile("rb")
        assert self.reply().startswith("220")
        self.say(f"EHLO {session['helo']}", "250")
        if session["listener"] == "submit" and session["tls"]:
            self.say("STARTTLS", "220")
            self.file.close()
            self.secure(session["tls"])
            self.file = self.socket.makefile("rb")
            self.say(f"EHLO {session['helo']}", "250")
        if session["user"]:
            token = base64.b64encode(f"\0{session['user']}\0{PASSWORD}".encode()).decode()
            self.say(f"AUTH PLAIN {token}", "235")

    def secure(self, version):
        self.socket = CONTEXTS[version].wrap_socket(self.socket)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def reply(self):
        while (line := self.file.readline())[3:4] == b"-":
            pass
        assert line, "the server has hung up"
        return line.decode().strip()

    def say(self, line, wanted=None):
        self.socket.sendall(line.encode() + b"\r\n")
        reply = self.reply()
        assert not wanted or reply.startswith(wanted), (line, reply)
        return reply


ANSWERS = [
    ("250 ", "allowed"),
    ("530 5.7.0 Must issue a STARTTLS", "needs TLS"),
    ("530 5.7.0 Authentication required", "needs AUTH"),
    ("552 5.3.4 ", "too big"),
    ("is no address that you may send as", "sender"),
    ("is no sender that is allowed", "sender"),
    ("is no recipient that you may send to", "recipient"),
    ("550 5.7.1 Relaying denied", "denied"),
]


def outcome_of(reply):
    found = {outcome for part, outcome in ANSWERS if part in reply}
    assert len(found) == 1, reply
    return found.pop()


def ask_server(addresses, session):
    """An outcome for each message."""
    outcomes = []
    with Client(addresses[session["listener"]], session) as client:
        for sender, recipient, size in session["messages"]:
            sender = sender if sender == "<>" else f"<{sender}>"
            reply = client.say(f"MAIL FROM:{sender}" + (f" SIZE={size}" if size else ""))
            if reply.startswith("250"):
                reply = client.say(f"RCPT TO:<{recipient}>")
            outcomes.append(outcome_of(reply))
            client.say("RSET", "250")
        client.say("QUIT", "221")
    return outcomes


def rules_of(events):
    """client -> the rules of its refusals, in order."""
    found = collections.defaultdict(list)
    for event in events:
        found[ipaddress.ip_address(event["client"])].append(event.get("rule"))
    return found


# ---- what explain says ----

def case_of(session, message):
    sender, recipient, size = message
    user = USERS.get(session["user"], {"groups": [], "addresses": []})
    return {"client": session["client"], "listener": session["listener"], "helo": session["helo"], "user": session["user"],
            "group": user["groups"], "own": user["addresses"], "tls-version": session["tls"],
            "no-starttls": session["listener"] == "plain", "from": sender, "size": size,
            "to": "postmaster@node1.skein.test" if recipient == "postmaster" else recipient}


def outcome_by(answer, case):
    """In the order in which a session finds out."""
    verdict = answer["verdict"]
    if verdict == "needs-tls" or (verdict == "needs-auth" and not case["tls-version"]):
        return "needs TLS"
    if verdict != "allow":
        return {"needs-auth": "needs AUTH", "deny": "denied"}[verdict]
    if answer["size"]["allowed"] is False:
        return "too big"
    if not answer["sender"]["allowed"]:
        return "sender"
    return "allowed" if answer["recipients"][0]["allowed"] else "recipient"


def ask_explain(cluster, cases):
    done = subprocess.run([*cluster.ctl_command(), "explain", "--batch"], input="".join(json.dumps(case) + "\n" for case in cases),
                          capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(cases)
    return answers


# ---- both ----

def start(new_cluster, folder):
    """(cluster, address of each listener)"""
    users = folder / "users"
    for name, user in USERS.items():
        words = [*(f"--group={group}" for group in user["groups"]), *(f"--address={address}" for address in user["addresses"])]
        subprocess.run([CTL, "--users-file", str(users), "user", "add", name, *words], input=PASSWORD, text=True, check=True,
                       capture_output=True, timeout=30)
    cluster = new_cluster(nodes=1, balancer=False)
    node = cluster.nodes[1]
    addresses = dict(zip(LISTENERS, (node.proxied, node.smtp, node.smtps)))
    tls = {"plain": "none", "submit": "starttls", "implicit": "implicit"}
    cluster.record["settings"] = {
        "listeners": [{"name": name, "address": addresses[name], "proxy_from": ["127.0.0.0/8"], "tls": tls[name]}
                      for name in LISTENERS],
        "relay": None, "limits": {"errors": 1000}, "auth": {"backends": ["file"], "file": {"path": str(users)}}}
    node.stop()
    node.start()
    return cluster, addresses


def apply(cluster, path, policy, version):
    path.write_text(json.dumps(policy, indent=1), encoding="utf-8")
    code, _, errors = cluster.ctl("policy", "apply", str(path))
    assert code == 0, errors
    until(lambda: admin.health(cluster.nodes[1].admin)["policy"]["version"] == version, 20, f"version {version} runs")


def compare(cluster, addresses, pool, sessions):
    """(outcomes and rules, disagreements) of one policy."""
    node = cluster.nodes[1]
    before = len(node.tracked("REJECT"))
    said = list(pool.map(lambda session: ask_server(addresses, session), sessions))
    cases = [case_of(session, message) for session in sessions for message in session["messages"]]
    answers = ask_explain(cluster, cases)
    refused = sum(outcome != "allowed" for outcomes in said for outcome in outcomes)

    until(lambda: len(node.tracked("REJECT")) - before == refused, 20, "each refusal is tracked")
    logged = rules_of(node.tracked("REJECT")[before:])
    seen, wrong = [], []
    for case, answer, outcome in zip(cases, answers, itertools.chain(*said)):
        expected = outcome_by(answer, case)
        rule = answer["rule"] if outcome == "allowed" else logged[ipaddress.ip_address(case["client"])].pop(0)
        seen.append((outcome, rule))
        if outcome != expected or rule != answer["rule"]:
            wrong.append(f"the server says {outcome} by {rule}, explain {expected} by {answer['rule']}: {json.dumps(case)}")
    return seen, wrong


def test_explain_agrees_with_the_server(new_cluster, tmp_path, record_property):
    seed = int(os.environ.get("SKEIN_TEST_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"again: SKEIN_TEST_SEED={seed}")
    rng = random.Random(seed)
    cluster, addresses = start(new_cluster, tmp_path)
    outcomes, rules, count = collections.Counter(), set(), 0
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        for number in range(1, POLICIES + 1):
            policy, sessions = make_policy(rng, number), make_sessions(rng, SESSIONS)
            apply(cluster, tmp_path / "policy.yaml", policy, number)
            seen, wrong = compare(cluster, addresses, pool, sessions)
            assert not wrong, "\n".join([f"{len(wrong)} of policy {number}, seed {seed}", *wrong[:5], json.dumps(policy)])
            outcomes.update(outcome for outcome, _ in seen)
            rules.update((number, rule) for _, rule in seen if rule)
            count += len(sessions)
    record_property("explain", f"{count} clients, {sum(outcomes.values())} messages, {len(rules)} rules, {dict(outcomes)}")
    print(f"{count} clients, {len(rules)} rules decided, {dict(outcomes)}")
    assert count >= 1000
    assert all(outcomes[outcome] >= LEAST for _, outcome in ANSWERS), outcomes
