"""What several system tests do: count, send one message, wait for one."""
import smtplib
import socket
import uuid

from lab.account import Account, until_quiet, until_received
from lab.wait import until

# The sink takes its time, so that acknowledged mail waits on every node when something happens to one.
SLOW_SINK = {"stage": "dot", "do": "delay 0.05"}


def settle(cluster, *bursts, record=None, seconds=60):
    """Waits until everything acknowledged has arrived and nothing is left to do; then the promises that always hold.
    Returns the account; `record` is pytest's record_property."""
    for burst in bursts:
        burst.wait()
    try:
        until_received(cluster.sink, *bursts, seconds=seconds)
    except AssertionError:
        print(Account(cluster.sink, *bursts), [burst.trouble for burst in bursts])
        raise
    until_quiet(list(cluster.nodes.values()), seconds)
    account = Account(cluster.sink, *bursts)
    print(account)
    if record:
        record("account", str(account))
    assert not account.lost
    assert not account.altered
    assert not account.refused
    assert account.acknowledged
    return account


def assert_only_these_twice(account, node):
    """P5: only what `node` may have sent without a record of it may arrive twice."""
    strange = {tag for tag in account.duplicated
               if tag in account.acknowledged and account.acknowledged[tag].node != node.hostname}
    assert not strange, f"{len(strange)} messages of other nodes arrived twice"


def waiting_on(cluster, burst, node):
    """Tags that `node` acknowledged and the sink has not."""
    arrived = {record["tag"] for record in cluster.sink.records()}
    return burst.acknowledged_by(node.hostname) - arrived


def message(tag, text="Hello.\r\n", extra=""):
    return f"From: <a@client.skein.test>\r\nTo: <b@sink.skein.test>\r\nX-Skein-Tag: {tag}\r\n{extra}\r\n{text}".encode()


def new_tag():
    return uuid.uuid4().hex


def send(address, sender="a@client.skein.test", recipients=("b@sink.skein.test",), tag=None, content=None, **options):
    """One message by smtplib; returns its tag and the recipients refused."""
    tag = tag or new_tag()
    host, port = address.split(":")
    with smtplib.SMTP(host, int(port), timeout=20) as client:
        refused = client.sendmail(sender, list(recipients), content or message(tag), **options)
    return tag, refused


def session_of(address, source):
    """A session as the client `source` has it behind a balancer: `address` is a listener that takes PROXY headers."""
    host, port = address.split(":")
    session = smtplib.SMTP(timeout=60)
    session._host = "localhost"  # for STARTTLS
    session.sock, session.file = socket.create_connection((host, int(port)), timeout=60), None
    session.sock.sendall(f"PROXY {'TCP6' if ':' in source else 'TCP4'} {source} {source} 1000 25\r\n".encode())
    code, text = session.getreply()
    if code != 220:
        session.close()
        raise smtplib.SMTPConnectError(code, text)
    return session


def until_arrived(cluster, tag, seconds=30, count=1):
    """The record of the message."""
    def found():
        return [record for record in cluster.sink.records() if record["tag"] == tag]
    until(lambda: len(found()) >= count, seconds, f"{tag} arrives")
    return found()[0]


def until_report(cluster, recipient, seconds=30):
    """The delivery report to `recipient`: (record, content)."""
    def found():
        return next(((record, content) for record, content in cluster.sink.untagged()
                     if recipient in record["to"] and record["from"] == ""), None)
    return until(found, seconds, f"a delivery report for {recipient} arrives")
