"""Anything that can happen, in any order: what was written is found again, once, everywhere."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strandlog.protocol import own
from strandlog_memory._schema import Data
from tests.protocol.wire import Device, World

NAMES = ("laptop", "phone", "desk")
FAULTS = {
    "cuts": (),
    "backups of devices": ("keep", "restore"),
    "logs and cursors apart": ("keep", "restore", "restore log", "restore cursors"),
    "wiped devices": ("wipe",),
    "clones": ("keep", "clone"),
    "backups of the server": ("server keep", "server restore", "server wipe"),
    "all": (
        *("keep", "restore", "restore log", "restore cursors", "wipe", "clone"),
        *("server keep", "server restore", "server wipe"),
    ),
}
USUAL = ("add", "add", "sync", "sync", "half", "live", "hear")

Step = tuple[str, int, int]
"""What happens, to which device, and how much of it."""


class Story:
    """A world in which steps happen."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.devices = [world.device(name) for name in NAMES]
        self._kept: dict[Device, Data] = {}
        self._server_kept: Data | None = None
        self._written = 0

    def take(self, step: Step) -> None:
        what, which, amount = step
        device = self.devices[which % len(self.devices)]
        kept = self._kept.get(device)
        match what:
            case "add":
                self.add(device, amount % 4 + 1)
            case "sync":
                device.sync()
            case "half":
                self._exchange(device, amount, live=False)
                device.cut()
            case "live":
                self._exchange(device, amount, live=True)
            case "hear":
                self.hear()
            case "keep":
                self._kept[device] = device.storage.backup()
            case "restore" | "restore log" | "restore cursors" if kept:
                device.cut()
                device.storage.restore(
                    kept, logs=what != "restore cursors", cursors=what != "restore log"
                )
                device.restart()
            case "wipe":
                device.cut()
                device.storage.wipe()
                device.restart()
            case "clone" if kept and len(self.devices) < 5:
                clone = self.world.device(device.asked.device)
                clone.storage.restore(kept)
                clone.restart()
                self.devices.append(clone)
            case "server keep":
                self._server_kept = self.world.server.storage.backup()
            case "server restore" if self._server_kept:
                self._cut_all()
                self.world.server.storage.restore(self._server_kept)
            case "server wipe":
                self._cut_all()
                self.world.server.storage.wipe()

    def add(self, device: Device, count: int) -> None:
        if device.session is not None and device.session.recovering:
            return  # it would wait until its lost entries are back
        device.add(*(f"{self._written + number}" for number in range(count)))
        self._written += count

    def hear(self) -> bool:
        """Let frames run on every connection; return whether there was any."""
        moved = False
        for device in self.devices:
            if device.session is None or device.wire is None:
                continue
            if device.session.renamed_to is not None:
                device.cut()
                moved = True
                continue
            before = len(device.sent)
            device.wire.push()
            moved = moved or bool(device.wire.down)
            device.settle()
            moved = moved or any(kind != "ack" for kind, _ in device.sent[before:])
        return moved

    def found(self) -> set[object]:
        """Return every content that any disk holds."""
        texts = {text for device in self.devices for text in device.texts()}
        return texts | set(self.world.server.texts())

    def agreed(self) -> bool:
        log = self.world.server.read()
        return all(device.read() == log for device in self.devices)

    def check(self) -> None:
        """Assert what holds at every moment."""
        tops = self.world.tops(self.world.server.storage)
        for device in self.devices:
            assert device.status().last_synced <= device.tops()[device.reader.device]
            # After the server was set back this holds again from the next hello on.
            if device.session is not None and device.session.greeted:
                assert tops.covers(self.world.server.cursor(str(device.reader)))

    def _exchange(self, device: Device, amount: int, *, live: bool) -> None:
        """Let some frames through, one way or the other, as the bits of *amount* say."""
        wire = device.connect(live=live)
        heard = False
        for place in range(amount % 13):
            assert device.session is not None
            if device.session.renamed_to is not None:
                device.cut()
                return
            match (amount >> place) % 4:
                case 0 | 1:
                    device.say()
                case 2:
                    wire.serve()
                    wire.push()
                case _ if wire.down:
                    device.take()
                    heard = True
                case _ if heard:
                    device.ack()

    def _cut_all(self) -> None:
        for device in self.devices:
            device.cut()


def _steps(faults: tuple[str, ...]) -> st.SearchStrategy[list[Step]]:
    step = st.tuples(
        st.sampled_from([*USUAL, *faults]), st.integers(0, 4), st.integers(0, 2**16 - 1)
    )
    return st.lists(step, min_size=8, max_size=40)


@pytest.fixture(autouse=True)
def _small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make short logs take several slices; pages are small by the server's limit."""
    monkeypatch.setattr(own, "UPLOAD_MESSAGES", 3)


def _after(steps: list[Step], world: World) -> Story:
    world.server.limits = replace(world.server.limits, page_messages=3)
    story = Story(world)
    for step in steps:
        story.take(step)
        story.check()
    return story


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
def test_nothing_is_lost_and_nothing_doubled(faults: tuple[str, ...]) -> None:
    """When all is quiet again a few syncs are enough, and everybody holds one and the same log."""

    @settings(deadline=None, max_examples=25, derandomize=True, database=None)
    @given(_steps(faults))
    def run(steps: list[Step]) -> None:
        with World() as world:
            story = _after(steps, world)
            before = story.found()

            for _ in range(6):
                for device in story.devices:
                    device.sync()
                if story.agreed():
                    break

            assert story.agreed()
            assert before <= set(world.server.texts())
            assert [text for text, n in Counter(world.server.texts()).items() if n > 1] == []
            for device in story.devices:
                assert device.last_synced == device.tops()[device.reader.device]

    run()


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
def test_who_stays_connected_hears_everything(faults: tuple[str, ...]) -> None:
    """After any story all devices go live, and then each one writes.

    Nobody greets again but who gets another name by that: a clone, say.
    """

    @settings(deadline=None, max_examples=25, derandomize=True, database=None)
    @given(_steps(faults))
    def run(steps: list[Step]) -> None:
        with World() as world:
            story = _after(steps, world)
            for device in story.devices:
                device.cut()
            _go_live(story)
            agreed = story.agreed()
            names = [device.reader for device in story.devices]
            for device in story.devices:
                device.sent.clear()

            for device in story.devices:
                story.add(device, 1)
            _go_live(story)

            assert agreed
            assert story.agreed()
            for name, device in zip(names, story.devices, strict=True):
                greeted = any(kind == "hello" for kind, _ in device.sent)
                assert not greeted or device.reader != name

    run()


def _go_live(story: Story) -> None:
    """Connect who is not, and let frames run; who gets another name comes back under that."""
    for _ in range(200):
        missing = [device for device in story.devices if device.session is None]
        for device in missing:
            device.connect(live=True)
        if not story.hear() and not missing:
            return
    raise AssertionError("they never come to rest")
