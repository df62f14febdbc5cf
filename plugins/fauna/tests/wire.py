"""Plays wire cases: requests with what the published server is known to answer.

A case names where its expectation was read. Every name in it begins with the
placeholder ``{{p}}``, so the same table runs on a database that lasts. In what
is expected, objects with a key that begins with ``$`` are patterns.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_NATIVE = ("collections", "indexes")


@dataclass
class Table:
    """One play of one case: where, with which names, and what it has kept."""

    endpoint: str
    secret: str
    prefix: str
    kept: dict[str, Any] = field(default_factory=dict)
    transcript: list[dict[str, Any]] = field(default_factory=list)

    def play(self, case: dict[str, Any]) -> None:
        """Send the steps of a case one by one, and compare each answer."""
        for number, step in enumerate(case["steps"]):
            status, headers, body = self._send(step)
            self.transcript.append({"status": status, "body": body})
            where = f"{case['name']}, step {number} ({case['source']})"
            wanted = step.get("status", 200)
            assert status == wanted, f"{where}: {status} {body}"
            if "body" in step:
                self._compare(self._filled(step["body"]), body, where)
            errors = step.get("errors", [step["error"]] if "error" in step else [])
            if "errors" in step:
                assert len(body["errors"]) == len(errors), f"{where}: {body}"
            for want, got in zip(errors, body.get("errors", []) if errors else [], strict=False):
                self._compare({"$has": self._filled(want)}, got, where)
            for name, want in step.get("resp_headers", {}).items():
                got = headers.get(name.lower())
                if want == {"$ts": True}:
                    assert got is not None, where
                    assert got.isdigit(), where
                else:
                    assert got == want, where

    def _send(self, step: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        headers = {
            "Content-Type": "application/json;charset=utf-8",
            "X-FaunaDB-API-Version": "4",
            "Authorization": f"Bearer {self.secret}",
        }
        for name, value in step.get("headers", {}).items():
            headers = {one: text for one, text in headers.items() if one.lower() != name.lower()}
            if value is not None:
                headers[name] = self._filled(value)
        parts = urlsplit(self.endpoint)
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        connection = kind(parts.netloc, timeout=60)
        try:
            connection.request(
                step.get("method", "POST"), step.get("path", "/"), self._body(step), headers
            )
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        found = {name.lower(): value for name, value in response.getheaders()}
        return response.status, found, json.loads(text) if text else None

    def _body(self, step: dict[str, Any]) -> bytes:
        if "raw" in step:
            return str(self._filled(step["raw"])).encode()
        if "raw_repeat" in step:
            part = step["raw_repeat"]
            return f"{part['prefix']}{part['unit'] * part['count']}{part['suffix']}".encode()
        return json.dumps(self._filled(step["request"], using=True), ensure_ascii=False).encode()

    def _filled(self, value: Any, *, using: bool = False) -> Any:
        if isinstance(value, str):
            basic = base64.b64encode(f"{self.secret}:".encode()).decode()
            names = {"p": self.prefix, "secret": self.secret, "basic": basic}
            return re.sub(r"\{\{(\w+)\}\}", lambda match: names[match[1]], value)
        if isinstance(value, list):
            return [self._filled(one, using=using) for one in value]
        if isinstance(value, dict):
            if using and set(value) == {"$use"}:
                return self.kept[value["$use"]]
            return {
                self._filled(name): self._filled(one, using=using) for name, one in value.items()
            }
        return value

    def _compare(self, want: Any, got: Any, where: str) -> None:
        if isinstance(want, dict) and any(name.startswith("$") for name in want):
            self._match(want, got, where)
        elif isinstance(want, dict):
            assert isinstance(got, dict), f"{where}: {got}"
            assert set(got) == set(want), f"{where}: {got}"
            for name, one in want.items():
                self._compare(one, got[name], f"{where}.{name}")
        elif isinstance(want, list):
            assert isinstance(got, list), f"{where}: {got}"
            assert len(got) == len(want), f"{where}: {got}"
            for place, (one, other) in enumerate(zip(want, got, strict=True)):
                self._compare(one, other, f"{where}[{place}]")
        else:
            # 1 is neither 1.0 nor true.
            assert (type(got), got) == (type(want), want), where

    def _match(self, want: dict[str, Any], got: Any, where: str) -> None:
        match want:
            case {"$any": True}:
                pass
            case {"$ts": True}:
                assert type(got) is int, f"{where}: {got}"
                assert got > 0, f"{where}: {got}"
            case {"$use": name}:
                assert got == self.kept[name], where
            case {"$bind": name}:
                self._compare(want.get("$is", {"$any": True}), got, where)
                self.kept[name] = got
            case {"$ref": collection}:
                home = {"@ref": {"id": collection}}
                if collection not in _NATIVE:
                    home["@ref"]["collection"] = {"@ref": {"id": "collections"}}
                assert got["@ref"]["collection"] == home, f"{where}: {got}"
                assert want.get("id", got["@ref"]["id"]) == got["@ref"]["id"], f"{where}: {got}"
            case {"$has": fields}:
                for name, one in fields.items():
                    assert name in got, f"{where}: no {name} in {got}"
                    self._compare(one, got[name], f"{where}.{name}")
            case _:
                raise AssertionError(f"{where}: no such pattern {want}")


def read_cases(path: Path) -> list[dict[str, Any]]:
    """Return the cases of a table, one JSON object a line."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
