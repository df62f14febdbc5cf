"""The pytest plugin that puts one fault into one class, before the first test runs.

It is named on the command line by ``strandlog conformance selftest --against``;
by itself it does nothing.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import pytest

CLASS, FAULT, REPORT = "STRANDLOG_AGAINST", "STRANDLOG_FAULT", "STRANDLOG_FAULT_REPORT"


def pytest_collection_finish() -> None:
    """Put the fault in: by now every module of the tests is imported."""
    from strandlog_conformance.against.faults import put_in

    if FAULT in os.environ:
        module, _, name = os.environ[CLASS].partition(":")
        put_in(getattr(importlib.import_module(module), name), os.environ[FAULT])


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Write down which test fails."""
    if report.failed and REPORT in os.environ:
        with Path(os.environ[REPORT]).open("a", encoding="utf-8") as file:
            file.write(f"{report.nodeid}\n")
