"""`edgecnn deploy`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecnn.cli import show
from edgecnn.errors import ArgumentError

if TYPE_CHECKING:
    from edgecnn.bundle import Bundle
    from edgecnn.remote.deploy import Proof, Status


def deploy(
    board: Annotated[str, typer.Argument(metavar="[USER@]BOARD", help="A board that SSH reaches.")],
    bundle: Annotated[
        str | None,
        typer.Argument(metavar="BUNDLE", help="What to deploy: a bundle's folder, or the name of a shipped one."),
    ] = None,
    source: Annotated[str, typer.Option(help="What the service reads: csi, /dev/video0, a stream.")] = "csi",
    port: Annotated[int, typer.Option(help="Port of the page.")] = 8080,
    local: Annotated[bool, typer.Option("--local", help="Show the page on the board alone.")] = False,
    data_dir: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Folder where the data set for the proof is.")
    ] = None,
    status: Annotated[bool, typer.Option("--status", help="Tell what runs there.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Stop it and remove everything of ours.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the status as one line of JSON.")] = False,
) -> None:
    """Let a bundle read a board's camera as a service, with its page.

    The bundle has to pass its parity on the board before the service is switched to it; when the service then does not
    stay up, what ran before runs again.
    """
    from edgecnn.remote import deploy as room

    if sum((bundle is not None, status, remove)) != 1:
        raise ArgumentError("deploy: expected one of BUNDLE, --status and --remove")
    if remove:
        room.remove(board)
        show.note(f"edgecnn: {board} has nothing of ours any more")
        return
    if bundle is None:
        _show(room.status(board), json)
        return
    from edgecnn.bundle import find_bundle, read_bundle

    opened = read_bundle(find_bundle(bundle))
    service = room.Service(source, port, everywhere=not local)

    def proof() -> Proof:
        return _proof(opened, data_dir)

    _show(room.deploy(board, opened, service, proof, lambda line: show.note(f"edgecnn: {line}")), json)


def _proof(bundle: Bundle, data_dir: Path | None) -> Proof:
    """What the bundle is proven with on the board: the data set that it was judged on, or one of the same classes."""
    from edgecnn.data.mnist import FAMILIES, find_files
    from edgecnn.remote.deploy import Proof

    stored = bundle.reference()
    judged = FAMILIES.get(stored.dataset) if stored is not None else None
    family = judged or next((one for one in FAMILIES.values() if set(one.labels) <= set(bundle.labels)), None)
    if family is None:
        raise ArgumentError(
            f"deploy: expected a bundle with the classes of {' or '.join(FAMILIES)}, which can be proven on a board, "
            f"got {bundle.name} with {', '.join(bundle.labels[:6])}"
        )
    return Proof(family.name, {path.name: path.read_bytes() for path in find_files(family, data_dir)})


def _show(found: Status, json: bool) -> None:
    if json:
        show.json_line(found)
        return
    if not found.bundle:
        show.text("nothing is deployed")
        return
    show.text(f"bundle   {found.bundle}\nservice  {found.active}\npage     {found.url}")
    for line in found.log:
        show.text(f"log      {line}")
