"""skeinctl queue: each command as text, as JSON, and its exit codes."""
import re

import pytest

from ctl_lab import (  # noqa: F401
    A, B, Ctl, MIDDLE, MINUTE, NEGATIVE, NEW, OLD, Redis, USAGE, fixture_cluster, fixture_redis, message_id, states)


# ---- queue list ----

def test_the_queue_is_listed(cluster):
    text = cluster.text("queue", "list")
    assert text.splitlines()[0].split() == ["ID", "STATE", "AGE", "SIZE", "TRIES", "NEXT", "FROM", "TO"]
    assert re.search(rf"^{OLD}  deferred  1h 30m  1.5 KiB +1  in 9m \d+s +<app@x.example> +<b@y.example> \+1$", text, re.M)
    assert re.search(rf"^{MIDDLE}  owned +2m  1.5 KiB +0  at relay-a ", text, re.M)
    assert len(text.splitlines()) == 4


def test_the_list_as_json(cluster):
    listed = cluster.json("queue", "list")
    assert listed["more"] is False
    rows = {row["id"]: row for row in listed["messages"]}
    assert rows.keys() == {OLD, MIDDLE, NEW}
    assert rows[OLD]["state"] == "deferred" and 0 < rows[OLD]["due_in_ms"] <= 10 * MINUTE
    assert rows[OLD]["recipient_count"] == 2 and rows[OLD]["sender"] == "app@x.example"
    assert rows[MIDDLE]["owner"] == {"name": "relay-a", "uuid": A} and rows[MIDDLE]["due_in_ms"] is None


@pytest.mark.parametrize("state, ids", [
    ("owned", {MIDDLE, NEW}), ("deferred", {OLD}), ("due", set()), ("held", set()), ("quarantined", set())])
def test_the_list_is_of_one_state_when_asked(cluster, state, ids):
    assert {row["id"] for row in cluster.json("queue", "list", "--state", state)["messages"]} == ids


def test_the_list_is_bounded_and_says_so(cluster):
    text = cluster.text("queue", "list", "--limit", "2")
    assert len(text.splitlines()) == 4
    assert "the first 2; there are more: --limit 20" in text
    assert cluster.json("queue", "list", "--limit", "2")["more"] is True
    assert cluster.json("queue", "list", "--limit", "3")["more"] is False


def test_the_list_is_sorted_by_age_before_it_is_cut(cluster):
    assert [row["id"] for row in cluster.json("queue", "list", "--sort", "age")["messages"]] == [OLD, MIDDLE, NEW]
    first = cluster.json("queue", "list", "--sort", "age", "--limit", "1")
    assert [row["id"] for row in first["messages"]] == [OLD] and first["more"] is True


def test_a_long_queue_is_walked_page_by_page(cluster):
    ids = [message_id(5000 + n, n % 4, n) for n in range(1000)]
    cluster.redis.seed(*[("message", text, B, cluster.epoch_b, 0, "s@x.example", "r@y.example") for text in ids])
    listed = cluster.json("queue", "list", "--limit", "5000")
    assert {row["id"] for row in listed["messages"]} == {*ids, OLD, MIDDLE, NEW} and not listed["more"]
    assert len(cluster.json("queue", "list")["messages"]) == 50
    assert cluster.json("status")["queue"]["owned"] == 1002


def test_an_empty_queue_says_so(redis):
    redis.seed(("cluster", 4))
    assert Ctl(redis).text("queue", "list") == "no messages\n"
    assert Ctl(redis).json("queue", "list") == {"messages": [], "more": False}


# ---- queue show ----

def test_a_message_is_shown_with_its_recipients(cluster):
    text = cluster.text("queue", "show", OLD.lower())
    assert re.search(r"^State +deferred, next try in 9m", text, re.M)
    assert re.search(r"^History +1 attempt, 0 takeovers after crashes$", text, re.M)
    assert re.search(r"^Age +1h 30m, expires in 23h 59m$", text, re.M)
    assert re.search(r"^Size +1.5 KiB, body in Redis$", text, re.M)
    assert re.search(r"^Journals +relay-a$", text, re.M)
    assert re.search(r"^From +<app@x.example>$", text, re.M)
    assert re.search(r"^Client +198.51.100.7, HELO app1.example$", text, re.M)
    assert re.search(r"^c@y.example  pending +1  451 4.7.1 greylisted \(mx.example\)$", text, re.M)


def test_what_is_settled_since_is_shown_as_such(cluster):
    cluster.redis.seed(("settle", OLD, A, "50"))
    shown = cluster.json("queue", "show", OLD)
    assert [recipient["state"] for recipient in shown["recipients"]] == ["delivered", "pending"]
    assert shown["pending_count"] == 1


def test_a_message_as_json(cluster):
    shown = cluster.json("queue", "show", OLD)
    assert shown["state"] == "deferred" and shown["body_in_redis"] is True and shown["hold"] is False
    assert shown["journals"] == [{"name": "relay-a", "uuid": A}] and shown["origin"]["name"] == "relay-a"
    assert shown["recipients"][1] == {
        "address": "c@y.example", "state": "pending", "attempts": 1, "code": 451,
        "reply": "451 4.7.1 greylisted (mx.example)", "remote": "mx.example"}


def test_a_message_that_ended_says_how(cluster):
    cluster.redis.seed(("settle", NEW, B, "5"))
    assert "it was delivered" in cluster.complaint("queue", "show", NEW, code=NEGATIVE)
    unknown = message_id(1, 2, 3)
    assert "is not in the queue" in cluster.complaint("queue", "show", unknown, code=NEGATIVE)


def test_many_recipients_are_cut_unless_asked_for(cluster):
    text_id = message_id(9000, 0, 9)
    cluster.redis.seed(("message", text_id, B, cluster.epoch_b, 0, "s@x.example", *[f"r{n}@y.example" for n in range(55)]))
    text = cluster.text("queue", "show", text_id)
    assert "the first 50 of 55 recipients: --all" in text and "r54@" not in text
    assert "r54@y.example" in cluster.text("queue", "show", text_id, "--all")


def test_replies_of_next_hops_cannot_steer_the_terminal(cluster):
    text_id = message_id(9000, 0, 9)
    cluster.redis.seed(("message", text_id, B, cluster.epoch_b, 0, "s@x.example", "r@y.example=\x1b[2Jgone"))
    assert "\x1b" not in cluster.text("queue", "show", text_id)
    assert "?[2Jgone" in cluster.text("queue", "show", text_id)


# ---- queue retry, hold, release, cancel ----

def test_retry_makes_deferred_messages_due(cluster):
    assert cluster.text("queue", "retry", OLD) == f"{OLD} is due now\n"
    assert states(cluster)[OLD] == "due"


def test_retry_leaves_alone_what_is_held_or_owned(cluster):
    assert cluster.text("queue", "retry", MIDDLE) == f"{MIDDLE} is being delivered at the moment\n"
    cluster.text("queue", "hold", OLD)
    assert "is held: skeinctl queue release" in cluster.text("queue", "retry", OLD, code=NEGATIVE)
    assert states(cluster)[OLD] == "held"


def test_hold_and_release(cluster):
    assert cluster.text("queue", "hold", OLD, MIDDLE) == (
        f"{OLD} is held\n{MIDDLE} will be held when its node lets go\n")
    assert states(cluster)[OLD] == "held"
    assert "held when it lets go" in cluster.text("queue", "show", MIDDLE)
    assert cluster.text("queue", "release", OLD) == f"{OLD} is released and due now\n"
    assert states(cluster)[OLD] == "due"


def test_cancel_ends_what_nobody_is_at(cluster):
    text = cluster.text("queue", "cancel", OLD, MIDDLE, "--yes")
    assert text.splitlines()[0] == f"{OLD} is cancelled"
    assert text.splitlines()[1].startswith(f"{MIDDLE} will be cancelled when its node lets go")
    assert "it was cancelled" in cluster.complaint("queue", "show", OLD, code=NEGATIVE)
    assert cluster.json("queue", "show", MIDDLE)["cancel"] is True


@pytest.mark.parametrize("verb", [["retry"], ["hold"], ["release"], ["cancel", "--yes"]], ids=" ".join)
def test_acting_on_what_is_gone_is_negative_and_does_the_rest(cluster, verb):
    unknown = message_id(1, 2, 3)
    answer = cluster.json("queue", *verb, unknown, OLD, code=NEGATIVE)
    assert [(row["id"], row["done"]) for row in answer["messages"]] == [(unknown, False), (OLD, True)]
    assert "is not in the queue" in answer["messages"][0]["result"]


@pytest.mark.parametrize("verb", [["retry"], ["hold"], ["release"], ["cancel", "--yes"]], ids=" ".join)
def test_no_message_is_touched_when_one_id_is_mistyped(cluster, verb):
    assert "no message id" in cluster.complaint("queue", *verb, OLD, "nonsense", code=USAGE)
    assert states(cluster)[OLD] == "deferred"
