"""Nobody locks another's account through the relay, however many guess at once at however many nodes."""
import threading

from lab.wait import until
import pytest

from directory_lab import PASSWORD, connect, log_in

POLICY = """abuse: {delay: 10ms, exempt: [127.0.0.0/8]}
clients: [{name: users, match: {user: '*'}, effect: require-auth}]
"""
THRESHOLD = 6  # Of the domain.
# Where the relay stops asking.
ASKED_MAX = THRESHOLD // 2


@pytest.fixture
def cluster(new_cluster, domain, tmp_path):
    """Three nodes, and a domain in which so many wrong passwords within half an hour lock an account."""
    with domain.lockout(THRESHOLD):
        made = new_cluster(wrapper=domain.wrapper, settings={
            "relay": None, "auth": domain.settings(tmp_path, ["ldap", "winbind"], cache={"wrong": "0s"})})
        (tmp_path / "policy.yaml").write_text(POLICY, encoding="utf-8")
        code, _, said = made.ctl("policy", "apply", str(tmp_path / "policy.yaml"), "-m", "users may relay")
        assert code == 0, said
        for node in made.nodes.values():
            # With another policy what is remembered of accounts is forgotten.
            until(lambda node=node: "policy-applied" in node.log.read_text(encoding="utf-8"), 30, f"{node.name} has the policy")
        yield made


def login(node, user, password):
    with connect(node.smtps) as client:
        return log_in(client, user, password)[0]


def guess(cluster, domain, names, codes):
    """Twelve times at each node, all at once, half of them by NTLM, and the name is written in each way."""
    def at(node, number):
        for turn in range(2):
            with connect(node.smtps) as client:
                password = f"Wrong-Passw0rd-{number}-{turn}"
                name = names[(number // 2 + turn) % len(names)]
                by = domain.samba_ntlm if number % 2 else log_in
                codes.append(by(client, name, password)[0])

    threads = [threading.Thread(target=at, args=(node, number)) for node in cluster.nodes.values() for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)


def test_guessing_locks_no_account(cluster, domain):
    # It was used a moment ago at the first node.
    assert login(cluster.nodes[1], "bob", PASSWORD) == 235
    codes = []
    guess(cluster, domain, ["bob", "BOB", "bob@adlab.test", "b.obrien@corp.example"], codes)
    assert len(codes) == 36 and set(codes) <= {535, 454}
    assert 1 <= int(domain.read("bob", "badPwdCount")) <= ASKED_MAX
    assert login(cluster.nodes[1], "bob", PASSWORD) == 235
    # Nobody asks about it any more, not even with the right password.
    assert login(cluster.nodes[2], "bob", PASSWORD) == 535
    assert int(domain.read("bob", "badPwdCount")) <= ASKED_MAX
    assert domain.try_password("bob", PASSWORD)
    assert login(cluster.nodes[2], "alice", PASSWORD) == 235


def test_a_directory_that_hangs_meanwhile_locks_none_either(cluster, domain):
    """What was asked and not answered may have counted."""
    codes = []
    thread = threading.Thread(target=guess, args=(cluster, domain, ["alice", "ALICE", "alice@adlab.test"], codes))
    thread.start()
    until(lambda: codes, 60, "the first is answered")
    domain.do("hang")
    try:
        thread.join(300)
    finally:
        domain.do("wake")
    assert len(codes) == 36 and set(codes) <= {535, 454}
    until(lambda: domain.read("alice", "badPwdCount") is not None, 30, "the directory answers")
    assert int(domain.read("alice", "badPwdCount")) <= ASKED_MAX
    assert domain.try_password("alice", PASSWORD)
