"""A log in memory: what it plans, it does not do yet; what was written down makes it again."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandlog import Appended, Entry, Identity, Page, Seq, VersionVector
from strandlog.backend import Change, InMemoryLog, Redaction
from strandlog.errors import AppendError, ErasedError, GapError

DEVICES = ("desk", "phone", "phone~1")
ALL = 1 << 30


def _entry(device: str, counter: int, *, redacts: Identity | None = None) -> Entry:
    scope = "friend" if counter % 2 else "private"
    return Entry(Seq(counter, counter, device), scope, b"%d" % counter, redacts=redacts)


def _series(device: str, last: int) -> list[Entry]:
    return [_entry(device, counter) for counter in range(1, last + 1)]


def _filled(*entries: Entry) -> InMemoryLog:
    log = InMemoryLog("alice")
    change, _ = log.plan_append(entries)
    log.apply(change)
    return log


def _state(log: InMemoryLog) -> tuple[Page, Page, bool, int]:
    """Return all that can be seen of a log."""
    page = log.read(after=VersionVector(), limit=ALL, max_bytes=ALL)
    backwards = log.read_range(reverse=True, scopes=["friend"], limit=ALL)
    return page, backwards, log.is_known, log.generation


def test_a_plan_changes_nothing() -> None:
    """The store may fail to write the change down, and then it has not happened."""
    log = _filled(*_series("phone", 4))
    before = _state(log)

    log.plan_append([*_series("desk", 2), _entry("phone", 5, redacts=Identity("phone", 1))])
    log.plan_trim("phone", up_to=2)
    log.plan_rehome("phone", from_counter=3, to_device="phone~1")
    log.plan_erase()

    assert _state(log) == before


def test_a_refusal_says_why() -> None:
    log = _filled(_entry("phone", 1))

    with pytest.raises(GapError):
        log.plan_append([_entry("phone", 3)])


def test_an_erased_log_names_its_user_and_generation() -> None:
    log = _filled(_entry("phone", 1))
    log.apply(log.plan_erase())

    with pytest.raises(ErasedError) as refusal:
        log.plan_append([_entry("phone", 1)])

    assert (refusal.value.user, refusal.value.generation) == ("alice", 1)


def test_what_repeats_is_no_change() -> None:
    """A store that asks whether there is anything to write does not write duplicates."""
    log = _filled(*_series("phone", 4))
    log.apply(log.plan_trim("phone", up_to=2))

    repeated, appended = log.plan_append([_entry("phone", 3), _entry("phone", 4)])

    assert appended == Appended(VersionVector({"phone": 4}), 0, 2)
    assert [bool(one) for one in (repeated, log.plan_trim("phone", up_to=1))] == [False, False]
    assert not log.plan_restore()
    assert not log.plan_rehome("desk", from_counter=1, to_device="x")[0]


def test_a_top_may_be_all_that_changes() -> None:
    """A page of a view may have nothing in it but how far it goes."""
    log = _filled(_entry("phone", 1))

    change, _ = log.plan_append([], upto=VersionVector({"phone": 7}))

    assert change == Change(tops={"phone": 7})
    assert bool(change)


def test_a_change_has_one_form_in_json() -> None:
    """Files of older versions hold it like this, so it can only grow."""
    log = _filled(*_series("phone", 2))
    change, _ = log.plan_append([_entry("desk", 1, redacts=Identity("phone", 2))])
    text = (
        b'{"add":[{"seq":{"timestamp":1,"counter":1,"device":"desk"},"scope":"friend",'
        b'"content":"MQ==","redacts":["phone",2],"meta":null,'
        b'"digest":"d3fbf6d2cec4c69f95933d15f39f6ac7"}],'
        b'"mask":[[["phone",2],["desk",1]]],"tops":{"desk":1}}'
    )

    assert msgspec.json.encode(change) == text
    assert msgspec.json.decode(text, type=Change) == change


def test_every_field_of_a_change_is_read_back() -> None:
    change = Change(
        erased=False,
        remove={"phone": (2, None), "desk": (0, 4)},
        unmask=[Redaction(Identity("a", 1), Identity("b", 2))],
        add=[_entry("phone", 1), _entry("phone", 2).without_content()],
        mask=[Redaction(Identity("c", 1), Identity("d", 2))],
        tops={"phone": 2},
        floor={"desk": 4},
    )

    assert msgspec.json.decode(msgspec.json.encode(change), type=Change) == change
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(change), type=Change) == change


Call = Callable[[InMemoryLog], Change]

_counters = st.integers(1, 6)
_devices = st.sampled_from(DEVICES)
_identities = st.builds(Identity, _devices, _counters)
_entries = st.builds(
    lambda device, counter, redacts: _entry(device, counter, redacts=redacts),
    _devices,
    _counters,
    st.none() | _identities,
)
_vectors = st.dictionaries(_devices, _counters).map(VersionVector)


def _call(name: str, *args: object, **options: object) -> Call:
    def made(log: InMemoryLog) -> Change:
        change = getattr(log, name)(*args, **options)
        return change[0] if isinstance(change, tuple) else change  # type: ignore[no-any-return]

    return made


_calls = st.one_of(
    st.builds(
        lambda batch, upto, floor: _call("plan_append", batch, upto=upto, floor=floor),
        st.lists(_entries, max_size=6),
        st.none() | _vectors,
        st.none() | _vectors,
    ),
    st.builds(lambda last: _call("plan_append", _series("phone", last)), _counters),
    st.builds(lambda name, n: _call("plan_trim", name, up_to=n), _devices, _counters),
    st.builds(
        lambda n, unsent: _call(
            "plan_rehome", "phone", from_counter=n, to_device="phone~1", unsent_after=unsent
        ),
        _counters,
        _vectors,
    ),
    st.just(_call("plan_erase")),
    st.just(_call("plan_restore")),
)


@given(st.lists(_calls, max_size=25))
def test_a_log_is_what_its_changes_come_to(calls: list[Call]) -> None:
    """Whatever was called: whoever reads the journal has the log that was written."""
    log = InMemoryLog("alice")
    journal = []
    for call in calls:
        try:
            change = call(log)
        except AppendError:
            continue
        journal.append(msgspec.msgpack.encode(change))
        log.apply(change)

    replayed = InMemoryLog("alice")
    for line in journal:
        replayed.apply(msgspec.msgpack.decode(line, type=Change))

    assert _state(replayed) == _state(log)
