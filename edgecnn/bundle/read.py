"""Reading a bundle, with every hash checked."""

from __future__ import annotations

from pathlib import Path

from edgecnn.bundle import schema
from edgecnn.bundle.safe import bounded, check_hash
from edgecnn.bundle.schema import Description
from edgecnn.bundle.strictjson import MAX_JSON_BYTES
from edgecnn.bundle.types import JSON, LABELS, Bundle
from edgecnn.errors import BundleError
from edgecnn.runtime.check import one_line


def read_bundle(path: Path, *, verify: bool = True) -> Bundle:
    """Read a bundle.

    Args:
        path: Its folder.
        verify: Hash every artefact and the reference now. Without it only bundle.json and labels.txt are read; what is
            opened later is checked then.

    Raises:
        BundleError: It is absent, altered, unsafe, or of an unknown schema.
    """
    path = Path(path)
    data = bounded(path, JSON, MAX_JSON_BYTES)
    try:
        description = schema.load(data)
    except BundleError as error:
        raise BundleError(f"{path / JSON}: {one_line(error)}") from error
    expected = labels_text(description.labels)
    if bounded(path, LABELS, len(expected)) != expected:
        raise BundleError(f"{path / LABELS}: altered; its lines are not the labels of {JSON}")
    bundle = from_description(path, description)
    if verify:
        files = [(artifact.file, artifact.bytes, artifact.sha256) for artifact in bundle.artifacts]
        if description.reference is not None:
            file = description.reference
            files.append((file.file, file.bytes, file.sha256))
        for name, size, digest in files:
            check_hash(path, name, size, digest)
    return bundle


def from_description(path: Path, description: Description) -> Bundle:
    """The bundle that bundle.json describes, in the folder `path`."""
    return Bundle(
        path=path,
        name=description.name,
        labels=description.labels,
        image=description.image,
        artifacts=description.artifacts,
        locate=description.locate,
        head=description.head,
        reject=description.reject,
        net=description.net,
        recipe=description.recipe,
        measured=description.measured,
        versions=description.versions,
        created=description.created,
        reference_file=description.reference,
    )


def labels_text(labels: tuple[str, ...]) -> bytes:
    """Content of labels.txt."""
    return "".join(f"{label}\n" for label in labels).encode()
