"""Section J: stores of older and newer versions, and the same log on two backends."""

from __future__ import annotations

from strandlog import VersionVector
from strandlog.backend import Durability, Handles
from strandlog.errors import StoreLockedError, StoreVersionError
from strandlog.holdings import copy_log
from strandlog_conformance.cancelling import moments
from strandlog_conformance.case import Case
from strandlog_conformance.expect import attempt, fail, refused, same, together
from strandlog_conformance.reference import ReferenceCursorStore, ReferenceLogStore, Shelf
from strandlog_conformance.released import Laid, exported, newer, older, opened, released
from strandlog_conformance.samples import entry, rows, series, turns
from strandlog_conformance.suite import Level, check, durability, handles

_RULE = "every persistent store carries a schema version, and migrates old ones forward"


async def _opened_once(case: Case, laid: Laid) -> tuple[str, int]:
    """Open a store and close it; return its epoch and its schema version."""
    async with opened(case, laid.url) as (log, _):
        info = await log.info()
        return info.epoch, info.schema_version


async def _present_version(case: Case) -> int:
    async with case.open_log() as store:
        return (await store.info()).schema_version


@check(
    "format.golden_each_version",
    rule=_RULE,
    requires=(durability(Durability.OS),),
    kills=("M240", "M241"),
    level=Level.DURABLE,
)
async def golden_each_version(case: Case) -> None:
    """A shipped store of each released version holds what it held, and takes more."""
    present = await _present_version(case)
    for version in released(case.target).released_versions():
        user, fresh = case.user(), series("phone", 1, 3)
        async with older(case, version) as laid:
            async with opened(case, laid.url) as stores:
                same(await exported(stores), laid.export, f"export of the store of v{version}")
                found = (await stores[0].info()).schema_version
                same(found, present, f"info().schema_version of the store of v{version}")
                await stores[0].append(user, fresh)
            async with opened(case, laid.url) as stores:
                same(await rows(stores[0], user), fresh, f"read of an append to v{version}")
                await stores[0].erase(user)
                await stores[0].restore(user)
                what = f"export of the store of v{version}, after it was written to"
                same(await exported(stores), laid.export, what)


@check(
    "format.upgrade_idempotent_and_resumable",
    rule=f"{_RULE} in one transaction",
    requires=(durability(Durability.OS),),
    kills=("M68", "M242", "M243"),
    level=Level.DURABLE,
)
async def upgrade_idempotent_and_resumable(case: Case) -> None:
    """Opened three times, or cut off at any moment of the first opening, a store is whole."""
    for version in released(case.target).released_versions():
        async with older(case, version) as laid:
            first, *again = [await _opened_once(case, laid) for _ in range(3)]
            same(again, [first, first], f"epoch and schema version of v{version}, opened again")
            await _whole(case, laid, f"v{version}, opened for the fourth time")
        for moment in moments("the opening"):
            async with older(case, version) as laid:
                await moment.cut(_opened_once(case, laid))
                await _let_go(case, laid)
                await _whole(case, laid, f"v{version}, whose first opening was {moment}")


async def _let_go(case: Case, laid: Laid) -> None:
    """Wait until an opening that was cancelled holds the store no longer."""
    # What a thread has begun it ends, a little later than its caller was told.
    async for _ in turns("open, until the cancelled opening has let go", most=100_000):
        outcome = await attempt(_opened_once(case, laid))
        if not isinstance(outcome, StoreLockedError):
            return


async def _whole(case: Case, laid: Laid, what: str) -> None:
    async with opened(case, laid.url) as stores:
        same(await exported(stores), laid.export, f"export of {what}")


@check(
    "format.two_openers_migrate_once",
    rule="of several openers of an old store one migrates, and the others find it done",
    requires=(durability(Durability.OS), handles(Handles.TASK)),
    kills=("M244",),
    level=Level.DURABLE,
)
async def two_openers_migrate_once(case: Case) -> None:
    """Two open an old store at once: both find all of it, and what the other writes."""
    for version in released(case.target).released_versions():
        async with older(case, version) as laid:
            user = case.user()

            async def use(
                device: str, *, laid: Laid = laid, user: str = user
            ) -> tuple[list[bytes], str]:
                async with opened(case, laid.url) as stores:
                    found = await exported(stores)
                    await stores[0].append(user, series(device, 1, 3))
                    return found, (await stores[0].info()).epoch

            (_, first), (_, second) = await together(use("phone"), use("laptop"))
            same(first, second, f"info().epoch of v{version}, opened twice at once")
            async with opened(case, laid.url) as stores:
                tops = VersionVector({"phone": 3, "laptop": 3})
                same(await stores[0].tops(user), tops, f"tops of what both added to v{version}")
                await stores[0].erase(user)
                await stores[0].restore(user)
                what = f"export of the store of v{version}, opened twice at once"
                same(await exported(stores), laid.export, what)


@check(
    "format.newer_refused_untouched",
    rule="StoreVersionError: a store of a newer version is refused and left as it is",
    requires=(durability(Durability.OS),),
    kills=("M72", "M245", "M246"),
    level=Level.DURABLE,
)
async def newer_refused_untouched(case: Case) -> None:
    """Whoever opens it, logs, cursors or both, is refused, and no byte of it changes."""
    async with newer(case) as laid:
        before = laid.files()

        async def open_log() -> None:
            async with case.open_log(laid.url):
                pass

        async def open_cursors() -> None:
            async with case.open_cursors(laid.url):
                pass

        await refused(open_log(), StoreVersionError, "open the logs of a newer store")
        same(laid.files(), before, "the files of a newer store, after its logs were refused")
        if case.target.cursors is not None:
            await refused(open_cursors(), StoreVersionError, "open the cursors of a newer store")
            same(laid.files(), before, "the files of a newer store, after its cursors were refused")


@check(
    "format.export_import_identity",
    rule="equal logs have equal canonical exports, whatever the backend",
    kills=("M247", "M248", "M249"),
)
async def export_import_identity(case: Case) -> None:
    """A log is copied here from the plainest store, to the next location, and back again."""
    source, back = _plainest(), _plainest()
    users = await _fill(case, source)
    elsewhere = await case.new_location() if case.target.fresh_url else case.url
    async with opened(case) as here, opened(case, elsewhere) as there:
        way = [(source, here, "here"), (here, there, "at another location"), (there, back, "back")]
        for user, what in users.items():
            want = await exported(source, user)
            # At the only location there is nothing to copy to.
            for left, right, where in way if elsewhere != case.url else [way[0], way[2]]:
                copied = await attempt(copy_log(left, right, user))
                if isinstance(copied, Exception):
                    fail(f"copy {what}, so that it is {where}", got=repr(copied), want="no error")
                same(await exported(right, user), want, f"export of {what}, {where}")


def _plainest() -> tuple[ReferenceLogStore, ReferenceCursorStore]:
    shelf = Shelf()
    return ReferenceLogStore(shelf), ReferenceCursorStore(shelf)


async def _fill(
    case: Case, stores: tuple[ReferenceLogStore, ReferenceCursorStore]
) -> dict[str, str]:
    """Fill a store with all that a log may have; return whose, in words."""
    log, cursors = stores
    plain, erased = case.user(), case.user()
    await log.append(plain, series("phone", 1, 12))
    await log.append(plain, series("laptop", 1, 300, step=1))
    target = series("laptop", 1, 300, step=1)[199].identity
    await log.append(
        plain,
        [
            entry("phone", 13, content=b'{"a" : 1.0}', meta=b'{"id":"x"}', scope="friend"),
            entry("phone", 14, redacts=target),
            entry("phone", 15, content=b"no \xff JSON\n", redacts=entry("phone", 20).identity),
        ],
    )
    await log.trim(plain, "laptop", up_to=100)
    for reader in ("~server", "alice/phone", "bob/phone#friend"):
        await cursors.reset(plain, reader, VersionVector({"phone": len(reader), "laptop": 7}))
    await log.append(erased, series("phone", 1, 2))
    for _ in range(2):
        await log.erase(erased)
        await log.restore(erased)
    await log.erase(erased)
    users = {plain: "a log with a floor and redactions", erased: "an erased log"}
    if case.capabilities.sparse:
        holes = case.user()
        await log.append(
            holes,
            [entry("phone", 3), entry("phone", 7), entry("laptop", 9)],
            upto=VersionVector({"phone": 20, "laptop": 9, "gone": 5}),
            floor=VersionVector({"laptop": 4}),
        )
        users[holes] = "a copy with holes"
    return users
