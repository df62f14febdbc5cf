"""Where a server may listen, and whose device speaks for whose."""

from __future__ import annotations

import pytest

from strandlog.errors import InvalidArgumentError
from strandlog.server import check_bind, speaks_for

LOOPBACK = ["127.0.0.1", "127.9.9.9", "::1", "localhost"]
REACHABLE = ["0.0.0.0", "::", "", "192.168.1.5", "sync.example", "localhost.example", "1.0.0.127"]  # noqa: S104


@pytest.mark.parametrize("host", LOOPBACK)
def test_server_may_listen_on_loopback(host: str) -> None:
    check_bind(host, authenticated=False, insecure=False)


@pytest.mark.parametrize("host", REACHABLE)
def test_server_that_asks_nobody_may_not_listen_elsewhere(host: str) -> None:
    with pytest.raises(InvalidArgumentError, match="nobody has to authenticate"):
        check_bind(host, authenticated=False, insecure=False)


@pytest.mark.parametrize("host", REACHABLE)
def test_authentication_or_a_word_opens_every_address(host: str) -> None:
    check_bind(host, authenticated=True, insecure=False)
    check_bind(host, authenticated=False, insecure=True)


@pytest.mark.parametrize(
    ("own", "device"),
    [
        ("laptop", "laptop"),
        ("laptop", "laptop~0123456789abcdef"),
        ("laptop~0123456789abcdef", "laptop~fedcba9876543210"),
        ("x" * 64, "x" * 47 + "~0123456789abcdef"),
    ],
)
def test_device_speaks_for_its_branches(own: str, device: str) -> None:
    """Under such a name a device goes on after a fork; a long name is cut to 47 first."""
    assert speaks_for(own, device)


@pytest.mark.parametrize(
    ("own", "device"),
    [
        ("laptop", "laptop2"),
        ("laptop", "lap~0123456789abcdef"),
        ("laptop", "phone"),
        ("laptop~0123456789abcdef", "laptop"),
        ("x" * 64, "x" * 63),
    ],
)
def test_device_speaks_for_no_other(own: str, device: str) -> None:
    assert not speaks_for(own, device)
