"""The room for plugin authors: what a store is, and how it is offered."""

from __future__ import annotations

from strandlog.backend.hookspecs import API_LEVEL, Backend, NoOptions, hookimpl
from strandlog.backend.plan import DeviceState, Held, Plan, Redaction, plan, plan_rehome, runs
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
    "CursorStore",
    "DeviceState",
    "Durability",
    "Handles",
    "Held",
    "Location",
    "LogStore",
    "NoOptions",
    "Page",
    "Plan",
    "Redaction",
    "StoreInfo",
    "StoreUrl",
    "cut_page",
    "hookimpl",
    "pack",
    "plan",
    "plan_rehome",
    "runs",
    "unpack",
]
