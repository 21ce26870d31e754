"""Measuring latency, throughput, memory and energy of artefacts on the machine that runs this; needs no TensorFlow.

Read in this order: `statistics` (what a number is), `sampling` (how calls are timed), `machine` (what it was measured
on), `queries` (what one call is), `measure` (all rows of a bench, interleaved), `result` (the frozen answer and its
JSON), `compare`, `history`. Beside them: `probe` (a fresh process), `stages`, `throughput`, `energy`, `profile`.
"""
