"""How a version of the policy reaches the nodes, and that a broken one never does."""
import concurrent.futures
import hashlib
import signal
import smtplib
import ssl
import time

from lab import admin
from lab.settings_text import to_yaml
from lab.wait import until

from support import send

ALLOW = "clients:\n  - {name: here, match: {network: 127.0.0.0/8}, effect: allow}\n"
DENY = "clients:\n  - {name: here, match: {network: 127.0.0.0/8}, effect: deny}\n"
ROUNDS = 20


def apply(cluster, text, comment="test"):
    path = cluster.folder / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    code, output, errors = cluster.ctl("--json", "policy", "apply", str(path), "-m", comment)
    assert code == 0, errors
    return output


def policy_of(node):
    return admin.health(node.admin)["policy"]


def version_of(node):
    return policy_of(node)["version"]


def until_version(nodes, version, seconds=20):
    for node in nodes:
        until(lambda: version_of(node) == version, seconds, lambda: f"{node.name} runs {version}: {policy_of(node)}")


def is_refused(node):
    try:
        send(node.smtp)
    except smtplib.SMTPRecipientsRefused as refused:
        (code, _), = refused.recipients.values()
        assert 500 <= code < 600
        return True
    return False


def test_nodes_switch_at_each_version(new_cluster):
    cluster = new_cluster(nodes=2, balancer=False)
    nodes = list(cluster.nodes.values())
    took = []

    def watch(node, version):
        until(lambda: version_of(node) == version, 20, f"{node.name} runs {version}", poll=0.005)
        return time.monotonic()

    assert [version_of(node) for node in nodes] == [0, 0]
    assert not is_refused(nodes[0])
    with concurrent.futures.ThreadPoolExecutor(len(nodes)) as pool:
        for version in range(1, ROUNDS + 1):
            text = (DENY if version % 2 else ALLOW) + f"# {version}\n"
            watched = [pool.submit(watch, node, version) for node in nodes]
            apply(cluster, text)
            began = time.monotonic()  # it was written a moment before
            took.append(max(future.result() for future in watched) - began)
            assert [is_refused(node) for node in nodes] == [version % 2 == 1] * len(nodes)
    print(f"a version holds on all nodes after at most {max(took) * 1000:.0f} ms, {sum(took) / ROUNDS * 1000:.0f} ms as a mean")
    rows = cluster.ctl("--json", "nodes")[1]
    until(lambda: cluster.ctl("--json", "nodes")[1].count(f'"policy": {ROUNDS}') == 2, 20, lambda: rows)


def test_an_open_session_is_judged_by_the_new_version(new_cluster):
    cluster = new_cluster(nodes=1, balancer=False)
    node = cluster.nodes[1]
    host, port = node.smtp.split(":")
    with smtplib.SMTP(host, int(port), timeout=20) as client:
        assert client.sendmail("a@client.skein.test", ["b@sink.skein.test"], "Subject: a\r\n\r\n") == {}
        apply(cluster, DENY)
        until_version([node], 1)
        try:
            client.sendmail("a@client.skein.test", ["b@sink.skein.test"], "Subject: a\r\n\r\n")
        except smtplib.SMTPRecipientsRefused:
            return
        raise AssertionError("the open session goes on under the old version")


def test_a_version_that_a_node_does_not_understand_changes_nothing_but_what_it_says(new_cluster):
    cluster = new_cluster(nodes=2, balancer=False)
    nodes = list(cluster.nodes.values())
    apply(cluster, ALLOW)
    until_version(nodes, 1)
    ask = cluster.redis.ask
    ask("HSET", "skein:{policy}:texts", "2", "of_the_future: true\n")
    ask("HSET", "skein:{policy}:notes", "2", '{"at":"5000","author":"x","comment":"","size":"20"}')
    ask("HSET", "skein:{policy}", "number", "2", "at", "5000")
    for node in nodes:
        until(lambda: policy_of(node) == {"version": 1, "refused": 2}, 20, lambda: policy_of(node))
        assert not is_refused(node)
        until(lambda: all(told in node.log.read_text() for told in ("policy-refused", "of_the_future")), 10, "it is logged")
        assert (node.spool / "policy").read_text().startswith("# version 1 ")
    until(lambda: cluster.ctl("nodes")[1].count("1, not 2") == 2, 20, lambda: cluster.ctl("nodes")[1])
    # The next good one holds.
    apply(cluster, DENY)
    until_version(nodes, 3)
    assert all(is_refused(node) and policy_of(node)["refused"] == 0 for node in nodes)


def test_a_node_started_without_redis_runs_the_last_known_version(new_cluster):
    cluster = new_cluster(nodes=1, balancer=False)
    node = cluster.nodes[1]
    apply(cluster, DENY)
    until_version([node], 1)
    cluster.redis.kill()
    node.kill()
    node.start()
    assert version_of(node) == 1
    assert is_refused(node)
    # A damaged copy is told of, and is no policy.
    node.kill()
    (node.spool / "policy").write_text("# version 1 1\n")
    node.start()
    assert version_of(node) == 0
    assert "policy-copy-unreadable" in node.log.read_text()


def test_a_redis_that_lost_the_policy_gets_it_back(new_cluster):
    cluster = new_cluster(nodes=2, balancer=False)
    nodes = list(cluster.nodes.values())
    apply(cluster, ALLOW, "one")
    apply(cluster, DENY, "two")
    until_version(nodes, 2)
    cluster.redis.kill()
    cluster.redis.wipe()
    cluster.redis.start()
    until(lambda: cluster.ctl("policy", "show")[1] == DENY, 60, "the policy is in Redis again")
    assert '"comment": "two"' in cluster.ctl("--json", "policy", "history")[1]
    assert [version_of(node) for node in nodes] == [2, 2]
    apply(cluster, ALLOW)
    until_version(nodes, 3)


def test_a_node_that_stands_alone_reads_a_file_anew_on_sighup(alone):
    node = alone.nodes[1]
    path = node.folder / "policy.yaml"  # a folder that the node kept for itself (node.confine)
    path.write_text(DENY)
    assert not is_refused(node)
    alone.record["settings"] = {"policy": {"file": str(path)}}
    node.settings_file.write_text(to_yaml(node.settings()))
    node.signal(signal.SIGHUP)
    until(lambda: is_refused(node), 20, "the file holds")
    path.write_text("clients:\n  - effect: permit\n")
    lines = len(node.log.read_text().splitlines())
    node.signal(signal.SIGHUP)
    until(lambda: "permit" in "".join(node.log.read_text().splitlines()[lines:]), 20, "the error is logged")
    assert is_refused(node)
    path.write_text(ALLOW)
    node.signal(signal.SIGHUP)
    until(lambda: not is_refused(node), 20, "the file holds")


def refuses(node, certificate=None):
    """Is a client refused that says STARTTLS, and shows this certificate?"""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(*certificate)
    host, port = node.smtp.split(":")
    with smtplib.SMTP(host, int(port), timeout=20) as client:
        client.starttls(context=context)
        client.helo("client.skein.test")
        client.mail("a@client.skein.test")
        return client.rcpt("b@sink.skein.test")[0] >= 500


def test_a_certificate_is_known_by_its_fingerprint_and_by_its_subject_only_if_it_is_trusted(alone):
    node = alone.nodes[1]
    shown = (alone.certificate, alone.key)
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(alone.certificate.read_text())).hexdigest()
    path = node.folder / "policy.yaml"  # a folder that the node kept for itself (node.confine)

    def restart(rule, **listener):
        listeners = node.settings()["listeners"]
        listeners[0].update(listener, client_certificate="request")
        path.write_text(f"clients:\n  - {{effect: allow, match: {{certificate: '{rule}'}}}}\n")
        alone.record["settings"] = {"listeners": listeners, "policy": {"file": str(path)}}
        node.stop()
        node.start()

    restart(f"sha256:{digest}")
    assert refuses(node) and not refuses(node, shown)
    restart("CN=localhost")
    assert refuses(node, shown)
    restart("CN=localhost", client_ca=str(alone.certificate))
    assert refuses(node) and not refuses(node, shown)
