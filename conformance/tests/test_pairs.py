"""Stories of the protocol: devices on one backend, a server on another, one and the same wire."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from strandlog import Page, VersionVector
from strandlog.backend import Capabilities
from strandlog.backend.registry import open_stores
from strandlog.cli.conformance import conformance
from strandlog_conformance.bare import UnreachableError, run, run_check
from strandlog_conformance.expect import CheckFailed
from strandlog_conformance.pairs import CATEGORY, of_pairs, pair_names, paired, reach_pair
from strandlog_conformance.places import Places
from strandlog_conformance.reference import CAPABILITIES, ReferenceLogStore, offer
from strandlog_conformance.report import Verdict
from strandlog_conformance.saboteurs.registry import all_saboteurs
from strandlog_conformance.session import NoSuchCheckError, Order, find_check
from strandlog_conformance.stage import Frame
from strandlog_conformance.stories import compare
from strandlog_conformance.suite import Check, all_checks
from strandlog_conformance.target import Target

from .conftest import schemes_without_a_server

STORIES = [one for one in of_pairs(all_checks()) if one.category == CATEGORY]

# The stories that the conformance page names.
NAMED = {
    "proto.offline_adds_8_9",
    "proto.server_has_newer",
    "proto.both_new_3_and_5",
    "proto.per_device_record",
    "proto.three_devices_10_plus_6",
    "proto.head_of_log_three_devices",
    "proto.scope_private_friend",
    "proto.lost_reply_resend",
    "proto.duplicate_and_reordered_hello",
    "proto.crash_between_append_and_cursor",
    "proto.crash_client_before_ack",
    "proto.two_devices_hello_at_once",
    "proto.partial_reply_then_cut",
    "proto.restored_backup_conflict",
    "proto.server_lost_data",
    "proto.new_device_full_history",
    "proto.body_is_opaque",
    "proto.converges",
    "proto.wiped_device_first_hello_empty",
    "proto.rollback_sliced_lost_ack",
    "proto.log_and_cursor_rolled_back_apart",
    "proto.fork_above_lost_ack",
    "proto.server_rollback_and_wiped_device",
    "proto.grant_with_have",
    "proto.refused_middle_entry",
    "proto.private_redaction_of_friend_entry",
    "proto.resend_below_floor",
    "proto.invalid_utf8_post",
    "proto.v0_post_two_pages",
    "proto.same_device_name_in_two_users",
}


def typed(*words: str) -> Result:
    return CliRunner().invoke(conformance, list(words))


def faulty(name: str) -> Target:
    [found] = [one for one in all_saboteurs() if one.id == name]
    return found.target


def modest() -> Target:
    """Return stores that a server may use and a device may not."""
    return offer("modest", capabilities=replace(CAPABILITIES, sparse=False, rehome=False))


def test_every_story_that_was_promised_is_there() -> None:
    assert {story.id for story in STORIES} == NAMED


# -- pairs of what is installed ----------------------------------------------------

_reached: dict[str, Target] = {}


@pytest.mark.anyio
@pytest.mark.parametrize(
    "pair",
    [name for name in pair_names(schemes_without_a_server()) if len(set(name.split(" x "))) > 1],
)
@pytest.mark.once
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.id)
async def test_every_pair_of_installed_stores_plays_every_story(
    story: Check, pair: str, places: Places
) -> None:
    """The frames are compared too: an installed backend may not show on the wire."""
    if pair not in _reached:
        _reached[pair] = await reach_pair(pair)

    outcome = await run_check(story, _reached[pair], places, fast=True)

    assert (outcome.verdict, outcome.failure) == (Verdict.PASS, None)


@pytest.mark.anyio
async def test_nothing_is_left_at_locations_that_were_given(tmp_path: Path) -> None:
    """Both may be in use: the stories have logs of their own there and remove them."""
    urls = [f"sqlite:///{tmp_path}/{name}.db" for name in ("devices", "server")]
    chosen = [find_check("proto.grant_with_have"), find_check("proto.server_lost_data")]

    report = await run(await reach_pair(" x ".join(urls)), chosen)

    assert report.totals == {Verdict.PASS: 2}
    for url in urls:
        async with open_stores(url) as (log, _):
            assert await log.logs(limit=10) == []


# -- which side is at fault, and how it shows --------------------------------------


@pytest.mark.anyio
async def test_a_frame_that_differs_is_named(places: Places) -> None:
    """Every message arrives in the end; but the server's pages promise more than they hold."""
    pair = paired("sound x M306", offer(), faulty("M306"))

    outcome = await run_check(find_check("proto.partial_reply_then_cut"), pair, places, fast=True)

    assert outcome.failure is not None
    assert outcome.failure.call == "frame 4 on the wire, from the server, alice/desk"
    assert (outcome.failure.got, outcome.failure.want) == (
        "at [1][1].upto.phone: 10",
        "at [1][1].upto.phone: 3",
    )


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("devices", "server", "verdict"),
    [
        ("M302", "", Verdict.FAIL),
        ("", "M302", Verdict.PASS),  # a server moves no branches
        ("M304", "", Verdict.FAIL),
        ("", "M01", Verdict.FAIL),
    ],
)
async def test_each_side_has_its_own_store(
    devices: str, server: str, verdict: Verdict, places: Places
) -> None:
    pair = paired(
        "a x b", faulty(devices) if devices else offer(), faulty(server) if server else offer()
    )
    story = find_check("proto.log_and_cursor_rolled_back_apart")

    outcome = await run_check(story, pair, places, fast=True)

    assert outcome.verdict is verdict


@pytest.mark.anyio
async def test_a_store_that_cannot_keep_a_replica_can_still_serve() -> None:
    as_server = paired("reference x modest", offer(), modest())
    as_device = paired("modest x reference", modest(), offer())

    served = await run(as_server, STORIES, fast=True)
    kept = await run(as_device, STORIES, fast=True)

    assert served.totals == {Verdict.PASS: len(STORIES)}
    assert kept.totals == {Verdict.UNSUPPORTED: len(STORIES)}


@pytest.mark.anyio
async def test_a_server_that_never_comes_to_an_end_is_noticed_by_its_frames(
    places: Places,
) -> None:
    """The story ends long before its time is up."""

    class Endless(ReferenceLogStore):
        async def read(
            self,
            user: str,
            *,
            after: VersionVector,
            devices: Collection[str] | None = None,
            scopes: Collection[str] | None = None,
            limit: int,
            max_bytes: int,
        ) -> Page:
            page = await super().read(
                user, after=after, devices=devices, scopes=scopes, limit=limit, max_bytes=max_bytes
            )
            return Page((), after, True, page.tops, page.floor)

    pair = paired("reference x endless", offer(), offer("endless", log=Endless))

    outcome = await run_check(find_check("proto.server_has_newer"), pair, places)

    assert outcome.failure is not None
    assert outcome.failure.got == "more than 400 frames"


def _frames(*texts: str) -> list[Frame]:
    return [Frame("alice/phone", upwards=False, text=text.encode()) for text in texts]


def test_epoch_session_and_text_for_people_may_differ() -> None:
    one = _frames('["hello",{"seq":1,"epoch":"x","session":3}]', '["error",{"message":"m"}]')
    other = _frames('["hello",{"seq":1,"epoch":"y","session":4}]', '["error",{"message":"n"}]')

    compare(one, other)


@pytest.mark.parametrize(
    ("got", "call"),
    [
        (['["ack",{"seq":2}]'], "frame 1 on the wire, from the server, alice/phone"),
        (['["ack",{"seq":1}]'] * 2, "frames on the wire"),
        ([], "frames on the wire"),
    ],
)
def test_another_frame_or_another_number_of_frames_fails(got: list[str], call: str) -> None:
    with pytest.raises(CheckFailed) as failure:
        compare(_frames(*got), _frames('["ack",{"seq":1}]'))

    assert failure.value.call == call


# -- the command -------------------------------------------------------------------


def test_the_command_plays_every_pair_of_what_is_named(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/x.db"

    result = typed("memory", url, "--pair", "--only", "proto.both_new_3_and_5", "--json")

    report = json.loads(result.stdout)
    assert result.exit_code == 0, result.output
    assert [(store["store"], store["totals"]) for store in report["stores"]] == [
        (name, {"planned": 1, "PASS": 1}) for name in pair_names(["memory", url])
    ]


def test_all_means_the_pairs_too() -> None:
    result = typed("--all", "--only", "proto.offline_adds_8_9", "--json")

    stores = [store["store"] for store in json.loads(result.stdout)["stores"]]
    assert result.exit_code == 0, result.output
    assert {"memory", "sqlite", "memory x sqlite", "sqlite x memory"} <= set(stores)
    assert "memory x memory" not in stores  # it was played with itself already


def test_a_pair_is_played_again_from_its_repro_line() -> None:
    result = typed("--repro", "memory x sqlite#proto.converges#11", "--json")

    [store] = json.loads(result.stdout)["stores"]
    assert (store["store"], store["checks"][0]["verdict"]) == ("memory x sqlite", "PASS")


def test_both_of_a_pair_count_as_checked() -> None:
    words = ("memory x sqlite", "--only", "proto.server_has_newer", "--require", "memory,sqlite")

    assert typed(*words).exit_code == 0


def test_a_server_that_cannot_be_used_is_no_answer() -> None:
    result = typed("memory x nosuch://y", "--only", "proto.server_has_newer")

    assert result.exit_code == 3
    assert "pip install strandlog-nosuch" in " ".join(result.output.split())


def test_a_pair_without_a_story_is_a_wrong_call() -> None:
    with pytest.raises(NoSuchCheckError, match="no story of a pair is chosen"):
        Order(stores=["memory"], only=["log.range.limit"], pair=True).plan()

    assert typed("memory", "--pair", "--only", "log.range.limit").exit_code == 2


@pytest.mark.anyio
async def test_a_server_that_cannot_be_opened_is_said_to_be_unreachable(tmp_path: Path) -> None:
    nowhere = f"sqlite:///{tmp_path}/no/such/place/x.db"

    with pytest.raises(UnreachableError, match="cannot be opened"):
        await reach_pair(f"memory x {nowhere}")


def test_a_pair_of_an_imitation_is_marked_as_one() -> None:
    imitation = offer("x", capabilities=Capabilities(sparse=True, rehome=True, stand_in=True))

    assert paired("a x b", offer(), imitation).capabilities.stand_in
