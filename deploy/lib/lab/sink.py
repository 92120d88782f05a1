"""The sink as the demo and the tests see it: its records, and its rules."""
import json
import socket


class SinkControl:
    def __init__(self, control, records):
        self.control, self.path = str(control), str(records)
        self.offset = 0
        self.seen = []

    def ask(self, **request):
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(10)
            link.connect(self.control)
            link.sendall(json.dumps(request).encode() + b"\n")
            answer = json.loads(link.makefile().readline())
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer

    def rules(self, *rules):
        """Replaces all rules; none: takes everything again. See sink_rules.py."""
        return self.ask(rules=list(rules))

    def counts(self, anew=False):
        """`connections` taken since the start, `open` now, and the `most` at once since the last time `anew` was said."""
        return self.ask(anew=anew)

    def records(self):
        """All messages taken so far, in order. Reads only what is new since the last call."""
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            lines = file.read()
        whole = lines.rfind(b"\n") + 1
        self.offset += whole
        self.seen.extend(json.loads(line) for line in lines[:whole].splitlines())
        return self.seen

    def untagged(self):
        """Messages that are not from a burst, such as delivery reports: (record, content)."""
        found = []
        for record in self.records():
            if "file" in record:
                with open(record["file"], "rb") as file:
                    found.append((record, file.read()))
        return found
