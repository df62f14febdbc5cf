"""The conformance suite on this store: each check on one of four kinds of stand-in.

All checks on all kinds take half an hour: ``python -m tests.whole_suite`` in the plugin's folder.
With STRANDLOG_FAUNA_ENDPOINT and STRANDLOG_FAUNA_SECRET set, the checks are made on that server.
"""

from __future__ import annotations

import pytest

from strandlog_conformance.suite import Check, all_checks, select

from .whole_suite import FINE, KINDS, checked, served

pytestmark = pytest.mark.anyio

# Each family where it can be hurt most; the others are made where nothing disturbs.
_FAMILIES = {
    "optimistic": ("cancel.*", "conc.*", "cursor.*"),
    "serialised, answers lost": ("log.append.*", "redact.*", "rehome.*"),
    "optimistic, random faults": ("erase.*", "sparse.*", "trim.*"),
}

# About the files and the life of a server's process, which are not ours; or long.
_LONG = ("corrupt.*", "crash.*", "disk.*", "model.*", "power.*", "proto.*")

# Of the stories, those that ask most of a store.
_OF_PAIRS = (
    "proto.both_new_3_and_5",
    "proto.lost_reply_resend",
    "proto.new_device_full_history",
    "proto.private_redaction_of_friend_entry",
    "proto.restored_backup_conflict",
)


def _chosen(kind: str) -> list[Check]:
    checks = all_checks()
    if kind in _FAMILIES:
        return select(checks, only=_FAMILIES[kind])
    elsewhere = {
        one.id for family in (*_FAMILIES.values(), _LONG) for one in select(checks, only=family)
    }
    return [one for one in checks if one.id not in elsewhere]


def test_every_check_is_made_of_one_kind() -> None:
    made = [one.id for kind in ("serialised", *_FAMILIES) for one in _chosen(kind)]

    long = [one.id for one in select(all_checks(), only=_LONG)]
    assert sorted([*made, *long]) == sorted(one.id for one in all_checks())


async def _failed(kind: str, name: str, checks: list[Check]) -> list[str]:
    with served(KINDS[kind]):
        report = await checked(name, checks, fast=True)
    assert len(report.outcomes) == len(checks)
    return [
        f"{one.check.id}: {one.verdict.value} {one.failure and one.failure.got}"
        for one in report.outcomes
        if one.verdict not in FINE
    ]


@pytest.mark.once
@pytest.mark.parametrize("kind", ["serialised", *_FAMILIES])
async def test_keeps_the_contract(kind: str) -> None:
    assert await _failed(kind, "fauna", _chosen(kind)) == []


@pytest.mark.parametrize("pair", ["fauna x sqlite", "memory x fauna"])
async def test_plays_with_other_stores(pair: str) -> None:
    """Devices on one, the server on the other; the wire shows nothing of which."""
    assert await _failed("optimistic", pair, select(all_checks(), only=_OF_PAIRS)) == []
