"""Redis dies, comes back without its data, or stands still."""
import smtplib

from lab import admin
from lab.burst import Burst
from lab.wait import until
import pytest

from support import SLOW_SINK, send, settle, until_arrived

MESSAGES = 1500


def start_burst(cluster):
    cluster.sink.rules(SLOW_SINK)
    burst = Burst(cluster.record["lb"], MESSAGES).start()
    burst.until_acknowledged(MESSAGES // 3)
    return burst


def until_redis_is(cluster, up, seconds=30):
    """Waits until every node sees Redis as it is."""
    until(lambda: all(node.metric("skein_redis_up") == up for node in cluster.nodes.values()), seconds,
          f"every node has skein_redis_up {up}")


@pytest.mark.sanitize
@pytest.mark.parametrize("empty", [False, True], ids=["with its data", "empty"])
def test_mail_flows_on_when_redis_is_killed_and_comes_back(cluster, empty, record_property):
    burst = start_burst(cluster)
    cluster.redis.kill()
    until_redis_is(cluster, 0)
    if empty:
        cluster.redis.wipe()
    cluster.redis.start()
    cluster.sink.rules()
    account = settle(cluster, burst, record=record_property)
    assert not account.duplicated
    until_redis_is(cluster, 1)
    settle(cluster, Burst(cluster.record["lb"], 100).run())


def test_a_node_that_dies_after_redis_came_back_empty_loses_nothing(cluster, record_property):
    """What Redis lost is there again before it is needed: two faults with time to heal between."""
    cluster.sink.rules({"stage": "mail", "do": "reply 451 4.3.0 Not now"})
    burst = Burst(cluster.record["lb"], 300).run()
    cluster.redis.kill()
    cluster.redis.wipe()
    cluster.redis.start()
    until_redis_is(cluster, 1)
    # Every message is waiting or owned in Redis again.
    until(lambda: int(cluster.redis.ask("EVAL", COUNT_MESSAGES, "0") or 0) >= len(burst.acknowledged), 30,
          "Redis has all messages again")
    cluster.nodes[1].kill()
    cluster.nodes[1].wipe()
    cluster.sink.rules()
    account = settle(cluster, burst, record=record_property)
    assert not account.duplicated


COUNT_MESSAGES = """
local count, cursor = 0, "0"
repeat
  local found = redis.call("SCAN", cursor, "MATCH", "skein:{*}:m:*", "COUNT", 1000)
  cursor = found[1]
  count = count + #found[2]
until cursor == "0"
return count
"""


def test_mail_flows_on_while_redis_stands_still_for_longer_than_the_lease(cluster, record_property):
    burst = start_burst(cluster)
    cluster.redis.pause()
    until(lambda: all(node.metric("skein_lease_remaining_seconds") <= 0 for node in cluster.nodes.values()), 30,
          "all leases end")
    during = Burst([node.smtp for node in cluster.nodes.values()], 50, connections=5).run()
    assert len(during.acknowledged) == 50
    cluster.redis.resume()
    cluster.sink.rules()
    # P5 admits duplicates here: cut off for longer than the lease.
    settle(cluster, burst, during, record=record_property)


def test_what_is_accepted_without_redis_is_delivered_without_redis(cluster):
    cluster.redis.kill()
    until_redis_is(cluster, 0)
    tag, _ = send(cluster.nodes[1].smtp)
    until_arrived(cluster, tag)


def test_with_required_redundancy_nothing_is_accepted_without_redis(new_cluster):
    cluster = new_cluster(settings={"redundancy": "required"})
    cluster.redis.kill()
    for address in cluster.admins:
        until(lambda: admin.get(address, "/readyz")[0] == 503, 30, "the node is not ready")
        assert admin.get(address, "/readyz")[1].startswith("redis")
    cluster.until_balanced(set())
    with pytest.raises((smtplib.SMTPConnectError, smtplib.SMTPServerDisconnected)) as refused:
        send(cluster.nodes[1].smtp)
    assert getattr(refused.value, "smtp_code", 421) == 421
    cluster.redis.start()
    cluster.until_balanced({"node1", "node2", "node3"})
    settle(cluster, Burst(cluster.record["lb"], 20, connections=2).run())
