"""The account itself: it must see what it is there to see."""
import json
import types

from lab.account import Account
from lab.burst import Acknowledged, Burst
from lab.cluster import accepts
from lab.process import Process
from lab.sink import SinkControl
from lab.wait import until
from lab import ports
import pytest

from conftest import TOP


@pytest.fixture
def sink(tmp_path):
    address = f"127.0.0.1:{ports.reserve(1, tmp_path)[0]}"
    control, records = tmp_path / "control", tmp_path / "records"
    process = Process.start([str(TOP / "deploy" / "sink"), "--listen", address, "--control", str(control), "--records",
                             str(records), "--keep", str(tmp_path / "kept")], tmp_path / "log")
    until(lambda: accepts(address), 10, process.log_tail)
    yield types.SimpleNamespace(address=address, control=SinkControl(control, records), records=records)
    process.kill()
    ports.release(tmp_path)


def test_what_the_sink_takes_is_received_once_and_unaltered(sink):
    burst = Burst(sink.address, 200, connections=5).run()
    account = Account(sink.control, burst)
    assert (len(account.acknowledged), len(account.received)) == (200, 200)
    assert not (account.lost or account.duplicated or account.altered or account.unknown or account.refused)


def test_a_lost_a_doubled_and_an_altered_message_are_seen(sink):
    burst = Burst(sink.address, 10, connections=1).run()
    lines = sink.records.read_text().splitlines()
    broken = dict(json.loads(lines[2]), sha256="0")
    sink.records.write_text("\n".join([*lines[1:], lines[1], json.dumps(broken)]) + "\n")
    account = Account(SinkControl(sink.control.control, sink.records), burst)
    assert account.lost == {json.loads(lines[0])["tag"]}
    assert set(account.duplicated) == {json.loads(lines[1])["tag"], json.loads(lines[2])["tag"]}
    assert len(account.altered) == 1


def test_answers_decide_what_becomes_of_a_message(sink):
    sink.control.rules({"stage": "dot", "do": "reply 451 4.3.0 Later", "times": 3},
                       {"stage": "rcpt", "do": "reply 550 5.1.1 Nobody", "times": 2},
                       {"stage": "dot", "do": "close", "times": 4},
                       {"stage": "data", "do": "close", "times": 2})
    burst = Burst(sink.address, 50, connections=3).run()
    account = Account(sink.control, burst)
    assert len(account.refused) == 2
    assert len(account.unknown) == 4
    assert len(account.acknowledged) == 44
    assert len(account.received) == 48
    assert not account.duplicated


def test_the_first_arrival_counts(sink):
    burst = Burst(sink.address, 3, connections=1).run()
    account = Account(sink.control, burst)
    times = account.first_received(set(list(account.acknowledged)[:2]))
    assert len(times) == 2 and times == sorted(times)
    assert all(isinstance(known, Acknowledged) for known in account.acknowledged.values())
