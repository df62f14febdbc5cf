"""Damaged files give the right data or an error, never other data and never less of it."""

from __future__ import annotations

import random
import secrets
import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from strandlog import Entry, Identity, Seq, VersionVector
from strandlog.backend.registry import open_cursor_store, open_log_store, open_stores
from strandlog.errors import StoreCorruptError

pytestmark = pytest.mark.anyio

Notes = Callable[..., list[Entry]]
Answers = dict[tuple[str, str], object]

USERS = ("alice", "al", "bob")
ALL = 10**6
BYTES = 1 << 40
NOTHING = VersionVector()


@pytest.fixture
async def sound(path: Path, url: str, notes: Notes) -> Path:
    """A copy of a closed store that was opened several times: a few tables and their list."""
    for session in range(3):
        first, last = session * 200 + 1, session * 200 + 200
        async with open_stores(url) as (log, cursors):
            for user in USERS:
                await log.append(user, notes(first, last, scope="friend"))
                await log.append(user, notes(first, last, device="phone"))
                target = Identity("laptop", last)
                by = Seq(9_000 + session, session + 1, "desk")
                await log.append(user, [Entry(by, "friend", b"1", redacts=target)])
                await cursors.advance(user, "r", VersionVector({"laptop": last}))
            await log.trim("bob", "laptop", up_to=50)
    return shutil.copytree(path, path.with_name("sound"))


def _files(directory: Path, pattern: str) -> list[Path]:
    return sorted(directory.glob(pattern))


async def _answers(url: str) -> Answers:
    """Ask everything; where the answer is that something is damaged, there is none."""
    found: Answers = {}
    async with open_stores(url) as (log, cursors):

        async def ask(user: str, what: str, answer: Awaitable[object]) -> None:
            with suppress(StoreCorruptError):
                found[user, what] = await answer

        await ask("", "logs", log.logs(limit=ALL))
        for user in USERS:
            await ask(user, "tops", log.tops(user))
            await ask(user, "head", log.head(user))
            await ask(user, "digests", log.digests(user, {"laptop": 400, "phone": 2}))
            await ask(user, "cursors", cursors.readers(user))
            await ask(user, "backwards", log.read_range(user, reverse=True, limit=ALL))
            for scopes in (None, ["friend"], ["private"]):
                page = log.read(user, after=NOTHING, scopes=scopes, limit=ALL, max_bytes=BYTES)
                await ask(user, f"read {scopes}", page)
    return found


def _damage(directory: Path, chance: random.Random) -> str:
    """Change a bit of a file, cut one off or remove one; return what was done."""
    file = chance.choice(sorted(directory.iterdir()))
    content = bytearray(file.read_bytes())
    act = chance.choice(("flip", "flip", "cut", "remove"))
    if act == "remove" or not content:
        file.unlink()
        return f"{file.name} removed"
    place = chance.randrange(len(content))
    if act == "cut":
        file.write_bytes(content[:place])
    else:
        content[place] ^= 1 << chance.randrange(8)
        file.write_bytes(content)
    return f"{file.name}: {act} at {place} of {len(content)}"


async def test_damage_is_never_silent(path: Path, url: str, sound: Path) -> None:
    """Sixty times something is wrong with one file of a closed store.

    Whatever is answered is what was answered before. What is gone is not taken for
    what never was: LevelDB's driver ends a search where it cannot read on, and
    LevelDB takes a list that was cut off for one that ends there.
    """
    right = await _answers(url)
    chance = random.Random(7)
    wrong, refused = [], 0
    for _ in range(60):
        shutil.rmtree(path)
        shutil.copytree(sound, path)
        what = _damage(path, chance)
        try:
            found = await _answers(url)
        except StoreCorruptError:
            found = {}
        refused += len(found) < len(right)
        wrong += [(what, key) for key, answer in found.items() if answer != right[key]]

    assert len(right) == 1 + 8 * len(USERS)
    assert wrong == []
    assert refused > 20


async def test_a_list_does_not_end_where_it_is_damaged(path: Path, url: str) -> None:
    """Readers are listed at the end of a store that holds cursors alone.

    What cannot be read there is followed by nothing, and the driver takes that for
    the end of the list.
    """
    vector = VersionVector({"laptop": 1})
    readers = {f"alice/phone{number}": vector for number in range(300)}
    async with open_cursor_store(url) as store:
        for reader in readers:
            await store.advance("alice", reader, vector)
    [table] = _files(path, "*.ldb")
    content = table.read_bytes()
    wrong, refused = [], 0
    for place in range(0, len(content), len(content) // 40):
        changed = bytearray(content)
        changed[place] ^= 1
        table.write_bytes(changed)
        try:
            async with open_cursor_store(url) as store:
                if await store.readers("alice") != readers:
                    wrong.append(place)
        except StoreCorruptError:
            refused += 1

    assert wrong == []
    assert refused > 30


@pytest.mark.usefixtures("sound")
async def test_every_byte_of_the_lists_counts(path: Path, url: str) -> None:
    """They are short and everything hangs on them: so each byte is tried."""
    accepted = []
    for file in (path / "CURRENT", *_files(path, "MANIFEST-*")):
        content = file.read_bytes()
        for place in range(len(content)):
            changed = bytearray(content)
            changed[place] ^= 0x10
            file.write_bytes(changed)
            try:
                async with open_log_store(url):
                    accepted.append((file.name, place))
            except StoreCorruptError:
                pass
        file.write_bytes(content)

    assert accepted == []


async def test_lists_are_checked_before_anything_is_removed(
    path: Path, url: str, sound: Path
) -> None:
    """LevelDB removes tables that its list does not name, so a list that was cut off costs them.

    Once the list is put back everything is there again.
    """
    [manifest] = _files(path, "MANIFEST-*")
    manifest.write_bytes(manifest.read_bytes()[:60])
    with pytest.raises(StoreCorruptError, match="put back a copy of the directory"):
        async with open_log_store(url):
            pass
    shutil.copy(sound / manifest.name, manifest)

    async with open_log_store(url) as store:
        assert await store.tops("bob") == {"desk": 3, "laptop": 600, "phone": 600}


async def test_without_its_current_file_it_does_not_begin_anew(
    path: Path, url: str, sound: Path
) -> None:
    """LevelDB would take the directory for an empty one, and remove what is in it."""
    (path / "CURRENT").unlink()
    (path / "STRANDLOG").write_bytes(b"")

    with pytest.raises(StoreCorruptError, match=r"CURRENT is missing beside 0000\d\d\.ldb"):
        async with open_log_store(url):
            pass

    assert len(_files(path, "*.ldb")) == len(_files(sound, "*.ldb"))


async def test_a_damaged_log_is_told_from_one_that_ends(path: Path, notes: Notes) -> None:
    """After a crash the log holds what was not in a table yet: a changed bit is an error."""
    crashed = path.with_name("crashed")
    async with open_log_store(f"leveldb:///{path}") as store:
        for counter in range(1, 21):
            await store.append("alice", notes(counter, counter))
        shutil.copytree(path, crashed)
    [log] = _files(crashed, "*.log")
    content = bytearray(log.read_bytes())
    content[1000] ^= 1
    log.write_bytes(content)

    with pytest.raises(StoreCorruptError, match="checksum mismatch"):
        async with open_log_store(f"leveldb:///{crashed}"):
            pass


@pytest.mark.parametrize("rest", [b"", b"\0" * 4096])
async def test_a_log_that_a_crash_cut_off_ends_there(path: Path, notes: Notes, rest: bytes) -> None:
    """Of the write that loss of power cut off there is a piece, or zeros: the rest is whole."""
    crashed = path.with_name("crashed")
    async with open_log_store(f"leveldb:///{path}") as store:
        for counter in range(1, 21):
            await store.append("alice", notes(counter, counter))
        shutil.copytree(path, crashed)
    [log] = _files(crashed, "*.log")
    whole = log.read_bytes()
    log.write_bytes(whole + rest if rest else whole[:-3])

    async with open_log_store(f"leveldb:///{crashed}") as store:
        page = await store.read("alice", after=NOTHING, limit=ALL, max_bytes=BYTES)

    assert page.entries == notes(1, 20 if rest else 19)
    assert page.tops == {"laptop": len(page.entries)}


async def test_damage_in_one_log_leaves_the_others_alone(path: Path, url: str) -> None:
    """A block of 4 kB holds neighbours, but what lies elsewhere in the same table is read."""
    middle = b"0123456789" * 3
    async with open_log_store(url) as store:
        for user in ("a", "b", "c"):
            contents = {n: b'"%s"' % secrets.token_hex(300).encode() for n in range(1, 101)}
            if user == "b":
                contents[50] = middle
            entries = [
                Entry(Seq(n, n, "laptop"), "private", content) for n, content in contents.items()
            ]
            await store.append(user, entries)
    [table] = _files(path, "*.ldb")
    damaged = bytearray(table.read_bytes())
    damaged[damaged.index(middle[:10])] ^= 1
    table.write_bytes(damaged)

    async with open_log_store(url) as store:
        for user in ("a", "c"):
            page = await store.read(user, after=NOTHING, limit=ALL, max_bytes=BYTES)
            assert len(page.entries) == 100
        with pytest.raises(StoreCorruptError):
            await store.read("b", after=NOTHING, limit=ALL, max_bytes=BYTES)
