"""A node dies, comes back, loses its disk or stands still: no acknowledged mail is lost, and only what that node may
have sent without a record of it arrives twice."""
import time

from lab.burst import Burst
from lab.cluster import build_folder
from lab.wait import until
import pytest

from support import SLOW_SINK, assert_only_these_twice, settle, waiting_on

MESSAGES = 1500


def burst_until_backlog(cluster, victim, **options):
    """A burst through HAProxy, in full course, with acknowledged mail waiting on the victim."""
    cluster.sink.rules(SLOW_SINK)
    burst = Burst(cluster.record["lb"], MESSAGES, **options).start()
    burst.until_acknowledged(MESSAGES // 3)
    until(lambda: waiting_on(cluster, burst, victim), 20, f"mail waits on {victim.name}")
    return burst


@pytest.mark.parametrize("number", [1, pytest.param(2, marks=pytest.mark.sanitize), 3])
def test_mail_of_a_killed_node_moves_on_in_seconds(cluster, number, record_property):
    victim = cluster.nodes[number]
    burst = burst_until_backlog(cluster, victim)
    victim.kill()
    killed_at = time.time()
    waiting = waiting_on(cluster, burst, victim)
    cluster.sink.rules()
    account = settle(cluster, burst, record=record_property)
    assert_only_these_twice(account, victim)
    arrived = account.first_received(waiting)
    assert len(arrived) == len(waiting)
    if arrived:
        print(f"moved on within {arrived[-1] - killed_at:.1f} s")
        record_property("moved_on_s", arrived[-1] - killed_at)
        assert arrived[-1] - killed_at < 10 * slowness()


@pytest.mark.sanitize
def test_a_node_that_is_killed_and_started_again_goes_on_with_its_journal(cluster, record_property):
    victim = cluster.nodes[1]
    burst = burst_until_backlog(cluster, victim)
    victim.kill()
    victim.start()
    cluster.sink.rules()
    account = settle(cluster, burst, record=record_property)
    assert_only_these_twice(account, victim)


def test_a_node_that_is_killed_twice_in_a_row_loses_nothing(cluster, record_property):
    victim = cluster.nodes[3]
    burst = burst_until_backlog(cluster, victim)
    for _ in range(2):
        victim.kill()
        victim.start()
    cluster.sink.rules()
    account = settle(cluster, burst, record=record_property)
    assert_only_these_twice(account, victim)


def test_a_node_that_loses_its_disk_is_replaced_by_the_copy_in_redis(cluster, record_property):
    victim = cluster.nodes[2]
    burst = burst_until_backlog(cluster, victim)
    victim.kill()
    victim.wipe()
    cluster.sink.rules()
    account = settle(cluster, burst, record=record_property)
    assert_only_these_twice(account, victim)
    victim.start()
    again = Burst(victim.smtp, 50, connections=5).run()
    settle(cluster, again)


def test_a_node_that_stands_still_for_longer_than_its_lease_is_replaced_and_comes_back(cluster, record_property):
    victim = cluster.nodes[1]
    burst = burst_until_backlog(cluster, victim, answer_seconds=5)
    victim.pause()
    waiting = waiting_on(cluster, burst, victim)
    cluster.sink.rules()
    # The others deliver what it had: its lease has ended. Only then it wakes.
    until(lambda: not waiting & waiting_on(cluster, burst, victim), 60, "its mail moves on")
    victim.resume()
    victim.until_up()
    account = settle(cluster, burst, record=record_property)
    assert_only_these_twice(account, victim)
    cluster.until_balanced({"node1", "node2", "node3"})
    settle(cluster, Burst(victim.smtp, 50, connections=5).run())


def test_two_of_three_nodes_may_die_one_after_the_other(cluster, record_property):
    first, second = cluster.nodes[1], cluster.nodes[2]
    burst = burst_until_backlog(cluster, first)
    first.kill()
    until(lambda: not waiting_on(cluster, burst, first), 60, "the mail of the first moves on")
    second.kill()
    cluster.sink.rules()
    account = settle(cluster, burst, record=record_property)
    strange = {tag for tag in account.duplicated if tag in account.acknowledged
               and account.acknowledged[tag].node == cluster.nodes[3].hostname}
    assert not strange


def slowness():
    """Sanitizers slow a node down; the promise is for the product."""
    return 3 if build_folder().name in ("build-asan", "build-tsan") else 1
