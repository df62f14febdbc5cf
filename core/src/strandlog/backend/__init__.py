"""The room for plugin authors: what a store is, and how it is offered."""

from __future__ import annotations

from strandlog.backend.hookspecs import API_LEVEL, Backend, NoOptions, hookimpl
from strandlog.backend.in_memory import Change, InMemoryLog
from strandlog.backend.plan import (
    DeviceState,
    Held,
    Plan,
    Redaction,
    followers,
    plan,
    plan_following,
    plan_rehome,
    runs,
)
from strandlog.backend.record import pack, unpack
from strandlog.backend.store import (
    Cancel,
    Capabilities,
    CursorStore,
    Durability,
    Handles,
    LogStore,
    StoreInfo,
)
from strandlog.backend.url import Location, StoreUrl
from strandlog.page import Appended, Page, cut_page

__all__ = [
    "API_LEVEL",
    "Appended",
    "Backend",
    "Cancel",
    "Capabilities",
    "Change",
    "CursorStore",
    "DeviceState",
    "Durability",
    "Handles",
    "Held",
    "InMemoryLog",
    "Location",
    "LogStore",
    "NoOptions",
    "Page",
    "Plan",
    "Redaction",
    "StoreInfo",
    "StoreUrl",
    "cut_page",
    "followers",
    "hookimpl",
    "pack",
    "plan",
    "plan_following",
    "plan_rehome",
    "runs",
    "unpack",
]
