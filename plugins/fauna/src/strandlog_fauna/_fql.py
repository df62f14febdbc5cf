"""The driver's query language, imported without the warning that its service is gone."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    # Also the one of Python 3.12 on, about a string in the driver's source.
    warnings.simplefilter("ignore")
    # It has no types: this module is the only one that imports it.
    from faunadb import query as q  # type: ignore[import-untyped]
    from faunadb.client import FaunaClient  # type: ignore[import-untyped]
    from faunadb.errors import FaunaError  # type: ignore[import-untyped]
    from faunadb.query import _wrap as wrapped  # type: ignore[import-untyped]

__all__ = ["FaunaClient", "FaunaError", "q", "wrapped"]
