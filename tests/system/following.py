"""A command of skeinctl that goes on, and what it has said so far."""
import subprocess

from lab.wait import until

from support import new_tag


class Following:
    def __init__(self, lab, *words):
        self.output = lab.folder / f"follow-{new_tag()}"
        with open(self.output, "wb") as file:
            self.process = subprocess.Popen([*lab.ctl_command(), *words], stdout=file, stderr=subprocess.STDOUT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def text(self):
        return self.output.read_text(encoding="utf-8")

    def until(self, text, seconds=20):
        until(lambda: text in self.text(), seconds, lambda: f"{text!r} is told: {self.text()}")
