"""One log as one connection of a server sees it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from strandlog.model import COUNTER_MAX, Reader
from strandlog.page import Page, cut_page
from strandlog.protocol import calls
from strandlog.protocol.calls import Steps
from strandlog.protocol.codec import frame_length
from strandlog.protocol.frames import Hello, Push, Reply
from strandlog.vector import VersionVector

__all__ = ["NOTHING", "Feed", "view_name"]

NOTHING = VersionVector()


def view_name(scopes: frozenset[str] | None) -> str:
    """Return the name of the view that shows these scopes; ``*`` shows all of them."""
    return "*" if scopes is None else ",".join(sorted(scopes))


@dataclass(slots=True)
class Feed:
    """What was sent of a log, through which view, and what is known of the reader's history.

    Attributes:
        user: Whose log.
        own: The reader's own device, if this is its own log.
        reader: Who reads.
        view: The present view's name; empty for the own log, which is seen whole.
        scopes: The scopes of that view; ``None`` is all.
        page_messages: The most entries of a page, as agreed in the last hello.
        page_bytes: The longest frame, likewise.
        sent: What the reader covers once it has everything that was sent.
        live: Whether changes are pushed.
        backlog: Version 0 only: pages of the greeting are still due.
        own_first: Version 0 only: the reader's lost entries are still due, before others.
        checked: Devices whose history was compared; ``None`` if the client opted out.
        diverged: Devices whose history differs.
        withheld: Devices of which nothing is sent: diverged, or not compared.
        pending: Tips of entries that are not held here, and so not compared yet.
        wanted: Devices asked for on this connection, with the client's floor.
        unconfirmed: Version 0 only: what each unconfirmed frame will have brought.
        cursor: What this connection last wrote as the reader's cursor.
    """

    user: str
    reader: Reader
    own: str | None
    view: str = ""
    scopes: frozenset[str] | None = None
    page_messages: int = 0
    page_bytes: int = 0
    sent: VersionVector = NOTHING
    live: bool = False
    backlog: bool = False
    own_first: bool = False
    checked: set[str] | None = None
    diverged: frozenset[str] = frozenset()
    withheld: frozenset[str] = frozenset()
    pending: dict[str, tuple[int, str]] = field(default_factory=dict)
    wanted: dict[str, int] = field(default_factory=dict)
    unconfirmed: deque[VersionVector] = field(default_factory=deque)
    cursor: VersionVector | None = None

    @property
    def cursor_name(self) -> str:
        """Under which name the reader's cursor is kept: one for each view."""
        return str(self.reader) if self.own else f"{self.reader}#{self.view}"

    def compare(self, hello: Hello, have: VersionVector) -> Steps[None]:
        """Compare histories by *tips*: a version vector compares counts, never histories."""
        if hello.tips is None and self.checked is None:
            return  # a simple client: it opts out of the check, and of its protection
        tips = {d: tip for d, (n, tip) in self.pending.items() if have[d] == n}
        tips.update(hello.tips or {})
        known = self.checked or set()
        # Beyond what we have sent, somebody else told the reader: compare again.
        checked = {d for d in known if have[d] <= self.sent[d] or d in tips}
        at = {d: have[d] for d in tips if have[d] and d != self.own}
        held = yield from calls.Digests(self.user, at)
        diverged = {d for d in at if held[d] not in (None, tips[d])}
        unknown = {d for d in at if held[d] is None}
        checked = (checked | at.keys()) - diverged - unknown
        uncompared = have.keys() - checked - diverged - {self.own}
        if uncompared:
            # What was trimmed nobody can compare any more, and a reader may have got
            # no further than to hear of the floor: it must not wait for ever.
            page = yield from calls.Read(user=self.user, after=have, limit=0, max_bytes=0)
            checked |= {d for d in uncompared if have[d] <= page.floor[d]}
        # What differed stays so until the reader starts that device anew, from 0.
        diverged |= {d for d in self.diverged if have[d] and d not in checked}
        self.checked = checked
        self.pending = {d: (have[d], tips[d]) for d in unknown - checked}
        self.diverged = frozenset(diverged)
        self.withheld = frozenset((have.keys() - checked | diverged) - {self.own})

    def compare_pending(self) -> Steps[None]:
        """Compare what could not be compared at the last hello; push what turns out equal.

        A store that lost data gets it back from whoever has it. Those who are
        connected meanwhile would otherwise hear nothing more of that device.
        """
        held = yield from calls.Digests(self.user, {d: n for d, (n, _) in self.pending.items()})
        for device, (counter, tip) in list(self.pending.items()):
            if held[device] == tip and self.checked is not None:
                del self.pending[device]
                self.checked.add(device)
                self.withheld -= {device}
                self.sent = self.sent.merge({device: counter})

    def read(self, after: VersionVector, *, own_only: bool = False) -> Steps[Page]:
        """Read one page after *after*, without the devices that are withheld."""
        page = yield from calls.Read(
            user=self.user,
            after=after.replace(dict.fromkeys(self.withheld, COUNTER_MAX)),
            devices={self.own} if own_only and self.own else None,
            scopes=self.scopes,
            limit=self.page_messages,
            max_bytes=self.page_bytes,
        )
        return self._without_withheld(page, after)

    def _without_withheld(self, page: Page, after: VersionVector) -> Page:
        """Return the page with what it covers told of the withheld devices as well."""
        if not self.withheld:
            return page
        told = {d: after[d] if page.more else min(after[d], page.tops[d]) for d in self.withheld}
        told.update(dict.fromkeys(self.diverged, 0))
        return replace(page, upto=page.upto.replace(told))

    def cut(self, page: Page, after: VersionVector, draft: Reply | Push) -> Page:
        """Return as much of the page as fits into the frame of *draft*, one entry at least."""
        # However it is cut, no vector of the answer gets longer than this.
        longest = draft if draft.upto is None else replace(draft, upto=after.merge(page.tops))
        room = self.page_bytes - frame_length(longest)
        # One comma between two messages.
        if sum(entry.wire_length + 1 for entry in page.entries) - 1 <= room:
            return page
        shorter = cut_page(
            page.entries,
            after=after,
            tops=page.tops,
            floor=page.floor,
            limit=len(page.entries),
            max_bytes=max(room - len(page.entries), 0),
        )
        return self._without_withheld(shorter, after) if shorter.more else page

    def begin(self, page: Page, *, live: bool) -> None:
        """Note that *page* was sent as the answer to a hello."""
        # Never above our tops: what the reader has beyond them reaches us later
        # through somebody, and counts as news then.
        self.sent = page.upto.clamp(page.tops)
        self.live = live
        self._note_compared(page)

    def advance(self, page: Page) -> VersionVector:
        """Note that *page* was sent as a push; return how far that takes the reader."""
        news = VersionVector(
            {d: n for d, n in page.upto.items() if n > self.sent[d] and d not in self.withheld}
        )
        self.sent = self.sent.merge(news)
        self._note_compared(page)
        return news

    def _note_compared(self, page: Page) -> None:
        # What a reader has from us alone has our history.
        if self.checked is not None:
            self.checked.update(page.tops.keys() - self.withheld)

    def note_upload(self, device: str, *, first: int, last: int) -> None:
        """Note that the reader itself wrote these, so that it is not told of them."""
        # Only without a hole, for below a hole there is something that it lacks.
        if first <= self.sent[device] + 1:
            self.sent = self.sent.merge({device: last})

    def want(
        self, have: VersionVector, tops: VersionVector, floor: VersionVector
    ) -> dict[str, tuple[int, int]]:
        """Return what the store lost and the reader still has, but no device a second time."""
        want: dict[str, tuple[int, int]] = {}
        for device, (_, last) in have.missing_from(tops).items():
            if device in self.wanted or device in self.diverged or device == self.own:
                continue
            # From the top on, so that one entry overlaps and a fork shows; but
            # what the reader has trimmed away it cannot give.
            first = max(tops[device], floor[device] + 1)
            if first <= last:
                want[device] = (first, last)
        return want

    def note_wanted(
        self, want: Mapping[str, tuple[int, int]], tops: VersionVector, floor: VersionVector
    ) -> None:
        """Note that the reader was asked for these."""
        self.wanted |= {d: floor[d] if floor[d] > tops[d] else 0 for d in want}
