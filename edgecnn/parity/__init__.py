"""Parity: does every artefact answer as the model that it was made from?

It needs no TensorFlow, so the same comparison runs on a board.
"""

from edgecnn.parity.compare import compare, compare_bundle
from edgecnn.parity.pictures import Pictures, check_labels, relabelled
from edgecnn.parity.report import Budget, Equality, ParityReport, Row

__all__ = [
    "Budget",
    "Equality",
    "ParityReport",
    "Pictures",
    "Row",
    "check_labels",
    "compare",
    "compare_bundle",
    "relabelled",
]
