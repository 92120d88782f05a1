"""What an administrator changes in the directory counts on all nodes in time, without a restart or an edit."""
from lab.wait import until
import pytest

from directory_lab import PASSWORD, RELAY_GROUP, UNGUARDED, connect, log_in
from support import message, new_tag, until_arrived

POLICY = UNGUARDED + f"""clients:
  - name: members
    match: {{group: {RELAY_GROUP}}}
    effect: require-auth
    senders: ['*@client.skein.test']
"""
# What docs/authentication.md promises, in seconds; the defaults are minutes.
IDENTITY, PASSWORD_TTL, SESSION_AGE = 1, 3, 2
SLACK = 20  # For a machine that has other things to do.
NEW_PASSWORD = "Other-Passw0rd-2"


@pytest.fixture(scope="module")
def cluster(module_clusters, domain, tmp_path_factory):
    """Three nodes, Redis, and the one directory."""
    folder = tmp_path_factory.mktemp("changes")
    auth = domain.settings(folder, ["ldap"], session_age=f"{SESSION_AGE}s", cache={
        "identity": f"{IDENTITY}s", "password": f"{PASSWORD_TTL}s", "wrong": "0s"})
    made = module_clusters(settings={"relay": None, "auth": auth})
    (folder / "policy.yaml").write_text(POLICY, encoding="utf-8")
    code, _, said = made.ctl("policy", "apply", str(folder / "policy.yaml"), "-m", "members may relay")
    assert code == 0, said
    for node in made.nodes.values():
        until(lambda node=node: outcome(node, "carol", PASSWORD) == "250", 30, f"the policy is on {node.name}")
    return made


def outcome(node, user, password):
    """The code of the first step that is refused, or that of RCPT."""
    with connect(node.smtps) as client:
        code, _ = log_in(client, user, password)
        if code == 235:
            code, _ = client.mail("a@client.skein.test")
        if code == 250:
            code, _ = client.rcpt("b@sink.skein.test")
        return str(code)


def outcomes(cluster, user, password):
    return {outcome(node, user, password) for node in cluster.nodes.values()}


def until_all(cluster, user, password, code, seconds):
    until(lambda: outcomes(cluster, user, password) == {code}, seconds + SLACK,
          lambda: f"{user} gets {code} everywhere: gets {outcomes(cluster, user, password)}")


def test_who_leaves_the_group_may_not_relay_any_more(cluster, domain):
    assert outcomes(cluster, "carol", PASSWORD) == {"250"}
    domain.member("delete", "carol")
    try:
        until_all(cluster, "carol", PASSWORD, "550", IDENTITY)
    finally:
        domain.member("add", "carol")
    until_all(cluster, "carol", PASSWORD, "250", IDENTITY)


def test_who_joins_the_group_may_relay(cluster, domain):
    assert outcomes(cluster, "dave", PASSWORD) == {"550"}
    domain.member("add", "dave")
    try:
        until_all(cluster, "dave", PASSWORD, "250", IDENTITY)
    finally:
        domain.member("delete", "dave")
    until_all(cluster, "dave", PASSWORD, "550", IDENTITY)


def test_who_joins_a_group_in_the_group_may_relay(cluster, domain):
    domain.member("add", "dave", "group-b")
    try:
        until_all(cluster, "dave", PASSWORD, "250", IDENTITY)
    finally:
        domain.member("delete", "dave", "group-b")
    until_all(cluster, "dave", PASSWORD, "550", IDENTITY)


def test_an_account_that_is_disabled_gets_in_nowhere(cluster, domain):
    assert outcomes(cluster, "alice", PASSWORD) == {"250"}
    domain.change("alice", "replace: userAccountControl", "userAccountControl: 514")
    try:
        until_all(cluster, "alice", PASSWORD, "535", IDENTITY)
    finally:
        domain.change("alice", "replace: userAccountControl", "userAccountControl: 512")
    until_all(cluster, "alice", PASSWORD, "250", IDENTITY)


def test_a_new_password_counts_at_once_and_the_old_one_ends(cluster, domain):
    assert outcomes(cluster, "bob", PASSWORD) == {"250"}
    domain.set_password("bob", NEW_PASSWORD)
    try:
        assert outcomes(cluster, "bob", NEW_PASSWORD) == {"250"}
        until_all(cluster, "bob", PASSWORD, "535", PASSWORD_TTL)
        assert outcomes(cluster, "bob", NEW_PASSWORD) == {"250"}
    finally:
        domain.set_password("bob", PASSWORD)
    assert outcomes(cluster, "bob", PASSWORD) == {"250"}


def test_a_session_that_is_open_ends_in_time(cluster, domain):
    """Its rights are those of its login, for auth.session_age; the message that it is in is taken."""
    for node in cluster.nodes.values():
        with connect(node.smtps) as first, connect(node.smtps) as later:
            domain.member("add", "dave")
            try:
                until(lambda node=node: outcome(node, "dave", PASSWORD) == "250", IDENTITY + SLACK, "dave may relay")
                assert log_in(first, "dave", PASSWORD)[0] == 235
                assert first.mail("a@client.skein.test")[0] == 250
                assert log_in(later, "dave", PASSWORD)[0] == 235
            finally:
                domain.member("delete", "dave")
            until(lambda: later.mail("a@client.skein.test")[0] == 421 or later.rset()[0] != 250, SESSION_AGE + SLACK,
                  "the session ends")
            tag = new_tag()
            assert first.rcpt("b@sink.skein.test")[0] == 250
            assert first.data(message(tag))[0] == 250
            until_arrived(cluster, tag)
            assert first.mail("a@client.skein.test")[0] == 421
