from __future__ import annotations

import subprocess
import sys

import pytest

GREETING = "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n"
CODE = """
import os
from edgecnn.runtime.quiet import without_greeting
GREETING = b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\\n"

def block(*lines):
    with without_greeting():
        for line in lines:
            os.write(2, line)

"""


def stderr_of(lines: str) -> str:
    done = subprocess.run([sys.executable, "-c", CODE + lines], capture_output=True, text=True, check=False)
    return done.stderr


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("block(GREETING)", ""),
        ("block()", ""),
        ("block(b'one\\n', GREETING, b'two\\n')", "one\ntwo\n"),
        ("block(b'no newline')", "no newline"),
        ("block(b'one\\n'); block(GREETING); os.write(2, b'two\\n')", "one\ntwo\n"),
        # It comes once a process: afterwards nothing is held back.
        ("block(GREETING); block(GREETING, b'later\\n')", f"{GREETING}later\n"),
        ("os.close(2); block(); open('/dev/null'); os.dup2(1, 2)", ""),
    ],
)  # fmt: skip
def test_only_the_greeting_is_held_back(lines: str, expected: str) -> None:
    assert stderr_of(lines) == expected


def test_what_was_written_before_an_error_is_passed_on() -> None:
    written = stderr_of(
        "try:\n    with without_greeting():\n        os.write(2, b'why\\n'); raise ValueError\nexcept ValueError: pass"
    )
    assert written == "why\n"
