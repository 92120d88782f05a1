#!/usr/bin/python3
"""Each rule sees what it forbids, and lets pass what it does not."""
import unittest

from rules import check

ROWS = [
    # rule that must fire or None, path, text
    ("include_direction", "proto/smtp/a.c", '#include "skein/cluster/queue.h"\n'),
    ("include_direction", "include/skein/proto/smtp/a.h", '#include "skein/cluster/queue.h"\n'),
    ("include_direction", "cluster/a.c", '#include "skein/proto/smtp/reply.h"\n'),
    ("include_direction", "cluster/a.c", '#include "io/loop.h"\n'),
    ("include_direction", "node/a.c", '#include "../proto/smtp/a.h"\n'),
    (None, "cluster/a.c", '#include "skein/proto/base/buf.h"\n'),
    # skeinctl shows envelopes to people: a program beside the library, not part of it.
    (None, "cluster/ctl/a.c", '#include "skein/proto/mail/envelope.h"\n'),
    (None, "node/a.c", '#include "skein/proto/smtp/reply.h"\n#include "skein/cluster/queue.h"\n#include <uv.h>\n'),
    ("world_stays_in_node", "cluster/a.c", "#include <uv.h>\n"),
    ("world_stays_in_node", "proto/a.c", "#  include <sys/socket.h>\n"),
    ("world_stays_in_node", "proto/a.c", "#include <hiredis/hiredis.h>\n"),
    ("world_stays_in_node", "cluster/a.c", "x = time(NULL);\n"),
    ("world_stays_in_node", "proto/a.c", "getrandom(a, 1, 0);\n"),
    ("libcrypto_is_arithmetic", "proto/smtp/a.c", "#include <openssl/evp.h>\n"),
    ("libcrypto_is_arithmetic", "proto/auth/a.c", "#include <openssl/rand.h>\n"),
    ("libcrypto_is_arithmetic", "include/skein/proto/auth/a.h", "#include <openssl/evp.h>\n"),
    ("libcrypto_is_arithmetic", "proto/dkim/a.c", "#include <openssl/rand.h>\n"),
    ("libcrypto_is_arithmetic", "proto/dkim/a.c", "#include <openssl/pem.h>\n"),
    ("libcrypto_is_arithmetic", "cluster/a.c", "#include <openssl/evp.h>\n"),
    ("libcrypto_is_arithmetic", "cluster/secret.c", "#include <openssl/rand.h>\n"),
    ("libcrypto_is_arithmetic", "include/skein/cluster/secret.h", "#include <openssl/evp.h>\n"),
    (None, "cluster/secret.c", "#include <openssl/evp.h>\n"),
    (None, "cluster/ctl/a.c", "#include <openssl/rand.h>\n"),
    (None, "proto/auth/a.c", "#include <openssl/evp.h>\n#include <openssl/hmac.h>\n"),
    (None, "proto/dkim/a.c", "#include <openssl/evp.h>\n#include <openssl/encoder.h>\n"),
    (None, "node/a.c", "#include <openssl/rand.h>\n"),
    (None, "cluster/ctl/a.c", "#include <sys/socket.h>\nx = time(NULL);\n"),
    (None, "cluster/a.c", "x = lease_time(now);\ny = lease->time(now);\n/* time() */\n"),
    ("banned_calls", "node/a.c", "strcpy(a, b);\n"),
    ("banned_calls", "tests/unit/a.c", "sprintf (a, b);\n"),
    ("banned_calls", "node/a.c", "p = malloc(3);\n"),
    ("banned_calls", "node/a.c", 'system("ls");\n'),
    (None, "tests/unit/a.c", 'system("ls");\n'),
    (None, "proto/base/alloc.c", "p = malloc(3);\n"),
    (None, "tests/unit/a.c", "p = malloc(3);\n"),
    (None, "node/a.c", 'log("strcpy(");\n/* strcpy(a, b) */\nsnprintf(a, 1, b);\n'),
    ("own_log_fields", "node/a.c", 'log_event(log, LOG_WARN, "gone", LOG_STR("node", dead), LOG_END);\n'),
    (None, "node/a.c", 'log_event(log, LOG_WARN, "gone", LOG_STR("dead", dead), LOG_END);\n'),
    ("open_ends", "deploy/a.py", "# TO" + "DO: more\n"),
    ("open_ends", "node/a.c", "/* XX" + "X */\n"),
]


class Rules(unittest.TestCase):
    def test_each_row_breaks_the_rule_it_names_and_no_other(self):
        for rule, path, text in ROWS:
            with self.subTest(path=path, text=text):
                self.assertEqual({name for _, name, _ in check(path, text)}, {rule} - {None})

    def test_a_broken_rule_is_told_with_its_line(self):
        self.assertEqual(check("node/a.c", "/* a\n b */\nint x;\nx = atoi(y);\n"),
                         [(4, "banned_calls", "atoi() is banned")])


if __name__ == "__main__":
    unittest.main()
