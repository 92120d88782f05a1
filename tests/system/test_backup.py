"""skeinctl backup and restore: into an empty Redis, into one that has changed, and never into one with another key."""
import json
import subprocess
import time

import pytest

from ctl_lab import A, DEADLINE_S, MINUTE, NEGATIVE, USAGE, Redis
from test_skeinctl_secret import SecretCtl, make_key

FIRST = "clients:\n  - name: first\n    match:\n      network:\n        - 10.0.0.0/8\n    effect: allow\n"
SECOND = FIRST.replace("first", "second")
THIRD = FIRST.replace("first", "third")


SILENCES = "skein:{alerts}:silences"


class BackupCtl(SecretCtl):
    def cli(self, *words):
        done = subprocess.run(["redis-cli", "-p", str(self.redis.port), *map(str, words)], capture_output=True, text=True,
                              timeout=DEADLINE_S, check=True)
        return done.stdout.strip()

    def apply(self, text, comment):
        self.text("policy", "apply", "-", "-m", comment, stdin=text)

    def history(self):
        return [(row["version"], row["comment"]) for row in self.json("policy", "history")]


@pytest.fixture(name="folder")
def fixture_folder(tmp_path):
    make_key(tmp_path / "key")
    return tmp_path


@pytest.fixture(name="new_ctl")
def fixture_new_ctl(folder):
    """new_ctl(with_cluster) -> skeinctl with an empty Redis of its own."""
    made = []

    def make(with_cluster=True, key="key"):
        place = folder / f"redis{len(made)}"
        place.mkdir()
        redis = Redis(place)
        made.append(redis)
        if with_cluster:
            redis.seed(("cluster", 4), ("node", "relay-a", A))
        return BackupCtl(redis, folder / key)
    yield make
    for redis in made:
        redis.stop()


@pytest.fixture(name="ctl")
def fixture_ctl(new_ctl):
    """A cluster with something of everything."""
    ctl = new_ctl()
    ctl.apply(FIRST, "the first")
    ctl.apply(SECOND, "the second")
    ctl.text("secret", "set", "relay-password", stdin="correct horse")
    ctl.text("secret", "set", "other", stdin="battery staple")
    ctl.text("ban", "add", "198.51.100.0/24", "--for", "2d", "-m", "guesses")
    ctl.text("hops", "down", "mx.partner", "--for", "1d", "-m", "moves")
    until = int(time.time() * 1000) + 60 * MINUTE
    ctl.cli("HSET", SILENCES, "queue-age", f"{until} 1 alice@admin1 it is known")
    ctl.redis.seed(("hop", "found.partner:25", 2, 10 * MINUTE, "relay-a", "timeout"))
    return ctl


@pytest.fixture(name="file")
def fixture_file(ctl, folder):
    path = folder / "backup.json"
    text = ctl.text("backup", str(path))
    assert text == f"{path}: 2 versions of the policy, 2 secrets, 1 bans, 1 hops, 1 silences\n"
    return path


def secrets(ctl):
    return {row["name"]: row["key"] for row in ctl.json("secret", "list")}


def test_a_backup_is_for_people_and_without_anything_that_is_secret(file, ctl):
    assert file.stat().st_mode & 0o777 == 0o600
    text = file.read_text()
    assert "correct horse" not in text and (ctl.key.read_text().strip()) not in text
    backup = json.loads(text)
    assert backup["format"] == "skein-backup" and backup["cluster"] == "test-cluster" and "@" in backup["made_by"]
    assert [row["text"] for row in backup["policy"]] == [FIRST, SECOND]
    assert [row["hop"] for row in backup["hops"]] == ["mx.partner:25"]
    assert "File exists" in ctl.complaint("backup", str(file), code=NEGATIVE)
    assert json.loads(file.read_text()) == backup


def test_into_an_empty_redis_everything_comes_back(file, ctl, new_ctl):
    other = new_ctl(with_cluster=False)
    dry = other.json("restore", str(file), "--dry-run")
    assert dry["dry_run"] and len(dry["changes"]) == 6 and dry["same"] == 0
    assert other.cli("DBSIZE") == "0"
    text = other.text("restore", str(file), "--yes")
    assert "policy: 2 versions, number 2 holds" in text and text.endswith("6 changed, 0 as they are\n")
    other.redis.seed(("cluster", 4), ("node", "relay-a", A))
    assert other.history() == ctl.history()
    assert other.text("policy", "show") == SECOND and other.text("policy", "show", "1") == FIRST
    assert secrets(other) == secrets(ctl)
    ban = other.json("ban", "list")[0]
    assert ban["network"] == "198.51.100.0/24" and ban["why"] == "guesses" and 1.9 * 1440 * MINUTE < ban["left_ms"]
    hop = other.json("hops")["hops"]
    assert [(row["hop"], row["forced"], row["why"]) for row in hop] == [("mx.partner:25", True, "moves")]
    silence = other.cli("HGET", SILENCES, "queue-age").split(" ", 3)
    assert silence[2:] == ["alice@admin1", "it is known"] and int(silence[0]) > time.time() * 1000 + 50 * MINUTE
    assert other.text("restore", str(file), "--yes") == "0 changed, 6 as they are\n"


def test_what_is_restored_opens_with_the_key(file, new_ctl, folder):
    other = new_ctl()
    other.text("restore", str(file), "--yes")
    make_key(folder / "next")
    done = other.json("secret", "rotate", "--new-key", str(folder / "next"))
    assert done["rotated"] == 2


def test_into_a_cluster_that_has_changed(file, ctl):
    ctl.apply(THIRD, "the third")
    ctl.text("secret", "set", "relay-password", stdin="another")
    ctl.text("secret", "set", "new", stdin="stays")
    ctl.text("ban", "remove", "198.51.100.0/24")
    text = ctl.text("restore", str(file), "--dry-run")
    assert "policy: the backup's version 2 of" in text and "becomes version 4" in text
    assert "secret relay-password: in place of what" in text and "ban 198.51.100.0/24" in text
    assert text.endswith("3 would change, 3 as they are\n")
    assert ctl.text("policy", "show") == THIRD
    ctl.text("restore", str(file), "--yes")
    assert ctl.text("policy", "show") == SECOND
    assert [number for number, _ in ctl.history()] == [4, 3, 2, 1]
    assert ctl.history()[0][1].startswith("restored: version 2 of ")
    assert set(secrets(ctl)) == {"relay-password", "other", "new"}
    assert ctl.text("restore", str(file), "--yes").endswith("0 changed, 6 as they are\n")


def test_another_key_is_refused_before_anything_changes(file, new_ctl, folder):
    make_key(folder / "wrong")
    other = new_ctl(key="wrong")
    why = other.complaint("restore", str(file), "--yes", code=NEGATIVE)
    assert "nothing is changed" in why
    assert other.json("secret", "list") == [] and other.json("ban", "list") == []
    why = other.run("restore", str(file), "--yes", options=["--redis", other.redis.address])
    assert why.returncode == USAGE and "--key-file" in why.stderr


def test_it_must_be_meant(file, ctl):
    why = ctl.complaint("restore", str(file), code=USAGE)
    assert "--yes" in why


def change(text, **changes):
    return json.dumps({**json.loads(text), **changes})


@pytest.mark.parametrize("damage, why", [
    (lambda text: text.replace("second", "zweite"), "its checksum is wrong"),
    (lambda text: change(text, version=2), "it has version 2, this skeinctl reads 1"),
    (lambda text: change(text, format="tar"), "it is no backup of skeinctl"),
    (lambda text: text[:-30], "line "),
    (lambda text: "", "it is no backup: line 1"),
])
def test_a_file_that_is_not_whole_is_refused(file, ctl, damage, why):
    file.write_text(damage(file.read_text()))
    assert why in ctl.complaint("restore", str(file), "--yes", code=NEGATIVE)
    assert ctl.text("policy", "show") == SECOND


def test_a_file_that_is_not_there(ctl, folder):
    assert "No such file" in ctl.complaint("restore", str(folder / "none"), "--yes", code=NEGATIVE)
    assert "cannot make /none/file" in ctl.complaint("backup", "/none/file", code=NEGATIVE)
