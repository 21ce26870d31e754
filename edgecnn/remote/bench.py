"""Measure on a board: install, copy the bundles, run `edgecnn bench` there, bring its result back."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from edgecnn.bench.result import BenchResult
from edgecnn.bench.sampling import QUICK, THOROUGH
from edgecnn.errors import MeasurementError, RemoteError
from edgecnn.remote.board import Board, connect

if TYPE_CHECKING:
    from edgecnn.bench.measure import Options
    from edgecnn.bundle import Bundle

MARGIN_SECONDS = 900
"""Added to the planned time of a bench: starts of processes, warm-up, slow cards."""


def bench_on(
    target: str, bundles: Sequence[Bundle], options: Options, *, command: str, progress: Callable[[str], None]
) -> BenchResult:
    """Measure bundles on a board over SSH; nothing is left running there.

    Args:
        target: `[user@]host[:port]`.
        bundles: What is measured.
        options: How; a picture among them is copied, too.
        command: Command line to note in the result.
        progress: Told in a line what is being done.

    Returns:
        The board's result; its machine is the board.

    Raises:
        RemoteError: The board cannot be reached or used, or the connection broke.
        MeasurementError: The bench failed there, or its answer is no result.
    """
    return asyncio.run(_bench(target, bundles, options, command, progress))


async def _bench(
    target: str, bundles: Sequence[Bundle], options: Options, command: str, progress: Callable[[str], None]
) -> BenchResult:
    async with connect(target) as board:
        progress(f"connected to {board.facts.model or board.facts.machine}, Python {board.facts.python}")
        program = await board.install(progress)
        folders = [await copy_bundle(board, bundle) for bundle in bundles]
        words = arguments(options)
        if options.picture is not None:
            folder = f"{board.root}/picture"
            await board.put({options.picture.name: options.picture.read_bytes()}, folder)
            words += ["--end-to-end", f"{folder}/{options.picture.name}"]
        progress("measuring there")
        outcome = await board.run(program, "bench", *folders, *words, "--json", seconds=_seconds(bundles, options))
        if outcome.code != 0 or not outcome.stdout.strip():
            lines = outcome.stderr.strip().splitlines()
            raise MeasurementError(f"{target}: bench failed there: {lines[-1] if lines else f'exit {outcome.code}'}")
    return replace(BenchResult.from_json(outcome.stdout, f"the answer of {target}"), command=command)


def arguments(options: Options) -> list[str]:
    """The options of `edgecnn bench` that say the same, but for the picture."""
    own = ["--seconds", str(options.plan.seconds), "--queries", str(options.plan.queries)]
    words = {QUICK: [], THOROUGH: ["--thorough"]}.get(options.plan, own)
    words += [word for runtime in options.runtimes for word in ("--runtime", runtime.value)]
    words += [word for precision in options.precisions for word in ("--precision", precision.value)]
    words += ["--threads", ",".join(map(str, options.threads))]
    flags = {"--throughput": options.throughput, "--energy": options.energy, "--profile": options.profile}
    words += [flag for flag, wanted in flags.items() if wanted]
    return words if options.start else [*words, "--no-start"]


def _seconds(bundles: Sequence[Bundle], options: Options) -> float:
    rows = sum(len(bundle.artifacts) for bundle in bundles) * len(options.threads)
    return MARGIN_SECONDS + 10 * rows * options.plan.seconds


async def copy_bundle(board: Board, bundle: Bundle) -> str:
    """Copy what a board needs of a bundle; the tools there check its hashes when they open it.

    Returns:
        Absolute path of its folder on the board, named by its content.

    Raises:
        RemoteError: It cannot be read here, or not be written there.
    """
    try:
        wanted = sorted(path for path in bundle.path.iterdir() if path.is_file() and path.suffix != ".keras")
        files = {path.name: path.read_bytes() for path in wanted}
    except OSError as error:
        raise RemoteError(f"{bundle.path}: cannot be read: {error}") from error
    digest = hashlib.sha256(files["bundle.json"]).hexdigest()[:12]
    folder = f"{board.root}/bundles/{bundle.name}-{digest}"
    await board.put(files, folder)
    return folder
