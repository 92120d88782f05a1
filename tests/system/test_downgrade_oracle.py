"""Generated messages with 8-bit parts, encoded by proto/mail/downgrade and read by Python's email package: the same
structure, the same fields, the same octets in each part, and all of it 7-bit. Another seed each time; on a failure it is
printed, SKEIN_TEST_SEED=N repeats it."""
import email
import os
import random
import subprocess

import pytest

from lab.cluster import build_folder

MESSAGES = 1000
LINES = [b"", b"", b"text", b"blank behind ", b"tab\t", b" ", b"-", b"--", b"--b", b"--b0-", b"--b1--x", b"-- ", b".", b"..",
         b"From me", b"a=b", b"=E4", b"\xe4", "größer".encode(), b"\xff\xfe\x01", b"x" * 75, b"x" * 76, b"y " * 500,
         b"\xc3\xa4" * 300, b"x" * 70 + b" --b0--", b"\x80" * 57]
TYPES = [b"", b"Content-Type: text/plain; charset=utf-8\r\n", b"Content-Type: TEXT/html;\r\n\tcharset=\"latin1\"\r\n",
         b"Content-Type: application/octet-stream\r\n", b"Content-type: image/png (a comment)\r\n"]
FIELDS = [b"Content-Description: x\r\n y\r\n", b"X-Empty:\r\n", b"Content-Disposition: attachment; filename=a\r\n",
          b"Content-ID: <a@b>\r\n"]
EIGHT = [b"8bit", b"binary", b"8BIT (so it is)", b"\r\n\tBinary"]


def body(rng, is_7bit=False):
    lines = [rng.choice(LINES) for _ in range(rng.choice([0, 1, 2, 5, 30]))]
    text = b"\r\n".join(lines) + rng.choice([b"", b"\r\n", b"\r\n\r\n"])
    return bytes(b & 0x7f for b in text).replace(b"\x7f", b"?") if is_7bit else text


def leaf(rng):
    kind = rng.randrange(4)
    if kind == 0:
        return header(rng, rng.choice(TYPES)) + b"\r\n" + body(rng, True)
    if kind == 1:
        return header(rng, rng.choice(TYPES), b"base64") + b"\r\n5OT8\r\n"
    return header(rng, rng.choice(TYPES), rng.choice(EIGHT)) + b"\r\n" + body(rng)


def header(rng, content_type, encoding=b""):
    fields = [content_type] + [rng.choice(FIELDS)] * rng.randrange(2)
    if encoding:
        fields.append(b"Content-Transfer-Encoding: " + encoding + b"\r\n")
    rng.shuffle(fields)
    return b"".join(fields)


def multipart(rng, depth):
    boundary = b"b%d" % depth
    parts = [part(rng, depth + 1) for _ in range(rng.randrange(1, 4))]
    kind = rng.choice([b"mixed", b"alternative", b"related"])
    wrapped = rng.choice([b"", b"text before\r\n"]) + b"".join(
        b"--" + boundary + rng.choice([b"", b"  "]) + b"\r\n" + one + b"\r\n" for one in parts)
    wrapped += b"--" + boundary + b"--" + rng.choice([b"", b"\r\n", b"\r\ntext behind\r\n"])
    quoted = rng.choice([boundary, b'"' + boundary + b'"'])
    return header(rng, b"Content-Type: multipart/" + kind + b"; boundary=" + quoted + b"\r\n",
                  rng.choice([b"", b"8bit", b"7bit"])) + b"\r\n" + wrapped


def part(rng, depth):
    kind = rng.randrange(10)
    if kind < 3 and depth < 4:
        return multipart(rng, depth)
    if kind < 4 and depth < 4:
        return header(rng, b"Content-Type: message/rfc822\r\n", rng.choice([b"", b"8bit"])) + b"\r\nFrom: x\r\n" + \
            part(rng, depth + 1)
    return leaf(rng)


def message(rng):
    return b"From: a@example.org\r\nMIME-Version: 1.0\r\nSubject: x\r\n" + part(rng, 0)


@pytest.fixture(scope="module")
def seed():
    return int(os.environ.get("SKEIN_TEST_SEED") or random.randrange(1 << 32))


def encode(jobs):
    """What came out for each (message, piece): bytes, or a str that says why not."""
    given = b"".join(b"%d %d\n%s" % (len(mail), piece, mail) for mail, piece in jobs)
    ran = subprocess.run([build_folder() / "tests" / "downgrade"], input=given, capture_output=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    out, answers = ran.stdout, []
    for _ in jobs:
        line, _, out = out.partition(b"\n")
        if line.startswith(b"!"):
            answers.append(line[1:].decode())
        else:
            answers.append(out[:int(line)])
            out = out[int(line):]
    return answers


ADDED = ("Content-Type", "text/plain; charset=unknown-8bit")


def kept_fields(part):
    """Without those that may change or be added."""
    return [field for field in part.items() if field[0].lower() != "content-transfer-encoding" and field != ADDED]


def assert_same(one, other):
    assert kept_fields(one) == kept_fields(other)
    assert one.is_multipart() == other.is_multipart()
    assert one.preamble == other.preamble and one.epilogue == other.epilogue
    if not one.is_multipart():
        assert one.get_payload(decode=True) == other.get_payload(decode=True)
        return
    assert len(one.get_payload()) == len(other.get_payload())
    for mine, yours in zip(one.get_payload(), other.get_payload()):
        assert_same(mine, yours)


def test_what_is_encoded_reads_the_same(seed):
    rng = random.Random(seed)
    mails = [message(rng) for _ in range(MESSAGES)]
    answers = encode([(mail, rng.choice([1, 3, 100, 1 << 20])) for mail in mails])
    encoded = 0
    for idx, (mail, answer) in enumerate(zip(mails, answers)):
        place = f"SKEIN_TEST_SEED={seed}, message {idx}"
        if max(mail) < 0x80:
            assert answer == "It holds no 8-bit bytes", place
            continue
        assert isinstance(answer, bytes), f"{place}: {answer}"
        assert max(answer) < 0x80, place
        encoded += 1
        try:
            assert_same(email.message_from_bytes(mail), email.message_from_bytes(answer))
        except AssertionError as err:
            raise AssertionError(place) from err
    assert encoded > MESSAGES // 5
