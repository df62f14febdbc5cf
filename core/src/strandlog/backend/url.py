"""Store URLs: which store, with which options, and no secret in any message."""

from __future__ import annotations

import enum
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

import msgspec

from strandlog.errors import StoreUrlError

__all__ = ["Location", "StoreUrl"]

OptionsT = TypeVar("OptionsT", bound=msgspec.Struct)

_MASK = "***"
_ESCAPES = "in user, password and options write '@' '/' '?' '#' as %40 %2F %3F %23"


class Location(enum.Enum):
    """What the part of a store URL after ``scheme:`` names."""

    NAME = "name"  # memory://  memory://shared
    FILE = "file"  # sqlite:///relative.db  sqlite:////absolute.db
    SERVER = "server"  # postgresql://user:secret@host:5432/database


@dataclass(frozen=True, slots=True)
class StoreUrl:
    """One parsed store URL. Its text and ``repr`` mask secrets.

    Attributes:
        scheme: Which backend, such as ``"sqlite"``.
        path: For a file, its path (relative or absolute); for a server what
            follows the host, with its slash.
        host: The host of a server, or the name of a named store.
        port: The port of a server.
        user: The user of a server.
        secret: The password, or the value of the variable that ``secret_env`` names.
        query: The options as text; :meth:`options` gives them their types.
    """

    scheme: str
    path: str = ""
    host: str = ""
    port: int | None = None
    user: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    query: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str, *, environ: Mapping[str, str] | None = None) -> StoreUrl:
        """Read a store URL.

        ``secret_env=VAR`` in the query takes the secret from the environment.

        Raises:
            StoreUrlError: *text* is no URL, an option is given twice, or the
                variable of ``secret_env`` is not set. No secret is in the message.
        """
        scheme, colon, rest = text.partition("://")
        if not colon or not scheme:
            raise StoreUrlError(
                f"{_masked_text(text)!r} is not a store URL: write one like sqlite:///notes.db"
            )
        try:
            parts = urlsplit(f"//{rest}")
            host, port = _host(parts), parts.port
        except ValueError:
            # Without its cause, which quotes what may be a piece of a password.
            raise StoreUrlError(f"{scheme}://…: host and port cannot be read; {_ESCAPES}") from None
        if parts.netloc and "@" in parts.path + parts.query:
            raise StoreUrlError(f"{scheme}://…: an '@' comes after the host; {_ESCAPES}")
        if parts.fragment:
            raise StoreUrlError(f"{scheme}://…: write '#' as %23")
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        query = dict(pairs)
        if len(query) < len(pairs):
            raise StoreUrlError(f"{scheme}: an option is given twice")
        user, secret = unquote(parts.username or ""), unquote(parts.password or "")
        variable = query.pop("secret_env", None)
        if variable is not None:
            environ = os.environ if environ is None else environ
            if not environ.get(variable):
                raise StoreUrlError(f"{scheme}: the environment variable {variable} is not set")
            secret = environ[variable]
        return cls(scheme.lower(), unquote(parts.path), host, port, user, secret, query)

    def check_location(self, location: Location) -> StoreUrl:
        """Return the URL, if it names such a location.

        Raises:
            StoreUrlError: It does not; the message shows the right form.
        """
        if location is Location.FILE:
            if self.host:
                raise StoreUrlError(
                    f"{self.scheme}://{self.host} has two slashes: write"
                    f" {self.scheme}:///{self.host}{self.path} for a relative path,"
                    f" {self.scheme}:////{self.host}{self.path} for an absolute one"
                )
            if not self.path.strip("/"):
                raise StoreUrlError(f"{self.scheme}: no path: write {self.scheme}:///notes.db")
        elif location is Location.NAME and self.path not in ("", "/"):
            raise StoreUrlError(f"{self.scheme}: takes a name and no path: {self.scheme}://name")
        elif location is Location.SERVER and not self.host:
            raise StoreUrlError(f"{self.scheme}: no host: write {self.scheme}://host/…")
        return self

    @property
    def file_path(self) -> str:
        """The path of a file: one slash belongs to the URL, a second one to the path."""
        return self.path.removeprefix("/")

    def options(self, kind: type[OptionsT]) -> OptionsT:
        """Return the query as a value of *kind*.

        Raises:
            StoreUrlError: An option is unknown or ill-typed; the message names it.
        """
        known = {one.encode_name for one in msgspec.structs.fields(kind)}
        if unknown := sorted(set(self.query) - known):
            offered = ", ".join(sorted(known)) or "none"
            raise StoreUrlError(
                f"{self.scheme}: unknown option {unknown[0]!r}; it takes: {offered}"
            )
        try:
            return msgspec.convert(dict(self.query), kind, strict=False)
        except msgspec.ValidationError as error:
            raise StoreUrlError(f"{self.scheme}: {error}") from error

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        # All of it, for some servers take their secret in the user's place.
        where = f"{_MASK}@{host}" if self.user or self.secret else host
        port = f":{self.port}" if self.port else ""
        query = f"?{urlencode(self.query)}" if self.query else ""
        return f"{self.scheme}://{where}{port}{quote(self.path)}{query}"


def _host(parts: SplitResult) -> str:
    """Return the host as it was written; ``hostname`` alone would lower its case."""
    place = parts.netloc.rpartition("@")[2]
    return place[1:].partition("]")[0] if place.startswith("[") else place.partition(":")[0]


def _masked_text(text: str) -> str:
    """Return *text*, which is no URL, without what may be a secret."""
    # The slashes may be what is wrong, and the password may hold any character.
    scheme, colon, rest = text.partition(":")
    _, at, host = rest.rpartition("@")
    return f"{scheme}{colon}{_MASK}@{host}" if at else text
