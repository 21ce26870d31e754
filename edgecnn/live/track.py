"""Follow readings from frame to frame, so that a label does not flicker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import hypot
from operator import itemgetter

from edgecnn.errors import ArgumentError
from edgecnn.metrics import median
from edgecnn.spec import Reading

REACH = 0.6
"""How far a reading may lie from where its track is expected, in heights of the larger of the two."""
GROWTH = 1.6
"""How much higher or lower than its track a reading may be."""
STRANGE = 0.3
"""How much farther away, in heights, a reading with another label counts: helps when all starts to move."""
FADED = 0.001
"""Votes below which a label is dropped from those of a track."""
CONFIRM = 2
"""Frames in which something must have been read before it is shown: noise comes and goes with one."""


@dataclass(slots=True)
class _Track:
    number: int
    box: tuple[float, float, float, float]
    reading: Reading
    seen: float
    hits: int = 0
    weight: float = 0.0
    votes: dict[str, float] = field(default_factory=dict)

    def vote(self, reading: Reading, keep: float) -> None:
        """Add what a frame says, after what earlier frames said has faded to the share `keep`."""
        self.weight = self.weight * keep + 1
        self.votes = {label: votes * keep for label, votes in self.votes.items() if votes > FADED}
        for label, probability in reading.top or ((reading.label, reading.probability),):
            self.votes[label] = self.votes.get(label, 0.0) + probability

    def result(self, top: int) -> Reading:
        """What all frames say together: the mean probability of each label, newer frames counting more."""
        best = sorted(self.votes.items(), key=itemgetter(1), reverse=True)[:top]
        ranked = tuple([(label, min(votes / self.weight, 1.0)) for label, votes in best])
        x, y, width, height = self.box
        box = (round(x), round(y), round(width), round(height))
        return Reading(*ranked[0], box, ranked, self.number, self.reading.line)


class Tracker:
    """Gives each thing that is read a number that stays, and a label on which its frames have voted.

    Args:
        half_life: Seconds after which a frame's vote counts half.
        hold: Seconds for which something that is not read any more is still shown.
        forget: Seconds after which it is forgotten, and would come back as something new.
        top: Classes that a result tells of at most.

    Raises:
        ArgumentError: A time or `top` is not positive, or `forget` is shorter than `hold`.
    """

    def __init__(self, half_life: float = 0.4, hold: float = 0.2, forget: float = 0.6, top: int = 3) -> None:
        if not (half_life > 0 and 0 < hold <= forget and top > 0):
            raise ArgumentError(
                "tracker: expected positive times, hold <= forget and a positive top, got "
                f"half_life {half_life}, hold {hold}, forget {forget}, top {top}"
            )
        self._top = top
        self._half_life = half_life
        self._hold = hold
        self._forget = forget
        self._tracks: list[_Track] = []
        self._next = 1
        self._time = float("-inf")
        self._shift = (0.0, 0.0)

    def update(self, readings: Sequence[Reading], when: float) -> tuple[Reading, ...]:
        """Take the readings of the next frame.

        Args:
            readings: As a reader gives them.
            when: The frame's time of capture in seconds. When it goes back, all is forgotten.

        Returns:
            What is to be shown, in reading order, with `track` set.
        """
        if when < self._time:
            self._tracks = []
        before, self._time = self._time, when
        keep = 0.5 ** ((when - before) / self._half_life) if self._tracks else 1.0
        # What was in the frame before is kept however long that is ago: a slow board may read one frame in two seconds.
        self._tracks = [t for t in self._tracks if t.seen == before or when - t.seen <= self._forget]
        matched = self._match(readings)
        self._move(readings, matched)
        for index, reading in enumerate(readings):
            track = matched.get(index) or self._begin(reading)
            track.vote(reading, keep)
            track.box, track.reading, track.seen = reading.box, reading, when
            track.hits += 1
        visible = [t for t in self._tracks if t.hits >= CONFIRM and when - t.seen <= self._hold]
        results = [track.result(self._top) for track in visible]
        return tuple(sorted(results, key=lambda result: (result.line, result.box[0])))

    def _begin(self, reading: Reading) -> _Track:
        track = _Track(self._next, reading.box, reading, self._time)
        self._next += 1
        self._tracks.append(track)
        return track

    def _match(self, readings: Sequence[Reading]) -> dict[int, _Track]:
        """Pair readings with tracks, the nearest first, around where the last movement puts them."""
        cost = []
        across, down = self._shift
        found = [(x + w / 2, y + h / 2, h) for x, y, w, h in [reading.box for reading in readings]]
        tallest = max([tall for _, _, tall in found], default=0)
        for i, track in enumerate(self._tracks):
            left, top, width, height = track.box
            x, y = left + across + width / 2, top + down + height / 2
            furthest = REACH * max(tallest, height)
            for j, (other_x, other_y, tall) in enumerate(found):
                if abs(x - other_x) > furthest:  # as for most pairs
                    continue
                taller = max(tall, height)
                if taller > min(tall, height) * GROWTH:
                    continue
                distance = hypot(x - other_x, y - other_y) / taller
                if distance <= REACH:
                    cost.append((distance + STRANGE * (track.reading.label != readings[j].label), i, j))
        pairs: dict[int, _Track] = {}
        taken = set()
        for _, i, j in sorted(cost):
            if i not in taken and j not in pairs:
                pairs[j] = self._tracks[i]
                taken.add(i)
        return pairs

    def _move(self, readings: Sequence[Reading], matched: dict[int, _Track]) -> None:
        """Learn how all moved since the last frame, and move along what was not read."""
        if not matched:
            self._shift = (0.0, 0.0)
            return
        steps = [(readings[j].box[0] - track.box[0], readings[j].box[1] - track.box[1]) for j, track in matched.items()]
        across, down = (median(way) for way in zip(*steps, strict=True))
        self._shift = (across, down)
        found = {track.number for track in matched.values()}
        for track in self._tracks:
            if track.number not in found:
                x, y, width, height = track.box
                track.box = (x + across, y + down, width, height)


class Steady:
    """Tells when a text has been the same for a while.

    Args:
        seconds: How long.

    Raises:
        ArgumentError: `seconds` is negative.
    """

    def __init__(self, seconds: float = 0.5) -> None:
        if not seconds >= 0:
            raise ArgumentError(f"stable: expected 0 or more seconds, got {seconds}")
        self._seconds = seconds
        self._candidate = ""
        self._since = float("-inf")
        self.text = ""

    def update(self, text: str, when: float) -> bool:
        """Take the text of the next frame.

        Args:
            text: All that was read; empty is a text too, so what has gone is told as well.
            when: The frame's time in seconds.

        Returns:
            Whether `self.text` has become this text now.
        """
        if text != self._candidate or when < self._since:
            self._candidate, self._since = text, when
        if text == self.text or when - self._since < self._seconds:
            return False
        self.text = text
        return True
