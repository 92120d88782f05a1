"""What the folders may know of each other, and calls that we do not make. Each rule is a function that yields the
lines that break it; test_rules.py breaks each on purpose."""
import re

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)
BANNED = "strcpy strcat sprintf vsprintf gets strncpy strncat strtok atoi atol alloca".split()
# Only tests may run a shell; memory comes from the one allocator.
SHELL = "system popen".split()
ALLOCATORS = "malloc calloc realloc strdup strndup".split()
# No clock, no random, no sleep: `now` and random bytes are handed in.
WORLD = "time gettimeofday clock_gettime rand random srand getrandom sleep usleep nanosleep".split()
# Headers of the world that a pure machine cannot need.
IMPURE_HEADERS = re.compile(r"^(uv\.h|sys/(socket|time|epoll|stat|uio)\.h|unistd\.h|pthread\.h|fcntl\.h|netdb\.h|time\.h|"
                            r"signal\.h|threads\.h|stdatomic\.h|openssl/ssl\.h)$")
# What of libcrypto is arithmetic: no TLS, no certificates, no random bytes.
ARITHMETIC = ("openssl/crypto.h", "openssl/evp.h", "openssl/hmac.h", "openssl/encoder.h", "openssl/decoder.h",
              "openssl/err.h")
LOG_FIELD = re.compile(r'\bLOG_[A-Z0-9]+\("(\w+)"')
EVERY_LINE = "time level event node".split()
OPEN_ENDS = re.compile(r"\b(TODO|FIXME|XXX)\b")


def area(path):
    """The architecture's name for where a file is, such as "proto" or "cluster/ctl"."""
    parts = path.split("/")
    if parts[:2] == ["include", "skein"]:
        return parts[2]
    if parts[:2] == ["cluster", "ctl"]:
        return "cluster/ctl"
    return parts[0]


def without_comments(text):
    """The code alone, with its lines still at their numbers."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match[0]) if match[0].startswith("/") else match[0]
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.S)


def includes(text):
    for match in INCLUDE.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match[1] == "<", match[2]


def calls(text, names):
    code = re.sub(r'"(?:\\.|[^"\\\n])*"', '""', without_comments(text))
    for match in re.finditer(r"(?<![\w.>])(" + "|".join(names) + r")\s*\(", code):
        yield code.count("\n", 0, match.start()) + 1, match[1]


def include_direction(path, text):
    """node -> cluster -> proto/base, node -> proto; nothing includes node."""
    here = area(path)
    for line, _, name in includes(text):
        wanted = name.split("/")
        is_ours = wanted[0] == "skein"
        if here == "proto" and is_ours and wanted[1] != "proto":
            yield line, f"proto includes only itself, not {name}"
        if here == "cluster" and is_ours and wanted[1] == "proto" and wanted[2] != "base":
            yield line, f"cluster knows nothing of SMTP: of proto it includes proto/base only, not {name}"
        if here in ("proto", "cluster", "cluster/ctl") and wanted[0] in ("node", "io", "custody", "inbound", "outbound", "config", "track", "admin"):
            yield line, f"nothing includes node: {name}"
        if ".." in wanted:
            yield line, f"includes are named from the top of their folder, not {name}"


def world_stays_in_node(path, text):
    """uv.h only in node; proto and cluster have no sockets, clock, threads or random."""
    here = area(path)
    for line, _, name in includes(text):
        if name == "uv.h" and here not in ("node", "tests"):
            yield line, "uv.h is for node only"
        elif here in ("proto", "cluster") and IMPURE_HEADERS.match(name):
            yield line, f"{here} touches no world: {name}"
        elif here == "proto" and name.startswith("hiredis"):
            yield line, "proto knows nothing of Redis"
    if here in ("proto", "cluster"):
        for line, name in calls(text, WORLD):
            yield line, f"{name}(): time and random bytes are handed in"


def libcrypto_is_arithmetic(path, text):
    """Of proto and cluster only proto/auth, proto/dkim and cluster/secret.c have libcrypto, and of it only what computes."""
    if area(path) not in ("proto", "cluster"):
        return
    may = path.startswith(("proto/auth/", "proto/dkim/")) or path == "cluster/secret.c"
    for line, _, name in includes(text):
        if name.startswith("openssl/") and (not may or name not in ARITHMETIC):
            yield line, f"libcrypto is for proto/auth, proto/dkim and cluster/secret.c, as arithmetic: {name}"


def banned_calls(path, text):
    """Functions that cannot be used safely, and allocation past the one allocator."""
    is_product = area(path) in ("proto", "cluster", "cluster/ctl", "node")
    for line, name in calls(text, BANNED + SHELL if is_product else BANNED):
        yield line, f"{name}() is banned"
    if is_product and path != "proto/base/alloc.c":
        for line, name in calls(text, ALLOCATORS):
            yield line, f"{name}(): use proto/base/alloc.h"


def own_log_fields(path, text):
    """A line of the log has these by itself; twice in one object is no JSON that programs read alike."""
    for match in LOG_FIELD.finditer(text):
        if match[1] in EVERY_LINE and (path, match[1]) != ("node/track/log_line.c", "node"):
            yield text.count("\n", 0, match.start()) + 1, f"every line of the log has its {match[1]}"


def open_ends(path, text):
    """What is not done belongs into an issue."""
    for number, line in enumerate(text.splitlines(), 1):
        if OPEN_ENDS.search(line):
            yield number, "an open end in the code"


C_RULES = (include_direction, world_stays_in_node, libcrypto_is_arithmetic, banned_calls, own_log_fields, open_ends)
TEXT_RULES = (open_ends,)


def check(path, text):
    """[(line, rule, message)]"""
    is_c = path.endswith((".c", ".h"))
    return [(line, rule.__name__, message) for rule in (C_RULES if is_c else TEXT_RULES)
            for line, message in rule(path, text)]
