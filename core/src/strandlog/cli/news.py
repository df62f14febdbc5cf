"""What a sync tells: every event as a line for people or for programs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields

import msgspec

from strandlog.cli.output import entries_text, entry_text, json_line, write
from strandlog.protocol.codec import encode_entry
from strandlog.protocol.events import (
    Arrived,
    Diverged,
    Erased,
    Event,
    Forbidden,
    Recovered,
    Rehomed,
    ServerLostData,
    Supplied,
    UploadBlocked,
    Uploaded,
    Withdrawn,
)

__all__ = ["Tally", "tell"]


@dataclass(slots=True)
class Tally:
    """What a sync has come to so far.

    Attributes:
        sent: Own entries that are new on the server.
        received: Entries that are new here.
        recovered: How many of these are own ones that had been lost here.
        repairs: What else there is to tell at the end.
        refused: Whether something was refused, which then stays undone.
    """

    sent: int = 0
    received: int = 0
    recovered: int = 0
    repairs: list[Event] = field(default_factory=list)
    refused: bool = False

    def count(self, event: Event) -> None:
        """Work one event in."""
        match event:
            case Uploaded(count=count):
                self.sent += count
            case Arrived(entries=entries):
                self.received += len(entries)
            case Recovered(entries=entries):
                self.received += len(entries)
                self.recovered += len(entries)
            case _:
                self.repairs.append(event)
                self.refused |= isinstance(event, Withdrawn | UploadBlocked | Forbidden | Erased)


def tell(event: Event, *, as_json: bool) -> None:
    """Write *event* to stdout, entry by entry where it brought some."""
    if as_json:
        for value in _json_values(event):
            json_line(value)
    elif isinstance(event, Arrived):
        for entry in event.entries:
            write(f"{event.user}  {entry_text(entry)}")
    else:
        write(_text(event))


def _json_values(event: Event) -> Iterator[dict[str, object]]:
    # ServerLostData is "server-lost-data": as error codes are written.
    name = re.sub(r"(?<!^)(?=[A-Z])", "-", type(event).__name__).lower()
    values = {one.name: getattr(event, one.name) for one in fields(event)}
    entries = values.pop("entries", None)
    if entries is None:
        yield {"event": name, **values}
        return
    for entry in entries:
        yield {"event": name, **values, "entry": msgspec.Raw(encode_entry(entry))}


def _text(event: Event) -> str:
    match event:
        case Arrived(user, entries):
            return f"{user}: received {entries_text(len(entries))}"
        case Uploaded(count, last_synced):
            return f"sent {entries_text(count)}: the server has up to {last_synced}"
        case Recovered(entries):
            return f"got back {entries_text(len(entries))} of this device, which had lost them"
        case ServerLostData(last_synced, seq):
            return f"the server had up to {last_synced} and has up to {seq}: sending again"
        case Supplied(device, first, last):
            return f"gave the server {device}:{first} to {device}:{last}, which it lacked"
        case Rehomed(user, from_device, from_counter, to_device, moved):
            return (
                f"{user}: the server holds other entries from {from_device}:{from_counter} on;"
                f" {entries_text(moved)} of here moved to {to_device}"
            )
        case Diverged(user, device):
            return f"{user}: the server holds another history of {device}: comparing"
        case Withdrawn(identity, code, reason):
            return (
                f"the server refused {identity.device}:{identity.counter} for good"
                f" ({code}: {reason}): its content stays here alone"
            )
        case UploadBlocked(code, reason):
            return f"the server refuses what this device adds ({code}: {reason})"
        case Forbidden(user, reason):
            return f"{user}: the server does not show this log ({reason})"
        case Erased(user):
            return f"{user}: this log was erased on the server, and so is the copy"
