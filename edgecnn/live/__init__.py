"""The live half: frames are read, followed, and handed to sinks."""

from edgecnn.live.loop import Live, Summary
from edgecnn.live.observation import Controls, Observation, Sink, Stats
from edgecnn.live.track import Steady, Tracker

__all__ = ["Controls", "Live", "Observation", "Sink", "Stats", "Steady", "Summary", "Tracker"]
