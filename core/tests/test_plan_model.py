"""The append plan against a model that judges one entry after another, with all it holds."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import pairwise

from hypothesis import event, given, settings
from hypothesis import strategies as st

from strandlog import Entry, Identity, Seq, VersionVector
from strandlog.backend import DeviceState, Held, Plan, plan, runs
from strandlog.errors import AppendError, ForkError, GapError, SeqError, TrimmedError


@dataclass
class Model:
    """A log kept as plainly as can be."""

    held: dict[Identity, Entry] = field(default_factory=dict)
    tops: dict[str, int] = field(default_factory=dict)
    floors: dict[str, int] = field(default_factory=dict)
    redacted: set[Identity] = field(default_factory=set)

    def appended(
        self, batch: list[Entry], upto: dict[str, int] | None, floor: dict[str, int]
    ) -> Model:
        """Return the log after the batch, or raise the first offence."""
        log = deepcopy(self)
        devices = {entry.device for entry in batch} | {*(upto or ())} | {*floor}
        for device in sorted(devices):
            mine = sorted(
                (entry for entry in batch if entry.device == device), key=lambda one: one.counter
            )
            log._add(device, mine, None if upto is None else upto.get(device, 0), floor)
        for identity in log.redacted & {*log.held}:
            log.held[identity] = log.held[identity].without_content()
        return log

    def _add(
        self, device: str, batch: list[Entry], upto: int | None, floor: dict[str, int]
    ) -> None:
        least = max(self.floors.get(device, 0), floor.get(device, 0))
        top = max(self.tops.get(device, 0), least)
        ceiling = None if upto is None else max(top, upto)
        if batch and all(entry.counter <= least for entry in batch):
            raise TrimmedError(device, least)
        for entry in batch:
            if entry.counter <= least:
                continue
            if entry.identity in self.held:
                if self.held[entry.identity].digest != entry.digest:
                    raise ForkError(device, entry.counter)
                continue
            if ceiling is not None and entry.counter > ceiling:
                raise GapError(device, expected=ceiling, got=entry.counter)
            if ceiling is None and entry.counter > top + 1:
                raise GapError(device, expected=top + 1, got=entry.counter)
            self.held[entry.identity] = entry
            top = max(top, entry.counter)
            if entry.redacts is not None:
                self.redacted.add(entry.redacts)
        mine = [one for one in self.held.values() if one.device == device]
        for before, entry in pairwise(sorted(mine, key=lambda one: one.counter)):
            if entry.seq.timestamp < before.seq.timestamp:
                least = before.seq.timestamp
                raise SeqError(device, entry.counter, least=least, previous=before.counter)
        self.tops[device] = max(top, ceiling or 0)
        self.floors[device] = least

    def state(self, batch: list[Entry]) -> dict[str, DeviceState]:
        """Return no more of the log than ``DeviceState`` asks for."""
        states = {}
        for device in {*self.tops, *(entry.device for entry in batch)}:
            mine = sorted(counter for name, counter in self.held if name == device)
            needed: set[int] = set()
            for first, last in runs(batch).get(device, ()):
                needed |= {counter for counter in mine if first <= counter <= last}
                needed |= {*[counter for counter in mine if counter < first][-1:]}
                needed |= {*[counter for counter in mine if counter > last][:1]}
            held = [self.held[Identity(device, counter)] for counter in sorted(needed)]
            states[device] = DeviceState(
                self.tops.get(device, 0),
                self.floors.get(device, 0),
                [Held(one.counter, one.seq.timestamp, one.digest) for one in held],
                {counter for name, counter in self.redacted if name == device},
            )
        return states

    def carried_out(self, planned: Plan) -> Model:
        """Return the log after writing what a plan says, and nothing else."""
        log = deepcopy(self)
        log.held |= {entry.identity: entry for entry in planned.add}
        log.redacted |= {redaction.target for redaction in planned.redactions}
        for identity in {redaction.target for redaction in planned.redactions} & {*log.held}:
            log.held[identity] = log.held[identity].without_content()
        log.tops |= planned.tops
        log.floors |= planned.floor
        return log

    @property
    def value(self) -> tuple[object, ...]:
        return self.held, VersionVector(self.tops), VersionVector(self.floors), self.redacted


devices = st.sampled_from(["desk", "phone"])


@st.composite
def stretches(draw: st.DrawFn) -> list[Entry]:
    """Draw entries without a hole between them, nearly all of which fit."""
    device, first = draw(devices), draw(st.integers(1, 5))
    entries = []
    for counter in range(first, first + draw(st.integers(1, 4))):
        late = draw(st.sampled_from([*[0] * 12, 15, -10]))
        target = draw(st.none() | st.none() | st.builds(Identity, devices, st.integers(1, 7)))
        entry = Entry(
            Seq(10 * counter + late, counter, device),
            "private",
            draw(st.sampled_from([*[b"1"] * 12, b"2"])),
            redacts=target,
        )
        form = draw(st.sampled_from(["whole", "whole", "whole", "redacted", "withdrawn"]))
        entries.append(
            {"whole": entry, "redacted": entry.without_content()}.get(form, entry.withdrawn())
        )
    return entries


batches = st.lists(stretches(), max_size=3).flatmap(
    lambda drawn: st.permutations([entry for stretch in drawn for entry in stretch])
)
vectors = st.dictionaries(devices, st.integers(0, 8), max_size=2)
appends = st.tuples(batches, st.none() | vectors, st.just({}) | st.just({}) | vectors)


def _refusal(
    act: Callable[..., object], *given: object, **named: object
) -> tuple[type[AppendError], dict[str, object]] | None:
    """Return what *act* is refused with, down to the attributes of the error."""
    try:
        act(*given, **named)
    except AppendError as error:
        return type(error), vars(error)
    return None


@settings(max_examples=300)
@given(st.lists(appends, max_size=8))
def test_plan_and_model_come_to_the_same(
    history: list[tuple[list[Entry], dict[str, int] | None, dict[str, int]]],
) -> None:
    """Batch after batch, by what is stored or by the error, down to its attributes."""
    log = Model()
    for batch, upto, floor in history:
        state = log.state(batch)
        refused = _refusal(log.appended, batch, upto, floor)
        if refused is not None:
            event(refused[0].__name__)

            assert _refusal(plan, batch, state, upto=upto, floor=floor) == refused
            continue
        event("taken")
        planned = plan(batch, state, upto=upto, floor=floor)
        carried_out = log.carried_out(planned)

        assert carried_out.value == log.appended(batch, upto, floor).value
        assert planned.duplicates == len(batch) - len(planned.add)
        log = carried_out
