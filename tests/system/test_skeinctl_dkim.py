"""skeinctl dkim against a real Redis: keys go through their states, and are never shown."""
import re

import pytest
from ctl_lab import NEGATIVE, OK, USAGE
from test_skeinctl_secret import fixture_ctl, make_key  # noqa: F401: the fixture `ctl`

NAME = "s1._domainkey.example.com"


def states(ctl):
    return {row["selector"]: row["state"] for row in ctl.json("dkim", "list")}


def test_a_key_goes_through_its_states(ctl):
    assert ctl.text("dkim", "create", "Example.COM", "--selector", "S1").startswith(f"{NAME} is created; ")
    row, = ctl.json("dkim", "list")
    assert (row["domain"], row["selector"], row["algorithm"], row["bits"]) == ("example.com", "s1", "rsa", 2048)
    assert states(ctl) == {"s1": "created"}
    assert "not published yet" in ctl.run("dkim", "activate", "example.com", "s1", "--yes").stderr
    printed = ctl.text("dkim", "publish", "example.com")
    assert states(ctl) == {"s1": "published"}
    told = ctl.run("dkim", "activate", "example.com")
    assert told.returncode == NEGATIVE and f"dig +short TXT {NAME}" in told.stderr
    assert states(ctl) == {"s1": "published"}
    assert ctl.text("dkim", "activate", "example.com", "--yes") == f"{NAME} is active\n"
    assert ctl.text("dkim", "publish", "example.com", "s1") == printed.replace("published", "active", 1)
    told = ctl.run("dkim", "retire", "example.com", "s1", "--yes")
    assert told.returncode == NEGATIVE and "only active key" in told.stderr
    ctl.text("dkim", "retire", "example.com", "s1", "--last", "--yes")
    assert states(ctl) == {"s1": "retired"}
    ctl.text("dkim", "activate", "example.com", "s1", "--yes")
    assert states(ctl) == {"s1": "active"}
    assert re.search(r"^example\.com +s1 +rsa +2048 +active +\d+s +\S+@\S+$", ctl.text("dkim", "list"), re.M)


def test_a_record_is_ready_for_a_zone_file_and_for_a_form(ctl):
    ctl.text("dkim", "create", "example.com", "--selector", "s1", "--bits", "4096")
    ctl.text("dkim", "create", "example.com", "--selector", "e1", "--algorithm", "ed25519")
    records = {row["selector"]: row for row in ctl.json("dkim", "publish", "example.com")}
    assert records["e1"]["value"].startswith("v=DKIM1; k=ed25519; p=")
    lines = [line for line in ctl.text("dkim", "publish", "example.com").splitlines() if not line.startswith(";")]
    assert len(lines) == 2
    for line in lines:
        name, text = re.fullmatch(r"(\S+)\. IN TXT \( (.*) \)", line).groups()
        strings = re.findall(r'"([^"]*)"', text)
        assert all(len(string) <= 255 for string in strings)
        record = records[name.split(".")[0]]
        assert "".join(strings) == record["value"]
        assert record["zone"] == line + "\n" and record["host"] + ".example.com" == name == record["name"]


def test_retiring_one_of_two_is_what_a_rotation_does(ctl):
    for selector in ["s1", "s2"]:
        ctl.text("dkim", "create", "example.com", "--selector", selector, "--algorithm", "ed25519")
    ctl.text("dkim", "create", "example.org", "--selector", "s1", "--algorithm", "ed25519")
    for domain in ["example.com", "example.org"]:
        ctl.text("dkim", "publish", domain)
        ctl.text("dkim", "activate", domain, "--yes")
    assert ctl.json("dkim", "retire", "example.com", "s1", "--yes") == [{"domain": "example.com", "selector": "s1", "state": "retired"}]
    told = ctl.run("dkim", "retire", "example.com", "s2", "--yes")
    assert told.returncode == NEGATIVE and "only active key" in told.stderr


def test_nothing_shows_a_key(ctl):
    done = ctl.run("dkim", "create", "example.com", "--selector", "s1", "--algorithm", "ed25519")
    words = [done.stdout, done.stderr, ctl.text("dkim", "list"), ctl.text("dkim", "list", "--json"), ctl.text("secret", "list")]
    assert not any("PRIVATE" in text for text in words)
    assert b"PRIVATE" not in ctl.everything() and b"created" not in ctl.everything()
    assert ctl.json("secret", "list")[0]["name"] == NAME


@pytest.mark.parametrize("words, code, told", [
    (["create"], USAGE, "dkim create DOMAIN"),
    (["create", "example.com", "--algorithm", "dsa"], USAGE, "none of rsa, ed25519"),
    (["create", "example.com", "--bits", "1024"], USAGE, "2048"),
    (["create", "example.com", "--algorithm", "ed25519", "--bits", "2048"], USAGE, "--bits is for rsa"),
    (["create", "exam ple.com"], USAGE, "no DNS name"),
    (["create", "example.com", "--selector", "a_b"], USAGE, "'_'"),
    (["create", "x" * 60 + "." + "y" * 60 + ".example"], USAGE, "longer than 128"),
    (["publish", "example.com"], NEGATIVE, "has no key that is created or published"),
    (["publish", "example.com", "s9"], NEGATIVE, "example.com has no key s9"),
    (["activate", "example.com", "--yes"], NEGATIVE, "has no key that is published"),
    (["retire", "example.com"], USAGE, "dkim retire DOMAIN SELECTOR..."),
])
def test_what_is_refused_is_told(ctl, words, code, told):
    done = ctl.run("dkim", *words)
    assert done.returncode == code and told in done.stderr
    assert not done.stdout or words[0] == "list"


def test_a_selector_is_never_taken_twice(ctl):
    ctl.text("dkim", "create", "example.com", "--selector", "s1", "--algorithm", "ed25519")
    done = ctl.run("dkim", "create", "example.com", "--selector", "s1")
    assert done.returncode == NEGATIVE and "say another --selector" in done.stderr
    ctl.text("dkim", "create", "example.com", "--algorithm", "ed25519")
    assert re.fullmatch(r"ed\d{8}", (set(states(ctl)) - {"s1"}).pop())


def test_another_cluster_key_opens_and_makes_nothing(ctl, tmp_path):
    ctl.text("dkim", "create", "example.com", "--selector", "s1", "--algorithm", "ed25519")
    make_key(tmp_path / "other")
    for words in [["list"], ["publish", "example.com"], ["create", "example.com", "--selector", "s2"]]:
        done = ctl.run("dkim", *words, key=tmp_path / "other")
        assert done.returncode == NEGATIVE and NAME in done.stderr
    assert states(ctl) == {"s1": "created"}


def test_what_is_no_key_is_told(ctl):
    ctl.text("secret", "set", NAME, stdin="no key")
    done = ctl.run("dkim", "list")
    assert done.returncode == NEGATIVE and "was not made by skeinctl dkim create" in done.stderr


def test_without_a_key_file_the_cure_is_told(ctl):
    for words in [["list"], ["create", "example.com"], ["publish", "example.com"]]:
        done = ctl.run("dkim", *words, options=["--redis", ctl.redis.address])
        assert done.returncode == USAGE and "--key-file" in done.stderr


def test_a_rotation_of_the_cluster_key_keeps_them(ctl, tmp_path):
    ctl.text("dkim", "create", "example.com", "--selector", "s1", "--algorithm", "ed25519")
    value = ctl.json("dkim", "publish", "example.com")[0]["value"]
    make_key(tmp_path / "new")
    ctl.text("secret", "rotate", "--new-key", str(tmp_path / "new"))
    done = ctl.run("dkim", "publish", "example.com", "--json", key=tmp_path / "new")
    assert done.returncode == OK and value in done.stdout


def test_a_policy_that_signs_without_a_key_is_warned_of(ctl, tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text("sign: [{domain: Example.com}, {domain: example.org}]\n")
    ctl.text("dkim", "create", "example.org", "--selector", "s1", "--algorithm", "ed25519")
    done = ctl.run("policy", "apply", str(policy), "-m", "test")
    assert done.returncode == OK
    assert done.stderr == ('skeinctl: warning: there is no key for mail of "example.com", so it waits: '
                           "skeinctl dkim create example.com\n")
