"""AUTH with the users of a real Active Directory: each state of an account, by each mechanism, as docs/authentication.md
tells it."""
import collections
import pathlib
import re

from lab.wait import until
import pytest

from directory_lab import PASSWORD, RELAY_GROUP, UNGUARDED, connect, node_of_domain
from support import message, new_tag, until_arrived

MEMBERS = UNGUARDED + f"""clients:
  - name: members
    match: {{group: {RELAY_GROUP}}}
    effect: require-auth
    senders: [own, '*@client.skein.test']
"""
ACCEPTED, NO_TICKET = "accepted", "no ticket"
LOGIN_DENIED = 67  # curl's own
DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "authentication.md"

# What becomes of an account by each mechanism: "accepted", or the reason in the log. `old_ticket`: with a ticket that it got
# while it was good, where that is another question.
State = collections.namedtuple("State", "account user password plain ntlm ticket old_ticket", defaults=[None])


def state(account, user, why=ACCEPTED, password=PASSWORD, ntlm=None, ticket=None, old_ticket=None):
    ticket = ticket or (ACCEPTED if why == ACCEPTED else NO_TICKET)
    return State(account, user, password, why, ntlm or why, ticket, old_ticket)


STATES = [
    state("good, in the group", "carol"),
    state("good, in a group in the group", "alice"),
    state("good, in a group in a group in the group", "bob"),
    state("in 301 groups", "many"),
    state("name with an umlaut", "jürgen"),
    state("user principal name of another suffix", "b.obrien@corp.example", ntlm="no-such-user"),
    state("wrong password", "alice", "wrong-password", password="Wrong-Passw0rd"),
    state("unknown user", "nobody", "no-such-user"),
    state("disabled", "disabled", "account-disabled", old_ticket="account-disabled"),
    state("locked", "locked", "account-locked", old_ticket="account-locked"),
    state("account expired", "expired", "account-expired", old_ticket="account-expired"),
    state("password expired", "pwexpired", "password-expired", old_ticket="password-expired"),
    state("password must be changed", "mustchange", "password-must-change", old_ticket="password-must-change"),
    state("not at this hour", "hours", "logon-hours", old_ticket=ACCEPTED),
    state("not from this workstation", "wks", "logon-workstation", ticket=ACCEPTED),
]
CANONICAL = {"b.obrien@corp.example": "bob"}


# --- the document

def code(outcome):
    return {ACCEPTED: "235", NO_TICKET: NO_TICKET}.get(outcome, "535")


def row(of):
    """Its line of the table, without the spaces that only please the eye."""
    kerberos = code(of.ticket) + (f"; a ticket of before: {code(of.old_ticket)}" if of.old_ticket else "")
    why = f"`{of.plain}`" + (f", NTLM `{of.ntlm}`" if of.ntlm != of.plain else "")
    return [of.account, code(of.plain), code(of.ntlm), kerberos, why]


def test_the_documents_table_is_what_is_tested_here():
    lines = [[cell.strip() for cell in line.strip("|").split("|")]
             for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    begin = next(number for number, cells in enumerate(lines) if cells[0] == "account")
    assert lines[begin + 1:begin + 1 + len(STATES)] == [row(of) for of in STATES]


# --- the relay

@pytest.fixture(scope="module")
def relay(module_clusters, domain, tmp_path_factory):
    """A node on the joined member."""
    folder = tmp_path_factory.mktemp("auth")
    return node_of_domain(module_clusters, domain, folder, MEMBERS)


def log_of(relay):
    """Of what is written, the lines that are complete."""
    return "".join(re.findall(r".*\n", relay.nodes[1].log.read_text(encoding="utf-8")))


def curl(domain, relay, folder, mechanism, user, password, **options):
    """(exit code, tag, what was said)"""
    tag = new_tag()
    (folder / "message").write_bytes(message(tag))
    code, said = domain.curl(relay.nodes[1].smtps, mechanism, user, password, folder / "message", **options)
    return code, tag, said


class Attempt:
    """What became of a login: `check` compares it with what should have."""

    def __init__(self, relay):
        self.relay, self.before = relay, len(relay.nodes[1].tracked("AUTH"))

    def check(self, of, outcome, said):
        events = until(lambda: self.relay.nodes[1].tracked("AUTH")[self.before:], 10, "the event")
        assert len(events) == 1, events
        assert events[0]["text"] == outcome
        assert of.password not in log_of(self.relay)
        if outcome == ACCEPTED:
            assert "235 2.7.0" in said and f"{CANONICAL.get(of.user, of.user)}@adlab.test" == events[0]["user"]
        else:
            assert "535 5.7.8" in said and outcome not in said

    def by_curl(self, domain, folder, mechanism, of, outcome, user=None, cache=None):
        exit_code, tag, said = curl(domain, self.relay, folder, mechanism, user or of.user, "" if cache else of.password,
                                    cache=cache)
        assert exit_code == (0 if outcome == ACCEPTED else LOGIN_DENIED), said
        self.check(of, outcome, said)
        if outcome == ACCEPTED:
            until_arrived(self.relay, tag)


def lock(domain):
    for _ in range(3):
        assert not domain.try_password("locked", "Wrong-Passw0rd")


def renew_password(domain, user):
    """As if it had been set now; the domain takes -1 only after 0."""
    for value in (0, -1):
        domain.change(user, "replace: pwdLastSet", f"pwdLastSet: {value}")


# How an account gets well, and ill again.
CHANGES = {
    "disabled": (lambda domain: domain.change("disabled", "replace: userAccountControl", "userAccountControl: 512"),
                 lambda domain: domain.change("disabled", "replace: userAccountControl", "userAccountControl: 514")),
    "locked": (lambda domain: domain.change("locked", "replace: lockoutTime", "lockoutTime: 0"), lock),
    "expired": (lambda domain: domain.change("expired", "replace: accountExpires", "accountExpires: 0"),
                lambda domain: domain.change("expired", "replace: accountExpires", "accountExpires: 116444736000000000")),
    "pwexpired": (lambda domain: renew_password(domain, "pwexpired"), lambda domain: domain.age_password("pwexpired")),
    "mustchange": (lambda domain: renew_password(domain, "mustchange"),
                   lambda domain: domain.change("mustchange", "replace: pwdLastSet", "pwdLastSet: 0")),
    "hours": (lambda domain: domain.change("hours", "delete: logonHours"),
              lambda domain: domain.change("hours", "replace: logonHours", f"logonHours:: {'A' * 28}")),
}


@pytest.fixture
def locked(domain, request):
    """The account `locked` is, for half a minute, where the test is about it."""
    is_wanted = request.node.callspec.params["of"].user == "locked"
    if is_wanted:
        lock(domain)
    yield
    if is_wanted:
        CHANGES["locked"][0](domain)


def named(of):
    return of.account.replace(" ", "-")


# --- what each account gets

@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "NTLM"])
@pytest.mark.parametrize("of", STATES, ids=named)
@pytest.mark.usefixtures("locked")
def test_a_password_lets_in_whom_the_domain_lets_in(domain, relay, tmp_path, mechanism, of):
    attempt = Attempt(relay)
    if mechanism == "NTLM" and not of.user.isascii():
        # curl writes NTLM user names in an OEM code page.
        with connect(relay.nodes[1].smtps) as client:
            reply = domain.samba_ntlm(client, of.user, of.password)
            attempt.check(of, of.ntlm, f"{reply[0]} {reply[1].decode()}")
        return
    user = f"ADLAB\\{of.user}" if mechanism == "NTLM" and "@" not in of.user else of.user
    attempt.by_curl(domain, tmp_path, mechanism, of, of.ntlm if mechanism == "NTLM" else of.plain, user)


@pytest.mark.parametrize("of", STATES, ids=named)
@pytest.mark.usefixtures("locked")
def test_a_ticket_is_enough(domain, relay, tmp_path, of):
    attempt = Attempt(relay)
    cache = tmp_path / "tickets"
    assert domain.kinit(of.user, cache, of.password) == (of.ticket != NO_TICKET)
    if of.ticket != NO_TICKET:
        principal = f"{CANONICAL.get(of.user, of.user)}@ADLAB.TEST"
        attempt.by_curl(domain, tmp_path, "GSSAPI", of, of.ticket, principal, cache)


@pytest.mark.parametrize("of", [of for of in STATES if of.old_ticket], ids=named)
def test_a_ticket_of_before_is_not_enough(domain, relay, tmp_path, of):
    """But for what only the domain controller decides when it gives tickets."""
    get_well, get_ill = CHANGES[of.user]
    get_well(domain)
    try:
        assert domain.kinit(of.user, tmp_path / "tickets", of.password)
    finally:
        get_ill(domain)
    try:
        Attempt(relay).by_curl(domain, tmp_path, "GSSAPI", of, of.old_ticket, f"{of.user}@ADLAB.TEST", tmp_path / "tickets")
    finally:
        if of.user == "locked":
            get_well(domain)


def test_the_domain_is_not_asked_about_the_same_wrong_password_again(domain, module_clusters, tmp_path):
    (tmp_path / "policy.yaml").write_text(MEMBERS, encoding="utf-8")
    other = module_clusters(nodes=1, redis=False, balancer=False, wrapper=domain.wrapper, settings={
        "relay": None, "policy": {"file": str(tmp_path / "policy.yaml")}, "auth": domain.settings(tmp_path)})
    CHANGES["locked"][0](domain)
    for attempt in range(5):
        _, _, said = curl(domain, other, tmp_path, "PLAIN", "locked", "Wrong-Passw0rd")
        assert "535 5.7.8" in said
        until(lambda done=attempt: log_of(other).count("authentication-failed") == done + 1, 10, "the log line")
    assert log_of(other).count("why=wrong-password") == 1 and log_of(other).count("why=same-wrong-password") == 4
    # Three wrong ones lock it.
    assert domain.try_password("locked", PASSWORD)


# --- what an account may

@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "NTLM", "GSSAPI"])
def test_who_is_in_no_group_may_not_relay(domain, relay, tmp_path, mechanism):
    cache = tmp_path / "tickets"
    assert domain.kinit("dave", cache)
    user = "dave@ADLAB.TEST" if mechanism == "GSSAPI" else "dave"
    code, _, said = curl(domain, relay, tmp_path, mechanism, user, "" if mechanism == "GSSAPI" else PASSWORD, cache=cache)
    assert code and "235 2.7.0" in said and "550" in said


def test_users_send_as_their_own_addresses_only(domain, relay, tmp_path):
    code, tag, said = curl(domain, relay, tmp_path, "PLAIN", "alice", PASSWORD, sender="sales@adlab.test")
    assert code == 0, said
    until_arrived(relay, tag)
    code, _, said = curl(domain, relay, tmp_path, "PLAIN", "alice", PASSWORD, sender="carol@adlab.test")
    assert code and "550 5.7.1 <carol@adlab.test> is no address that you may send as" in said


def test_a_name_may_be_written_in_each_way(domain, relay, tmp_path):
    for name in ("ADLAB\\bob", "bob@adlab.test", "b.obrien@corp.example", "BOB"):
        assert curl(domain, relay, tmp_path, "PLAIN", name, PASSWORD)[0] == 0, name
