"""Generated messages, signed by proto/dkim and verified by dkimpy: with both algorithms, all canonical forms, fed in
pieces of all sizes. Another seed each time; on a failure it is printed, SKEIN_TEST_SEED=N repeats it."""
import os
import random
import subprocess

import pytest

from lab.cluster import build_folder

dkim = pytest.importorskip("dkim")
pytest.importorskip("nacl")

MESSAGES = 500
NAMES = [b"From", b"To", b"Cc", b"Subject", b"Date", b"Message-ID", b"Reply-To", b"MIME-Version", b"Content-Type",
         b"List-Unsubscribe", b"X-Other", b"Received", b"subject", b"CC", b"DKIM-Signature-Not"]
WORDS = [b"a", b"word", b"W=rd;", b"=?utf-8?q?=C3=A4?=", "größer".encode(), b"\xff\xfe", b"<x@example.org>,", b":", b"\x01",
         b"x" * 60]
SPACES = [b" ", b"  ", b"\t", b" \t ", b"\r\n ", b"\r\n\t \t", b" \r\n  "]
LINES = [b"", b"", b" ", b"\t \t", b"text", b"text ", b" text", b"two  words\tand  more \t", b".", b"..", b"--",
         b"\xc3\xa4\xff\x80", b"x" * 998, b"y " * 2000, b"From me", b" " * 3000]


def value(rng):
    parts = [rng.choice([b"", b" ", b"\t", b"\r\n "])]
    for _ in range(rng.randrange(0, 8)):
        parts += [rng.choice(WORDS), rng.choice(SPACES)]
    return b"".join(parts) + rng.choice([b"", b"", b" ", b"\t "])


def message(rng):
    names = [b"From"] + [rng.choice(NAMES) for _ in range(rng.choice([0, 3, 10, 60]))]
    rng.shuffle(names)
    header = b"".join(name + b":" + value(rng) + b"\r\n" for name in names)
    body = b"".join(rng.choice(LINES) + b"\r\n" for _ in range(rng.choice([0, 1, 3, 30])))
    return header + b"\r\n" + body + b"\r\n" * rng.choice([0, 0, 1, 700])


@pytest.fixture(scope="module")
def seed():
    return int(os.environ.get("SKEIN_TEST_SEED") or random.randrange(1 << 32))


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dkim")
    kinds = {"rsa": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "ed": ["ED25519"]}
    for name, kind in kinds.items():
        subprocess.run(["openssl", "genpkey", "-algorithm", *kind, "-out", folder / name], check=True,
                       capture_output=True)
    return [folder / name for name in kinds]


def sign(keys, jobs):
    """The records of the keys, and the fields for each (message, piece, header form, body form)."""
    given = b"".join(b"%d %d %s %s\n%s" % (len(mail), piece, header, body, mail) for mail, piece, header, body in jobs)
    ran = subprocess.run([build_folder() / "tests" / "dkim_sign", *keys], input=given, capture_output=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    out, records, fields = ran.stdout, [], []
    for _ in keys:
        record, out = out.split(b"\n", 1)
        records.append(record)
    while out:
        length, out = out.split(b"\n", 1)
        assert not length.startswith(b"!"), length
        fields.append(out[:int(length)])
        out = out[int(length):]
    assert len(fields) == len(jobs)
    return records, fields


def verdicts(mail, records):
    """What dkimpy says of each signature."""
    def find(name, timeout=5):
        return records[int(name.split(b".")[0][1:])]
    verifier = dkim.DKIM(mail)
    seen = []
    for index in range(len(records)):
        try:
            seen.append(verifier.verify(index, dnsfunc=find))
        except dkim.DKIMException as error:
            seen.append(str(error))
    return seen


def test_dkimpy_verifies_what_we_sign(keys, seed):
    rng = random.Random(seed)
    jobs = [(message(rng), rng.choice([1, 2, 3, 7, 64, 1000, 1 << 20]), rng.choice([b"s", b"r"]), rng.choice([b"s", b"r"]))
            for _ in range(MESSAGES)]
    records, fields = sign(keys, jobs)
    wrong = [(index, seen) for index, (job, field) in enumerate(zip(jobs, fields))
             if (seen := verdicts(field + job[0], records)) != [True, True]]
    assert not wrong, f"SKEIN_TEST_SEED={seed}: {len(wrong)} messages, first: {wrong[:3]}, {jobs[wrong[0][0]]}"
    assert max(len(line) for field in fields for line in field.split(b"\r\n")) <= 78


@pytest.mark.parametrize("change", [
    lambda mail: mail.replace(b"Hello", b"Hallo"),
    lambda mail: mail + b"more\r\n",
    lambda mail: mail.replace(b"To: you", b"To: them"),
    # What a reader may take for the real one, in front of it or behind.
    lambda mail: b"From: other <other@example.org>\r\n" + mail,
    lambda mail: mail.replace(b"\r\n\r\n", b"\r\nSubject: other\r\n\r\n", 1),
    lambda mail: b"Reply-To: other@example.org\r\n" + mail,
    lambda mail: b"Content-Type: text/html\r\n" + mail,
])
def test_dkimpy_sees_what_was_changed(keys, change):
    mail = b"From: me <me@example.org>\r\nTo: you\r\nSubject: Hi\r\n\r\nHello\r\n"
    records, [fields] = sign(keys, [(mail, 10, b"r", b"r")])
    signed = fields + mail
    assert verdicts(signed, records) == [True, True]
    assert change(signed) != signed
    assert True not in verdicts(change(signed), records)
