"""Redis with replicas and Sentinels fails over under load: nothing is lost, mail flows on, and each duplicate has a reason
that the promises allow. With longer loads: tests/bench/failover.py."""
import pytest

from lab.island import Island, why_not
from lab.wait import until

from failover import Failover

FLOWS_AGAIN_SECONDS = 5


def judge(failover, record_property, cut_off=None):
    print(failover)
    record_property("failover", str(failover))
    assert failover.flowed_at - failover.moved_at < FLOWS_AGAIN_SECONDS
    assert not failover.strange(cut_off)


@pytest.mark.parametrize("redundancy", ["preferred", "required"])
def test_a_master_is_killed_and_comes_back_as_a_replica(new_cluster, redundancy, record_property):
    cluster = new_cluster(sentinel=True, settings={"redundancy": redundancy})
    failover = Failover(cluster)
    failover.fault(failover.old.kill)
    failover.until_new_mail_arrives()
    failover.until_every_node_has_redis()
    cluster.redis.start()
    assert cluster.redis.master is not failover.old
    failover.settle(record_property)
    judge(failover, record_property)
    code, status, _ = cluster.ctl("status")
    assert code == 0 and "2 replicas" in status


def test_a_master_stands_still_and_goes_on_as_if_nothing_had_been(new_cluster, record_property):
    cluster = new_cluster(sentinel=True)
    failover = Failover(cluster)
    failover.fault(failover.old.pause)
    failover.until_new_mail_arrives()
    failover.old.resume()
    failover.until_every_node_has_redis()
    failover.settle(record_property)
    cluster.redis.start()
    assert cluster.redis.master is not failover.old
    judge(failover, record_property)


@pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")
def test_a_master_is_cut_off_together_with_a_node_and_a_sentinel(new_cluster, record_property):
    island = Island().up()
    try:
        cluster = new_cluster(sentinel=True, places=island.places("node1", "redis1", "sentinel3"),
                              settings={"route": {"connections": 2}})
        failover = Failover(cluster, has_backlog=True)
        node = cluster.nodes[1]
        failover.fault(island.cut)
        failover.until_new_mail_arrives()
        # Its master answers, but no replica has what it writes: that does not renew a lease.
        until(lambda: node.metric("skein_lease_remaining_seconds") <= 0, 20, "the lease of the node that is cut off ends")
        assert node.metric("skein_redis_up") == 1
        failover.until_taken_over(node)
        island.heal()
        failover.until_every_node_has_redis()
        failover.settle(record_property)
        cluster.redis.start()
        judge(failover, record_property, cut_off=node)
    finally:
        island.down()
