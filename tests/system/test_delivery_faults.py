"""What a next hop's faults do to a message, as the table of docs/delivery.md says it: each at its stage, with custody and
with cut-through, with one next hop and with a second. Many at the same time over one node: each has a port of the sink, a
route and a recipient's domain of its own."""
import collections
import concurrent.futures
import pathlib
import re

from lab.account import until_quiet
from lab.wait import until
import pytest

from more_sinks import ALLOW, MoreSink, apply, target
from support import message, new_tag, send

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "delivery.md"
SENDERS = 50
LARGE = 220_000  # lines: more than the kernel takes by itself

# `alone`, `spare`: what becomes of the message with one next hop, and with a second that is well. The fault acts once with
# one hop, and with two always, or as often as `times` says. `match`: of the commands of its stage, only these. `also`: a
# second fault, (stage, do).
Fault = collections.namedtuple("Fault", "stage what do alone spare times match also", defaults=[None, "", None])
Outcome = collections.namedtuple("Outcome", "text twice")

AT_ONCE, ANEW, SECOND = "at once", "anew", "second"
TWICE = ", may arrive twice"


def later(status):
    return f"later ({status})"


def reported(status):
    return f"reported ({status})"


def before_ready(stage):
    """Nothing of the message was said yet: none of these costs it an attempt."""
    said = {"connect": "greeting", "ehlo": "answer to EHLO"}[stage]
    return [Fault(stage, f"{said} {what}", do, ANEW, SECOND) for what, do in [
        ("421", "reply 421 4.3.2 Going down"), ("450", "reply 450 4.3.2 Not now"), ("354", "reply 354 What"),
        ("never comes", "hang"), ("comes a byte at a time", "drip 0.2"), ("never ends", "endless"),
        ("has ever more lines", "lines 0.05"), ("is cut in half", "half"), ("is not SMTP", "garbage")]] + [
        Fault(stage, "closed", "close", ANEW, SECOND), Fault(stage, "reset", "reset", ANEW, SECOND),
        Fault(stage, f"closed behind the {said}", "answer-close", ANEW, SECOND)]


def of_a_command(stage, verb, code_450, code_550):
    """A connection that fails here is the hop's trouble, and so is 421."""
    return [
        Fault(stage, f"{verb} 421", "reply 421 4.3.2 Going down", later("4.3.2"), SECOND),
        Fault(stage, f"{verb} 450", "reply 450 4.2.1 Not now", later("4.2.1"), code_450, None if code_450 == SECOND else 1),
        Fault(stage, f"{verb} 550", "reply 550 5.1.1 Never", code_550, code_550),
        Fault(stage, f"{verb} {'250' if stage == 'data' else '354'}",
              "reply 250 2.0.0 Ok" if stage == "data" else "reply 354 What", later("4.5.0"), SECOND),
        *[Fault(stage, f"the answer to {verb} {what}", do, later(status), SECOND) for what, do, status in [
            ("never comes", "hang", "4.4.2"), ("comes a byte at a time", "drip 0.2", "4.4.2"),
            ("never ends", "endless", "4.5.0"), ("has ever more lines", "lines 0.05", "4.4.2"),
            ("is cut in half", "half", "4.4.2"), ("is not SMTP", "garbage", "4.5.0")]],
        Fault(stage, f"{verb}: closed", "close", later("4.4.2"), SECOND),
        Fault(stage, f"{verb}: reset", "reset", later("4.4.2"), SECOND)]


def after_the_dot(what, do, status):
    return Fault("dot", what, do, later(status) + TWICE, later(status) + TWICE, 1)


FAULTS = [
    Fault("connect", "greeting 554: no mail here", "reply 554 5.3.2 No mail here", ANEW, SECOND),
    *before_ready("connect"),
    Fault("ehlo", "EHLO 502, but HELO 250", "reply 502 5.5.1 What?", AT_ONCE, AT_ONCE, None, "EHLO"),
    Fault("ehlo", "EHLO 502, HELO 502", "reply 502 5.5.1 What?", ANEW, SECOND),
    *before_ready("ehlo"),
    Fault("starttls", "STARTTLS 454 or 502", "reply 454 4.7.0 TLS not now", AT_ONCE, AT_ONCE),
    Fault("starttls", "the handshake fails", "reply 220 2.0.0 Go ahead", ANEW, ANEW),
    Fault("starttls", "text in clear behind the 220", "inject 250 2.0.0 Ok", AT_ONCE, AT_ONCE),
    Fault("starttls", "STARTTLS 454, then MAIL 530: only with TLS", "reply 454 4.7.0 TLS not now", later("4.7.0"), SECOND,
          also=("mail", "reply 530 5.7.0 Must issue a STARTTLS command first")),
    Fault("starttls", "no answer", "hang", ANEW, SECOND),
    Fault("starttls", "closed", "close", ANEW, SECOND),
    *of_a_command("mail", "MAIL", SECOND, reported("5.1.1")),
    Fault("mail", "MAIL 552 5.3.4: too large", "reply 552 5.3.4 Too large", reported("5.3.4"), reported("5.3.4")),
    Fault("mail", "closed behind the answer to MAIL", "answer-close", later("4.4.2"), SECOND),
    *of_a_command("rcpt", "RCPT", later("4.2.1"), reported("5.1.1")),
    Fault("rcpt", "closed behind the answer to RCPT", "answer-close", later("4.4.2"), SECOND),
    *of_a_command("data", "DATA", SECOND, reported("5.1.1")),
    Fault("data", "closed behind the 354, all of the message was written", "answer-close", later("4.4.2") + TWICE,
          later("4.4.2") + TWICE, 1),
    Fault("body", "closed in the body", "close", later("4.4.2"), SECOND),
    Fault("body", "reset in the body", "reset", later("4.4.2"), SECOND),
    Fault("body", "no more of the body is read", "hang", later("4.4.2"), SECOND),
    Fault("dot", "final dot 421", "reply 421 4.3.2 Going down", later("4.3.2"), SECOND),
    Fault("dot", "final dot 450", "reply 450 4.2.1 Not now", later("4.2.1"), later("4.2.1"), 1),
    Fault("dot", "final dot 550", "reply 550 5.1.1 Never", reported("5.1.1"), reported("5.1.1")),
    Fault("dot", "final dot 250, then closed", "answer-close", AT_ONCE, AT_ONCE),
    after_the_dot("final dot 354", "reply 354 What", "4.5.0"),
    after_the_dot("the answer to the final dot never comes", "hang", "4.4.2"),
    after_the_dot("the answer to the final dot comes a byte at a time", "drip 0.2", "4.4.2"),
    after_the_dot("the answer to the final dot never ends", "endless", "4.5.0"),
    after_the_dot("the answer to the final dot has ever more lines", "lines 0.05", "4.4.2"),
    after_the_dot("the answer to the final dot is cut in half", "half", "4.4.2"),
    after_the_dot("the answer to the final dot is not SMTP", "garbage", "4.5.0"),
    after_the_dot("final dot: closed", "close", "4.4.2"),
    after_the_dot("final dot: reset", "reset", "4.4.2"),
    Fault("quit", "QUIT: any answer, or none", "hang", AT_ONCE, AT_ONCE),
]
VARIANTS = [(cut_through, has_spare) for cut_through in (False, True) for has_spare in (False, True)]


# --- the document

def row(fault):
    return [fault.what, fault.alone, fault.spare]


def test_the_documents_table_is_what_is_tested_here():
    lines = [[cell.strip() for cell in line.strip("|").split("|")]
             for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    begin = next(number for number, cells in enumerate(lines) if cells[0] == "fault")
    assert lines[begin + 1:begin + 1 + len(FAULTS)] == [row(fault) for fault in FAULTS]


# --- the faults

ROUTE = """\
  - name: {name}
    match: {{ recipient: {name}.skein.test }}
    to: [{to}]
    cut_through: {cut_through}
    timeout: {{ connect: 5s, greeting: {wait}, command: {wait}, data: {wait}, body: {wait}, dot: {wait}, quit: 300ms }}
    retry: {{ first: 300ms, max: 300ms, expire: 1m, warn: 0s }}
    breaker: {{ failures: 3, pause_first: 200ms, pause_max: 200ms }}
"""


class Case:
    """One fault in one of its variants."""

    def __init__(self, number, fault, variant, address):
        self.fault, (self.cut_through, self.has_spare), self.address = fault, variant, address
        self.port = int(address.rpartition(":")[2])
        self.name = f"f{number}"
        self.tag = new_tag()

    @property
    def sender(self):
        return f"{self.name}@client.skein.test"

    @property
    def expected(self):
        return self.fault.spare if self.has_spare else self.fault.alone

    def rules(self):
        times = self.fault.times if self.has_spare else 2 if self.fault.what == "EHLO 502, HELO 502" else 1
        faults = [(self.fault.stage, self.fault.do), *([self.fault.also] if self.fault.also else [])]
        return [{"stage": stage, "do": do, "match": self.fault.match, "port": self.port, "times": times}
                for stage, do in faults]

    def route(self, spare):
        to = ", ".join(map(target, [self.address, *([spare] if self.has_spare else [])]))
        return ROUTE.format(name=self.name, to=to, cut_through=str(self.cut_through).lower(),
                            wait="2s" if self.fault.stage == "body" else "900ms")

    def content(self):
        return message(self.tag, "A line of a large message.\r\n" * (LARGE if self.fault.stage == "body" else 1))

    def __str__(self):
        return (f"{self.fault.what}, {'cut-through' if self.cut_through else 'custody'}, "
                f"{'a second hop' if self.has_spare else 'one hop'}")


class Faults:
    """All of them, after they have acted."""

    def __init__(self, make):
        self.cluster = make(nodes=1, balancer=False)
        self.node = self.cluster.nodes[1]
        made = [(fault, variant) for fault in FAULTS for variant in VARIANTS]
        self.sink = MoreSink(self.cluster, "faulty", ports=len(made) + 1)  # one more for who looks whether it is up
        self.spare = MoreSink(self.cluster, "spare")
        self.cases = [Case(number, *one, self.sink.addresses[number]) for number, one in enumerate(made)]
        apply(self.cluster, ALLOW + "routes:\n" + "".join(case.route(self.spare.address) for case in self.cases))
        self.sink.control.rules(*[rule for case in self.cases for rule in case.rules()])
        self.run([case for case in self.cases if case.fault.stage != "body"], SENDERS)
        self.run([case for case in self.cases if case.fault.stage == "body"], 3)
        until_quiet([self.node], 30)
        self.steps = self.read_steps()
        self.connections = self.sink.control.ask()["by_port"]

    def run(self, cases, at_a_time):
        with concurrent.futures.ThreadPoolExecutor(at_a_time) as pool:
            list(pool.map(self.send, cases))
        names = {case.name for case in cases}
        until(lambda: names <= self.finished(), 40, lambda: f"{names - self.finished()} come to their ends", poll=0.3)

    def send(self, case):
        send(self.node.smtp, sender=case.sender, recipients=[f"b@{case.name}.skein.test"], content=case.content())

    def read_steps(self):
        """What is told of each recipient: (event, hop, status, text, attempts)."""
        steps = collections.defaultdict(list)
        for event in self.node.tracked("DELIVER", "DEFER", "FAIL", "EXPIRE", recipient="b@f"):
            name = event["recipient"].removeprefix("b@").removesuffix(".skein.test")
            steps[name].append((event["event"], event.get("hop", ""), event["status"], event.get("text", ""), event["attempts"]))
        return steps

    def finished(self):
        return {name for name, steps in self.read_steps().items() if steps[-1][0] != "DEFER"}

    def outcome(self, case):
        """In the words of the table, and how many times too often it arrived."""
        steps = self.steps[case.name]
        event, hop, status, _, attempts = steps[-1]
        arrivals = [record for sink in (self.sink, self.spare) for record in sink.control.records()
                    if record["tag"] == case.tag]
        if event != "DELIVER":
            text = reported(status)
        elif attempts > 1:
            text = " ".join(later(step[2]) for step in steps[:-1])
        elif hop == self.spare.address:
            text = SECOND
        else:
            text = AT_ONCE if self.connections[str(case.port)] == 1 else ANEW
        return Outcome(text, len(arrivals) - (event == "DELIVER"))

    def reports(self, case):
        return [content for record, content in self.cluster.sink.untagged() if case.sender in record["to"]]


@pytest.fixture(scope="module")
def faults(module_clusters):
    return Faults(module_clusters)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: re.sub(r"\W+", "-", f"{fault.stage} {fault.what}"))
def test_a_fault_does_what_the_table_says(faults, fault):
    for case in (case for case in faults.cases if case.fault is fault):
        found = faults.outcome(case)
        assert found.text == case.expected.removesuffix(TWICE), (str(case), faults.steps[case.name])
        assert found.twice in ((0, 1) if case.expected.endswith(TWICE) else (0,)), str(case)
        reports = faults.reports(case)
        assert len(reports) == case.expected.startswith("reported"), str(case)
        assert all(f"Status: {fault.alone[10:-1]}".encode() in report for report in reports), str(case)
