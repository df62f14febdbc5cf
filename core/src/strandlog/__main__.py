"""The ``strandlog`` command, which says so when its packages are not installed."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; exit with status 2 if the ``cli`` extra is missing."""
    try:
        from strandlog.cli import main as run
    except ModuleNotFoundError as error:
        # Only the packages of the extra: any other missing module is a fault
        # that must show its traceback.
        if error.name not in {"click", "rich", "rich_click"}:
            raise
        print(
            'strandlog: the command line needs more packages: pip install "strandlog[cli]"',
            file=sys.stderr,
        )
        raise SystemExit(2) from error
    run()


if __name__ == "__main__":
    main()
