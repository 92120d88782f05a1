"""What a document may name: files that are there, functions that are in them, log events that are written. Each rule
yields the lines that break it; test_doc_rules.py breaks each on purpose. `tree` maps the paths of the repository to
their text, or to None where nobody asks for it."""
import posixpath
import re

FOLDERS = r"(?:include|proto|cluster|node|tests|deploy|docs|\.ci)"
SUFFIX = r"(?:c|h|lua|py|md|cfg|txt|cmake)"
# `node/run/node.c`, or `node.c` where one file in the tree has that name.
FILE = rf"(?:{FOLDERS}/[\w./-]+\.{SUFFIX}|(?<![\w./<-])\w+\.(?:c|h|lua)|(?<![\w./-])test_\w+\.py)(?![\w.]*\w)"
NAME = r"[a-z_]\w*(?:\.[a-z]\w*)?"
# `node/run/node.c: begin_drain, on_terminate`
FUNCTIONS = re.compile(rf"({FILE}): ({NAME}(?:, {NAME})*)")
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.M | re.S)
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
# Headers of libraries, which our documents may mention.
FOREIGN = {"uv.h", "hiredis.h", "ssl.h", "unistd.h"}
LOG_CALL = re.compile(r"\blog_(?:event|write|message)\((.*?)(?:\bLOG_(?:STR|SPAN|U64|I64|BOOL|ERR|END)\b|;)", re.S)
EVENT_ROW = re.compile(r"^\| `([a-z]+(?:-[a-z]+)*)` \| (?:error|warn|info)", re.M)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def find(tree, path):
    """The paths that a document means by this one."""
    if "/" in path:
        return [path] if path in tree else []
    return [name for name in tree if posixpath.basename(name) == path]


def defines(path, text, name):
    """A definition begins in the first column: `static void name(` or `function room.name(`."""
    if path.endswith(".lua"):
        return re.search(rf"^(?:local )?function {re.escape(name)}\(", text, re.M) is not None
    return re.search(rf"^(?:\w|def )[^\n;=]*\b{re.escape(name)}\(", text, re.M) is not None


def files_exist(path, text, tree):
    """Every file that is named is in the tree."""
    for match in re.finditer(FILE, text):
        if match[0] not in FOREIGN and not find(tree, match[0]):
            yield line_of(text, match.start()), f"there is no {match[0]}"


def links_lead_somewhere(path, text, tree):
    """Every link to a file of ours has one at its end."""
    folders = {posixpath.dirname(name) for name in tree}
    for match in LINK.finditer(text):
        if re.match(r"[a-z]+:", match[1]):
            continue
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), match[1]))
        if target not in tree and target not in folders:
            yield line_of(text, match.start()), f"the link leads nowhere: {match[1]}"


def functions_exist(path, text, tree):
    """`file.c: function`, as code, names a function that is defined there."""
    for code in CODE.finditer(text):
        for match in FUNCTIONS.finditer(code[0]):
            texts = [(name, tree[name] or "") for name in find(tree, match[1])]
            for function in match[2].split(", "):
                if texts and not any(defines(name, body, function) for name, body in texts):
                    yield line_of(text, code.start() + match.start()), f"there is no {function}() in {match[1]}"


def events_of(source):
    """The names of the events that a source logs."""
    for call in LOG_CALL.finditer(source):
        yield from re.findall(r'"([a-z]+(?:-[a-z]+)*)"', call[1])


def events_are_told(path, text, tree):
    """The table of log events in operations.md is the list of those that the node writes."""
    if path != "docs/operations.md":
        return
    sources = {name: body for name, body in tree.items() if name.startswith("node/") and name.endswith(".c") and body}
    told = {match[1]: line_of(text, match.start()) for match in EVENT_ROW.finditer(text)}
    for event, line in told.items():
        if not any(f'"{event}"' in body for body in sources.values()):
            yield line, f"no source logs {event}"
    for name, body in sorted(sources.items()):
        for event in sorted(set(events_of(body)) - set(told)):
            yield 1, f"{name} logs {event}, which has no row"


RULES = (files_exist, links_lead_somewhere, functions_exist, events_are_told)


def check(path, text, tree):
    """[(line, rule, message)]"""
    return [(line, rule.__name__, message) for rule in RULES for line, message in rule(path, text, tree)]
