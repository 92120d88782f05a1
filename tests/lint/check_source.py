#!/usr/bin/python3
"""Reads the whole source by the rules of rules.py; prints FILE:LINE for each that is broken."""
import pathlib
import sys

from rules import check

TOP = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("include", "proto", "cluster", "node", "tests", "deploy")
KINDS = (".c", ".h", ".lua", ".py", ".sh")


def sources():
    for folder in FOLDERS:
        for path in sorted((TOP / folder).rglob("*")):
            name = path.relative_to(TOP).as_posix()
            if path.suffix in KINDS and not name.startswith("tests/lint/"):
                yield name, path.read_text(encoding="utf-8")


def main():
    files = broken = 0
    for name, text in sources():
        files += 1
        for line, rule, message in check(name, text):
            broken += 1
            print(f"{name}:{line}: {message} [{rule}]")
    print(f"{files} files, {broken} broken rules")
    return 1 if broken or not files else 0


if __name__ == "__main__":
    sys.exit(main())
