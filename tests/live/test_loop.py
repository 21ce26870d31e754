"""The loop, and sinks in threads of their own."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from edgecnn.bundle import read_bundle
from edgecnn.errors import ArgumentError, SourceError
from edgecnn.live import Live, Observation, Tracker
from edgecnn.live.sinks.detached import Detached
from edgecnn.reader import Reader
from edgecnn.spec import Frame
from edgecnn.vision.draw import draw
from tests.live.conftest import LONG, Frames, Notes, wait


def test_every_frame_is_observed_in_order_with_what_is_in_it(observe, scene):
    observations = observe([scene("12")] * 3 + [scene("507")] * 10)
    assert [one.frame.index for one in observations] == list(range(13))
    assert [one.text for one in observations[:3]] == ["", "12", "12"]
    assert observations[-1].text == "507"
    assert all(one.tracked for one in observations)
    assert [reading.track is not None for one in observations[1:] for reading in one.readings].count(False) == 0


def test_a_number_is_reported_when_it_has_been_stable_and_only_then(observe, scene):
    observations = observe([scene("12")] * 20 + [scene("")] * 20, stable=0.2)
    changes = [(one.frame.index, one.stable) for one in observations if one.changed]
    assert [text for _, text in changes] == ["12", ""]
    assert changes[0][0] == 7, "shown from frame 1, stable after six more"
    assert 20 + 6 + 5 <= changes[1][0] <= 20 + 6 + 8, "held for 0.2 s, then gone for 0.2 s"


def test_pictures_are_not_tracked(observe, scene):
    first, second = observe([scene("12"), scene("34")], tracked=False)
    assert (first.text, second.text) == ("12", "34")
    assert not first.tracked and first.readings[0].track is None and not first.changed and first.stable == ""


def test_statistics_are_those_of_the_loop(reader, scene):
    notes = Notes()
    source = Frames([scene("1")] * 5, live=True)
    source.dropped = 3
    summary = Live(source, reader, [notes], Tracker()).run()
    stats = notes.taken[-1].stats
    assert (stats.frames, stats.dropped, summary.frames, summary.dropped) == (5, 3, 5, 3)
    assert 0 < stats.age < LONG and stats.rate > 0
    assert notes.taken[0].stats.rate == 0
    assert stats.rate >= 4 / summary.seconds, "four gaps between five frames, within the time of the whole loop"


def test_the_age_of_a_recorded_frame_is_the_time_that_reading_took(observe, scene):
    (one,) = observe([scene("1")])
    assert 0 < one.stats.age < LONG


def test_the_rate_begins_anew_after_a_gap_and_not_on_a_slow_board(reader, scene):
    live = Live(Frames([], rate=None), reader)

    def rates(times):
        for now in times:
            live._keep(now)
            yield live._stats(Frame(scene("1"), 0.0, 0, "camera")).rate

    assert list(rates([0, 2, 4, 6])) == [0, 0.5, 0.5, 0.5], "two seconds a frame are no gap there"
    assert list(rates([30, 30.1, 30.2])) == pytest.approx([0, 10, 10]), "ten seconds and more without a frame"
    assert list(rates([31.0, 31.1])) == pytest.approx([3 / 1.0, 4 / 1.1]), "a short one counts"


def test_a_video_that_somebody_looks_at_plays_at_its_own_rate(reader, scene):
    source = Frames([scene("1")] * 6)
    summary = Live(source, reader, [], Tracker(), rate=25).run()
    assert summary.seconds >= 5 / 25


def test_the_loop_can_be_paused_resumed_and_stopped_from_another_thread(reader, scene):
    notes = Notes()
    live = Live(Frames([scene("1")] * 10_000), reader, [notes], Tracker())
    live.pause()
    thread = threading.Thread(target=live.run)
    thread.start()
    wait(lambda: notes.idled > 2)
    assert not notes.taken and live.paused
    live.resume()
    wait(lambda: len(notes.taken) > 3)
    live.pause()
    time.sleep(0.2)
    count = len(notes.taken)
    wait(lambda: notes.idled > 6)
    assert len(notes.taken) == count
    live.stop()
    thread.join(LONG)
    assert not thread.is_alive() and notes.closed == 1 and len(notes.taken) < 10_000


def test_pictures_that_somebody_looks_at_come_one_by_one(reader, scene):
    notes = Notes()
    live = Live(Frames([scene("1"), scene("2")], rate=None), reader, [notes], step=True)
    thread = threading.Thread(target=live.run)
    thread.start()
    for count in (1, 2):
        wait(lambda count=count: len(notes.taken) == count and live.paused)
        live.resume()
    thread.join(LONG)
    assert not thread.is_alive() and len(notes.taken) == 2


def test_sinks_are_idle_while_no_frame_comes(reader, scene):
    notes = Notes()
    Live(Frames([scene("1"), None, None, scene("1")]), reader, [notes]).run()
    assert len(notes.taken) == 2 and notes.idled >= 2


def test_a_source_that_is_lost_for_good_closes_the_sinks(reader):
    class Lost(Frames):
        def poll(self, timeout: float) -> None:
            raise SourceError("camera 0: was unplugged")

    notes = [Notes(), Notes()]
    with pytest.raises(SourceError, match="unplugged"):
        Live(Lost([]), reader, notes).run()
    assert [one.closed for one in notes] == [1, 1]


def test_a_sink_that_fails_ends_the_loop_and_all_are_closed(reader, scene):
    broken, other = Notes(error=BrokenPipeError(32, "Broken pipe")), Notes()
    with pytest.raises(BrokenPipeError):
        Live(Frames([scene("1")] * 3), reader, [broken, other]).run()
    assert (broken.closed, other.closed) == (1, 1)


def test_the_overlay_is_drawn_once_and_the_frame_stays_as_it_is(observe, scene):
    picture = scene("12")
    before = picture.copy()
    one = observe([picture] * 2)[-1]
    overlay = one.overlay()
    assert overlay is one.overlay()
    assert overlay.shape == picture.shape and not np.array_equal(overlay, picture)
    assert np.array_equal(picture, before)


def test_the_overlay_tells_how_a_camera_does_where_a_video_is_and_of_a_picture_neither(reader, scene):
    def last(source: Frames, tracker: Tracker | None) -> Observation:
        notes = Notes()
        Live(source, reader, [notes], tracker).run()
        return notes.taken[-1]

    def drawn(one: Observation, status: str) -> bool:
        return np.array_equal(one.overlay(), draw(one.frame.picture, one.readings, one.text, status))

    pictures = [scene("12")] * 3
    camera = last(Frames(pictures, live=True), Tracker())
    stats = camera.stats
    assert drawn(camera, f"{stats.rate:.1f} fps  age {stats.age * 1000:.0f} ms  dropped 0")
    assert drawn(last(Frames(pictures, rate=30), Tracker()), "0:00:00.07")
    assert drawn(last(Frames(pictures, rate=None), None), "")


def test_the_region_that_is_read_is_drawn(small_bundle, scene):
    notes, picture = Notes(), scene("")
    with Reader(read_bundle(small_bundle), roi=(100, 80, 200, 150)) as reader:
        Live(Frames([picture], rate=None), reader, [notes]).run()
    assert np.array_equal(notes.taken[0].overlay(), draw(picture, (), roi=(100, 80, 200, 150)))
    assert not np.array_equal(notes.taken[0].overlay(), picture)


def test_a_rate_that_is_not_known_is_left_out(reader, scene):
    notes = Notes()
    Live(Frames([scene("")], live=True), reader, [notes], Tracker()).run()
    (one,) = notes.taken
    assert np.array_equal(
        one.overlay(), draw(one.frame.picture, (), "", f"age {one.stats.age * 1000:.0f} ms  dropped 0")
    )


def test_json_has_the_fields_of_a_picture_and_of_a_video(observe, scene):
    (picture,) = observe([scene("7")], tracked=False)
    line = picture.as_json()
    assert list(line) == ["source", "frame", "time", "readings", "text"]
    assert list(line["readings"][0]) == ["label", "probability", "box", "top"]
    assert (line["source"], line["frame"], line["text"]) == ("film", 0, "7")
    moving = observe([scene("7")] * 9)[-1].as_json()
    assert list(moving) == ["source", "frame", "time", "readings", "text", "stable", "changed", "age_ms"]
    assert moving["readings"][0]["track"] == 1 and moving["stable"] == "7" and moving["age_ms"] > 0


def test_a_slow_sink_does_not_slow_the_loop_and_gets_the_newest(observe, scene):
    observations = observe([scene("1")] * 12)
    gate = threading.Event()
    slow = Notes(gate)
    detached = Detached(slow, room=3)
    detached.take(observations[0])
    wait(lambda: not detached._waiting)  # the sink holds the first
    for one in observations[1:]:
        detached.take(one)
    assert detached.dropped == 8
    gate.set()
    detached.close()
    assert [one.frame.index for one in slow.taken] == [0, 9, 10, 11]
    assert slow.closed == 1


def test_what_a_detached_sink_raises_arrives_in_the_loop(reader, scene):
    broken = Detached(Notes(error=BrokenPipeError(32, "Broken pipe")))
    with pytest.raises(BrokenPipeError):
        Live(Frames([scene("1")] * 10_000), reader, [broken]).run()
    assert not broken._thread.is_alive()


def test_a_detached_sink_needs_room():
    with pytest.raises(ArgumentError, match="room"):
        Detached(Notes(), room=0)
