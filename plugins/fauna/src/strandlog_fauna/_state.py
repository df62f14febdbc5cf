"""What a batch has to know of the log before it can be decided, read in one query."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any

from strandlog import Entry, Identity
from strandlog.backend import DeviceState, Held, runs, unpack
from strandlog.errors import ErasedError
from strandlog_fauna._fql import q
from strandlog_fauna._schema import ALL, Schema, data

__all__ = ["Device", "Question", "State", "device_data", "entry_of"]

Runs = Sequence[tuple[int, int]]

_FIELDS = ("top", "floor", "n", "t", "p", "v")


@dataclass(frozen=True, slots=True)
class Device:
    """One device of a log, as it is kept.

    Attributes:
        top: How far the log covers it.
        floor: Up to where it was trimmed.
        newest: The counter of the newest entry held; 0 if none is.
        timestamp: That entry's timestamp.
        named: The greatest of its counters that a redaction has named.
        writer: Drawn by whoever wrote it last; empty before it is first written.
    """

    top: int = 0
    floor: int = 0
    newest: int = 0
    timestamp: int = 0
    named: int = 0
    writer: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """The answer to a :class:`Question`.

    Attributes:
        devices: Every device that was asked for.
        touched: What ``plan`` needs.
        committed: Whether a write with the question's token was carried out.
        brought: Which entries of the batch are there already, by that token.
        targets: Those entries that the batch redacts and that are held.
    """

    devices: Mapping[str, Device]
    touched: Mapping[str, DeviceState]
    committed: bool
    brought: frozenset[Identity]
    targets: Mapping[Identity, Entry]


@dataclass(frozen=True, slots=True)
class Question:
    """What has to be known to decide *entries*.

    Attributes:
        others: Devices without entries in the batch.
        also: Entries that will be redacted beside those that the batch names.
    """

    user: str
    entries: Sequence[Entry]
    token: str
    others: Iterable[str] = ()
    also: Iterable[Identity] = ()
    touched: dict[str, Runs] = field(init=False)
    targets: list[Identity] = field(init=False)

    def __post_init__(self) -> None:
        found: dict[str, Runs] = dict.fromkeys(self.others, ())
        found |= runs(self.entries)
        targets = sorted({*(one.redacts for one in self.entries if one.redacts), *self.also})
        for device, _ in targets:
            found.setdefault(device, ())
        object.__setattr__(self, "touched", found)
        object.__setattr__(self, "targets", targets)

    def expression(self, schema: Schema) -> Any:
        log = schema.match("log_by_user", self.user)
        # What differs from device to device is data and not expression: so the
        # query stays short, however many there are.
        devices = [[name, [list(one) for one in ranges]] for name, ranges in self.touched.items()]
        return [
            q.let(
                {"log": q.if_(q.exists(log), q.select("data", q.get(log)), {})},
                [q.select("e", q.var("log"), False), q.select("g", q.var("log"), 0)],
            ),
            q.map_(q.lambda_(["d", "runs"], self._device(schema)), devices),
            q.map_(
                q.lambda_(["d", "n"], self._target(schema)),
                [list(target) for target in self.targets],
            ),
        ]

    def _device(self, schema: Schema) -> Any:
        """Return what is known of the device ``d``, and around each of its ``runs``."""
        held = schema.match("entry_by_counter", self.user, q.var("d"))
        named = schema.match("redaction_by_target", self.user, q.var("d"))
        first, last = q.var("first"), q.var("last")
        around = [
            _page(q.reverse(q.range(held, [], [q.add(first, -1)])), 1),
            _page(q.range(held, [first], [last])),
            _page(q.range(held, [q.add(last, 1)], []), 1),
            _page(q.range(named, [first], [last])),
        ]
        is_mine = q.lambda_("token", q.equals(q.var("token"), self.token))
        mine = q.filter_(is_mine, q.select("o", q.var("device"), []))
        nothing = Device()
        return q.let(
            {"device": device_data(schema, self.user, q.var("d"))},
            [
                [
                    q.select(field, q.var("device"), default)
                    for field, default in zip(_FIELDS, astuple(nothing), strict=True)
                ],
                q.map_(q.lambda_(["first", "last"], around), q.var("runs")),
                q.is_nonempty(mine),
            ],
        )

    def _target(self, schema: Schema) -> Any:
        found = schema.match("entry_by_key", self.user, q.var("d"), q.var("n"))
        return q.if_(q.exists(found), q.select(["data", "b"], q.get(found)), None)

    def read(self, answer: Any) -> State:
        """Return the state that the server has answered with.

        Raises:
            ErasedError: The log was erased.
        """
        (erased, generation), devices, targets = answer
        if erased:
            raise ErasedError(self.user, generation)
        known: dict[str, Device] = {}
        touched: dict[str, DeviceState] = {}
        committed = False
        brought: set[Identity] = set()
        for name, (fields, found, mine) in zip(self.touched, devices, strict=True):
            committed = committed or mine
            device = known[name] = Device(*fields)
            near: dict[int, Held] = {}
            redacted: set[int] = set()
            for before, within, after, named in found:
                for counter, _, timestamp, digest, token in (*before, *within, *after):
                    near[counter] = Held(counter, timestamp, digest)
                    if token == self.token:
                        brought.add(Identity(name, counter))
                redacted.update(counter for counter, _ in named)
            held = [near[counter] for counter in sorted(near)]
            touched[name] = DeviceState(device.top, device.floor, held, redacted)
        return State(
            known,
            touched,
            committed,
            frozenset(brought & {entry.identity for entry in self.entries}),
            {
                target: entry_of(self.user, target.device, target.counter, record)
                for target, record in zip(self.targets, targets, strict=True)
                if record is not None
            },
        )


def device_data(schema: Schema, user: str, name: Any) -> Any:
    """Return the fields of a device; one that is unknown has none."""
    row = schema.match("device_by_name", user, name)
    return q.if_(q.exists(row), q.select("data", q.get(row)), {})


def entry_of(user: str, device: str, counter: int, record: Any) -> Entry:
    """Return the entry that a stored record holds."""
    # The driver gives bytearrays; what is none is damage, which unpack tells.
    plain = bytes(record) if isinstance(record, bytearray) else record
    return unpack(user, device, counter, plain)


def _page(rows: Any, size: int = ALL) -> Any:
    return data(q.paginate(rows, size=size))
