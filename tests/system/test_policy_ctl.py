"""skeinctl policy and acl against a real Redis: as text, as JSON, exit codes, and two editors at once."""
import json
import os
import pathlib
import re
import stat

import pytest

from ctl_lab import A, NEGATIVE, OK, USAGE, Ctl, Redis, table

TOP = pathlib.Path(__file__).resolve().parents[2]
FIRST = "# Our rules.\nclients:\n  - name: internal # all of it\n    match:\n      network:\n        - 10.0.0.0/8 # LAN\n" \
        "    effect: allow\n"


@pytest.fixture(name="ctl")
def fixture_ctl(tmp_path):
    redis = Redis(tmp_path)
    redis.seed(("cluster", 4), ("node", "relay-a", A))
    yield Ctl(redis)
    redis.stop()


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.fixture(name="applied")
def fixture_applied(ctl, tmp_path):
    """Version 1 is FIRST."""
    ctl.text("policy", "apply", write(tmp_path / "p.yaml", FIRST), "-m", "the first", environment={"USER": "ann"})
    return ctl


def editor(folder, script):
    """A program that edits its argument by a shell script."""
    path = folder / "editor"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {"EDITOR": str(path), "TMPDIR": str(folder), "USER": "bob"}


# ---- versions ----

def test_before_the_first_version_there_is_none(ctl):
    assert "there is no policy yet" in ctl.complaint("policy", "show", code=NEGATIVE)
    assert ctl.json("policy", "history") == []
    assert "write one with skeinctl policy edit" in ctl.complaint("acl", "add", "10.0.0.0/8", code=NEGATIVE)


def test_a_version_is_shown_as_it_was_written(applied):
    assert applied.text("policy", "show") == FIRST
    assert applied.text("policy", "show", "1") == FIRST
    shown = applied.json("policy", "show")
    assert (shown["version"], shown["comment"], shown["text"]) == (1, "the first", FIRST)
    assert shown["author"].startswith("ann@")
    assert "there is no version 2" in applied.complaint("policy", "show", "2", code=NEGATIVE)
    assert "is no version" in applied.complaint("policy", "show", "latest", code=USAGE)


def test_history_says_who_changed_it_when_and_why(applied, tmp_path):
    applied.text("policy", "apply", write(tmp_path / "p.yaml", FIRST + "# more\n"), "-m", "more",
                 environment={"USER": "root", "SUDO_USER": "carl"})
    _, *rows = applied.text("policy", "history").splitlines()
    assert re.fullmatch(r" +2  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d  carl@\S+ +\d+ B  more", rows[0])
    assert re.fullmatch(r" +1  .*  ann@\S+ +\d+ B  the first", rows[1])
    newest, first = applied.json("policy", "history")
    assert newest["author"].startswith("carl@") and newest["current"] and newest["comment"] == "more"
    assert first["author"].startswith("ann@") and not first["current"] and first["size"] == len(FIRST)
    assert newest["at_ms"] >= first["at_ms"]


def test_what_is_wrong_does_not_become_a_version(applied, tmp_path):
    wrong = write(tmp_path / "wrong.yaml", "clients:\n  - effect: permit\n")
    done = applied.run("policy", "apply", wrong)
    assert done.returncode == NEGATIVE
    assert f'{wrong}:2:13: $.clients[0].effect: "permit" is not one of' in done.stderr
    assert applied.run("policy", "check", wrong).returncode == NEGATIVE
    assert applied.json("policy", "check", wrong, code=NEGATIVE)["errors"] == 1
    assert applied.text("policy", "check", str(tmp_path / "p.yaml"), options=[]) == "ok\n"
    assert "cannot read" in applied.complaint("policy", "check", str(tmp_path / "none"), code=NEGATIVE)
    assert len(applied.json("policy", "history")) == 1


def test_the_same_text_is_no_new_version(applied, tmp_path):
    assert "nothing changes" in applied.text("policy", "apply", str(tmp_path / "p.yaml"))
    assert applied.json("policy", "apply", str(tmp_path / "p.yaml")) == {"version": 1, "changed": False}
    assert len(applied.json("policy", "history")) == 1


def test_an_expected_version_that_is_not_there_is_a_conflict(applied, tmp_path):
    other = write(tmp_path / "other.yaml", "clients: []\n")
    complaint = applied.complaint("policy", "apply", other, "--expect", "0", code=NEGATIVE)
    assert "conflict: version 1, by ann@" in complaint
    assert applied.text("policy", "show") == FIRST
    applied.text("policy", "apply", other, "--expect", "1")
    assert applied.text("policy", "show") == "clients: []\n"


def test_a_rollback_is_a_new_version_with_the_old_text(applied, tmp_path):
    applied.text("policy", "apply", write(tmp_path / "none.yaml", "clients: []\n"))
    assert "version 3 holds" in applied.text("policy", "rollback", "1", "-m", "too strict", "--yes")
    assert applied.text("policy", "show") == FIRST
    assert applied.json("policy", "history")[0]["comment"] == "as version 1: too strict"
    assert "nothing changes" in applied.text("policy", "rollback", "1", "--yes")
    assert "there is no version 9" in applied.complaint("policy", "rollback", "9", "--yes", code=NEGATIVE)


def test_differences_are_shown_by_line(applied, tmp_path):
    changed = write(tmp_path / "p.yaml", FIRST.replace("10.0.0.0/8 #", "10.1.0.0/16 #"))
    wanted = "@@ -3,5 +3,5 @@\n   - name: internal # all of it\n     match:\n       network:\n-        - 10.0.0.0/8 # LAN\n" \
             "+        - 10.1.0.0/16 # LAN\n     effect: allow\n"
    assert applied.text("policy", "diff", changed) == wanted
    applied.text("policy", "apply", changed)
    assert applied.text("policy", "diff") == wanted
    assert applied.text("policy", "diff", "1") == wanted
    assert applied.text("policy", "diff", "1", "2") == wanted
    assert applied.text("policy", "diff", "2") == ""
    assert applied.json("policy", "diff") == {"from": 1, "to": 2, "diff": wanted}


# ---- the editor ----

def test_an_edit_becomes_the_next_version(applied, tmp_path):
    environment = editor(tmp_path, 'sed -i "s|- 10.0.0.0/8|- 10.7.0.0/16|" "$1"')
    assert "version 2 holds" in applied.text("policy", "edit", "-m", "less", environment=environment)
    assert applied.text("policy", "show") == FIRST.replace("10.0.0.0/8", "10.7.0.0/16")
    newest = applied.json("policy", "history")[0]
    assert newest["author"].startswith("bob@") and newest["comment"] == "less"
    assert not list(tmp_path.glob("skein-policy-*"))


def test_an_edit_that_changes_nothing_is_no_version(applied, tmp_path):
    assert "nothing changed" in applied.text("policy", "edit", environment=editor(tmp_path, "true"))
    assert len(applied.json("policy", "history")) == 1


def test_the_first_policy_begins_with_an_example(ctl, tmp_path):
    environment = editor(tmp_path, 'grep -q "name: internal" "$1" && echo "# mine" >> "$1"')
    ctl.text("policy", "edit", environment=environment)
    assert ctl.text("policy", "show").endswith("# mine\n")


def test_errors_come_back_above_their_line_until_they_are_gone(applied, tmp_path):
    # The first round breaks it; the second sees why, and mends it.
    script = f'''cp "$1" {tmp_path}/round-$(ls {tmp_path} | grep -c round)
if grep -q "^#! " "$1"; then sed -i "s/permit/deny/" "$1"; else sed -i "s/allow/permit/" "$1"; fi'''
    done = applied.run("policy", "edit", environment=editor(tmp_path, script))
    assert done.returncode == OK, done.stderr
    second = (tmp_path / "round-1").read_text().splitlines()
    at = next(i for i, line in enumerate(second) if line.startswith("#! "))
    assert '"permit" is not one of' in second[at] and second[at + 1] == "    effect: permit"
    assert applied.text("policy", "show") == FIRST.replace("allow", "deny")


def test_leaving_the_errors_as_they_are_gives_up_and_keeps_the_text(applied, tmp_path):
    done = applied.run("policy", "edit", environment=editor(tmp_path, 'sed -i "s/allow/permit/" "$1"'))
    assert done.returncode == NEGATIVE
    kept = pathlib.Path(re.search(r"your text is in (\S+)", done.stderr)[1])
    assert "effect: permit" in kept.read_text()
    assert len(applied.json("policy", "history")) == 1
    assert applied.run("policy", "edit", environment=editor(tmp_path, "exit 3")).returncode == NEGATIVE


def test_the_second_of_two_editors_hears_of_the_first_and_keeps_his_text(applied, tmp_path):
    other = write(tmp_path / "other.yaml", "clients: []\n")
    apply = f"{' '.join(map(str, [applied_program(), '--redis', applied.redis.address]))} policy apply {other} >/dev/null"
    done = applied.run("policy", "edit", environment=editor(tmp_path, f'{apply}; echo "# late" >> "$1"'))
    assert done.returncode == NEGATIVE
    assert "conflict: version 2, by bob@" in done.stderr
    kept = pathlib.Path(re.search(r"your text is in (\S+)", done.stderr)[1])
    assert kept.read_text() == FIRST + "# late\n"
    assert applied.text("policy", "show") == "clients: []\n"


def applied_program():
    return pathlib.Path(os.environ.get("SKEIN_BUILD", TOP / "build")) / "bin" / "skeinctl"


# ---- acl ----

def test_networks_are_added_and_removed_in_the_text(applied):
    applied.text("acl", "add", "192.0.2.0/24", "-m", "ticket 12")
    assert applied.text("policy", "show") == FIRST.replace("# LAN\n", "# LAN\n        - 192.0.2.0/24\n")
    assert applied.json("policy", "history")[0]["comment"] == "ticket 12"
    assert [row["network"] for row in applied.json("acl", "list")] == ["10.0.0.0/8", "192.0.2.0/24"]
    assert table(applied.text("acl", "list"))[1] == {"NETWORK": "192.0.2.0/24", "RULE": "internal", "EFFECT": "allow"}
    assert "is there already" in applied.complaint("acl", "add", "192.0.2.0/24", code=NEGATIVE)
    applied.text("acl", "remove", "10.0.0.0/8")
    assert applied.text("policy", "show") == FIRST.replace("10.0.0.0/8 # LAN", "192.0.2.0/24")
    assert "only network of the rule" in applied.complaint("acl", "remove", "192.0.2.0/24", code=NEGATIVE)
    assert "no rule has 10.0.0.0/8" in applied.complaint("acl", "remove", "10.0.0.0/8", code=NEGATIVE)
    assert "bits set beyond" in applied.complaint("acl", "add", "10.0.0.1/8", code=USAGE)


def test_where_several_rules_are_meant_one_has_to_be_named(applied, tmp_path):
    text = FIRST + "  - {name: lab, match: {network: [10.9.0.0/16, 192.0.2.0/24]}, effect: allow}\n" \
                   "  - {name: all, effect: deny}\n"
    applied.text("policy", "apply", write(tmp_path / "p.yaml", text))
    assert "one of: internal, lab" in applied.complaint("acl", "add", "198.51.100.0/24", code=NEGATIVE)
    applied.text("acl", "add", "198.51.100.0/24", "--rule", "lab", "--rule", "internal")
    assert {row["rule"] for row in applied.json("acl", "list") if row["network"] == "198.51.100.0/24"} == {"lab", "internal"}
    done = applied.run("acl", "add", "203.0.113.0/24", "--rule", "all")
    assert done.returncode == NEGATIVE and "about clients from everywhere" in done.stderr
    assert "there is no rule" in applied.run("acl", "add", "203.0.113.0/24", "--rule", "nobody").stderr


# ---- the documentation ----

def examples():
    for name in ("policy.md", "providers.md"):
        found = re.findall(r"^```yaml\n(.*?)^```", (TOP / "docs" / name).read_text(encoding="utf-8"), re.M | re.S)
        assert found, name
        yield from found


def test_every_example_of_the_documentation_is_a_policy(tmp_path):
    ctl = Ctl(None)
    for text in examples():
        done = ctl.run("policy", "check", write(tmp_path / "e.yaml", text), options=[])
        assert (done.returncode, done.stdout, done.stderr) == (OK, "ok\n", ""), text


def test_json_is_json_for_all(applied, tmp_path):
    for words in (("policy", "show"), ("policy", "history"), ("policy", "diff", "1"), ("acl", "list"),
                  ("acl", "add", "192.0.2.0/24"), ("acl", "remove", "192.0.2.0/24"),
                  ("policy", "rollback", "2", "--yes"), ("policy", "check", str(tmp_path / "p.yaml")),
                  ("explain", "--client", "10.1.1.1")):
        json.dumps(applied.json(*words))
