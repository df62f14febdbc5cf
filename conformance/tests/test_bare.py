"""The plain runner: whatever a store or a check does, it comes to the right verdict."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from strandlog.backend import Capabilities, Durability, LogStore
from strandlog.errors import StoreUnavailableError
from strandlog_conformance.bare import UnreachableError, reach, run, run_check
from strandlog_conformance.case import Case
from strandlog_conformance.expect import NotApplicable, fail
from strandlog_conformance.places import Places
from strandlog_conformance.reference import CAPABILITIES, ReferenceLogStore, Shelf, offer
from strandlog_conformance.report import Outcome, Verdict
from strandlog_conformance.samples import rows, series
from strandlog_conformance.suite import Check, Level, all_checks, declared
from strandlog_conformance.target import Target

pytestmark = pytest.mark.anyio

SOUND = all_checks()[0]


def a_check(play: Callable[[Case], Awaitable[None]]) -> Check:
    """Return a check that does what *play* does, and demands nothing else."""
    return replace(SOUND, id="test.check", play=play, requires=(), cursors=False)


async def verdict_on(
    play: Callable[[Case], Awaitable[None]], places: Places, target: Target | None = None
) -> Outcome:
    return await run_check(a_check(play), target or offer(), places, limit_seconds=0.2)


async def test_a_check_that_returns_has_passed(places: Places) -> None:
    async def play(case: Case) -> None:
        async with case.open_log() as store:
            await store.tops(case.user())

    outcome = await verdict_on(play, places)

    assert (outcome.verdict, outcome.failure) == (Verdict.PASS, None)


async def test_a_failure_says_call_got_and_want(places: Places) -> None:
    async def play(_case: Case) -> None:
        fail("append of phone 1", got="nothing", want="an entry")

    outcome = await verdict_on(play, places)

    assert outcome.verdict is Verdict.FAIL
    assert outcome.failure is not None
    assert (outcome.failure.call, outcome.failure.got, outcome.failure.want) == (
        "append of phone 1",
        "nothing",
        "an entry",
    )


async def test_an_error_of_the_store_is_the_stores_failure(places: Places) -> None:
    async def play(_case: Case) -> None:
        raise KeyError("driver")

    outcome = await verdict_on(play, places)

    assert outcome.verdict is Verdict.FAIL
    assert outcome.failure is not None
    assert outcome.failure.got == "KeyError: 'driver'"


async def test_a_check_that_hangs_fails_and_tells_where_its_tasks_are(places: Places) -> None:
    async def play(_case: Case) -> None:
        await asyncio.Event().wait()

    outcome = await verdict_on(play, places)

    assert outcome.verdict is Verdict.FAIL
    assert outcome.failure is not None
    assert outcome.failure.got == "it was still running"
    assert "await asyncio.Event().wait()" in outcome.failure.trace


async def test_a_check_that_swallows_its_cancellation_is_left_behind(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store may hang in a way that no cancellation reaches; the run goes on without it."""
    monkeypatch.setattr("strandlog_conformance.bare._GRACE_SECONDS", 0.05)
    release = asyncio.Event()

    async def play(_case: Case) -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    outcome = await verdict_on(play, places)
    release.set()

    assert outcome.verdict is Verdict.FAIL
    assert outcome.failure is not None
    assert outcome.failure.got == "it was still running, also when cancelled"


async def test_a_check_that_is_cancelled_from_inside_fails(places: Places) -> None:
    async def play(_case: Case) -> None:
        raise asyncio.CancelledError

    assert (await verdict_on(play, places)).verdict is Verdict.FAIL


async def test_a_check_that_lacks_something_says_what(places: Places) -> None:
    async def play(_case: Case) -> None:
        raise NotApplicable("no strace")

    outcome = await verdict_on(play, places)

    assert (outcome.verdict, outcome.reason) == (Verdict.NA_ENV, "no strace")


async def test_a_check_that_passes_only_when_repeated_is_flaky(places: Places) -> None:
    """Its first failure is kept: that is what there is to look into."""
    made: list[int] = []

    async def play(_case: Case) -> None:
        made.append(len(made))
        if len(made) <= 2:
            fail("a call", got=f"failure {len(made)}", want="no failure")

    outcome = await run_check(a_check(play), offer(), places, retries=3)

    assert (outcome.verdict, len(made)) == (Verdict.FLAKY, 3)
    assert outcome.reason == "it failed, and passed when it was repeated (2 of 3)"
    assert outcome.failure is not None
    assert outcome.failure.got == "failure 1"


async def test_a_check_that_always_fails_has_failed(places: Places) -> None:
    made = []

    async def play(_case: Case) -> None:
        made.append(1)
        fail("a call", got="this", want="that")

    outcome = await run_check(a_check(play), offer(), places, retries=2)

    assert (outcome.verdict, len(made)) == (Verdict.FAIL, 3)


async def test_a_store_that_does_more_than_it_says_is_told(places: Places) -> None:
    modest = offer(capabilities=replace(CAPABILITIES, durability=Durability.NONE))
    [probe] = [one for one in all_checks() if one.id == "claims.underclaimed"]

    outcome = await run_check(probe, modest, places)

    assert (outcome.verdict, outcome.reason) == (
        Verdict.UNDERCLAIMED,
        "durability=none is declared, but a reopened location holds everything",
    )


async def test_a_check_that_lets_processes_die_may_take_longer(places: Places) -> None:
    async def play(_case: Case) -> None:
        await asyncio.sleep(0.15)

    slow = a_check(play)
    core = await run_check(slow, offer(), places, limit_seconds=0.1)
    durable = await run_check(
        replace(slow, level=Level.DURABLE), offer(), places, limit_seconds=0.1
    )

    assert (core.verdict, durable.verdict) == (Verdict.FAIL, Verdict.PASS)


async def test_the_report_tells_how_long_calls_took_if_it_is_to() -> None:
    measured = await run(offer(), [], measure=True)
    unmeasured = await run(offer(), [])

    assert measured.latency is not None
    assert 0 < measured.latency.append_p50 <= measured.latency.append_p99
    assert unmeasured.latency is None


async def test_an_undeclared_capability_is_unsupported(places: Places) -> None:
    needy = replace(SOUND, requires=(declared("purge"),))

    outcome = await run_check(needy, offer(), places)

    assert (outcome.verdict, outcome.reason) == (Verdict.UNSUPPORTED, "not declared: purge")


async def test_a_log_store_without_cursors_is_not_asked_for_them(places: Places) -> None:
    needy = replace(SOUND, cursors=True)

    outcome = await run_check(needy, replace(offer(), cursors=None), places)

    assert (outcome.verdict, outcome.reason) == (
        Verdict.UNSUPPORTED,
        "the backend offers no cursor store",
    )


async def test_a_stand_in_never_passes_on_its_own_name(places: Places) -> None:
    imitation = offer(capabilities=replace(CAPABILITIES, stand_in=True))

    async def play(_case: Case) -> None:
        pass

    assert (await verdict_on(play, places, imitation)).verdict is Verdict.STAND_IN


async def test_a_location_that_cannot_be_made_is_the_harness_error(places: Places) -> None:
    @asynccontextmanager
    async def no_place(_directory: Path) -> AsyncIterator[str]:
        for problem in ("no room for a location",):
            raise OSError(problem)
        yield ""

    async def play(_case: Case) -> None:
        pass

    outcome = await verdict_on(play, places, replace(offer(), fresh_url=no_place))

    assert (outcome.verdict, outcome.reason) == (Verdict.ERROR, "preparing the location")


async def test_a_location_that_cannot_be_removed_is_the_harness_error(places: Places) -> None:
    @asynccontextmanager
    async def sticky(_directory: Path) -> AsyncIterator[str]:
        yield "reference://sticky"
        raise OSError("it does not go away")

    async def play(_case: Case) -> None:
        pass

    outcome = await verdict_on(play, places, replace(offer(), fresh_url=sticky))

    assert (outcome.verdict, outcome.reason) == (
        Verdict.ERROR,
        "removing what the check has made",
    )


async def test_chance_is_the_same_for_one_seed_and_names_are_not(places: Places) -> None:
    """Names must be new at a location that lasts; everything else has to come again."""
    seen: list[tuple[float, str]] = []

    async def play(case: Case) -> None:
        seen.append((case.random.random(), case.user()))

    await run_check(a_check(play), offer(), places, seed=7)
    await run_check(a_check(play), offer(), places, seed=7)

    [first, second] = seen
    assert first[0] == second[0]
    assert first[1] != second[1]


async def test_a_store_that_cannot_be_opened_runs_no_check() -> None:
    class Unreachable(ReferenceLogStore):
        def __init__(self, _kept: Shelf, _capabilities: Capabilities) -> None:
            raise StoreUnavailableError("nobody listens")

    report = await run(offer(log=Unreachable))

    assert report.totals == {Verdict.NOT_RUN: len(all_checks())}
    assert report.invalid() == "it cannot be opened: nobody listens"


async def test_what_a_url_takes_back_is_not_demanded(places: Places) -> None:
    """An option may ask for less durability than the backend offers."""

    class Volatile(ReferenceLogStore):
        @property
        def capabilities(self) -> Capabilities:
            return replace(super().capabilities, durability=Durability.NONE)

    target = await reach(offer(log=Volatile), places)

    assert target.capabilities.durability is Durability.NONE


async def test_a_url_that_is_a_new_place_each_time_gives_way_to_named_places(
    places: Places,
) -> None:
    target = await reach(Target.at("memory://"), places)

    assert (target.name, target.url) == ("memory://", "")


async def test_a_url_that_is_a_new_place_each_time_needs_somebody_to_name_places(
    places: Places,
) -> None:
    nameless = replace(Target.at("memory://"), fresh_url=None)

    with pytest.raises(UnreachableError, match="give it a name"):
        await reach(nameless, places)


async def test_a_given_location_is_left_as_it_was_found() -> None:
    """Somebody's database: his logs stay, those of the checks are gone, tombstones too."""
    target = replace(offer(), url="reference://somebodys")

    async def logs_of(store: LogStore) -> list[str]:
        return await store.logs(limit=10_000)

    async with target.open_log(target.url) as store, target.open_cursors(target.url) as cursors:
        await store.append("alice", series("phone", 1, 3))
        report = await run(target, fast=True)

        assert report.failures == []
        assert await logs_of(store) == ["alice"]
        assert await rows(store, "alice") == series("phone", 1, 3)
        assert [key for key in cursors.shelf.cursors if key[0] != "alice"] == []  # type: ignore[attr-defined]
