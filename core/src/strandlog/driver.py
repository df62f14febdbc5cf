"""Carries out on real stores what the protocol engines ask for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar

from strandlog.access import AccessPolicy, FriendsPolicy
from strandlog.backend.store import CursorStore, LogStore
from strandlog.errors import StrandlogError
from strandlog.protocol import calls
from strandlog.protocol.calls import Call, Steps

__all__ = ["Driver"]

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class Driver:
    """The stores, and on a server the policy, that an engine works with.

    The stores are called directly: what an engine hands over has passed the
    codec, which checks no less than :class:`strandlog.Log` does.
    """

    log: LogStore
    cursors: CursorStore
    access: AccessPolicy = field(default_factory=FriendsPolicy)

    async def run(self, steps: Steps[ResultT]) -> ResultT:
        """Run a piece of an engine to its result.

        Errors of a call go into the engine, which decides what they mean;
        cancellation goes through it and ends it.
        """
        try:
            call = next(steps)
            while True:
                try:
                    result = await self._carry_out(call)
                except StrandlogError as error:
                    call = steps.throw(error)
                else:
                    call = steps.send(result)
        except StopIteration as stop:
            value: ResultT = stop.value
            return value
        finally:
            steps.close()

    async def _carry_out(self, call: Call[Any]) -> object:
        match call:
            case calls.Append(user, entries, upto, floor):
                return await self.log.append(user, entries, upto=upto, floor=floor)
            case calls.Read():
                return await self.log.read(
                    call.user,
                    after=call.after,
                    devices=call.devices,
                    scopes=call.scopes,
                    limit=call.limit,
                    max_bytes=call.max_bytes,
                )
            case calls.Digests(user, at):
                return await self.log.digests(user, at) if at else {}
            case calls.Tops(user):
                return await self.log.tops(user)
            case calls.Rehome(user, device, from_counter, to_device, unsent_after):
                return await self.log.rehome(
                    user,
                    device,
                    from_counter=from_counter,
                    to_device=to_device,
                    unsent_after=unsent_after,
                )
            case calls.Discard(user):
                # Log before cursors: a crash in between then costs a repetition.
                await self.log.erase(user)
                await self.cursors.erase(user)
                await self.log.restore(user)
            case calls.LoadCursor(user, reader):
                return await self.cursors.load(user, reader)
            case calls.AdvanceCursor(user, reader, vector):
                return await self.cursors.advance(user, reader, vector)
            case calls.ResetCursor(user, reader, vector):
                await self.cursors.reset(user, reader, vector)
            case calls.Readers(user):
                return await self.cursors.readers(user)
            case calls.Forget(user, reader):
                await self.cursors.forget(user, reader)
            case calls.Visible(reader, user):
                return await self.access.visible(reader, user)
            case calls.Admit(reader, entries):
                await self.access.admit(reader, entries)
        return None
