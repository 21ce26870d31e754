"""`edgecnn nets`: list the nets."""

from __future__ import annotations

from typing import Annotated

import typer

from edgecnn.cli import show


def nets(json: Annotated[bool, typer.Option("--json", help="One JSON object for each net.")] = False) -> None:
    """List the nets: parameters, multiplications, picture, where each comes from."""
    from edgecnn.nets import NETS

    if json:
        for net in NETS.values():
            show.json_line(
                {
                    "net": net.name,
                    "parameters": net.parameters,
                    "macs": net.macs,
                    "input": list(net.image.shape),
                    "classes": net.classes,
                    "least": net.least,
                    "source": net.source,
                    "recipe": net.recipe,
                    "seed_recipe": net.seed_recipe,
                }
            )
        return
    rows = [
        (
            net.name,
            f"{net.parameters:,}",
            f"{net.macs:,}",
            "x".join(map(str, net.image.shape)),
            net.classes,
            net.source,
        )
        for net in NETS.values()
    ]
    show.table(
        "Nets",
        ("net", "parameters", "MACs", "input", "classes", "source"),
        rows,
        caption="MACs: multiplications with accumulation for one picture, counted from the graph",
    )
