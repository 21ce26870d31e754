"""What the page of `edgecnn run --serve` costs the camera, and how soon its first picture is there.

    python benchmarks/web.py [--bundle NAME] [--viewers 10] [--rounds 60] [--out FILE.json]

A live loop reads a 640x480 scene as fast as it can while, in turns (A B, B A, ...), nobody and ten viewers look. The
viewers are a process of their own, as browsers are. The cost is what the loop loses of its rate: median of the rounds,
with a bootstrap interval. The first picture is timed from opening the connection, with nobody else there. Exit code 1
when a target is missed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import socket
import statistics
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np

from edgecnn.bench.machine import read_machine
from edgecnn.bundle import find_bundle, read_bundle
from edgecnn.live import Live, Tracker
from edgecnn.reader import Reader
from edgecnn.sources.base import Source
from edgecnn.spec import Frame
from edgecnn.vision.threads import opencv_threads
from edgecnn.web.server import Page, claim

COST_TARGET = 0.05
FIRST_TARGET = 1.0
SECONDS = 1.0
"""Of one side of one round: short, for the pace of a machine changes from minute to minute."""
REQUEST = b"GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Scene(Source):
    """A camera that always has a frame: a sheet with digits, moved by a pixel from frame to frame."""

    live = True

    def __init__(self) -> None:
        super().__init__("scene")
        sheet = np.full((480, 660, 3), 225, np.uint8)
        for index, digit in enumerate("3141592"):
            place = (30 + 85 * index, 280)
            cv2.putText(sheet, digit, place, cv2.FONT_HERSHEY_SIMPLEX, 3.0, (35, 35, 35), 7, cv2.LINE_AA)
        self._frames = [np.ascontiguousarray(sheet[:, left : left + 640]) for left in range(20)]
        self.count = 0

    def poll(self, timeout: float) -> Frame | None:
        """The next frame, at once."""
        self.count += 1
        return Frame(self._frames[self.count % len(self._frames)], time.time(), self.count, self.name)

    def close(self) -> None:
        """End it."""
        self.ended = True


def look(port: int, viewers: int, begin: multiprocessing.Event, end: multiprocessing.Event, over) -> None:  # type: ignore[valid-type]
    """The viewers' process: each takes all that it gets, between `begin` and `end`, until it is `over`."""
    while not over.is_set():
        if not begin.wait(0.2):
            continue
        sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(viewers)]
        for one in sockets:
            one.sendall(REQUEST)
            one.setblocking(False)
        while not end.is_set():
            for one in sockets:
                try:
                    while one.recv(1 << 18):
                        pass
                except BlockingIOError:
                    continue
            time.sleep(0.01)
        for one in sockets:
            one.close()
        begin.clear()


def first_picture(port: int) -> float:
    """Seconds from opening the connection to the last byte of the first picture."""
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as viewer:
        viewer.sendall(REQUEST)
        got = b""
        while b"\xff\xd9" not in got:
            got += viewer.recv(1 << 18)
    return time.perf_counter() - began


def rate(scene: Scene) -> float:
    """Frames per second over one side of a round."""
    count, began = scene.count, time.perf_counter()
    time.sleep(SECONDS)
    return (scene.count - count) / (time.perf_counter() - began)


def compare(scene: Scene, port: int, viewers: int, rounds: int) -> list[tuple[float, float]]:
    """(rate with nobody, rate with viewers) of each round."""
    context = multiprocessing.get_context("spawn")
    begin, end, over = context.Event(), context.Event(), context.Event()
    process = context.Process(target=look, args=(port, viewers, begin, end, over), daemon=True)
    process.start()
    pairs = []
    for number in range(rounds):
        sides = {}
        for looked_at in (False, True) if number % 2 else (True, False):
            if looked_at:
                end.clear()
                begin.set()
                time.sleep(0.5)
            sides[looked_at] = rate(scene)
            if looked_at:
                end.set()
                while begin.is_set():
                    time.sleep(0.02)
                time.sleep(0.3)
        pairs.append((sides[False], sides[True]))
    over.set()
    process.join(10)
    return pairs


def main() -> int:
    """Measure, show and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="digits-live")
    parser.add_argument("--viewers", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    bundle = read_bundle(find_bundle(options.bundle))
    with Reader(bundle) as reader, Reader(bundle) as visitors, Scene() as scene, opencv_threads(1):
        page = Page(claim("127.0.0.1:0"), visitors, "benchmark")
        live = Live(scene, reader, [page], Tracker())
        page.attach(live)
        thread = threading.Thread(target=live.run)
        thread.start()
        time.sleep(1)
        firsts = []
        for _ in range(20):
            firsts.append(first_picture(page.port))
            time.sleep(0.3)
        pairs = compare(scene, page.port, options.viewers, options.rounds)
        live.stop()
        thread.join()
    losses = np.array([1 - seen / alone for alone, seen in pairs])
    draws = np.random.default_rng(0).choice(losses, (2000, len(losses)))
    low, high = np.percentile(np.median(draws, axis=1), [2.5, 97.5])
    result = {
        "machine": read_machine().line,
        "bundle": f"{bundle.name}, {reader.precision}, LiteRT",
        "frames_per_second": round(statistics.median(alone for alone, _ in pairs), 1),
        "viewers": options.viewers,
        "cost": round(float(np.median(losses)), 4),
        "cost_interval": [round(float(low), 4), round(float(high), 4)],
        "first_picture_seconds": {"median": round(statistics.median(firsts), 3), "max": round(max(firsts), 3)},
    }
    print(json.dumps(result, indent=1))
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")
    passed = result["cost"] <= COST_TARGET and max(firsts) <= FIRST_TARGET
    print("ok" if passed else "MISSED", f"(targets: cost <= {COST_TARGET}, first picture <= {FIRST_TARGET} s)")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
