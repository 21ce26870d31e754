"""`edgecnn run`: read pictures, a video, a camera or a stream with a bundle."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecnn.cli import show, terminal, values
from edgecnn.errors import ArgumentError
from edgecnn.spec import Precision, Runtime

if TYPE_CHECKING:
    from edgecnn.live import Live, Sink
    from edgecnn.live.sinks.save import Saver
    from edgecnn.reader import Reader
    from edgecnn.sources import CameraMode, Retry, Source
    from edgecnn.web.server import Page, Place

TRACKED_TOP = 3
"""Classes that each frame votes for when readings are followed."""


@dataclass(frozen=True, slots=True)
class Output:
    """Where readings go, as the options say.

    Attributes:
        json: JSON lines instead of text.
        show: A window; None where there is a display, somebody to look and nothing else asked for.
        save: A video file, a picture file or a folder.
        mqtt: Address of a broker.
        serve: Where the page is served.
        token: What its visitors have to know.
        corrections: Folder for corrected crops.
        top: Classes that are told of each reading.
    """

    json: bool
    show: bool | None
    save: Path | None
    mqtt: str | None
    serve: str | None
    token: str | None
    corrections: Path
    top: int


def run(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="Its folder, or the name of a shipped one.")],
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Pictures, folders, patterns or - (standard input); or one video, camera (0, /dev/video0, usb:NAME, "
            "csi) or stream (rtsp://, http://).",
        ),
    ],
    runtime: Annotated[Runtime, typer.Option(help="What runs the net.")] = Runtime.LITERT,
    precision: Annotated[
        Precision | None, typer.Option(help="Which artefact; int8 where the bundle has it.", show_default=False)
    ] = None,
    threads: Annotated[
        int,
        typer.Option(
            min=1, max=256, help="Threads of the kernels and of OpenCV; frames above 1280x960 gain from more."
        ),
    ] = 1,
    top: Annotated[int, typer.Option(min=1, help="Classes to tell of each reading.")] = 1,
    roi: Annotated[
        str | None, typer.Option(metavar="X,Y,W,H", help="Look only at this part of the frame, and draw where it is.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One line of JSON for each frame.")] = False,
    window: Annotated[
        bool | None,
        typer.Option(
            "--show/--no-show",
            help="A window; by itself for a camera or video on a display, where no other output is asked for.",
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            help="Write frames with their readings: a video (.mp4 .m4v .mkv .avi); of one picture a picture (.png .jpg "
            ".jpeg .webp .bmp); or a folder: each picture, of a video or a camera one for each new stable number."
        ),
    ] = None,
    mqtt: Annotated[str | None, typer.Option(metavar="URL", help="Publish: mqtt[s]://[user:pw@]host/topic.")] = None,
    serve: Annotated[
        str | None,
        typer.Option(
            metavar="[HOST:]PORT",
            help="Serve a page with the live picture, such as 8080 or 0.0.0.0:8080; of a video until Ctrl-C.",
        ),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="EDGECNN_TOKEN",
            show_default=False,
            help="What visitors of the page have to know.  [made up where others can reach it]",
        ),
    ] = None,
    corrections: Annotated[
        Path, typer.Option(help="Folder data set for what is corrected in the window (key c).")
    ] = Path("corrections"),
    size: Annotated[str | None, typer.Option(metavar="WxH", help="Frame size asked of a camera.  [640x480]")] = None,
    rate: Annotated[float | None, typer.Option(help="Frames per second asked of a camera.  [30]")] = None,
    retries: Annotated[
        int | None,
        typer.Option(
            min=0,
            show_default=False,
            help="How often a lost camera, or a stream, is tried again, in a row; when given, also a camera that is "
            "absent at the start.  "
            "[10; with --serve without end, lost or absent]",
        ),
    ] = None,
    stable: Annotated[
        float,
        typer.Option(min=0, callback=values.finite, help="Seconds after which an unchanged number is reported."),
    ] = 0.5,
) -> None:
    """Read pictures, a video, a camera or a stream with a bundle."""
    from edgecnn.bundle import find_bundle, read_bundle
    from edgecnn.reader import Reader
    from edgecnn.sources import open_source
    from edgecnn.vision.threads import opencv_threads

    output = Output(json, window, save, mqtt, serve, token, corrections, top)
    opened = read_bundle(find_bundle(bundle), verify=False)  # What runs is hashed when it is opened.
    mode, region = _camera_mode(size, rate), _roi(roi)
    with ExitStack() as stack:
        # What cannot be is told before a camera is opened, or waited for.
        if precision is not None:
            opened.artifact(runtime, precision)
        place = _checked(output, stack)
        # First the camera: it wakes up while the runtime is loaded.
        lines = terminal.Lines()
        source = stack.enter_context(open_source(sources, mode=mode, retry=_retry(retries, serve), notify=lines))
        if serve is not None and not _moves(source):
            raise ArgumentError(
                f"--serve: expected a camera, a stream or a video, whose page stays open; got {source.name}, "
                "for which --save FOLDER writes what was read"
            )
        told = max(top, TRACKED_TOP) if _moves(source) else top
        reader = Reader(opened, runtime=runtime, precision=precision, threads=threads, top=told, roi=region)
        stack.enter_context(reader)
        page = None
        if place is not None:
            visitors = Reader(opened, runtime=runtime, precision=precision, threads=threads)  # has a thread of its own
            page = _page(place, stack.enter_context(visitors), f"{opened.name}, {reader.precision}; {source.name}")
            stack.callback(page.close)
            lines.show_on(page)
        stack.enter_context(opencv_threads(threads))
        _follow(source, reader, output, stable, page)


def _checked(output: Output, stack: ExitStack) -> Place | None:
    """Refuse what no sink can be made of; take the address where the page will be, if there shall be one."""
    if output.mqtt is not None:
        from edgecnn.live.sinks.mqtt import parse_broker

        parse_broker(output.mqtt)
    if output.serve is None:
        return None
    from edgecnn.web.server import claim

    place = claim(output.serve, output.token)
    stack.callback(place.listener.close)
    return place


def _page(place: Place, reader: Reader, about: str) -> Page:
    """Serve the page and say where."""
    from edgecnn.web.server import Page

    page = Page(place, reader, about)
    show.note(f"edgecnn: open {page.url}")
    return page


def _follow(source: Source, reader: Reader, output: Output, stable: float, page: Page | None) -> None:
    """Run the loop with the sinks that were asked for, and choose the exit code."""
    from edgecnn.live import Live, Tracker

    moves = _moves(source)
    shown = _wants_window(output) if moves and output.show is None else bool(output.show)
    live = Live(
        source,
        reader,
        tracker=Tracker(top=output.top) if moves else None,
        stable=stable,
        rate=source.rate if shown or page is not None else None,
        step=shown and not moves,
    )
    saver = _saver(source, output)
    with terminal.signals(live) as came:
        with terminal.saved(saver), terminal.progress(source) as progress:
            live.sinks += _sinks(source, reader, live, output, saver, shown)
            live.sinks += progress
            if page is not None:
                page.attach(live, source)
                live.sinks.append(page.hub)
            summary = live.run()
        if page is not None and source.ended and summary.frames and not came:
            terminal.stay(source, came)
            raise typer.Exit(1 if summary.broken else 0)
    # Ctrl-C is how a camera's run ends, but not one that was still waiting for its camera. SIGTERM comes from a
    # supervisor, for whom a service that it stops has not failed.
    if came and (not source.live or (signal.SIGINT in came and not summary.frames)):
        raise KeyboardInterrupt
    if summary.broken:
        raise typer.Exit(1)


def _saver(source: Source, output: Output) -> Saver | None:
    if output.save is None:
        return None
    from edgecnn.live.sinks.save import save_sink

    return save_sink(output.save, source)


def _sinks(
    source: Source, reader: Reader, live: Live, output: Output, saver: Saver | None, shown: bool
) -> Iterator[Sink]:
    from edgecnn.live.sinks.lines import JsonLines, TextLines

    lines: Sink = JsonLines(show.text) if output.json else TextLines(show.text, output.top)
    yield _beside(source, lines)
    if saver is not None:
        yield _beside(source, saver)
    if output.mqtt is not None:
        from edgecnn.live.sinks.mqtt import Mqtt, parse_broker

        yield Mqtt(parse_broker(output.mqtt))
    if shown:
        from edgecnn.live.corrections import Corrections
        from edgecnn.live.sinks.window import Window

        yield Window(live, Path(), Corrections(output.corrections, reader))


def _beside(source: Source, sink: Sink) -> Sink:
    """For a camera, a thread of its own: it goes on whatever a disk or a pipe does. A file waits and loses no frame."""
    if not source.live:
        return sink
    from edgecnn.live.sinks.detached import Detached

    return Detached(sink, room=32)


def _wants_window(output: Output) -> bool:
    """Whether a window comes by itself: there is a display, and no other way to see the readings was asked for."""
    if output.json or output.save is not None or output.mqtt is not None or output.serve is not None:
        return False
    from edgecnn.live.display import display_available, windows_built_in

    return display_available() and windows_built_in()


def _moves(source: Source) -> bool:
    """Whether frames follow each other in time, so that what is read can be followed."""
    return source.live or source.rate is not None


def _retry(retries: int | None, serve: str | None) -> Retry:
    """How long a camera is waited for. A page can tell that it is away, and is of use without it: that never ends."""
    from edgecnn.sources import Retry

    if retries is not None:
        return Retry(retries, absent=True)
    return Retry() if serve is None else Retry(None, absent=True)


def _roi(text: str | None) -> tuple[int, int, int, int] | None:
    if text is None:
        return None
    numbers = text.split(",")
    if len(numbers) == 4 and all(number.strip().isdecimal() for number in numbers):
        x, y, width, height = (int(number) for number in numbers)
        if width and height:
            return x, y, width, height
    raise ArgumentError(
        f"--roi: expected X,Y,W,H in pixels, X and Y from 0, W and H from 1, such as 100,50,224,224, got {text!r}"
    )


def _camera_mode(size: str | None, rate: float | None) -> CameraMode | None:
    if size is None and rate is None:
        return None
    from edgecnn.sources import CameraMode

    sides = (size or "640x480").lower().split("x")
    if len(sides) != 2 or not all(side.isdecimal() for side in sides):
        raise ArgumentError(f"--size: expected WxH in pixels, such as 640x480, got {size!r}")
    return CameraMode(int(sides[0]), int(sides[1]), 30.0 if rate is None else rate)
