"""Secrets never leave a run: what is printed or written has them masked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

from strandlog.backend import StoreUrl
from strandlog.errors import StoreUrlError

__all__ = ["MASK", "Masked", "masked_name"]

MASK = "***"

# What stands before the '@' of any URL, whoever has printed it.
_AUTHORITY = re.compile(r"(\w[\w+.-]*://)[^\s/@'\"<>]+@")

# Shorter ones are in every text by chance; in a URL they are masked all the same.
_LEAST_LENGTH = 4


class Masked:
    """Masks the secrets of the URLs that it was told, in any text."""

    def __init__(self, urls: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        for url in urls:
            self.learn(url)

    def learn(self, url: str) -> None:
        """Take note of the secrets in *url*; what is no URL has none."""
        try:
            parsed = StoreUrl.parse(url)
        except StoreUrlError:
            return
        # Some servers take their secret in the user's place.
        for secret in (parsed.secret, "" if parsed.secret else parsed.user):
            if len(secret) >= _LEAST_LENGTH:
                self._secrets |= {secret, quote(secret, safe="")}

    def text(self, text: str) -> str:
        """Return *text* without the secrets."""
        # The longest first: one may be a part of another.
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, MASK)
        return _AUTHORITY.sub(rf"\1{MASK}@", text)


def masked_name(name: str) -> str:
    """Return the name of a store or of a pair as reports show it."""
    return Masked(name.split(" x ")).text(name)
