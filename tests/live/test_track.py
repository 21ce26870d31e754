"""Following readings from frame to frame."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.errors import ArgumentError
from edgecnn.live import Steady, Tracker
from edgecnn.reader import text
from edgecnn.spec import Reading

STEP = 1 / 30


def reading(label: str, x: float, y: float = 100, probability: float = 0.9, line: int = 0) -> Reading:
    return Reading(label, probability, (round(x), round(y), 30, 50), ((label, probability),), line=line)


def follow(
    frames: list[list[Reading]], tracker: Tracker | None = None, begin: float = 100.0
) -> list[tuple[Reading, ...]]:
    tracker = tracker or Tracker()
    return [tracker.update(frame, 100 + number * STEP) for number, frame in enumerate(frames)]


def test_what_is_read_once_is_not_shown_and_twice_is():
    shown = follow([[reading("7", 50)], [reading("7", 50)], [], [reading("1", 300)]])
    assert [text(one) for one in shown] == ["", "7", "7", "7"]
    assert shown[1][0].track == 1 and shown[1][0].box == (50, 100, 30, 50)
    assert shown[1][0].probability == pytest.approx(0.9)


def test_a_label_does_not_flicker():
    wrong_now_and_then = ["4", "4", "9", "4", "4", "9", "4", "9", "4", "4"] * 3
    shown = follow([[reading(label, 50)] for label in wrong_now_and_then])
    assert {one[0].label for one in shown[1:]} == {"4"}
    assert {one[0].track for one in shown[1:]} == {1}
    assert 0.5 < shown[-1][0].probability < 0.9
    assert shown[-1][0].top[1][0] == "9"


def test_a_number_that_changes_in_place_is_followed():
    shown = follow([[reading("4", 50)]] * 30 + [[reading("9", 50)]] * 30)
    assert shown[29][0].label == "4" and shown[-1][0].label == "9"
    turn = next(number for number, one in enumerate(shown) if one and one[0].label == "9")
    assert 30 < turn <= 30 + 15, "votes of half a second ago must count less than half"


def test_what_leaves_is_held_for_a_moment_and_forgotten():
    shown = follow([[reading("5", 50)]] * 5 + [[]] * 30 + [[reading("5", 50)]] * 5)
    held = sum(1 for one in shown[5:35] if one)
    assert 4 <= held <= 7, "held for 0.2 s"
    assert shown[36][0].track == 2, "after 0.6 s it is something new"


def test_a_gap_shorter_than_that_keeps_the_track():
    shown = follow([[reading("5", 50)]] * 5 + [[]] * 10 + [[reading("5", 50)]] * 2)
    assert shown[-1][0].track == 1


def test_frames_that_come_slowly_are_followed_too():
    tracker = Tracker()
    shown = [tracker.update([reading("7", 10)], float(when)) for when in (0, 2, 4)]
    assert [[(r.label, r.track) for r in frame] for frame in shown] == [[], [("7", 1)], [("7", 1)]]


def test_a_number_that_moves_as_a_whole_keeps_its_tracks():
    """A step from frame to frame of nearly the distance of two digits: each alone would take its neighbour's track."""
    frames = [[reading(str(digit), 40 * digit + 22 * number) for digit in range(6)] for number in range(20)]
    shown = follow(frames)
    for one in shown[1:]:
        assert text(one) == "012345"
        assert [r.track for r in one] == [1, 2, 3, 4, 5, 6]


def test_what_is_not_read_moves_with_the_others():
    frames = [[reading(str(digit), 40 * digit + 10 * number) for digit in range(3)] for number in range(6)]
    frames += [[reading(str(digit), 40 * digit + 10 * number) for digit in (0, 2)] for number in range(6, 9)]
    shown = follow(frames)
    assert text(shown[-1]) == "012"
    assert shown[-1][1].box[0] == pytest.approx(40 + 10 * 8, abs=2)


def test_neighbours_are_not_taken_for_one_another():
    frames = [[reading("1", 50), reading("2", 85)], [reading("2", 85)], [reading("1", 50), reading("2", 85)]] * 3
    shown = follow(frames)
    assert all(dict((r.track, r.label) for r in one).get(2) == "2" for one in shown[1:])
    assert {r.track for one in shown[1:] for r in one} == {1, 2}


def test_something_much_larger_is_something_else():
    large = Reading("8", 0.9, (40, 80, 60, 100), (("8", 0.9),))
    shown = follow([[reading("3", 50)]] * 3 + [[large]] * 3)
    assert {r.track for r in shown[-1] if r.label == "8"} == {2}


def test_lines_stay_in_order():
    frame = [reading("1", 50), reading("2", 100), reading("3", 50, 300, line=1)]
    assert text(follow([frame, frame[::-1]])[-1]) == "12|3"


def test_time_that_goes_back_begins_anew():
    tracker = Tracker()
    follow([[reading("1", 50)]] * 5, tracker)
    assert tracker.update([reading("1", 50)], 3.0) == ()
    assert tracker.update([reading("1", 50)], 3.1)[0].track == 2


@given(
    st.lists(
        st.lists(
            st.builds(reading, st.sampled_from("0123456789"), st.integers(-50, 700), st.integers(-50, 500)), max_size=12
        ),
        max_size=12,
    )
)
def test_whatever_is_read_tracks_are_unique_and_probabilities_are_some(frames):
    for one in follow(frames):
        assert len({r.track for r in one}) == len(one)
        assert all(0 < r.probability <= 1 and r.label == r.top[0][0] for r in one)
        assert sum(p for r in one[:1] for _, p in r.top) <= 1 + 1e-9


@pytest.mark.parametrize("times", [{"half_life": 0}, {"hold": 0}, {"hold": 2.0}, {"forget": -1}, {"top": 0}])
def test_times_out_of_range_are_refused(times):
    with pytest.raises(ArgumentError, match="tracker"):
        Tracker(**times)


def test_a_text_is_stable_after_a_while_and_told_once():
    steady = Steady(0.5)
    told = [(at / 10, steady.text) for at in range(12) if steady.update("42", at / 10)]
    assert told == [(0.5, "42")]


def test_a_text_that_changes_is_not_stable_until_it_stays():
    steady = Steady(0.5)
    assert not any(steady.update(str(at % 2), at / 10) for at in range(30))
    assert steady.text == ""


def test_what_has_gone_is_told_too_and_a_short_gap_is_not():
    steady = Steady(0.3)
    texts = ["7"] * 5 + [""] * 2 + ["7"] * 5 + [""] * 5
    told = [steady.text for at, one in enumerate(texts) if steady.update(one, at / 10)]
    assert told == ["7", ""]


def test_stable_needs_no_negative_time():
    with pytest.raises(ArgumentError, match="stable"):
        Steady(-1)
