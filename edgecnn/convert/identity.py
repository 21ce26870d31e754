"""What a model is, beside its numbers: labels, preprocessing, where it comes from. Written into every artefact."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from edgecnn import __version__
from edgecnn.errors import ArgumentError, ModelError
from edgecnn.spec import Fit, ImageSpec, Locate

SCHEMA = 1
_FIELDS = ("height", "width", "channels", "scale", "offset")


@dataclass(frozen=True, slots=True)
class Identity:
    """What is known of a model. A file that somebody else made says nothing, so all may be absent.

    Attributes:
        name: Its name.
        labels: Names of its classes, in the order of its outputs.
        image: How a picture becomes its tensor.
        locate: How it looks at a scene.
        net: Name of the net of edgecnn that it is.
        recipe: How it was trained, as JSON knows it.
        data: What it was trained on: a name of `edgecnn.data`, or a folder.
    """

    name: str
    labels: tuple[str, ...] | None = None
    image: ImageSpec | None = None
    locate: Locate | None = None
    net: str | None = None
    recipe: dict[str, Any] = field(default_factory=dict)
    data: str | None = None


def to_metadata(identity: Identity) -> dict[str, Any]:
    """What is written into an artefact, so that it can be used without its bundle.

    Returns:
        A value for JSON: schema, name, labels, image (tensor = pixel * scale + offset), locate, version.
    """
    image = identity.image
    return {
        "schema": SCHEMA,
        "version": __version__,
        "name": identity.name,
        "labels": list(identity.labels or ()),
        "image": None if image is None else {**{f: getattr(image, f) for f in _FIELDS}, "fit": image.fit.value},
        "locate": None if identity.locate is None else identity.locate.value,
    }


def to_text(identity: Identity) -> str:
    """`to_metadata` as one line of JSON, the same for the same identity."""
    return json.dumps(to_metadata(identity), sort_keys=True, ensure_ascii=False)


def from_metadata(values: dict[str, Any], name: str) -> Identity:
    """Read what `to_metadata` wrote.

    Args:
        values: The value.
        name: What the model is called where the value does not say.

    Raises:
        ModelError: It is none, or of an unknown schema.
    """
    if values.get("schema") != SCHEMA:
        raise ModelError(f"{name}: its metadata has the schema {values.get('schema')!r}, known is {SCHEMA}")
    try:
        image, locate, labels = values["image"], values["locate"], tuple(map(str, values["labels"]))
        return Identity(
            name=str(values["name"]),
            labels=labels or None,
            image=None if image is None else ImageSpec(**{**image, "fit": Fit(image["fit"])}),
            locate=None if locate is None else Locate(locate),
        )
    except (KeyError, TypeError, ValueError, ArgumentError) as error:
        raise ModelError(f"{name}: its metadata is broken: {error}") from error
