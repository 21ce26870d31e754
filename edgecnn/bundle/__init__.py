"""The bundle: a folder that the workstation writes and the device reads.

    NAME/
      bundle.json                   see schema.py
      NAME-float32.tflite ...       the artefacts, each with its hash in bundle.json
      labels.txt                    one label a line, for other programs
      README.md                     the model card, for people
      reference.npz                 logits of the Keras model on a test set, see reference.py; may be absent

A bundle is written all or nothing. When it is read, every hash is checked, and so is whatever a session runs.
"""

from edgecnn.bundle.card import share_of_float32
from edgecnn.bundle.find import default_bundle, find_bundle, shipped_bundles
from edgecnn.bundle.read import read_bundle
from edgecnn.bundle.reference import Reference, pixels_sha256
from edgecnn.bundle.schema import Head, Reject, check_name
from edgecnn.bundle.types import Bundle, BundleDraft
from edgecnn.bundle.write import check_target, write_bundle

__all__ = [
    "Bundle",
    "BundleDraft",
    "Head",
    "Reference",
    "Reject",
    "check_name",
    "check_target",
    "default_bundle",
    "find_bundle",
    "pixels_sha256",
    "read_bundle",
    "share_of_float32",
    "shipped_bundles",
    "write_bundle",
]
