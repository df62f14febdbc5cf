"""What a store holds as a whole: exported, copied to another store, verified."""

from __future__ import annotations

from strandlog.holdings.compare import Comparison, Difference, compare
from strandlog.holdings.copy import Copied, copy_log, copy_logs
from strandlog.holdings.export import export_hash, export_lines
from strandlog.holdings.verify import Verified, verify_log
from strandlog.holdings.walk import Outline, Stores, count_entries, outline, users

__all__ = [
    "Comparison",
    "Copied",
    "Difference",
    "Outline",
    "Stores",
    "Verified",
    "compare",
    "copy_log",
    "copy_logs",
    "count_entries",
    "export_hash",
    "export_lines",
    "outline",
    "users",
    "verify_log",
]
