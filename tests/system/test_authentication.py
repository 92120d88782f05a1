"""AUTH with the users of a real Active Directory: each state of an account, by each mechanism, with stock clients."""
import pathlib
import subprocess

from lab.wait import until
import pytest

from directory_lab import LAB, PASSWORD, DirectoryLab
from support import message, new_tag, until_arrived

pytestmark = pytest.mark.skipif(not LAB.exists(), reason="the directory lab is not beside this checkout")

MEMBERS = """clients:
  - name: members
    match: {group: smtp-relay-users}
    effect: require-auth
    senders: [own, '*@client.skein.test']
"""
ACCEPTED, REFUSED = 0, 67  # curl's own: login denied
# user, password, what a bind, NTLM and Kerberos make of it (None: the KDC gives no ticket), the word in the log.
STATES = [
    ("alice", PASSWORD, ACCEPTED, ACCEPTED, "ok"),
    ("bob", PASSWORD, ACCEPTED, ACCEPTED, "ok"),
    ("carol", PASSWORD, ACCEPTED, ACCEPTED, "ok"),
    ("many", PASSWORD, ACCEPTED, ACCEPTED, "ok"),
    ("jürgen", PASSWORD, ACCEPTED, ACCEPTED, "ok"),
    ("alice", "Wrong-Passw0rd", REFUSED, None, "wrong-password"),
    ("nobody", PASSWORD, REFUSED, None, "no-such-user"),
    ("disabled", PASSWORD, REFUSED, None, "account-disabled"),
    ("expired", PASSWORD, REFUSED, None, "account-expired"),
    ("pwexpired", PASSWORD, REFUSED, None, "password-expired"),
    ("mustchange", PASSWORD, REFUSED, None, "password-must-change"),
]


@pytest.fixture(scope="module")
def domain():
    lab = DirectoryLab()
    yield lab
    lab.end()


@pytest.fixture(scope="module")
def relay(module_clusters, domain, tmp_path_factory):
    """A node on the joined member."""
    folder = tmp_path_factory.mktemp("auth")
    (folder / "policy.yaml").write_text(MEMBERS, encoding="utf-8")
    return module_clusters(nodes=1, redis=False, balancer=False, wrapper=domain.wrapper, settings={
        "relay": None, "policy": {"file": str(folder / "policy.yaml")}, "auth": domain.settings(folder)})


def curl(domain, relay, folder, mechanism, user, password, sender="a@client.skein.test"):
    """(exit code, tag, what was said)"""
    tag = new_tag()
    (folder / "message").write_bytes(message(tag))
    _, port = relay.nodes[1].smtps.split(":")
    command = ["curl", "--silent", "--verbose", "--insecure", f"smtps://relay1.adlab.test:{port}",
               "--connect-to", f"relay1.adlab.test:{port}:127.0.0.1:{port}", "--mail-from", sender,
               "--mail-rcpt", "b@sink.skein.test", "--upload-file", str(folder / "message"),
               "--login-options", f"AUTH={mechanism}", "--user", f"{user}:{password}"]
    done = domain.inside(command)
    return done.returncode, tag, done.stderr


def log_of(relay):
    return pathlib.Path(relay.nodes[1].process.log).read_text(encoding="utf-8")


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "NTLM"])
@pytest.mark.parametrize("user, password, wanted, _, why", STATES)
def test_each_state_of_an_account_gets_its_answer(domain, relay, tmp_path, mechanism, user, password, wanted, _, why):
    if mechanism == "NTLM" and not user.isascii():
        pytest.skip("curl writes NTLM user names in an OEM code page")
    before = len(log_of(relay))
    name = f"ADLAB\\{user}" if mechanism == "NTLM" else user
    code, tag, said = curl(domain, relay, tmp_path, mechanism, name, password)
    assert code == wanted, said
    lines = until(lambda: [line for line in log_of(relay)[before:].splitlines() if "authenticat" in line], 10, "the log line")
    assert len(lines) == 1, lines
    if wanted == ACCEPTED:
        until_arrived(relay, tag)
        assert f"{user}@adlab.test" in lines[0]
    else:
        assert "535 5.7.8" in said and why in lines[0]
        assert why not in said and password not in log_of(relay)


@pytest.mark.parametrize("user", ["alice", "bob", "many"])
def test_a_ticket_is_enough(domain, relay, tmp_path, user):
    domain.inside(["sh", "-c", f"printf '%s\\n' '{PASSWORD}' | kinit {user}"])
    code, tag, said = curl(domain, relay, tmp_path, "GSSAPI", f"{user}@ADLAB.TEST", "")
    assert code == ACCEPTED, said
    until_arrived(relay, tag)


def test_who_is_in_no_group_may_not_relay(domain, relay, tmp_path):
    code, _, said = curl(domain, relay, tmp_path, "PLAIN", "dave", PASSWORD)
    assert code and "235 2.7.0" in said and "550" in said


def test_users_send_as_their_own_addresses_only(domain, relay, tmp_path):
    code, tag, said = curl(domain, relay, tmp_path, "PLAIN", "alice", PASSWORD, sender="sales@adlab.test")
    assert code == ACCEPTED, said
    until_arrived(relay, tag)
    code, _, said = curl(domain, relay, tmp_path, "PLAIN", "alice", PASSWORD, sender="carol@adlab.test")
    assert code and "550 5.7.1 <carol@adlab.test> is no address that you may send as" in said


def test_a_name_may_be_written_in_each_way(domain, relay, tmp_path):
    for name in ("ADLAB\\bob", "bob@adlab.test", "b.obrien@corp.example", "BOB"):
        assert curl(domain, relay, tmp_path, "PLAIN", name, PASSWORD)[0] == ACCEPTED, name


def test_a_domain_controller_that_dies_lets_nobody_in_and_comes_back(domain, relay, tmp_path):
    domain.dc("down")
    code, _, said = curl(domain, relay, tmp_path, "PLAIN", "carol", "Not-In-The-Cache-1")
    assert code and "454 4.7.0" in said
    domain.dc("up")
    until(lambda: curl(domain, relay, tmp_path, "PLAIN", "carol", PASSWORD)[0] == ACCEPTED, 90, "carol gets in again", poll=1)


def test_swaks_and_smtplib_get_in(domain, relay):
    _, port = relay.nodes[1].smtp.split(":")
    done = subprocess.run(["swaks", "--server", "127.0.0.1", "--port", port, "--tls", "--auth", "LOGIN", "--auth-user", "alice",
                           "--auth-password", PASSWORD, "--from", "alice@adlab.test", "--to", "b@sink.skein.test"],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
