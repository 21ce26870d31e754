"""Writing a bundle, all or nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from edgecnn.bundle import reference, schema
from edgecnn.bundle.card import card
from edgecnn.bundle.read import from_description, labels_text, read_bundle
from edgecnn.bundle.schema import Description, ReferenceFile
from edgecnn.bundle.types import CARD, JSON, LABELS, REFERENCE, Bundle, BundleDraft
from edgecnn.errors import ArgumentError, BundleError, SessionError
from edgecnn.files import replace_folder, sha256
from edgecnn.runtime.session import open_session
from edgecnn.spec import Artifact


def write_bundle(target: Path, draft: BundleDraft) -> Bundle:
    """Write a bundle, all or nothing: each artefact is opened, the whole is read back, and only then it gets its place.

    Args:
        target: Its folder. A bundle that is there is replaced; any other folder that holds something is not touched.
        draft: What becomes the bundle.

    Returns:
        The bundle as it was read back.

    Raises:
        BundleError: The parts of the draft contradict each other, an artefact cannot be opened, `target` is something
            else than a bundle, or it cannot be written.
        MissingExtraError: A runtime is not installed.
    """
    target = Path(target)
    check_target(target, draft.name)
    description, files = _contents(draft)
    try:
        with replace_folder(target) as folder:
            for name, content in files.items():
                (folder / name).write_bytes(content)
            bundle = read_bundle(folder)
            card_text = card(bundle, about=draft.about, licence=draft.licence)
            (folder / CARD).write_text(card_text, encoding="utf-8")
    except OSError as error:
        raise BundleError(f"{target}: cannot be written: {error.strerror or error}") from error
    return from_description(target, description)


def check_target(target: Path, name: str) -> None:
    """Find out before long work that no bundle of this name can be written there.

    Args:
        target: Folder of the bundle.
        name: Its name.

    Raises:
        BundleError: It is no name, or there is something else than a bundle.
    """
    schema.check_name(name)
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise BundleError(f"{target}: exists and is no folder, so it is not replaced; choose another name")
    if target.is_dir() and any(target.iterdir()) and not (target / JSON).is_file():
        raise BundleError(f"{target}: exists and is no bundle, so it is not replaced; choose another name")


def _contents(draft: BundleDraft) -> tuple[Description, dict[str, bytes]]:
    """bundle.json as a value, and every file but the model card by name."""
    files: dict[str, bytes] = {}
    artifacts = []
    for (kind, precision), content in draft.artifacts.items():
        name = f"{draft.name}-{precision}.{kind}"
        try:
            with open_session(Path(name), content=content) as session:
                artifacts.append(
                    Artifact(name, kind, precision, len(content), sha256(content), session.input, session.output)
                )
        except (SessionError, ArgumentError) as error:
            raise BundleError(f"draft {draft.name}: {error}") from error
        files[name] = content
    stored = None
    if draft.reference is not None:
        if draft.reference.logits.shape[1] != len(draft.labels):
            raise BundleError(
                f"draft {draft.name}: expected reference logits of {len(draft.labels)} classes, "
                f"got {draft.reference.logits.shape[1]}"
            )
        files[REFERENCE] = reference.dump(draft.reference)
        stored = ReferenceFile(REFERENCE, len(files[REFERENCE]), sha256(files[REFERENCE]))
    description = Description(
        name=draft.name,
        labels=draft.labels,
        image=draft.image,
        artifacts=tuple(artifacts),
        created=(draft.created or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="seconds"),
        locate=draft.locate,
        head=draft.head,
        reject=draft.reject,
        reference=stored,
        net=draft.net,
        recipe=draft.recipe,
        measured=draft.measured,
        versions=draft.versions,
    )
    return description, {**files, LABELS: labels_text(draft.labels), JSON: schema.dump(description)}
