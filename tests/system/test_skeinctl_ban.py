"""skeinctl ban: what it writes, shows and refuses."""
import pytest

from ctl_lab import NEGATIVE, USAGE, fixture_cluster, fixture_redis, table  # noqa: F401


def test_a_ban_is_listed_until_it_is_removed(cluster):
    assert cluster.text("ban", "list") == "nobody is banned\n"
    assert cluster.json("ban", "list") == []
    text = cluster.text("ban", "add", "192.0.2.7", "-m", "sends viruses")
    assert text == "192.0.2.7 is banned for 1h; nodes know within a second\n"
    assert cluster.json("ban", "add", "2001:db8::/32", "--for", "2d") == {"network": "2001:db8::/32", "for_ms": 172800000}
    rows = {row["NETWORK"]: row for row in table(cluster.text("ban", "list"))}
    assert set(rows) == {"192.0.2.7", "2001:db8::/32"}
    assert rows["192.0.2.7"]["WHY"] == "sends viruses" and "@" in rows["192.0.2.7"]["BY"]
    (listed,) = [row for row in cluster.json("ban", "list") if row["network"] == "192.0.2.7"]
    assert 3590_000 < listed["left_ms"] <= 3600_000 and listed["bans"] == 1 and listed["why"] == "sends viruses"
    assert cluster.text("ban", "remove", "192.0.2.7") == "192.0.2.7 is not banned any more; nodes know within a second\n"
    assert [row["network"] for row in cluster.json("ban", "list")] == ["2001:db8::/32"]


def test_removing_what_is_not_banned_says_where_to_look(cluster):
    cluster.text("ban", "add", "192.0.2.0/24")
    assert "ban list" in cluster.complaint("ban", "remove", "192.0.2.7", code=NEGATIVE)


def test_one_network_has_one_name(cluster):
    cluster.text("ban", "add", "::ffff:192.0.2.7")
    assert [row["network"] for row in cluster.json("ban", "list")] == ["192.0.2.7"]


@pytest.mark.parametrize("words, part", [
    (("ban", "add", "mail.example"), "is no address or network"),
    (("ban", "add", "192.0.2.7/24"), "bits set beyond the prefix"),
    (("ban", "add", "0.0.0.0/0"), "at most a /8"),
    (("ban", "add", "::/0"), "at most a /8"),
    (("ban", "add", "192.0.2.7", "--for", "1w"), "90s, 30m, 1h or 2d"),
    (("ban", "add", "192.0.2.7", "--for", "0s"), "90s, 30m, 1h or 2d"),
    (("ban", "add", "192.0.2.7", "--for", "366d"), "365 days"),
    (("ban", "add", "192.0.2.7", "-m", "a\nb"), "one line"),
    (("ban", "add"), "ban add ADDRESS"),
    (("ban", "remove"), "ban remove ADDRESS"),
    (("ban", "ad", "192.0.2.7"), 'did you mean "ban add"?'),
])
def test_wrong_calls_are_told_apart(cluster, words, part):
    assert part in cluster.complaint(*words, code=USAGE)
    assert cluster.json("ban", "list") == []
