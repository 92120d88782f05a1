"""What the documents tell people to type is something that skeinctl and skeind know: words, options, how many of them.
That the steps of docs/getting-started.md do what they say is seen by test_getting_started.py."""
import concurrent.futures
import functools
import pathlib
import re
import shlex
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
NOT_KNOWN = re.compile(r"unknown (command|option)|takes no|did you mean|unrecognized")
# What a reader is to fill in, or to choose from.
SHORTENED = re.compile(r"[\[\]|]|\.\.\.|COMMAND|FAMILY")
NOWHERE = ["--redis", "127.0.0.1:1"]


def documents():
    return [TOP / "README.md", *sorted((TOP / "docs").glob("*.md"))]


def commands_of(page):
    """Lines of blocks, and what stands between single backticks."""
    text = page.read_text(encoding="utf-8")
    prose = re.sub(r"^ *```.*?^ *```", "", text, flags=re.M | re.S)
    blocks = re.findall(r"^ *```[^\n]*\n(.*?)^ *```", text, re.M | re.S) + re.findall(r"(?:^    .*\n)+", prose, re.M)
    found = []
    for block in blocks:
        found += re.findall(r"^ *(?:\$ )?((?:skeinctl|skeind) [^ #\n][^#\n]*)", block.replace("\\\n", " "), re.M)
    found += re.findall(r"`((?:skeinctl|skeind) [^`\n]*)`", prose)
    return [command.strip() for command in found if not SHORTENED.search(command)]


def words_of(command):
    try:
        return shlex.split(re.split(r" [<>|] ?", command)[0])
    except ValueError:
        return []


@functools.cache
def told_of(build, command):
    """What the program complains of, with no Redis and no files."""
    program, *words = words_of(command)
    if program == "skeinctl" and "--redis" not in words:
        words = NOWHERE + words
    if program == "skeind":
        words = [*words, "--check"]
    try:
        done = subprocess.run([build / "bin" / program, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=10, check=False, cwd="/")
    except subprocess.TimeoutExpired:
        return ""  # it watches, or follows: it was understood
    return done.stderr


@pytest.mark.parametrize("page", documents(), ids=lambda page: page.name)
def test_every_command_is_one(page, skeind):
    build = pathlib.Path(skeind).parents[1]
    commands = [command for command in dict.fromkeys(commands_of(page)) if words_of(command)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:  # Some wait for what they watch.
        told = dict(zip(commands, pool.map(lambda command: told_of(build, command), commands)))
    assert not {command: text for command, text in told.items() if NOT_KNOWN.search(text)}


def test_there_are_commands_to_look_at():
    assert sum(len(commands_of(page)) for page in documents()) > 100
