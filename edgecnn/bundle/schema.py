"""bundle.json, schema 1: its text, and a reader that takes nothing for granted.

schema      1
name        letters, digits, ".", "_", "-"
labels      one text a class, in the order of the outputs
image       height, width, channels, scale, offset, fit         tensor = pixel * scale + offset
locate      "digits" | "whole"
head        "logits" | "softmax"                                what the outputs are
reject      label | null, threshold                             readings below the threshold are not shown
artifacts   file, format, precision, bytes, sha256, input, output; an end is name, shape, dtype, scale, zero_point
reference   file, bytes, sha256 | null                          reference.npz
net         the net's name | null
recipe      how it was trained, any JSON object
measured    what was measured, on what, any JSON object
versions    package -> version
created     when, ISO 8601 in UTC
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from edgecnn.bundle.strictjson import MAX_JSON_BYTES, Fields, check_tree, parse, short
from edgecnn.errors import ArgumentError, BundleError
from edgecnn.spec import Artifact, Fit, Format, ImageSpec, Locate, Precision, TensorSpec

SCHEMA = 1
_MAX_LABEL = 200
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


class Head(StrEnum):
    """What the outputs of a bundle's artefacts are. SOFTMAX: they are probabilities already."""

    LOGITS = "logits"
    SOFTMAX = "softmax"


@dataclass(frozen=True, slots=True)
class Reject:
    """When a reading is no answer.

    Attributes:
        label: The class that means "not a digit"; None when the net has no such class.
        threshold: Least probability of a reading that is shown, 0..1: of its class, or, where a class means "not a
            digit", of all other classes together.
    """

    label: str | None = None
    threshold: float = 0.0


@dataclass(frozen=True, slots=True)
class ReferenceFile:
    """reference.npz as bundle.json names it.

    Attributes:
        file: Plain file name.
        bytes: Its size.
        sha256: Its hash.
    """

    file: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Description:
    """All of bundle.json. The attributes are its fields.

    Raises:
        BundleError: A value is out of range, or two of them contradict each other.
    """

    name: str
    labels: tuple[str, ...]
    image: ImageSpec
    artifacts: tuple[Artifact, ...]
    created: str
    locate: Locate = Locate.WHOLE
    head: Head = Head.LOGITS
    reject: Reject = field(default_factory=Reject)
    reference: ReferenceFile | None = None
    net: str | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)
    measured: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_name(self.name)
        _check_labels(self.labels)
        if self.reject.label is not None and self.reject.label not in self.labels:
            raise BundleError(f"reject label: expected one of the labels, got {self.reject.label!r}")
        if not 0 <= self.reject.threshold <= 1:
            raise BundleError(f"reject threshold: expected a number from 0 to 1, got {self.reject.threshold!r}")
        _check_artifacts(self.artifacts, self.image, len(self.labels))
        _check_created(self.created)
        for what in ("recipe", "measured", "versions"):
            check_tree(dict(getattr(self, what)), what)


def dump(description: Description) -> bytes:
    """The text of bundle.json, which `load` reads back to an equal description.

    Raises:
        BundleError: `recipe`, `measured` or `versions` hold something that JSON cannot.
    """
    image, reference = description.image, description.reference
    content = {
        "schema": SCHEMA,
        "name": description.name,
        "labels": list(description.labels),
        "image": {name: getattr(image, name) for name in ImageSpec.__slots__},
        "locate": description.locate,
        "head": description.head,
        "reject": {"label": description.reject.label, "threshold": description.reject.threshold},
        "artifacts": [_artifact_json(artifact) for artifact in description.artifacts],
        "reference": None if reference is None else {name: getattr(reference, name) for name in reference.__slots__},
        "net": description.net,
        "recipe": dict(description.recipe),
        "measured": dict(description.measured),
        "versions": dict(description.versions),
        "created": description.created,
    }
    data = (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
    if len(data) > MAX_JSON_BYTES:
        raise BundleError(
            f"bundle.json: at most {MAX_JSON_BYTES:,} bytes, got {len(data):,}; shorten recipe or measured"
        )
    return data


def load(data: bytes) -> Description:
    """Read bundle.json.

    Raises:
        BundleError: Anything is not as the schema says; the message is one line without the file's name.
    """
    fields = Fields(parse(data), "")
    schema = fields.take("schema", int)
    if schema != SCHEMA:
        newer = "; it was written by a newer edgecnn, update this one" if schema > SCHEMA else ""
        raise BundleError(f"schema: expected {SCHEMA}, got {schema}{newer}")
    try:
        description = Description(
            name=fields.take("name", str),
            labels=tuple(fields.texts("labels")),
            image=fields.inner("image", _image),
            locate=fields.choice("locate", Locate),
            head=fields.choice("head", Head),
            reject=fields.inner("reject", _reject),
            artifacts=tuple(_artifact(Fields(item, f"artifacts[{at}]")) for at, item in fields.items("artifacts")),
            reference=fields.optional_inner("reference", _reference),
            net=fields.optional("net", str),
            recipe=fields.take("recipe", dict),
            measured=fields.take("measured", dict),
            versions=fields.take("versions", dict),
            created=fields.take("created", str),
        )
    except ArgumentError as error:
        raise BundleError(str(error)) from error
    fields.finish()
    if not all(type(version) is str for version in description.versions.values()):
        raise BundleError("versions: expected a text for each package")
    return description


def _image(fields: Fields) -> ImageSpec:
    image = ImageSpec(
        height=fields.take("height", int),
        width=fields.take("width", int),
        channels=fields.take("channels", int),
        scale=fields.number("scale"),
        offset=fields.number("offset"),
        fit=fields.choice("fit", Fit),
    )
    fields.finish()
    return image


def _reject(fields: Fields) -> Reject:
    reject = Reject(fields.optional("label", str), fields.number("threshold"))
    fields.finish()
    return reject


def _reference(fields: Fields) -> ReferenceFile:
    file = ReferenceFile(fields.take("file", str), fields.take("bytes", int), fields.take("sha256", str))
    fields.finish()
    if file.file != "reference.npz" or file.bytes < 1 or not re.fullmatch(r"[0-9a-f]{64}", file.sha256):
        raise BundleError("reference: expected the file 'reference.npz' with its size and 64 hex digits")
    return file


def _artifact(fields: Fields) -> Artifact:
    artifact = Artifact(
        file=fields.take("file", str),
        format=fields.choice("format", Format),
        precision=fields.choice("precision", Precision),
        bytes=fields.take("bytes", int),
        sha256=fields.take("sha256", str),
        input=fields.inner("input", _tensor),
        output=fields.inner("output", _tensor),
    )
    fields.finish()
    return artifact


def _tensor(fields: Fields) -> TensorSpec:
    tensor = TensorSpec(
        name=fields.take("name", str),
        shape=tuple(fields.take("shape", list)),
        dtype=fields.take("dtype", str),
        scale=fields.optional_number("scale"),
        zero_point=fields.optional("zero_point", int),
    )
    fields.finish()
    return tensor


def _artifact_json(artifact: Artifact) -> dict[str, Any]:
    content = {name: getattr(artifact, name) for name in Artifact.__slots__}
    for end in ("input", "output"):
        content[end] = {name: getattr(content[end], name) for name in TensorSpec.__slots__}
    return content


def check_name(name: str) -> None:
    """Refuse what cannot be the name of a bundle.

    Raises:
        BundleError: It is no such name.
    """
    if not _NAME.fullmatch(name):
        raise BundleError(
            f"name: expected letters, digits, '.', '_', '-', at most 80, the first a letter or digit, got {short(name)}"
        )


def _check_labels(labels: tuple[str, ...]) -> None:
    if len(labels) < 2:
        raise BundleError(f"labels: expected at least 2, got {len(labels)}")
    for label in labels:
        if not label.strip() or len(label) > _MAX_LABEL or not label.isprintable():
            raise BundleError(f"labels: expected printable texts of 1..{_MAX_LABEL} characters, got {short(label)}")
    if len(set(labels)) != len(labels):
        double = next(label for label in labels if labels.count(label) > 1)
        raise BundleError(f"labels: {short(double)} occurs twice")


def _check_artifacts(artifacts: tuple[Artifact, ...], image: ImageSpec, classes: int) -> None:
    if not artifacts:
        raise BundleError("artifacts: expected at least one")
    for artifact in artifacts:
        if not artifact.file.endswith(f".{artifact.format}"):
            raise BundleError(f"artefact {artifact.file}: expected the suffix .{artifact.format}")
        if artifact.input.shape[1:] != image.shape:
            raise BundleError(
                f"artefact {artifact.file} input: expected the image's {list(image.shape)}, "
                f"got {list(artifact.input.shape[1:])}"
            )
        if artifact.output.shape[1:] != (classes,):
            raise BundleError(
                f"artefact {artifact.file} output: expected {classes} classes as there are labels, "
                f"got {list(artifact.output.shape[1:])}"
            )
    for kind, keys in (
        ("file", [artifact.file for artifact in artifacts]),
        ("format and precision", [f"{artifact.format} {artifact.precision}" for artifact in artifacts]),
    ):
        if len(set(keys)) != len(keys):
            raise BundleError(
                f"artifacts: two have the same {kind} ({next(key for key in keys if keys.count(key) > 1)})"
            )


def _check_created(created: str) -> None:
    try:
        moment = datetime.fromisoformat(created)
    except ValueError as error:
        raise BundleError(
            f"created: expected a time such as 2026-11-24T12:00:00+00:00, got {short(created)}"
        ) from error
    if moment.utcoffset() != datetime.now(UTC).utcoffset():
        raise BundleError(f"created: expected a time in UTC, got {short(created)}")
