"""The password of the account that searches the directory is a secret of the cluster, which all nodes follow."""
import subprocess

from lab.wait import until
import pytest

from directory_lab import PASSWORD, UNGUARDED, connect, log_in
from test_secrets_nodes import ctl
from ctl_lab import CTL

POLICY = UNGUARDED + "clients: [{name: users, match: {user: '*'}, effect: require-auth}]\n"
SOON = 30  # Seconds; it is two or three on a machine that has nothing else to do.
NEW_PASSWORD = "Another-Svc-Pw-2"


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "cluster.key"
    subprocess.run([CTL, "key", "new", str(path)], check=True, capture_output=True, timeout=30)
    return path


@pytest.fixture
def cluster(new_cluster, domain, tmp_path, key):
    auth = domain.settings(tmp_path, ["ldap"], cache={"password": "0s", "wrong": "0s"})
    del auth["ldap"]["password_file"]
    auth["ldap"]["bind_secret"] = "directory"
    made = new_cluster(nodes=2, balancer=False, settings={"relay": None, "cluster": {"key_file": str(key)}, "auth": auth})
    (tmp_path / "policy.yaml").write_text(POLICY, encoding="utf-8")
    code, _, said = made.ctl("policy", "apply", str(tmp_path / "policy.yaml"), "-m", "users may relay")
    assert code == 0, said
    return made


def codes(cluster, user="alice"):
    found = set()
    for node in cluster.nodes.values():
        with connect(node.smtps) as client:
            found.add(log_in(client, user, PASSWORD)[0])
    return found


def until_logged(cluster, text):
    for node in cluster.nodes.values():
        until(lambda node=node: codes(cluster) and text in node.log.read_text(encoding="utf-8"), SOON, f"{node.name} says {text}")


def test_it_is_followed_without_a_restart(cluster, domain, key):
    right = domain.facts["ADLAB_BIND_PW"]
    assert codes(cluster) == {454}
    until_logged(cluster, "skeinctl secret set directory")
    ctl(cluster, key, "secret", "set", "directory", stdin="Wrong-Svc-Pw")
    until_logged(cluster, "directory-refuses-us")
    assert codes(cluster) == {454}
    # It is our account that is in the way, no server.
    assert not any("directory-down" in node.log.read_text(encoding="utf-8") for node in cluster.nodes.values())
    ctl(cluster, key, "secret", "set", "directory", stdin=right)
    until(lambda: codes(cluster) == {235}, SOON, "everybody gets in", poll=0.2)
    # A wrong one is tried once, however many ask.
    assert [node.log.read_text(encoding="utf-8").count("directory-refuses-us") for node in cluster.nodes.values()] == [1, 1]
    domain.set_password("svc-relay", NEW_PASSWORD)
    try:
        ctl(cluster, key, "secret", "set", "directory", stdin=NEW_PASSWORD)
        domain.do("dc-down")
        domain.do("dc-up")
        until(lambda: codes(cluster) == {235}, SOON, "everybody gets in with new connections", poll=0.2)
    finally:
        domain.set_password("svc-relay", right)
    for node in cluster.nodes.values():
        log = node.log.read_text(encoding="utf-8")
        assert not any(text in log for text in (right, NEW_PASSWORD, "Wrong-Svc-Pw"))
