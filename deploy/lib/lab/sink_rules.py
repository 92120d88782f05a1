"""What the sink does instead of taking a message: rules that a test sets while it runs.

A rule is a dictionary:
    stage   connect, ehlo, starttls, auth (whenever a client is done with logging in), mail, rcpt, data (the command),
            body (reading it), bdat (a chunk before the last), dot (the end of DATA, the last chunk), rset or quit
    do      "reply 451 4.3.0 Not now"   that answer
            "hang"                      never answers, and reads no more on this connection
            "close"                     ends the connection without an answer
            "reset"                     the same with RST, as a machine that has just started
            "answer-close"              answers as usual, then ends the connection
            "half"                      half of the usual answer, then ends the connection
            "delay 0.05"                answers as usual, so many seconds later
            "drip 0.1"                  answers as usual, one byte each so many seconds
            "garbage"                   bytes that are not SMTP
            "endless"                   a line that never ends, as fast as it is read
            "lines 0.1"                 the usual answer as a reply of many lines that never ends, one each so many seconds
            "inject TEXT"               answers as usual, and TEXT as a line behind it in the same segment
    match   optional: acts only where this text occurs, in the command line or, at the stages body and dot, in an
            envelope or tag (joined by spaces), as at bdat; at the stage auth in the mechanism and the user
    port    optional: acts only on connections to this port
    times   optional: how often it acts before it is used up
The first rule that fits acts. At the stage dot a message is taken before anything but "reply" acts: it counts as
received, and the relay cannot know.
"""

STAGES = ("connect", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "body", "bdat", "dot", "rset", "quit")
ACTIONS = ("reply", "hang", "close", "reset", "answer-close", "half", "delay", "drip", "garbage", "endless", "lines",
           "inject")
TIMED = ("delay", "drip", "lines")
KEYS = ("stage", "do", "match", "times", "port")


class BadRule(ValueError):
    pass


def rule_of(record):
    for key in record:
        if key not in KEYS:
            raise BadRule(f"{key!r} is no key of a rule")
    if "stage" not in record or "do" not in record:
        raise BadRule(f'a rule has "stage" and "do": {record}')
    return Rule(**record)


class Rule:
    def __init__(self, stage, do, match="", times=None, port=None):
        self.stage, self.match, self.left, self.port = stage, match, times, port
        self.action, _, self.argument = do.partition(" ")
        if stage not in STAGES or self.action not in ACTIONS:
            raise BadRule(f"no such stage or action: {stage!r}, {do!r}")
        if self.action == "reply" and not (self.argument[:3].isdigit() and self.argument[3:4] == " "):
            raise BadRule(f"a reply is a code, a space and a text: {do!r}")
        self.seconds = float(self.argument) if self.action in TIMED else 0.0


class Rules:
    def __init__(self):
        self.rules = []

    def set(self, records):
        self.rules = [rule_of(record) for record in records]

    def pick(self, stage, subject, port):
        """The rule that acts now, or None; counts its use."""
        for rule in self.rules:
            if rule.stage != stage or rule.left == 0 or rule.port not in (None, port) or rule.match not in subject:
                continue
            if rule.left is not None:
                rule.left -= 1
            return rule
        return None
