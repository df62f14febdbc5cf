"""``new-plugin``: a store plugin to fill in; the template is part of the conformance suite."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

__all__ = ["new_plugin"]


@click.command("new-plugin")
@click.argument("name")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option(
    "--location",
    type=click.Choice(["file", "name", "server"]),
    default="file",
    show_default=True,
    help="What follows the scheme in a store URL.",
)
@click.option(
    "--license",
    type=click.Choice(["Apache-2.0", "MIT", "none"], case_sensitive=False),
    default="Apache-2.0",
    show_default=True,
    help="The license it comes under.",
)
@click.option("--author", default="", help="Who holds the copyright, for the license.")
def new_plugin(
    *,
    name: str,
    folder: Path | None,
    location: str,
    license: str,  # noqa: A002  # as the option is called
    author: str,
) -> None:
    """Write a plugin for a new kind of store, to be filled in.

    NAME becomes the URL scheme, as in parchment:///notes, and FOLDER is made; it is
    strandlog-NAME unless you name another. What is left to write, `strandlog conformance NAME`
    says, once the plugin is installed.

    Exit codes: 0 it is written, 1 it could not be written, 2 called wrongly: the name cannot be
    used, or the folder is not empty.
    """
    place = Path(f"strandlog-{name}") if folder is None else folder
    try:
        from strandlog_conformance.new_plugin import render

        written = render(name, place, location=location, license=license, author=author)
    except ModuleNotFoundError as error:
        raise click.UsageError(
            'the template is not installed; try: pip install "strandlog-conformance[template]"'
        ) from error
    click.echo(f"{place}: {len(written)} files written; next:")
    click.echo(f"  cd {place}")
    click.echo('  pip install -e ".[test]"')
    click.echo(f"  strandlog conformance {name}")
