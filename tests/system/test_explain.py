"""skeinctl explain: which rule decides and why, what is looked at, how full the limits are, and many clients at once."""
import json
import re
import subprocess

import pytest
from test_limits import apply, client_of, offer
from test_policy_ctl import FIRST, examples, write
from ctl_lab import A, CTL, DEADLINE_S, NEGATIVE, OK, USAGE, Ctl, Redis, free_port

LIMITS = """limits:
  per-client: {key: client, rate: 3/h, action: reject}
  per-user: {key: user, count: recipients, rate: 10/day}
  per-sender: {key: sender, rate: 10/h}
  from: {key: sender_domain, rate: 10/h}
  to: {key: recipient_domain, count: recipients, rate: 10/h, burst: 20}
  all: {key: cluster, count: bytes, rate: 1GiB/day, global: true}
clients:
  - {name: here, match: {network: [10.0.0.0/8, '2001:db8::/32']}, effect: allow,
     limits: [per-client, per-user, per-sender, from, to]}
"""
ROUTES = """credentials: {m365: {user: u, secret: s}}
clients:
  - {name: printers, match: {network: 10.1.0.0/16}, effect: allow}
  - {name: rest, effect: allow, recipients: [a.example, b.example]}
routes:
  - {name: office, comment: the cloud, match: {recipient: a.example}, to: [{host: smtp.example, port: 587, tls: verify,
     credentials: m365}, {srv: _smtp._tcp.b.example}, {direct: true}]}
  - {name: paper, match: {client: printers}, to: [{host: print.example, tls: verify, tls_first: true}]}
  - {name: bounces, match: {sender: '<>'}, to: [{mx: bounce.example}]}
"""
NODES_OWN = {"name": None, "order": None, "targets": []}
UNKNOWN = "How full they are is not known without Redis.\n"


@pytest.fixture(name="ctl")
def fixture_ctl(tmp_path):
    redis = Redis(tmp_path)
    redis.seed(("cluster", 4), ("node", "relay-a", A))
    yield Ctl(redis)
    redis.stop()


@pytest.fixture(name="example")
def fixture_example(tmp_path):
    """The policy of the documentation."""
    return write(tmp_path / "example.yaml", next(examples()))


@pytest.fixture(name="limits")
def fixture_limits(tmp_path):
    return write(tmp_path / "limits.yaml", LIMITS)


def by_file(path, *words, code=OK):
    """Without Redis, as JSON."""
    return json.loads(Ctl(None).text("explain", "--file", path, *words, "--json", options=[], code=code))


def limit_rows(text):
    """The table of limits: name -> its cells."""
    lines = text[text.index("LIMIT "):].splitlines()
    starts = [match.start() for match in re.finditer(r"\S+", lines[0])]
    assert lines[0].split() == ["LIMIT", "COUNTS", "BY", "USED", "RATE", "ACTION", "NOW"], starts
    return {line.split()[0]: re.split(r"  +", line) for line in lines[1:] if line.startswith(("per", "from", "to", "all"))}


# ---- the rule ----

def test_it_says_which_rule_decides_and_why(ctl, example, tmp_path):
    ctl.text("policy", "apply", write(tmp_path / "p.yaml", FIRST))
    text = ctl.text("explain", "--client", "10.1.2.3")
    assert 'internal                 matches, and says allow\nallowed, by the rule "internal"\n' in text
    assert "denied: no rule matches" in ctl.text("explain", "--client", "192.0.2.1")
    denied = by_file(example, "--client", "10.1.66.1")
    assert (denied["verdict"], denied["rule"], denied["final"]) == ("deny", "quarantined-vlan", True)
    open_yet = by_file(example, "--client", "192.0.2.1")
    assert (open_yet["verdict"], open_yet["rule"], open_yet["would_help"]) == ("needs-tls", None, "applications")
    bulk = by_file(example, "--client", "192.0.2.1", "--tls", "--user", "j", "--group", "mail bulk senders", "--own",
                   "j@example.org", "--from", "J@example.org", "--to", "a@b.example")
    assert (bulk["verdict"], bulk["rule"]) == ("allow", "bulk-senders")
    assert bulk["sender"] == {"address": "J@example.org", "allowed": True, "by": "own"}
    assert bulk["recipients"] == [{"address": "a@b.example", "allowed": True, "by": "", "route": NODES_OWN, "signed_by": None}]


def test_it_says_which_route_each_recipient_takes(tmp_path):
    path = write(tmp_path / "routes.yaml", ROUTES)
    words = ("--to", "x@A.example", "--to", "x@b.example", "--to", "x@c.test")

    def names(*more):
        return [row["route"] and row["route"]["name"] for row in by_file(path, *words, *more)["recipients"]]

    assert names("--client", "10.1.0.1", "--from", "s@s.org") == ["office", "paper", "paper"]
    assert names("--client", "192.0.2.1", "--from", "s@s.org") == ["office", None, None]
    assert names("--client", "192.0.2.1", "--from", "<>") == ["office", "bounces", None]
    recipients = by_file(path, *words, "--client", "192.0.2.1", "--from", "s@s.org")["recipients"]
    assert recipients[0]["route"] == {"name": "office", "order": "listed", "targets": [
        {"place": "host", "name": "smtp.example", "port": 587, "tls": "verify", "credentials": "m365"},
        {"place": "srv", "name": "_smtp._tcp.b.example", "port": None, "tls": "may", "credentials": None},
        {"place": "direct", "name": "", "port": 25, "tls": "auto", "credentials": None}]}
    assert recipients[1]["route"] == NODES_OWN  # none matches
    assert recipients[2]["route"] is None       # it is refused
    text = Ctl(None).text("explain", "--file", path, "--client", "192.0.2.1", *words, "--from", "s@s.org", options=[])
    assert text.endswith("""recipient <x@A.example>: allowed by a.example
  by the route "office" (the cloud), listed:
    host smtp.example port 587, tls verify, credentials m365
    srv _smtp._tcp.b.example, tls may
    direct port 25, tls auto
recipient <x@b.example>: allowed by b.example
  no route matches: to the node's route.next_hops
recipient <x@c.test>: refused, it is not in the rule's recipients
"""), text
    printed = Ctl(None).text("explain", "--file", path, "--client", "10.1.0.1", "--to", "x@b.example", options=[])
    assert printed.endswith('  by the route "paper":\n    host print.example port 465, tls verify\n'
                            'Routes are those of the null sender: see --from.\n')


INSPECT = """
clients:
  - {name: gateways, match: {network: 192.0.2.0/24}, effect: allow}
  - {name: ten, match: {network: 10.0.0.0/8}, effect: allow}
inspect:
  - {name: gateways, comment: Ticket 9, match: {client: gateways}, dmarc: reject, filters: [rspamd, local]}
  - {name: way-out, match: {listener: inside}}
  - {match: {listener: mx}, spf: reject, on_error: defer}
  - {name: filtered, match: {helo: x}, filters: local}
filters:
  rspamd: {host: r.example, port: 11332, on_error: accept}
  local: {socket: /run/milter.sock}
"""
RSPAMD = {"name": "rspamd", "host": "r.example", "port": 11332, "socket": None, "on_error": "accept"}
LOCAL = {"name": "local", "host": None, "port": None, "socket": "/run/milter.sock", "on_error": "defer"}


@pytest.mark.parametrize("words, inspection, told", [
    (("--client", "192.0.2.1", "--listener", "mx"),
     {"name": "gateways", "spf": "tag", "dkim": "tag", "dmarc": "reject", "on_error": "accept", "filters": [RSPAMD, LOCAL]},
     """inspected as "gateways" says (Ticket 9):
  spf tag, dkim tag, dmarc reject; when DNS does not answer: accept
  filter rspamd at r.example port 11332; when it does not answer: accept
  filter local at /run/milter.sock; when it does not answer: defer
"""),
    (("--client", "10.0.0.1", "--listener", "inside"),
     {"name": "way-out", "spf": "off", "dkim": "off", "dmarc": "off", "on_error": "accept", "filters": []},
     'inspected as "way-out" says:\n  nothing is looked at\n'),
    (("--client", "10.0.0.1", "--listener", "mx"),
     {"name": "inspect[2]", "spf": "reject", "dkim": "off", "dmarc": "off", "on_error": "defer", "filters": []},
     'inspected as "inspect[2]" says:\n  spf reject; when DNS does not answer: defer\n'),
    (("--client", "10.0.0.1", "--helo", "x"),
     {"name": "filtered", "spf": "off", "dkim": "off", "dmarc": "off", "on_error": "accept", "filters": [LOCAL]},
     'inspected as "filtered" says:\n  filter local at /run/milter.sock; when it does not answer: defer\n'),
    (("--client", "10.0.0.1"), None, "no inspection matches: nothing is looked at\n"),
])
def test_it_says_what_a_message_is_looked_at_for(tmp_path, words, inspection, told):
    path = write(tmp_path / "inspect.yaml", INSPECT)
    assert by_file(path, *words)["inspection"] == inspection
    assert Ctl(None).text("explain", "--file", path, *words, options=[]).endswith(told)


def test_who_may_not_send_is_not_inspected(tmp_path):
    path = write(tmp_path / "inspect.yaml", INSPECT)
    words = ("--client", "198.51.100.1", "--listener", "mx")
    assert by_file(path, *words)["inspection"] is None
    assert Ctl(None).text("explain", "--file", path, *words, options=[]).endswith("denied: no rule matches\n")


SIGN = """
clients: [{effect: allow}]
routes:
  - {name: scans, match: {recipient: scans.example}, to: [{direct: true}], rewrite: {from_domain: Face.example}}
  - {name: moved, match: {recipient: moved.example}, to: [{direct: true}], rewrite: {sender_domain: backup.example}}
  - {name: srs, match: {recipient: srs.example}, to: [{direct: true}], rewrite: {return_path: srs,
     return_domain: back.example, return_secret: s}}
sign:
  - {domain: a.example, subdomains: true}
  - {domain: face.example}
  - {domain: backup.example, by: sender}
  - {domain: back.example, by: sender}
"""


@pytest.mark.parametrize("words, signers", [
    (("--from", "x@A.example"), ["a.example", "face.example", "a.example", "a.example"]),
    (("--from", "x@b.example"), [None, "face.example", "backup.example", "back.example"]),
    (("--from", "<>"), [None, "face.example", None, None]),
    (("--from", "<>", "--author", "Jo <jo@sub.a.example>"), ["a.example", "face.example", "a.example", "a.example"]),
    (("--from", "x@backup.example", "--author", "jo@b.example"), ["backup.example", "face.example", "backup.example", "back.example"]),
    ((), [None, "face.example", None, None]),
])
def test_it_says_whose_signature_each_recipient_sees(tmp_path, words, signers):
    path = write(tmp_path / "sign.yaml", SIGN)
    to = [word for domain in ("rest", "scans", "moved", "srs") for word in ("--to", f"x@{domain}.example")]
    answer = by_file(path, "--client", "10.0.0.1", *words, *to)
    assert [row["signed_by"] for row in answer["recipients"]] == signers


def test_what_is_not_signed_is_told_with_its_reason(tmp_path):
    path = write(tmp_path / "sign.yaml", SIGN)

    def told(*words):
        return Ctl(None).text("explain", "--file", path, "--client", "10.0.0.1", "--to", "x@rest.example", *words,
                              options=[]).splitlines()

    assert told("--from", "x@a.example")[-1] == "  signed by a.example, as sign[0] says"
    assert told("--from", "x@b.example")[-1] == "  not signed: no entry of sign is for its author"
    assert told("--from", "<>")[-1] == "  whether it is signed goes by From: see --author"


def test_what_the_listener_does_not_offer_is_not_waited_for(example):
    staff = ("--client", "10.1.1.1", "--listener", "submission", "--helo", "pc")
    assert by_file(example, *staff)["verdict"] == "needs-auth"
    assert by_file(example, *staff, "--no-auth")["verdict"] == "needs-tls"  # a certificate would do
    assert by_file(example, *staff, "--tls", "--no-auth")["verdict"] == "deny"
    assert by_file(example, *staff, "--no-starttls")["verdict"] == "deny"


def test_addresses_may_have_brackets_and_sizes_are_judged(example):
    answer = by_file(example, "--client", "10.1.20.7", "--from", "<>", "--to", "<a@example.org>", "--to", "a@example.net",
                     "--to", "a%b@example.org", "--size", "1000")
    assert answer["sender"] == {"address": "", "allowed": True, "by": "<>"}
    assert [row["allowed"] for row in answer["recipients"]] == [True, False, False]
    assert answer["size"] == {"max": 25 << 20, "allowed": True}
    assert by_file(example, "--client", "10.1.20.7", "--size", str(26 << 20))["size"]["allowed"] is False
    assert by_file(example, "--client", "10.1.20.7")["size"] == {"max": 25 << 20, "allowed": None}


@pytest.mark.parametrize("words, why", [
    ((), "which client?"),
    (("--client", "10.0.0.0/8"), "which client?"),
    (("--client", "10.0.0.1", "--tls-version", "1.1"), "none of 1.2, 1.3"),
    (("--client", "10.0.0.1", "--size", "much"), "is no number"),
    (("--batch", "--file", "-"), "needs a path"),
    (("--client", "10.0.0.1", "other"), 'takes no "other"'),
])
def test_a_wrong_call_is_told(words, why):
    assert why in Ctl(None).complaint("explain", *words, options=[], code=USAGE)


# ---- how full the limits are ----

@pytest.mark.parametrize("words, values", [
    (("--client", "10.1.2.3"), {"per-client": "10.1.2.3", "per-user": None, "per-sender": None, "from": None, "to": None,
                                "all": "all"}),
    (("--client", "2001:db8:1:2:3::4"), {"per-client": "2001:db8:1:2::/64"}),
    (("--client", "10.1.2.3", "--user", "j", "--from", "J@Example.org", "--to", "a@B.example"),
     {"per-user": "j", "per-sender": "J@Example.org", "from": "Example.org", "to": "B.example"}),
    (("--client", "10.1.2.3", "--from", "<>"), {"per-sender": "<>", "from": "<>"}),
])
def test_each_limit_names_what_it_counts_by(limits, words, values):
    answer = {row["name"]: row["value"] for row in by_file(limits, *words)["limits"]}
    assert list(answer) == ["per-client", "per-user", "per-sender", "from", "to", "all"]
    assert {name: answer[name] for name in values} == values


def test_each_domain_of_the_recipients_has_a_counter(limits):
    words = [word for number in range(40) for word in ("--to", f"u{number}@d{number % 30:02}.example")]
    rows = [row for row in by_file(limits, "--client", "10.1.2.3", *words)["limits"] if row["name"] == "to"]
    assert [row["value"] for row in rows] == [f"d{number:02}.example" for number in range(30)]


def test_without_redis_it_is_not_known(limits, ctl):
    answer = by_file(limits, "--client", "10.1.2.3")
    assert {row["used"] for row in answer["limits"]} == {row["refuses_ms"] for row in answer["limits"]} == {None}
    text = Ctl(None).text("explain", "--file", limits, "--client", "10.1.2.3", options=[])
    assert text.endswith(UNKNOWN) and limit_rows(text)["per-client"][1:5] == ["messages", "client 10.1.2.3", "? of 3", "3 in 1h"]
    assert limit_rows(text)["per-user"][2:4] == ["user (nobody, without a user)", "- of 10"]
    # Redis is told, and not there: the rule is explained all the same.
    done = ctl.run("explain", "--file", limits, "--client", "10.1.2.3", options=["--redis", f"127.0.0.1:{free_port()}"])
    assert done.returncode == OK and "Connection refused" in done.stderr and done.stdout == text
    assert UNKNOWN not in ctl.text("explain", "--file", limits, "--client", "10.1.2.3")


def owe(ctl, counter, micros):
    """Makes a counter owe so much, for an hour of Redis' clock: 'empty stamp' as limit.lua writes it."""
    script = "local t = redis.call('TIME') local now = t[1] * 1000000 + t[2] " \
             "return redis.call('SET', KEYS[1], string.format('%d %d', now + ARGV[1], now), 'PX', 3600000)"
    subprocess.run(["redis-cli", "-p", str(ctl.redis.port), "EVAL", script, "1", f"skein:{{limits}}:{counter}", str(micros)],
                   check=True, capture_output=True, timeout=DEADLINE_S)


def test_it_says_how_full_and_for_how_long_it_refuses(ctl, limits):
    ctl.text("policy", "apply", limits)
    words = ("explain", "--client", "10.1.2.3", "--from", "a@x.example", "--to", "b@y.example", "--to", "c@y.example")
    hour = 3600 * 1000000
    owe(ctl, "per-client:10.1.2.3", hour)              # 3 of 3: 20 minutes until one is free
    owe(ctl, "per-sender:a@x.example", hour * 95 // 100)  # 9.5 of 10: half a message is missing
    owe(ctl, "from:x.example", hour * 9 // 10)         # 9 of 10: this one is the last
    owe(ctl, "to:y.example", hour * 185 // 100)        # 18.5 of 20: two recipients do not fit
    rows = {row["name"]: row for row in ctl.json(*words)["limits"]}
    assert [rows[name]["used"] for name in ("per-client", "per-sender", "from", "to", "all")] == [3, 10, 9, 19, 0]
    assert rows["from"]["refuses_ms"] == rows["all"]["refuses_ms"] == 0 and rows["per-user"]["used"] is None
    for name, minutes in ("per-client", 20), ("per-sender", 3), ("to", 3):
        assert (minutes * 60 - 30) * 1000 < rows[name]["refuses_ms"] <= minutes * 60000, rows[name]
    table = limit_rows(ctl.text(*words))
    assert table["per-client"][3:6] == ["3 of 3", "3 in 1h", "reject"]
    assert re.fullmatch(r"refuses for (20m|19m 5\ds)", table["per-client"][6])
    assert table["from"][3:] == ["9 of 10", "10 in 1h", "defer"]
    assert table["all"][3:] == ["0 B of 1.0 GiB", "1.0 GiB in 1d", "defer"]
    one = {row["name"]: row for row in ctl.json(*words[:-2])["limits"]}
    assert one["to"]["refuses_ms"] == 0, "one recipient fits"


def test_it_sees_what_nodes_have_counted(new_cluster):
    cluster = new_cluster(nodes=1, balancer=False)
    apply(cluster, ["mine: {key: client, rate: 3/h, action: reject}", "to: {key: recipient_domain, count: recipients, rate: 10/h}"],
          ", limits: [mine, to]")
    explain = ("--json", "explain", "--client", "2001:db8::9", "--from", "a@client.skein.test", "--to", "b@sink.skein.test")
    for count in (1, 2, 3):
        with client_of(cluster.nodes[1], "2001:db8::5") as session:
            assert offer(session, recipients=("b@sink.skein.test", "c@sink.skein.test"))[0] == 250
        code, output, errors = cluster.ctl(*explain)
        assert code == OK, errors
        mine, to = json.loads(output)["limits"]
        assert (mine["used"], to["used"]) == (count, 2 * count)
        assert (mine["refuses_ms"] > 0) == (count == 3) and to["refuses_ms"] == 0
    with client_of(cluster.nodes[1], "2001:db8::5") as session:
        assert offer(session)[0] == 550


# ---- many at once ----

def batch(path, *lines, code=OK, options=()):
    done = subprocess.run([CTL, *options, "explain", "--batch", "--file", path], capture_output=True, text=True, check=False,
                          timeout=DEADLINE_S, input="".join(f"{line}\n" for line in lines))
    assert done.returncode == code, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_batch_answers_line_by_line_as_each_alone(example):
    cases = [{"client": "10.1.66.1"}, {"client": "192.0.2.1"},
             {"client": "192.0.2.1", "tls": True, "user": "j", "group": ["mail bulk senders"], "own": "j@example.org",
              "from": "j@example.org", "to": ["a@b.example", "c@d.example"], "helo": None},
             {"client": "10.1.1.1", "listener": "submission", "tls-version": "1.2", "no-auth": True, "size": 7}]
    words = [["--client", "10.1.66.1"], ["--client", "192.0.2.1"],
             ["--client", "192.0.2.1", "--tls", "--user", "j", "--group", "mail bulk senders", "--own", "j@example.org",
              "--from", "j@example.org", "--to", "a@b.example", "--to", "c@d.example"],
             ["--client", "10.1.1.1", "--listener", "submission", "--tls-version", "1.2", "--no-auth", "--size", "7"]]
    assert batch(example, *map(json.dumps, cases)) == [by_file(example, *line) for line in words]
    assert batch(example) == []


def test_a_line_that_is_wrong_is_answered_and_the_rest_go_on(example):
    answers = batch(example, '{"client": "10.1.66.1"}', "{", "[]", '{"client": "x"}', '{"client": "10.1.1.1", "form": "a@b"}',
                    '{"client": "10.1.1.1", "to": [1]}', '{"client": "10.1.1.1", "tls": "yes"}',
                    '{"client": "10.1.1.1", "client": "10.1.1.2"}', '{"client": "10.1.66.1"}', code=NEGATIVE)
    assert answers[0] == answers[8] and answers[0]["rule"] == "quarantined-vlan"
    errors = [answer["error"] for answer in answers[1:8]]
    assert [int(re.match(r"line (\d+): ", error)[1]) for error in errors] == [2, 3, 4, 5, 6, 7, 8]
    for error, part in zip(errors, ("", "no object", "which client?", 'did you mean "from"?', '"to" is a text', "true or false",
                                    "duplicate")):
        assert part in error


def test_a_line_without_end_is_refused(example):
    assert batch(example, '{"client": "' + "1" * 300000 + '"}', code=NEGATIVE) == []


def test_a_batch_looks_at_the_limits_too(ctl, limits):
    owe(ctl, "per-client:10.0.0.7", 3600 * 1000000)
    answers = batch(limits, *(json.dumps({"client": f"10.0.0.{number}"}) for number in range(1, 100)),
                    options=("--redis", ctl.redis.address))
    assert [answer["limits"][0]["used"] for answer in answers] == [0] * 6 + [3] + [0] * 92
