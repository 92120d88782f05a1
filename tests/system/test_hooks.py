"""tracking.hooks: webhooks and collectors of syslog that are told of events, through tests/tools/track_tell.c, while they
are away, slow, refuse, hang or show a bad certificate."""
import json
import shutil
import subprocess
import threading

import pytest
from lab.cluster import build_folder
from lab.wait import until

from authority import Authority
from receivers import SyslogReceiver, WebReceiver
from ctl_lab import free_port

QUICK = {"batch_wait": "20ms", "timeout": "2s", "retry_first": "20ms", "retry_max": "100ms"}


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def certificate(authority):
    return authority.issue("good", "IP:127.0.0.1")


class Tracker:
    """A tracker with hooks. `log`: its lines, as objects."""

    def __init__(self, folder, hooks, further=None):
        self.folder = folder
        self.set(*hooks, **(further or {}))
        self.process = subprocess.Popen([str(build_folder() / "tests" / "track_tell"), str(folder / "settings.yaml")], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.errors = []
        self.reader = threading.Thread(target=lambda: self.errors.extend(self.process.stderr), daemon=True)
        self.reader.start()

    def set(self, *hooks, **further):
        settings = {"node": {"name": "test-node"}, "listeners": [{"address": "127.0.0.1:1"}],
                    "route": {"next_hops": [{"host": "127.0.0.1"}]}, "dns": {"trust_anchor": "", "servers": "127.0.0.1"},
                    "tracking": {"file": "off", **further,
                                 "hooks": [{"name": f"hook-{i}", **QUICK, **hook} for i, hook in enumerate(hooks)]}}
        (self.folder / "settings.yaml").write_text(json.dumps(settings))

    def reload(self, *hooks, **further):
        self.metrics()  # It has read the ones before.
        self.set(*hooks, **further)
        self.write("reload")

    @property
    def log(self):
        return [json.loads(line) for line in list(self.errors) if line.startswith("{")]

    def logged(self, event):
        return [line for line in self.log if line["event"] == event]

    def awaits(self, event):
        until(lambda: self.logged(event), 20, lambda: f"{event} in {self.errors}")
        return self.logged(event)[-1]

    def write(self, *lines):
        self.process.stdin.write("".join(line + "\n" for line in lines))
        self.process.stdin.flush()

    def track(self, *ids, kind="DELIVER", text="well"):
        self.write(*[f"{kind} {id} {text}" for id in ids])

    def _metrics(self):
        found = {}
        for line in iter(self.process.stdout.readline, ".\n"):
            assert line, self.errors
            name, value = line.split()
            found[name.removeprefix("skein_hook_")] = int(float(value))
        return found

    def metrics(self):
        self.write("metrics")
        return self._metrics()

    def finish(self):
        """The last metrics."""
        self.process.stdin.close()
        found = self._metrics()
        assert self.process.wait(30) == 0, self.errors
        self.reader.join(20)
        return found


@pytest.fixture
def tracker(tmp_path):
    made = []

    def make(*hooks, **further):
        made.append(Tracker(tmp_path, hooks, further))
        return made[-1]
    yield make
    for one in made:
        if one.process.poll() is None:
            one.process.stdin.close()
            one.process.wait(30)


def events_of(server):
    return [event for _, _, body in list(server.asked) for event in json.loads(body)["events"]]


def ids_of(server):
    return [event["id"] for event in events_of(server)]


def names(start, end):
    return [f"m{i}" for i in range(start, end)]


SENT = 'events_total{result="sent"}'
REFUSED = 'events_total{result="refused"}'
FALLEN = 'events_total{result="fallen"}'


# --- webhooks -------------------------------------------------------------------------------------------

def test_events_come_in_batches_with_names(tracker):
    server = WebReceiver()
    one = tracker({"url": server.url("/a?b=c"), "batch_events": 10})
    one.track(*names(0, 95))
    assert one.finish() == {SENT: 95, REFUSED: 0, FALLEN: 0, "events_waiting": 0, "failures_total": 0}
    assert ids_of(server) == names(0, 95)
    batches = [headers["Skein-Batch"] for _, headers, _ in server.asked]
    assert len(set(batches)) == len(batches) == 10
    assert {batch.split("-")[0] for batch in batches} == {batches[0].split("-")[0]}
    path, headers, body = server.asked[0]
    assert path == "/a?b=c" and headers["Content-Type"] == "application/json"
    first = json.loads(body)["events"][0]
    assert first.pop("time").endswith("Z")
    assert first == {"node": "test-node", "event": "DELIVER", "session": "0000000000001234", "id": "m0",
                     "sender": "jane@example.net", "code": 250, "text": "well"}
    assert not one.log
    server.stop()


def test_each_hook_has_its_events_its_form_and_its_view_of_people(tracker, tmp_path):
    secret, key = tmp_path / "secret", tmp_path / "key"
    for file, text in ((secret, "t0ken\n"), (key, "some line\n")):
        file.write_text(text)
        file.chmod(0o600)
    plain, lines = WebReceiver(), WebReceiver()
    one = tracker({"url": plain.url(), "events": ["fail", "EXPIRE"], "redact": "masked"},
                  {"url": lines.url(), "format": "ndjson", "header": "X-Api-Key:", "secret_file": str(secret), "redact": "hashed"},
                  redact_key_file=str(key))
    one.track("a", "b")
    one.track("c", kind="FAIL")
    one.track("d", kind="EXPIRE")
    until(lambda: len(b"".join(body for _, _, body in lines.asked).splitlines()) == 4, 20, "four lines")
    secret.write_text("rotated\n")
    one.write("reload")
    one.track("e", kind="FAIL")
    one.finish()
    assert [(event["event"], event["id"]) for event in events_of(plain)] == [("FAIL", "c"), ("EXPIRE", "d"), ("FAIL", "e")]
    assert {event["sender"] for event in events_of(plain)} == {"j***@example.net"}
    told = [json.loads(line) for _, _, body in lines.asked for line in body.splitlines()]
    assert [event["id"] for event in told] == ["a", "b", "c", "d", "e"]
    assert len({event["sender"] for event in told}) == 1 and told[0]["sender"].startswith("~")
    assert lines.asked[0][1]["Content-Type"] == "application/x-ndjson"
    assert [headers["X-Api-Key"] for _, headers, _ in lines.asked][-1] == "rotated"
    assert lines.asked[0][1]["X-Api-Key"] == "t0ken"
    assert "t0ken" not in "".join(one.errors) and "rotated" not in "".join(one.errors)
    plain.stop()
    lines.stop()


def test_who_was_away_misses_nothing(tracker):
    server = WebReceiver()
    server.stop()
    one = tracker({"url": server.url()})
    one.track(*names(0, 350))
    assert one.awaits("hook-failed")["hook"] == "hook-0"
    until(lambda: one.metrics()["failures_total"] >= 3, 20, "it is tried again")
    server.start()
    until(lambda: len(events_of(server)) == 350, 20, "all events")
    assert ids_of(server) == names(0, 350)
    assert one.awaits("hook-recovered")["failures"] >= 3
    assert len(one.logged("hook-failed")) == 1
    assert one.finish()[SENT] == 350
    server.stop()


@pytest.mark.parametrize("status, headers", [(500, {}), (429, {"Retry-After": "1"}), (302, {"Location": "/x"}), (401, {})])
def test_who_says_later_is_told_the_same_batch_again(tracker, status, headers):
    server = WebReceiver(answer=lambda number, body: (status, headers) if number <= 2 else (200, {}))
    one = tracker({"url": server.url()})
    one.track("a", "b")
    one.awaits("hook-recovered")
    assert len(server.asked) == 3
    assert len({headers["Skein-Batch"] for _, headers, _ in server.asked}) == 1
    assert {body for _, _, body in server.asked} == {server.asked[0][2]}
    assert one.finish() == {SENT: 2, REFUSED: 0, FALLEN: 0, "events_waiting": 0, "failures_total": 2}
    assert f"the server answered {status}" in one.awaits("hook-failed")["why"]
    server.stop()


def test_retry_after_is_waited_for(tracker):
    times = []

    def answer(number, body):
        times.append(number)
        return (503, {"Retry-After": "3600"}) if number == 1 else (200, {})
    server = WebReceiver(answer=answer)
    one = tracker({"url": server.url()})
    one.track("a")
    one.awaits("hook-failed")
    one.track(*names(0, 10))
    until(lambda: one.metrics()["events_waiting"] == 11, 20, "they wait")
    # An hour has not passed; who leaves does not wait for it.
    assert times == [1]
    assert one.finish()[SENT] == 11 and ids_of(server)[1:] == ["a"] + names(0, 10)
    server.stop()


def test_what_is_refused_for_good_is_dropped_and_counted(tracker):
    server = WebReceiver(answer=lambda number, body: (400, {}) if b'"bad' in body else (200, {}))
    one = tracker({"url": server.url(), "batch_events": 2})
    one.track("good1", "good2", "bad1", "bad2", "bad3", "bad4", "good3", "good4")
    assert one.finish() == {SENT: 4, REFUSED: 4, FALLEN: 0, "events_waiting": 0, "failures_total": 0}
    assert len(server.asked) == 4
    refused, = one.logged("hook-refused")
    assert (refused["events"], refused["why"]) == (2, "the server answered 400")
    assert one.logged("hook-recovered")[0]["refused"] == 4
    server.stop()


def test_a_batch_that_is_too_large_is_cut_and_the_size_is_remembered(tracker):
    most = 4000
    server = WebReceiver(answer=lambda number, body: (413, {}) if len(body) > most else (200, {}))
    one = tracker({"url": server.url(), "batch_events": 100, "batch_wait": "10m"})
    one.track(*names(0, 50))
    one.track("huge", text="x" * 500 + " " + "y" * 8)
    one.track(*names(51, 100))
    until(lambda: one.metrics()[SENT] == 100, 20, "all arrive")
    taken = [body for _, _, body in server.asked if len(body) <= most]
    assert [event["id"] for body in taken for event in json.loads(body)["events"]] == names(0, 50) + ["huge"] + names(51, 100)
    refused = len(server.asked) - len(taken)
    assert refused == len(one.logged("hook-batch-too-large")) and 2 <= refused <= 4
    batches = [headers["Skein-Batch"] for _, headers, _ in server.asked]
    assert len(set(batches)) == len(batches), "what was cut has another name"
    one.track(*names(100, 200))
    assert one.finish() == {SENT: 200, REFUSED: 0, FALLEN: 0, "events_waiting": 0, "failures_total": 0}
    assert len([body for _, _, body in server.asked if len(body) > most]) == refused, "the size is remembered"
    assert len(server.asked) < 60, "many events go in one request"
    server.stop()


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_one_event_that_is_too_large_is_dropped_and_counted(tracker, form):
    server = WebReceiver(answer=lambda number, body: (413, {}) if b"xxxx" in body else (200, {}))
    one = tracker({"url": server.url(), "format": form, "batch_wait": "10m"})
    one.track("a", "b", "c")
    one.track("huge", text="x" * 400)
    one.track("d", "e")
    metrics = one.finish()
    assert metrics == {SENT: 5, REFUSED: 1, FALLEN: 0, "events_waiting": 0, "failures_total": 0}
    refused, = one.logged("hook-refused")
    assert (refused["events"], refused["why"]) == (1, "the server answered 413")
    told = b"".join(body for _, _, body in server.asked if b"xxxx" not in body)
    assert [told.count(f'"id":"{id}"'.encode()) for id in "abcde"] == [1] * 5
    server.stop()


def test_a_size_that_was_remembered_is_forgotten_with_a_reload(tracker):
    limit = [600]
    server = WebReceiver(answer=lambda number, body: (413, {}) if len(body) > limit[0] else (200, {}))
    one = tracker({"url": server.url(), "batch_events": 20, "batch_wait": "10m"})
    one.track(*names(0, 20))
    until(lambda: one.metrics()[SENT] == 20, 20, "they arrive in pieces")
    limit[0] = 1 << 20
    one.write("reload")
    one.track(*names(20, 40))
    until(lambda: one.metrics()[SENT] == 40, 20, "they arrive")
    assert len(json.loads(server.asked[-1][2])["events"]) == 20
    one.finish()
    server.stop()


def test_who_hangs_is_given_up_and_asked_again(tracker):
    server = WebReceiver(answer=lambda number, body: None if number == 1 else (200, {}))
    one = tracker({"url": server.url(), "timeout": "300ms"})
    one.track("a")
    assert "in time" in one.awaits("hook-failed")["why"]
    until(lambda: len(server.asked) == 2, 20, "the second request")
    assert one.finish()[SENT] == 1
    server.stop()


def test_who_is_slow_gets_larger_batches(tracker):
    first = threading.Event()
    server = WebReceiver(answer=lambda number, body: (200, {}) if number > 1 or first.wait(20) else None)
    one = tracker({"url": server.url(), "timeout": "30s"})
    one.track("a")
    until(lambda: server.asked, 20, "the first request")
    for id in names(0, 50):
        one.track(id)
        one.metrics()
    until(lambda: one.metrics()["events_waiting"] == 51, 20, "all are there, and the one that is under way")
    first.set()
    assert one.finish()[SENT] == 51
    assert len(server.asked) == 2, "what came meanwhile was one batch"
    server.stop()


def test_the_oldest_fall_out_of_a_full_queue(tracker):
    server = WebReceiver()
    server.stop()
    one = tracker({"url": server.url(), "queue_size": "256KiB"})
    # No more at once than the tracker's ring holds.
    for start in range(0, 2000, 400):
        one.track(*names(start, start + 400), text="x" * 400)
        until(lambda end=start + 400: sum(one.metrics()[name] for name in (FALLEN, "events_waiting")) == end, 20, "all are there")
    fallen = one.metrics()[FALLEN]
    assert 1000 < fallen < 1900
    assert one.awaits("hook-overflowing")["waiting"] > 100
    server.start()
    until(lambda: one.metrics()[SENT] == 2000 - fallen, 20, "the rest arrives")
    assert ids_of(server) == names(fallen, 2000)
    assert one.awaits("hook-caught-up")["lost"] == fallen
    one.finish()
    assert len(one.logged("hook-overflowing")) == len(one.logged("hook-caught-up")) == 1
    server.stop()


def test_bad_certificates_are_told_nothing(tracker, authority, certificate):
    good, bad = WebReceiver(certificate), WebReceiver(authority.issue("other", "DNS:other.example"))
    one = tracker({"url": good.url(), "ca": authority.certificate}, {"url": bad.url(), "ca": authority.certificate},
                  {"url": good.url()})
    one.track("a")
    until(lambda: len(one.logged("hook-failed")) == 2, 20, "both failures")
    assert {line["hook"] for line in one.logged("hook-failed")} == {"hook-1", "hook-2"}
    until(lambda: one.metrics()[SENT] == 1, 20, "the good one is told")
    metrics = one.finish()
    assert (metrics[SENT], metrics[FALLEN]) == (1, 2)
    assert [line["events"] for line in one.logged("hook-left")] == [1, 1]
    assert len(good.asked) == 1 and not bad.asked
    good.stop()
    bad.stop()


def test_a_secret_that_is_missing_is_named(tracker):
    server = WebReceiver()
    one = tracker({"url": server.url(), "secret": "hook-token"})
    one.track("a")
    assert "secret" in one.awaits("hook-failed")["why"] and not server.asked
    one.finish()
    server.stop()


# --- a reload -------------------------------------------------------------------------------------------

def reloaded(one):
    return [(line["hook"], line["what"]) for line in one.logged("hook-reloaded")]


def test_hooks_come_and_go_with_a_reload(tracker):
    first, second = WebReceiver(), SyslogReceiver("tcp")
    one = tracker()
    one.reload({"url": first.url()})
    until(lambda: reloaded(one) == [("hook-0", "added")], 20, "it is added")
    one.track("a")
    until(lambda: ids_of(first) == ["a"], 20, "it is told")
    one.reload({"url": first.url()}, {"url": second.url()})
    until(lambda: len(reloaded(one)) == 2, 20, "another one is added")
    one.track("b")
    until(lambda: ids_of(first) == ["a", "b"] and len(second.messages) == 1, 20, "both are told")
    one.reload({"name": "hook-1", "url": second.url()})
    until(lambda: len(reloaded(one)) == 3, 20, "one is removed")
    one.track("c")
    assert one.finish()[SENT] == 4
    assert reloaded(one) == [("hook-0", "added"), ("hook-1", "added"), ("hook-0", "removed")]
    assert ids_of(first) == ["a", "b"] and [message["params"]["id"] for message in second.parsed()] == ["b", "c"]
    first.stop()
    second.stop()


@pytest.mark.parametrize("kind", ["web", "tcp"])
def test_what_waits_for_a_hook_goes_to_where_it_is_from_now_on(tracker, kind):
    gone, new = WebReceiver(), WebReceiver() if kind == "web" else SyslogReceiver("tcp")
    gone.stop()
    one = tracker({"url": gone.url(), "retry_first": "1h", "retry_max": "1h"})
    one.track(*names(0, 50))
    one.awaits("hook-failed")
    one.reload({"url": new.url(), "events": ["DELIVER"]})
    told = (lambda: ids_of(new)) if kind == "web" else lambda: [message["params"]["id"] for message in new.parsed()]
    until(lambda: told() == names(0, 50), 20, "all that waited, at once")
    one.track("no", kind="DEFER")
    one.track("yes")
    metrics = one.finish()
    assert told() == names(0, 50) + ["yes"]
    assert (metrics[SENT], metrics[FALLEN]) == (51, 0)
    new.stop()


def test_a_collector_may_move_while_it_is_told(tracker):
    old, new = SyslogReceiver("tcp"), SyslogReceiver("tcp")
    one = tracker({"url": old.url()})
    for start in range(0, 600, 100):
        one.track(*names(start, start + 100))
        one.reload({"url": (new if start % 200 else old).url()})
    assert one.finish()[SENT] == 600
    told = [message["params"]["id"] for receiver in (old, new) for message in receiver.parsed()]
    assert set(told) == set(names(0, 600))
    old.stop()
    new.stop()


def test_a_batch_that_is_under_way_ends_before_its_hook_changes(tracker):
    goes_on = threading.Event()
    old, new = WebReceiver(answer=lambda number, body: (200, {}) if goes_on.wait(20) else None), WebReceiver()
    one = tracker({"url": old.url(), "timeout": "30s"})
    one.track("a")
    until(lambda: old.asked, 20, "it is under way")
    one.track("b")
    one.reload({"url": new.url()})
    one.metrics()
    goes_on.set()
    until(lambda: ids_of(new) == ["b"], 20, "the rest goes the new way")
    assert ids_of(old) == ["a"] and one.finish()[SENT] == 2
    old.stop()
    new.stop()


def test_what_waits_for_a_hook_that_is_removed_is_counted(tracker):
    server = WebReceiver()
    server.stop()
    one = tracker({"url": server.url()})
    one.track(*names(0, 7))
    one.awaits("hook-failed")
    one.reload()
    assert one.awaits("hook-left")["events"] == 7
    metrics = one.finish()
    assert (metrics[SENT], metrics[FALLEN], metrics["events_waiting"]) == (0, 7, 0)


def test_a_change_that_cannot_be_is_told_and_the_old_hook_stays(tracker, tmp_path):
    server = WebReceiver()
    secret = tmp_path / "secret"
    one = tracker({"url": server.url()})
    secret.write_text("two\nlines\n")
    secret.chmod(0o600)
    one.reload({"url": server.url("/new"), "secret_file": str(secret)})
    told = one.awaits("hook-not-reloaded")
    assert (told["hook"], told["then"]) == ("hook-0", "it stays as it was") and "one line" in told["why"]
    one.track("a")
    one.finish()
    assert ids_of(server) == ["a"] and server.asked[0][0] == "/hook"
    server.stop()


def test_hashes_need_a_key_that_was_there_at_the_start(tracker, tmp_path):
    server, key = WebReceiver(), tmp_path / "key"
    key.write_text("some line\n")
    key.chmod(0o600)
    one = tracker({"url": server.url()})
    one.reload({"url": server.url(), "redact": "hashed"}, redact_key_file=str(key))
    assert "needs a restart" in one.awaits("hook-not-reloaded")["why"]
    one.finish()
    server.stop()


# --- syslog ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["udp", "tcp", "tls"])
def test_an_event_is_a_message(tracker, authority, certificate, kind):
    receiver = SyslogReceiver(kind, certificate if kind == "tls" else None)
    trust = {"ca": authority.certificate} if kind == "tls" else {}
    one = tracker({"url": receiver.url(), **trust},
                  {"url": receiver.url(), "format": "pairs", "facility": "local3", "events": ["FAIL"], **trust})
    one.track("a")
    one.track("b", kind="FAIL", text='Jörg said "no"')
    until(lambda: len(receiver.messages) == 3, 20, "three messages")
    assert one.finish()[SENT] == 3
    assert not one.log
    as_json = [message for message in receiver.parsed() if message["facility"] == 2]
    pairs, = [message for message in receiver.parsed() if message["facility"] == 19]
    assert [(m["kind"], m["severity"], m["host"], m["app"]) for m in as_json] == [
        ("DELIVER", 6, "test-node", "skein"), ("FAIL", 4, "test-node", "skein")]
    assert as_json[1]["element"] == "skein@32473"
    assert as_json[1]["params"] == {"kind": "FAIL", "session": "0000000000001234", "id": "b"}
    told = json.loads(as_json[1]["text"])
    assert (told["time"], told["id"], told["text"]) == (as_json[1]["time"], "b", 'Jörg said "no"')
    assert pairs["text"] == (f"time={pairs['time']} node=test-node event=FAIL session=0000000000001234 id=b "
                             'sender=jane@example.net code=250 text="Jörg said \\"no\\""')
    receiver.stop()


@pytest.mark.parametrize("kind", ["tcp", "tls"])
def test_a_collector_that_was_away_misses_nothing(tracker, authority, certificate, kind):
    receiver = SyslogReceiver(kind, certificate if kind == "tls" else None)
    one = tracker({"url": receiver.url(), "ca": authority.certificate, "timeout": "300ms"})
    one.track("before")
    until(lambda: receiver.messages, 20, "the first message")
    receiver.stop()
    one.track(*names(0, 500))
    one.awaits("hook-failed")
    receiver.start()
    until(lambda: len({m["params"]["id"] for m in receiver.parsed()}) == 501, 20, "all messages")
    assert one.awaits("hook-recovered")
    # A message that was not acknowledged may come twice; the order of the first ones holds.
    assert list(dict.fromkeys(m["params"]["id"] for m in receiver.parsed())) == ["before"] + names(0, 500)
    assert one.finish()[SENT] == 501
    receiver.stop()


def test_a_batch_that_falls_while_it_waits_takes_what_is_known_of_it_along(tracker):
    """The one event of the first batch is tried in vain; the batches that come in its place have a hundred."""
    receiver = SyslogReceiver("tcp")
    receiver.stop()
    one = tracker({"url": receiver.url(), "timeout": "100ms", "retry_first": "2s", "retry_max": "2s", "queue_size": "256KiB"})
    one.track("first")
    one.awaits("hook-failed")
    for start in range(0, 1600, 400):
        one.track(*names(start, start + 400), text="x" * 400)
        until(lambda end=start + 401: sum(one.metrics()[name] for name in (FALLEN, "events_waiting")) == end, 20, "all are there")
    receiver.start()
    until(lambda: one.metrics()["events_waiting"] == 0, 20, "the rest is told")
    metrics = one.finish()
    assert metrics[SENT] + metrics[FALLEN] == 1601
    assert len({m["params"]["id"] for m in receiver.parsed()}) == metrics[SENT]
    receiver.stop()


# --- settings -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("hook, why", [
    ({"url": "ftp://x"}, "tracking.hooks[0].url: it begins with none of"),
    ({"url": "https://x", "events": ["SENT"]}, "tracking.hooks[0].events: SENT is no event"),
    ({"url": "udp://x", "facility": "post"}, "tracking.hooks[0].facility: post is none of"),
    ({"url": "udp://x", "format": "ndjson"}, "tracking.hooks[0].format: ndjson is for webhooks"),
    ({"url": "https://x", "format": "pairs"}, "tracking.hooks[0].format: pairs is for syslog"),
    ({"url": "udp://x", "secret": "y"}, "tracking.hooks[0].secret: syslog has no header"),
    ({"url": "https://x", "secret": "y", "secret_file": "/z"}, "tracking.hooks[0].secret_file: has no place beside secret"),
    ({"url": "https://x", "header": "Authorization"}, "tracking.hooks[0].header: is no header field"),
    ({"url": "https://x", "redact": "hashed"}, "tracking.hooks[0].redact: hashed needs tracking.redact_key_file"),
    ({"url": "https://x", "retry_first": "2m"}, "tracking.hooks[0].retry_first: must not be larger"),
    ({"url": "http://x", "secret": "y"}, "tracking.hooks[0].url: warning: sends the secret in clear"),
])
def test_settings_that_make_no_sense_are_told(tmp_path, hook, why):
    settings = {"listeners": [{"address": "127.0.0.1:1"}], "route": {"next_hops": [{"host": "127.0.0.1"}]},
                "tracking": {"hooks": [{"name": "hook", **hook}]}}
    (tmp_path / "settings.yaml").write_text(json.dumps(settings))
    result = subprocess.run([str(build_folder() / "bin" / "skeind"), "--config", str(tmp_path / "settings.yaml"), "--check"],
                            text=True, capture_output=True, timeout=20)
    assert why in result.stdout + result.stderr


# --- another's collector ----------------------------------------------------------------------------------

RSYSLOG = """
module(load="imtcp")
module(load="imudp")
global(workDirectory="{folder}" maxMessageSize="16k")
$EscapeControlCharactersOnReceive off
template(name="told" type="list") {{
  property(name="app-name") constant(value="|") property(name="msgid") constant(value="|")
  property(name="syslogfacility-text") constant(value="|") property(name="hostname") constant(value="|")
  property(name="structured-data") constant(value="|") property(name="msg") constant(value="\\n") }}
input(type="imtcp" port="{port}" address="127.0.0.1" supportOctetCountedFraming="on")
input(type="imudp" port="{port}" address="127.0.0.1")
action(type="omfile" file="{folder}/told" template="told")
"""


@pytest.mark.skipif(not shutil.which("rsyslogd"), reason="no rsyslog")
@pytest.mark.parametrize("kind", ["udp", "tcp"])
def test_rsyslog_reads_every_field(tracker, tmp_path, kind):
    port = free_port()
    (tmp_path / "rsyslog.conf").write_text(RSYSLOG.format(folder=tmp_path, port=port))
    daemon = subprocess.Popen(["rsyslogd", "-n", "-f", str(tmp_path / "rsyslog.conf"), "-i", str(tmp_path / "pid")],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        one = tracker({"url": f"{kind}://127.0.0.1:{port}", "timeout": "500ms"})
        told = tmp_path / "told"

        # Datagrams before it listens are lost.
        def is_heard():
            one.track("first", text='Jörg "]\\')
            return told.exists() and "first" in told.read_text()
        until(is_heard, 20, "rsyslog listens", poll=0.1)
        # No more than the socket of a collector that is busy holds: over UDP the rest would be lost.
        one.track(*names(0, 50))
        assert one.finish()[REFUSED] == 0
        until(lambda: told.read_text().count('id="m') == 50, 20, lambda: told.read_text()[-2000:])
        lines = told.read_text().splitlines()
    finally:
        daemon.terminate()
        daemon.wait(20)
    app, msgid, facility, host, element, message = lines[0].split("|")
    assert (app, msgid, facility, host) == ("skein", "DELIVER", "mail", "test-node")
    assert element == '[skein@32473 kind="DELIVER" session="0000000000001234" id="first"]'
    assert json.loads(message.lstrip("\ufeff"))["text"] == 'Jörg "]\\'
    assert [line.split('id="')[1].split('"')[0] for line in lines if 'id="m' in line] == names(0, 50)
