"""What an append comes to, case by case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import pytest

from strandlog import Appended, Entry, Identity, Seq
from strandlog.backend import (
    DeviceState,
    Held,
    Redaction,
    followers,
    plan,
    plan_following,
    plan_rehome,
    runs,
)
from strandlog.errors import AppendError, ForkError, GapError, SeqError, TrimmedError


def _entry(
    counter: int,
    *,
    device: str = "phone",
    at: int | None = None,
    content: bytes = b"1",
    redacts: tuple[str, int] | None = None,
) -> Entry:
    """Build an entry stamped ten times its counter, unless told otherwise."""
    return Entry(
        Seq(10 * counter if at is None else at, counter, device),
        "private",
        content,
        redacts=None if redacts is None else Identity(*redacts),
    )


def _held(*entries: Entry) -> list[Held]:
    return [Held(entry.counter, entry.seq.timestamp, entry.digest) for entry in entries]


P = {counter: _entry(counter) for counter in range(1, 12)}
LATE = _entry(3, at=51)
GONE = {counter: entry.without_content() for counter, entry in P.items()}


@dataclass(frozen=True)
class Case:
    """A batch, what is held of the phone, and what comes of it.

    *held* and *added* are counters of the phone's entries as ``_entry`` makes them.
    """

    name: str
    batch: Sequence[Entry] = ()
    held: Sequence[int] = ()
    top: int | None = None  # the last held, unless given
    was_floor: int = 0
    upto: int | None = None
    floor: int | None = None
    added: Sequence[int] = ()
    new_top: int = 0
    new_floor: int = 0
    duplicates: int = 0
    refused: AppendError | None = field(default=None)

    @property
    def state(self) -> dict[str, DeviceState]:
        top = max(self.held, default=0) if self.top is None else self.top
        held = _held(*(P[counter] for counter in self.held))
        return {"phone": DeviceState(top, self.was_floor, held)}

    @property
    def vectors(self) -> dict[str, dict[str, int]]:
        given = {"upto": self.upto, "floor": self.floor}
        return {name: {"phone": n} for name, n in given.items() if n is not None}


def _gap(*, expected: int, got: int) -> GapError:
    return GapError("phone", expected=expected, got=got)


def _fork(counter: int) -> ForkError:
    return ForkError("phone", counter)


def _falls(counter: int, *, behind: Entry) -> SeqError:
    return SeqError("phone", counter, least=behind.seq.timestamp, previous=behind.counter)


ORDINARY = [
    Case("nothing"),
    Case("the first", [P[1]], added=[1], new_top=1),
    Case("the next", [P[3]], held=[1, 2], added=[3], new_top=3),
    Case("several", [P[3], P[4]], held=[1, 2], added=[3, 4], new_top=4),
    Case("in any order", [P[3], P[1], P[2]], added=[1, 2, 3], new_top=3),
    Case("one that is held", [P[2]], held=[1, 2], new_top=2, duplicates=1),
    Case("one held, one new", [P[2], P[3]], held=[2], added=[3], new_top=3, duplicates=1),
    Case("one twice", [P[1], P[1]], added=[1], new_top=1, duplicates=1),
    Case("whole and redacted", [P[1], GONE[1]], added=[1], new_top=1, duplicates=1),
    Case("held, and redacted", [GONE[1]], held=[1], new_top=1, duplicates=1),
    Case("not from 1", [P[2]], refused=_gap(expected=1, got=2)),
    Case("one left out", [P[4]], held=[1, 2], refused=_gap(expected=3, got=4)),
    Case("a hole in the batch", [P[3], P[5]], held=[2], refused=_gap(expected=4, got=5)),
    Case("a gap closed by the batch", [P[4], P[3]], held=[2], added=[3, 4], new_top=4),
    Case("another content", [_entry(2, content=b"2")], held=[2], refused=_fork(2)),
    Case("another time", [_entry(2, at=21)], held=[2], refused=_fork(2)),
    Case("another redacts", [_entry(2, redacts=("a", 1))], held=[2], refused=_fork(2)),
    Case("two of one identity", [P[1], _entry(1, content=b"2")], refused=_fork(1)),
    Case("a fork before a new one", [_entry(1, at=9), P[2]], held=[1], refused=_fork(1)),
    Case("a time repeated", [_entry(3, at=20)], held=[2], added=[3], new_top=3),
    Case("a time that falls", [_entry(3, at=19)], held=[2], refused=_falls(3, behind=P[2])),
    Case(
        "it falls in the batch", [P[3], _entry(4, at=29)], held=[2], refused=_falls(4, behind=P[3])
    ),
]
FILTERED = [
    Case("upto alone", upto=9, new_top=9),
    Case("upto below the top", held=[5], upto=3, new_top=5),
    Case("skipping to upto", [P[4], P[7]], held=[1], upto=9, added=[4, 7], new_top=9),
    Case("the last is upto", [P[9]], upto=9, added=[9], new_top=9),
    Case("above upto", [P[9]], held=[1], upto=8, refused=_gap(expected=8, got=9)),
    Case("above upto and top", [P[6]], held=[5], upto=2, refused=_gap(expected=5, got=6)),
    Case("a hole filled", [P[3]], held=[2, 5], top=9, upto=9, added=[3], new_top=9),
    Case("two holes filled", [P[3], P[7]], held=[2, 5], top=9, upto=9, added=[3, 7], new_top=9),
    Case("filled without upto", [P[3]], held=[2, 5], top=9, added=[3], new_top=9),
    Case("filled above all held", [P[7]], held=[5], top=9, upto=9, added=[7], new_top=9),
    Case("filled and beyond", [P[9], P[10]], held=[5], top=9, added=[9, 10], new_top=10),
    Case("dense from the covered top", [P[10]], top=9, added=[10], new_top=10),
    Case("gap from the covered top", [P[11]], top=9, refused=_gap(expected=10, got=11)),
    Case("too early", [_entry(3, at=19)], held=[2, 5], top=9, refused=_falls(3, behind=P[2])),
    Case("too late", [LATE], held=[2, 5], top=9, refused=_falls(5, behind=LATE)),
    Case("forked in the middle", [_entry(5, at=51)], held=[5], top=9, refused=_fork(5)),
]
TRIMMED = [
    Case("below", [P[2], P[3]], held=[5], was_floor=4, refused=TrimmedError("phone", 4)),
    Case("at the floor", [P[4]], held=[5], was_floor=4, refused=TrimmedError("phone", 4)),
    Case("across", [P[4], P[5], P[6]], held=[5], was_floor=4, added=[6], new_top=6, duplicates=2),
    Case("forked above", [P[4], _entry(5, at=51)], held=[5], was_floor=4, refused=_fork(5)),
    Case("forked below", [_entry(4, at=41), P[5]], held=[5], was_floor=4, new_top=5, duplicates=2),
    Case("imported alone", floor=9, new_top=9, new_floor=9),
    Case("imported below the top", held=[5], floor=3, new_top=5, new_floor=3),
    Case("imported below the floor", held=[5], was_floor=4, floor=3, new_top=5),
    Case("first above imported", [P[10]], floor=9, added=[10], new_top=10, new_floor=9),
    Case("gap above imported", [P[11]], floor=9, refused=_gap(expected=10, got=11)),
    Case("below imported", [P[9]], floor=9, refused=TrimmedError("phone", 9)),
    Case("upto below imported", floor=9, upto=4, new_top=9, new_floor=9),
    Case("above both", [P[10]], floor=9, upto=4, refused=_gap(expected=9, got=10)),
    Case(
        "across imported",
        [P[9], P[10]],
        floor=9,
        added=[10],
        new_top=10,
        new_floor=9,
        duplicates=1,
    ),
]
CASES = [*ORDINARY, *FILTERED, *TRIMMED]


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.refused is None], ids=lambda case: case.name
)
def test_what_is_taken(case: Case) -> None:
    planned = plan(case.batch, case.state, **case.vectors)

    assert planned.add == [P[n] if P[n] in case.batch else _entry(n, at=20) for n in case.added]
    assert planned.tops == {"phone": case.new_top}
    assert planned.floor == {"phone": case.new_floor}
    assert planned.duplicates == case.duplicates
    assert planned.redactions == []
    assert planned.appended == Appended(planned.tops, len(case.added), case.duplicates)


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.refused is not None], ids=lambda case: case.name
)
def test_what_is_refused(case: Case) -> None:
    with pytest.raises(AppendError) as refused:
        plan(case.batch, case.state, **case.vectors)

    assert type(refused.value) is type(case.refused)
    assert vars(refused.value) == vars(case.refused)


def test_the_first_device_in_bytewise_order_is_the_one_that_is_named() -> None:
    """Every store gives the same answer to a batch with several faults."""
    batch = [_entry(2, device="b"), _entry(2, device="a"), _entry(2, device="Z")]

    with pytest.raises(GapError) as refused:
        plan(batch, {})

    assert refused.value.device == "Z"


def test_one_device_at_fault_refuses_the_others_too() -> None:
    with pytest.raises(GapError):
        plan([_entry(1, device="a"), _entry(2, device="b")], {})


def test_a_batch_of_several_devices_names_the_top_of_each() -> None:
    planned = plan(
        [_entry(1, device="a"), _entry(1), _entry(2)], {}, upto={"a": 1, "desk": 4, "phone": 2}
    )

    assert planned.tops == {"a": 1, "desk": 4, "phone": 2}


def test_a_redaction_takes_the_content_of_a_later_one_of_its_batch() -> None:
    redaction = _entry(1, device="desk", redacts=("phone", 2))

    planned = plan([redaction, P[1], P[2]], {})

    assert planned.add == [redaction, P[1], P[2].without_content()]
    assert planned.redactions == [Redaction(Identity("phone", 2), Identity("desk", 1))]


def test_a_redaction_is_told_although_its_target_is_held_or_unknown() -> None:
    """The store drops what it holds, and remembers the rest for when it arrives."""
    redactions = [
        _entry(1, device="desk", redacts=("phone", 1)),
        _entry(2, device="desk", redacts=("phone", 9)),
    ]

    planned = plan(redactions, {"phone": DeviceState(1, 0, _held(P[1]))})

    assert planned.add == redactions
    assert [told.target.counter for told in planned.redactions] == [1, 9]


def test_an_entry_that_was_redacted_before_it_came_has_lost_its_content() -> None:
    planned = plan([P[1], P[2]], {"phone": DeviceState(redacted={2, 7})})

    assert planned.add == [P[1], P[2].without_content()]


def test_a_redacted_entry_that_is_sent_again_stays_redacted() -> None:
    state = {"phone": DeviceState(1, 0, _held(P[1].without_content()), {1})}

    planned = plan([P[1]], state)

    assert (planned.add, planned.duplicates) == ([], 1)


def test_a_redacted_redaction_still_redacts() -> None:
    redaction = _entry(1, device="desk", redacts=("phone", 1)).without_content()

    planned = plan([redaction, P[1]], {})

    assert planned.add == [redaction, P[1].without_content()]


def test_a_withdrawn_redaction_takes_nothing_away_when_it_is_sent_whole_again() -> None:
    """Readers have the withdrawn form, which masks nothing; the store must not differ."""
    redaction = _entry(1, device="desk", redacts=("phone", 1))
    state = {"desk": DeviceState(1, 0, _held(redaction.withdrawn()))}

    planned = plan([redaction, P[1]], state)

    assert (planned.add, planned.redactions) == ([P[1]], [])


def test_a_redaction_below_the_floor_takes_nothing_away() -> None:
    """Nobody can tell any more whether it is the one that was trimmed."""
    redaction = _entry(3, device="desk", redacts=("phone", 1))
    state = {"desk": DeviceState(4, 4)}

    planned = plan([redaction, _entry(5, device="desk"), P[1]], state)

    assert (planned.add, planned.redactions) == ([_entry(5, device="desk"), P[1]], [])


def test_plan_changes_nothing_that_it_is_given() -> None:
    batch = (_entry(1, device="desk", redacts=("phone", 3)), P[3], P[2])
    state = MappingProxyType({"phone": DeviceState(1, 0, tuple(_held(P[1])), frozenset({2}))})
    vectors = MappingProxyType({"desk": 1, "phone": 3})

    first = plan(batch, state, upto=vectors, floor=MappingProxyType({"old": 9}))

    assert plan(batch, state, upto=vectors, floor=MappingProxyType({"old": 9})) == first
    assert batch == (_entry(1, device="desk", redacts=("phone", 3)), P[3], P[2])


def test_runs_are_the_counters_of_each_device_without_holes() -> None:
    batch = [P[4], P[2], P[3], P[3], P[9], _entry(7, device="desk")]

    assert runs(batch) == {"phone": [(2, 4), (9, 9)], "desk": [(7, 7)]}
    assert runs([]) == {}


def test_a_branch_moves_as_1_to_n_with_time_scope_and_content() -> None:
    moved = plan_rehome([P[7], P[8], P[9]], "phone~1234")

    assert moved == [_entry(n, device="phone~1234", at=10 * (n + 6)) for n in (1, 2, 3)]
    assert {entry.digest for entry in moved}.isdisjoint({P[7].digest, P[8].digest, P[9].digest})


def test_a_redaction_inside_a_branch_follows_its_target() -> None:
    branch = [P[7], _entry(8, redacts=("phone", 7)), _entry(9, redacts=("phone", 6))]

    moved = plan_rehome(branch, "phone~1234")

    assert [entry.redacts for entry in moved] == [
        None, Identity("phone~1234", 1), Identity("phone", 6)
    ]  # fmt: skip


def test_what_has_no_content_keeps_its_digest_when_it_moves() -> None:
    """Nobody could compute another, and so it goes on saying what it was."""
    gone = _entry(8, redacts=("phone", 7)).without_content()

    moved = plan_rehome([P[7], gone], "phone~1234")

    assert (moved[1].content, moved[1].digest) == (None, gone.digest)
    assert moved[1].identity == Identity("phone~1234", 2)
    assert moved[1].redacts == Identity("phone~1234", 1)


def test_only_unsent_redactions_from_outside_follow() -> None:
    """Those inside the branch move with it; those that others hold are history."""
    branch = [P[7], P[8]]
    laptop, desk = Identity("laptop", 3), Identity("desk", 1)
    redactions = [
        Redaction(P[7].identity, P[8].identity),
        Redaction(P[7].identity, Identity("laptop", 2)),
        Redaction(P[7].identity, laptop),
        Redaction(P[7].identity, desk),
        Redaction(P[6].identity, Identity("laptop", 4)),
    ]

    found = followers(redactions, branch, {"laptop": 2})

    assert found == [laptop]


def test_what_follows_keeps_its_place_and_names_the_new_one() -> None:
    redaction = Entry(Seq(900, 1, "laptop"), "private", b'"sorry"', redacts=P[8].identity)

    [followed] = plan_following([redaction], [P[7], P[8]], "phone~1234")

    assert followed == Entry(
        redaction.seq, "private", b'"sorry"', redacts=Identity("phone~1234", 2)
    )


def test_an_entry_that_lost_its_content_has_arrived() -> None:
    """Redacted before or after the first move: the digests tell that it is the same."""
    [first, second] = plan_rehome([P[7], P[8]], "phone~1234")
    before = [P[7].without_content(), P[8]]
    held_before = plan_rehome(before, "phone~1234")
    held_after = [first.without_content(), second]

    assert plan_rehome([P[7], P[8]], "phone~1234", held=held_before) == held_before
    assert plan_rehome([P[7], P[8]], "phone~1234", held=held_after) == held_after
    assert plan_rehome(before, "phone~1234", held=[first, second]) == [first, second]
    assert plan_rehome(before, "phone~1234", held=held_after) == held_after


def test_another_entry_in_its_place_has_not_arrived() -> None:
    other = replace(P[7], content=b'"other"', digest="")
    [held] = plan_rehome([other], "phone~1234")

    for there in (held, held.without_content()):
        assert plan_rehome([P[7]], "phone~1234", held=[there]) == plan_rehome([P[7]], "phone~1234")
