"""What both stores share: one opening of a location, which ends once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from strandlog.errors import StoreClosedError, StoreError
from strandlog_memory._schema import Data

__all__ = ["Handle"]


class Handle:
    """Hands out the data of a location until it is closed.

    It is bound to the event loop that runs when it is made, as handles of
    stores with a connection are: what works on memory has to work on those too.
    """

    def __init__(self, data: Data) -> None:
        self._data = data
        self._loop = asyncio.get_running_loop()
        self._closed = False

    @contextmanager
    def data(self) -> Iterator[Data]:
        """Give the data, locked. The caller must not await meanwhile.

        Raises:
            StoreClosedError: The handle was closed.
            StoreError: Another event loop is running than when it was opened.
        """
        self.check_open()
        with self._data.lock:
            yield self._data

    def check_open(self) -> None:
        """Raise as :meth:`data` would."""
        if self._closed:
            raise StoreClosedError("this memory store is closed")
        if asyncio.get_running_loop() is not self._loop:
            raise StoreError("this memory store belongs to another event loop: open it in this one")

    def close(self) -> None:
        """Refuse everything from now on; closing twice is harmless."""
        self._closed = True
