"""Metrics by the name of a route and of a limit: what /metrics says is what was done."""
import json
import smtplib

from lab import admin
from lab.ports import reserve
from lab.wait import until

from more_sinks import apply, target
from support import send

UP, DOWN = "x@up.skein.test", "x@down.skein.test"
POLICY = """clients:
  - {{ name: here, match: {{ network: 127.0.0.0/8 }}, effect: allow }}
limits:
  few: {{ key: sender, rate: 2/h, global: true }}
  plenty: {{ key: cluster, rate: 10000/min, global: true }}
routes:
  - {{ name: open, match: {{ recipient: up.skein.test }}, to: [{up}] }}
  - {{ name: shut, match: {{ recipient: down.skein.test }}, to: [{down}] }}
"""


def total(cluster, name):
    """Over all nodes."""
    return sum(node.metric(name) for node in cluster.nodes.values())


def at_route(cluster, route, result):
    return total(cluster, f'skein_route_messages_total{{route="{route}",result="{result}"}}')


def by_limit(cluster, limit, result):
    return total(cluster, f'skein_limit_results_total{{limit="{limit}",result="{result}"}}')


def queued(cluster, route):
    ages = ("1m", "10m", "1h", "4h", "1d", "older")
    return sum(total(cluster, f'skein_route_queue_messages{{route="{route}",age="{age}"}}') for age in ages)


def oldest(cluster, route):
    return max(node.metric(f'skein_route_queue_oldest_seconds{{route="{route}"}}') for node in cluster.nodes.values())


def test_routes_and_limits_are_counted_by_name(new_cluster):
    cluster = new_cluster(nodes=2, balancer=False)
    sink = target(cluster.record["sink"])
    nobody = target(f"127.0.0.1:{reserve(1, cluster.folder)[0]}")
    apply(cluster, POLICY.format(up=sink, down=nobody))
    nodes = list(cluster.nodes.values())
    # Named before anything is counted by it.
    assert nodes[0].metric('skein_route_messages_total{route="open",result="delivered"}') == 0
    assert 'skein_limit_results_total{limit="few",result="refused"}' in admin.metrics(nodes[0].admin)
    for i in range(6):
        send(nodes[i % 2].smtp, sender=f"s{i}@client.skein.test", recipients=[UP])
    for i in range(4):
        send(nodes[i % 2].smtp, sender=f"t{i}@client.skein.test", recipients=[DOWN])
    # One for both, and two of one that are too many.
    send(nodes[0].smtp, sender="both@client.skein.test", recipients=[UP, DOWN])
    refused = 0
    for i in range(4):
        try:
            send(nodes[i % 2].smtp, sender="greedy@client.skein.test", recipients=[UP])
        except smtplib.SMTPDataError as error:
            assert error.smtp_code == 450
            refused += 1
    assert refused == 2
    until(lambda: at_route(cluster, "open", "delivered") == 9, 30, "nine are delivered")
    until(lambda: at_route(cluster, "shut", "put_off") + at_route(cluster, "shut", "deferred") >= 5, 30, "five are put off")
    until(lambda: queued(cluster, "shut") == 5 and queued(cluster, "open") == 0, 30, "five wait")
    assert oldest(cluster, "shut") > 0
    assert at_route(cluster, "shut", "delivered") == at_route(cluster, "open", "failed") == 0
    assert total(cluster, 'skein_route_hop_failures_total{route="shut"}') > 0
    assert total(cluster, 'skein_route_hop_failures_total{route="open"}') == 0
    assert by_limit(cluster, "few", "let_in") == by_limit(cluster, "plenty", "let_in") == 13
    assert by_limit(cluster, "few", "refused") == 2
    assert by_limit(cluster, "plenty", "refused") == by_limit(cluster, "few", "given_back") == 0

    # Another policy: what was counted stays, what waits goes by its new name.
    apply(cluster, POLICY.format(up=sink, down=sink).replace("name: shut", "name: mended").replace("  few:", "  fewer:"))
    code, listed, errors = cluster.ctl("--json", "queue", "list")
    assert code == 0, errors
    cluster.ctl("queue", "retry", *[row["id"] for row in json.loads(listed)["messages"]])
    until(lambda: at_route(cluster, "mended", "delivered") == 5, 60, "what waited is delivered")
    until(lambda: queued(cluster, "shut") == queued(cluster, "mended") == 0, 30, "nothing waits")
    assert oldest(cluster, "shut") == oldest(cluster, "mended") == 0
    assert at_route(cluster, "open", "delivered") == 9
    assert by_limit(cluster, "few", "refused") == 2
    assert by_limit(cluster, "fewer", "refused") == 0
