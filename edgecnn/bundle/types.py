"""A bundle as it was read, and what becomes one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecnn.bundle import reference
from edgecnn.bundle.reference import Reference
from edgecnn.bundle.safe import verified
from edgecnn.bundle.schema import Head, ReferenceFile, Reject
from edgecnn.errors import BundleError
from edgecnn.runtime.session import Session, dequantize, open_session, quantized_softmax, softmax
from edgecnn.spec import Artifact, Format, ImageSpec, Locate, Precision, Runtime

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

JSON = "bundle.json"
LABELS = "labels.txt"
CARD = "README.md"
REFERENCE = "reference.npz"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle as it was read.

    Attributes:
        path: Its folder.
        name: Its name.
        labels: One a class, in the order of the outputs.
        image: How a picture becomes a tensor.
        artifacts: The files that a session can open.
        locate: How it looks at a scene.
        head: What the outputs are: logits, or probabilities already.
        reject: When a reading is no answer.
        net: The net's name; None when it is none of edgecnn's.
        recipe: How it was trained.
        measured: What was measured, and on what; "parity" holds the report of `edgecnn.parity`.
        versions: What it was made with.
        created: When, ISO 8601 in UTC.
        reference_file: What `reference` reads; None when there is none.
    """

    path: Path
    name: str
    labels: tuple[str, ...]
    image: ImageSpec
    artifacts: tuple[Artifact, ...]
    locate: Locate
    head: Head
    reject: Reject
    net: str | None
    recipe: Mapping[str, Any]
    measured: Mapping[str, Any]
    versions: Mapping[str, str]
    created: str
    reference_file: ReferenceFile | None

    def artifact(self, what: Runtime | Format = Runtime.LITERT, precision: Precision = Precision.INT8) -> Artifact:
        """The artefact of a format (or of the format that a runtime runs) and a precision.

        Raises:
            BundleError: It is not in the bundle; the message lists what is.
        """
        wanted = what.file_format if isinstance(what, Runtime) else what
        for artifact in self.artifacts:
            if (artifact.format, artifact.precision) == (wanted, precision):
                return artifact
        there = ", ".join(f"{artifact.format} {artifact.precision}" for artifact in self.artifacts)
        raise BundleError(f"{self.path}: no {wanted} {precision} artefact; it holds {there}")

    def file(self, artifact: Artifact) -> Path:
        """Where an artefact lies."""
        return self.path / artifact.file

    def open(
        self,
        runtime: Runtime = Runtime.LITERT,
        precision: Precision = Precision.INT8,
        *,
        threads: int = 1,
    ) -> Session:
        """Open an artefact. What runs has the hash of bundle.json, also after `read_bundle(verify=False)`.

        Raises:
            ArgumentError: `threads` is out of range.
            BundleError: The artefact is absent or altered, or its ends are not what bundle.json says.
            MissingExtraError: The runtime is not installed.
            SessionError: The runtime cannot run it.
        """
        artifact = self.artifact(runtime, precision)
        content = verified(self.path, artifact.file, artifact.bytes, artifact.sha256)
        session = open_session(self.file(artifact), threads=threads, content=content)
        for end in ("input", "output"):
            said, found = getattr(artifact, end), getattr(session, end)
            if said != found:
                session.close()
                raise BundleError(f"{self.file(artifact)}: {JSON} says the {end} is {said}, but the file has {found}")
        return session

    def reference(self) -> Reference | None:
        """The stored logits of the Keras model; None when the bundle has none.

        Raises:
            BundleError: reference.npz is absent, altered or not what it should be.
        """
        if self.reference_file is None:
            return None
        file = self.reference_file
        stored = reference.load(verified(self.path, file.file, file.bytes, file.sha256))
        if stored.logits.shape[1] != len(self.labels):
            raise BundleError(
                f"{self.path / file.file}: expected logits of {len(self.labels)} classes, got {stored.logits.shape[1]}"
            )
        return stored

    def probabilities(self, outputs: NDArray[Any], session: Session) -> NDArray[np.float32]:
        """What a session gave, as probabilities: through the softmax, unless the artefact has it inside.

        Args:
            outputs: [n, classes] as `session.run` gives them.
            session: The session of this bundle that gave them.

        Returns:
            float32 [n, classes], 0..1.

        Raises:
            ArgumentError: A value is NaN or infinite.
        """
        if self.head is Head.SOFTMAX:
            return dequantize(outputs, session.output).clip(0, 1)
        scale = session.output.scale
        return softmax(outputs) if scale is None else quantized_softmax(outputs, scale)


@dataclass(frozen=True, slots=True)
class BundleDraft:
    """What becomes a bundle.

    Attributes:
        name: Its name, also that of its files.
        labels: One a class, in the order of the outputs.
        image: How a picture becomes a tensor.
        artifacts: The content of each artefact by format and precision.
        locate: How it looks at a scene.
        head: What the outputs are.
        reject: When a reading is no answer.
        reference: Logits of the Keras model on a test set.
        net: The net's name.
        recipe: How it was trained, as JSON knows it.
        measured: What was measured, and on what, as JSON knows it.
        versions: What it was made with.
        about: What it is and how it was trained, for the model card; Markdown.
        licence: Licence of the weights, for the model card.
        created: When; now when it is None.
    """

    name: str
    labels: tuple[str, ...]
    image: ImageSpec
    artifacts: Mapping[tuple[Format, Precision], bytes]
    locate: Locate = Locate.WHOLE
    head: Head = Head.LOGITS
    reject: Reject = field(default_factory=Reject)
    reference: Reference | None = None
    net: str | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)
    measured: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    about: str = ""
    licence: str = ""
    created: datetime | None = None
