"""Redis with replicas and Sentinels fails over under load: nothing is lost, mail flows on, and each duplicate has a reason
that the promises allow. With longer loads: tests/bench/failover.py."""
import re

from lab.burst import Burst
from lab.island import Island, why_not
from lab.wait import until
import pytest

from failover import Failover
from following import Following
from support import settle

FLOWS_AGAIN_SECONDS = 5
MESSAGES = 1000


@pytest.fixture(scope="module")
def shared(module_clusters):
    """Whole again before each test that asks for it; who is master changes."""
    return module_clusters(sentinel=True)


@pytest.fixture
def whole(shared):
    shared.redis.resume()
    shared.redis.start()
    until(lambda: all(node.metric("skein_lease_remaining_seconds") > 0 for node in shared.nodes.values()), 30,
          "every node has a lease")
    return shared


def judge(failover, record_property, cut_off=None):
    print(failover)
    record_property("failover", str(failover))
    assert failover.flowed_at - failover.moved_at < FLOWS_AGAIN_SECONDS
    assert not failover.strange(cut_off)


def test_a_master_is_killed_and_comes_back_as_a_replica(whole, record_property):
    failover = Failover(whole, MESSAGES)
    with Following(whole, "log", "--follow", "--kind", "node,receive") as log:
        log.until("RECEIVE")
        failover.fault(failover.old.kill)
        failover.until_new_mail_arrives()
        failover.until_every_node_has_redis()
        log.until("Redis is back", seconds=30)
        behind = log.text().index("Redis is back")
        until(lambda: "RECEIVE" in log.text()[behind:], 30, "the log goes on")
        assert log.text().count("it is tried again") == 1
    whole.redis.start()
    assert whole.redis.master is not failover.old
    failover.settle(record_property)
    judge(failover, record_property)
    code, status, _ = whole.ctl("status")
    assert code == 0 and "2 replicas" in status


def test_a_master_stands_still_and_goes_on_as_if_nothing_had_been(whole, record_property):
    failover = Failover(whole, MESSAGES)
    failover.fault(failover.old.pause)
    failover.until_new_mail_arrives()
    failover.old.resume()
    failover.until_every_node_has_redis()
    failover.settle(record_property)
    whole.redis.start()
    assert whole.redis.master is not failover.old
    judge(failover, record_property)


def test_without_sentinels_the_last_master_is_kept(whole):
    for sentinel in whole.redis.sentinels:
        sentinel.pause()
    try:
        master = next(server for server in whole.redis.servers if server.info().get("role") == "master")
        before = [node.metric("skein_redis_reconnects_total") for node in whole.nodes.values()]
        master.ask("CLIENT", "KILL", "USER", "skein")
        until(lambda: all(node.metric("skein_redis_reconnects_total") > count
                          for node, count in zip(whole.nodes.values(), before)), 20, "all nodes have lost Redis")
        until(lambda: all(node.metric("skein_redis_up") == 1 and node.metric("skein_lease_remaining_seconds") > 0
                          for node in whole.nodes.values()), 20, "and are back")
        assert whole.nodes[1].metric("skein_redis_master_changes_total") == 2
    finally:
        for sentinel in whole.redis.sentinels:
            sentinel.resume()
    until(lambda: all(node.metric("skein_sentinels_up") == 3 for node in whole.nodes.values()), 20, "all Sentinels tell")
    settle(whole, Burst(whole.record["lb"], 100).run())


def test_a_name_that_no_sentinel_knows_is_told(whole):
    node = whole.nodes[3]
    node.kill()
    whole.record["settings"]["redis"] = {"master_name": "mail"}
    try:
        node.launch()
        until(lambda: len(re.findall(r"sentinel-down .*check redis\.master_name", node.log.read_text())) >= 3, 20,
              "each Sentinel is told of")
        until(lambda: re.search(r"redis-down .*no Sentinel says where the master is; 127\.0\.0\.1:\d+: this Sentinel has no "
                                r"master of that name", node.log.read_text()), 20, "the node tells why")
    finally:
        node.kill()
        del whole.record["settings"]["redis"]
        node.start()
    code, _, why = whole.ctl("--master-name", "mail", "status")
    assert code == 3 and "check redis.master_name" in why


def test_with_required_redundancy_over_tls_mail_stands_still_for_the_failover_only(new_cluster, record_property):
    cluster = new_cluster(sentinel=True, redis_tls=True, settings={"redundancy": "required"})
    failover = Failover(cluster, MESSAGES)
    failover.fault(failover.old.kill)
    failover.until_new_mail_arrives()
    failover.until_every_node_has_redis()
    failover.settle(record_property)
    judge(failover, record_property)
    assert cluster.ctl("status")[0] == 0


@pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")
def test_a_master_is_cut_off_together_with_a_node_and_a_sentinel(new_cluster, record_property):
    island = Island().up()
    try:
        cluster = new_cluster(sentinel=True, places=island.places("node1", "redis1", "sentinel3"),
                              settings={"route": {"connections": 2}})
        # It takes writes for ever: what keeps it from renewing leases is that no replica has them.
        cluster.redis.master.ask("CONFIG", "SET", "min-replicas-to-write", "0")
        failover = Failover(cluster, 3 * MESSAGES, has_backlog=True)
        node = cluster.nodes[1]
        failover.fault(island.cut)
        failover.until_new_mail_arrives()
        until(lambda: node.metric("skein_lease_remaining_seconds") <= 0, 20, "the lease of the node that is cut off ends")
        assert node.metric("skein_redis_up") == 1
        failover.until_taken_over(node)
        assert node.metric("skein_lease_remaining_seconds") <= 0
        island.heal()
        failover.until_every_node_has_redis()
        failover.settle(record_property)
        cluster.redis.start()
        judge(failover, record_property, cut_off=node)
    finally:
        island.down()
