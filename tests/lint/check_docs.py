#!/usr/bin/python3
"""Reads README.md and docs/ by the rules of doc_rules.py; prints FILE:LINE for each that is broken."""
import pathlib
import sys

from doc_rules import check

TOP = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("include", "proto", "cluster", "node", "tests", "deploy", "docs", ".ci")
SOURCES = (".c", ".h", ".lua", ".py")


def read_tree():
    tree = {path.name: None for path in TOP.iterdir() if path.is_file()}
    for folder in FOLDERS:
        for path in (TOP / folder).rglob("*"):
            if path.is_file():
                name = path.relative_to(TOP).as_posix()
                tree[name] = path.read_text(encoding="utf-8") if path.suffix in SOURCES else None
    return tree


def main():
    documents = sorted(path for path in (TOP / "README.md", *(TOP / "docs").rglob("*.md")) if path.exists())
    tree = read_tree()
    broken = 0
    for path in documents:
        name = path.relative_to(TOP).as_posix()
        for line, rule, message in check(name, path.read_text(encoding="utf-8"), tree):
            broken += 1
            print(f"{name}:{line}: {message} [{rule}]")
    print(f"{len(documents)} documents, {broken} broken rules")
    return 1 if broken or not documents else 0


if __name__ == "__main__":
    sys.exit(main())
