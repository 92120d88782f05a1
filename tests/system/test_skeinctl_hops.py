"""skeinctl hops: what nodes have found out and hold, and what an operator says."""
import pytest

from ctl_lab import A, B, MINUTE, USAGE, fixture_cluster, fixture_redis, table  # noqa: F401

DOWN, SLOW = 2, 1


def hops(cluster):
    return {row["hop"]: row for row in cluster.json("hops")["hops"]}


def test_what_nodes_have_found_out_is_listed(cluster, redis):
    assert cluster.text("hops") == "all next hops are up, as far as nodes know\n"
    assert cluster.json("hops") == {"hops": [], "routes": []}
    redis.seed(("hop", "mx1.partner:25", DOWN, 10 * MINUTE, "relay-a", "connect: connection refused"),
               ("hop", "mx.provider:587", SLOW, MINUTE, "relay-b", "421 too many \x1b[2J"),
               ("hop", "mx3.partner:25", DOWN, 0, "relay-a", "timeout"), ("probe", "mx3.partner:25", "relay-b"),
               ("hop", "mx4.partner:25", DOWN, 0, "relay-a", "timeout"))
    rows = {row["HOP"]: row for row in table(cluster.text("hops"))}
    assert rows["mx1.partner:25"]["STATE"] == "down" and rows["mx1.partner:25"]["BY"] == "relay-a"
    assert rows["mx1.partner:25"]["WHY"] == "connect: connection refused"
    assert rows["mx3.partner:25"]["LEFT"] == "probe: relay-b" and rows["mx4.partner:25"]["LEFT"] == "to be probed"
    assert rows["mx.provider:587"]["STATE"] == "slow" and "\x1b" not in cluster.text("hops")
    listed = hops(cluster)
    assert 9 * MINUTE < listed["mx1.partner:25"]["left_ms"] <= 10 * MINUTE
    assert listed["mx1.partner:25"]["prober"] is None and listed["mx3.partner:25"]["prober"] == "relay-b"
    assert not listed["mx1.partner:25"]["forced"] and listed["mx1.partner:25"]["since_ms"] < MINUTE


def test_an_operator_forces_a_hop(cluster, redis):
    text = cluster.text("hops", "down", "MX2.partner", "--for", "2h", "-m", "moves")
    assert text == "mx2.partner:25 is down for 2h; nodes know within two seconds\n"
    listed = hops(cluster)["mx2.partner:25"]
    assert listed["forced"] and listed["why"] == "moves" and "@" in listed["by"] and listed["left_ms"] > 119 * MINUTE
    assert cluster.json("hops", "down", "[2001:DB8::1]:587") == {
        "hop": "[2001:db8::1]:587", "state": "down", "for_ms": 600000}
    assert cluster.text("hops", "up", "mx2.partner:25") == "mx2.partner:25 is up; nodes know within two seconds\n"
    assert list(hops(cluster)) == ["[2001:db8::1]:587"]
    redis.seed(("hop", "mx1.partner:25", DOWN, MINUTE, "relay-a", "timeout"))
    cluster.text("hops", "up", "mx1.partner")
    assert list(hops(cluster)) == ["[2001:db8::1]:587"]


def test_connections_are_listed_by_route_and_node(cluster, redis):
    redis.seed(("slots", A + ".0", "provider", 3, 0, 4), ("slots", B + ".1", "provider", 3, 0, 4),
               ("slots", A + ".0", "other", 1, 1, 2))
    text = cluster.text("hops").split("\n\n")[1]
    rows = sorted(table(text), key=lambda row: (row["ROUTE"], row["HOLDER"]))
    assert [(row["ROUTE"], row["USED"], row["HOLDER"], row["HAS"]) for row in rows] == [
        ("other", "1 of 2", "relay-a, worker 0", "1"), ("provider", "4 of 4", "relay-a, worker 0", "3"),
        ("provider", "4 of 4", "relay-b, worker 1", "1")]
    (provider,) = [route for route in cluster.json("hops")["routes"] if route["route"] == "provider"]
    assert provider["most"] == 4 and provider["used"] == 4
    (waiting,) = [holder for holder in provider["holders"] if holder["wants"] > holder["has"]]
    assert waiting["node"] == "relay-b" and waiting["worker"] == "1" and waiting["waits_ms"] < MINUTE


@pytest.mark.parametrize("words, part", [
    (("hops", "down"), "hops down HOP"),
    (("hops", "up"), "hops up HOP"),
    (("hops", "up", "a:25", "b:25"), "hops up HOP"),
    (("hops", "down", "mx:0"), "is no next hop"),
    (("hops", "down", "mx:65536"), "is no next hop"),
    (("hops", "down", "mx:smtp"), "is no next hop"),
    (("hops", "down", ":25"), "is no next hop"),
    (("hops", "down", "2001:db8::1"), "is no next hop"),
    (("hops", "down", "[2001:db8::1:25"), "is no next hop"),
    (("hops", "down", "a b:25"), "is no next hop"),
    (("hops", "down", "x" * 256), "is no next hop"),
    (("hops", "down", "mx", "--for", "1w"), "90s, 30m, 1h or 2d"),
    (("hops", "down", "mx", "-m", "a\nb"), "one line"),
    (("hops", "list"), 'takes no "list"'),
])
def test_wrong_calls_are_told_apart(cluster, words, part):
    assert part in cluster.complaint(*words, code=USAGE)
    assert cluster.json("hops")["hops"] == []
