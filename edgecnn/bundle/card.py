"""The model card: README.md of a bundle, made of what the bundle itself says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgecnn.spec import Fit, Format, Locate, Precision

if TYPE_CHECKING:
    from edgecnn.bundle.types import Bundle


def card(bundle: Bundle, *, about: str = "", licence: str = "") -> str:
    """The model card as Markdown.

    Args:
        bundle: What it describes.
        about: What the model is and how it was trained; Markdown.
        licence: Licence of the weights.

    Returns:
        Markdown that ends with a newline.
    """
    sections = [
        f"# {bundle.name}",
        about.strip() or _about(bundle),
        "## Accuracy",
        _accuracy(bundle.measured.get("parity")),
        "## Files",
        _files(bundle),
        "## From a picture to a tensor",
        _preprocessing(bundle),
        "## How to run it",
        _running(bundle),
        "## Limits",
        _limits(bundle),
        "## How it was made",
        _made(bundle),
        "## Licence",
        licence.strip() or "Not stated.",
    ]
    return "\n\n".join(sections) + "\n"


def _about(bundle: Bundle) -> str:
    net = f" with the net `{bundle.net}`" if bundle.net else ""
    height, width, channels = bundle.image.shape
    return (
        f"Names one of {len(bundle.labels)} classes in a picture of {width}x{height} pixels in "
        f"{'grey' if channels == 1 else 'colour'}{net}: {', '.join(bundle.labels[:20])}"
        f"{', ...' if len(bundle.labels) > 20 else ''}."
    )


def _accuracy(parity: Any) -> str:
    """The rows of a parity report as a table."""
    if not isinstance(parity, Mapping) or not isinstance(parity.get("rows"), Sequence):
        return "Not measured."
    lines = [_accuracy_cells(row) for row in parity["rows"]]
    equal = parity.get("int8_equal")
    proof = ""
    if equal:
        counts = f"{equal['equal']:,} of {equal['total']:,}"
        proof = f" The int8 files for both runtimes gave equal outputs, bit for bit, on {counts}."
    machine = f" Machine: {parity['machine']}." if parity.get("machine") else ""
    return (
        _table(("what", "top-1", "95 % interval", "agrees with the float model"), lines)
        + f"\n\nMeasured on {parity['images']:,} pictures of {parity['dataset']} that it was not trained on."
        + proof
        + machine
    )


def _accuracy_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    accuracy, agreement = row["accuracy"], row["agreement"]
    if accuracy is None:
        return (row["name"], "NaN or infinity", "-", "-")
    interval = f"{100 * accuracy['low']:.2f} .. {100 * accuracy['high']:.2f} %"
    against = "-" if agreement is None else f"{100 * agreement['value']:.2f} %"
    return (row["name"], f"{100 * accuracy['value']:.2f} %", interval, against)


def _files(bundle: Bundle) -> str:
    sizes = {(a.format, a.precision): a.bytes for a in bundle.artifacts}
    lines = [
        (
            f"`{a.file}`",
            f"{a.bytes:,}",
            share_of_float32(sizes, a.format, a.precision) or "-",
            a.input.dtype,
            a.output.dtype,
            f"`{a.sha256[:16]}...`",
        )
        for a in bundle.artifacts
    ]
    return _table(("file", "bytes", "of float32", "input", "output", "sha256"), lines)


def share_of_float32(sizes: Mapping[tuple[Format, Precision], int], kind: Format, precision: Precision) -> str | None:
    """How large an artefact is against the float32 one of its format, such as "32 %".

    Args:
        sizes: Bytes of each artefact.
        kind: Its format.
        precision: Its precision.

    Returns:
        None for a float32 artefact itself, and where there is none.
    """
    whole = sizes.get((kind, Precision.FLOAT32))
    return None if precision is Precision.FLOAT32 or not whole else f"{100 * sizes[kind, precision] / whole:.0f} %"


def _preprocessing(bundle: Bundle) -> str:
    image = bundle.image
    fitted = {
        Fit.DIGIT: "the ink is made light on dark and fitted into MNIST's 20x20 box, its centre of mass in the middle",
        Fit.CROP: "the shorter side is resized with anti-aliasing, the centre is cropped",
    }[image.fit]
    colours = "grey" if image.channels == 1 else "red, green, blue"
    end = "probabilities" if bundle.head == "softmax" else "logits; the softmax comes after them"
    return (
        f"{image.height} rows x {image.width} columns, {colours}: {fitted}. Then `tensor = pixel * {image.scale!r} + "
        f"{image.offset!r}` for pixels of 0..255. An integer input takes `round(tensor / scale) + zero_point` with the "
        f"input's own scale and zero point, which `bundle.json` holds. The outputs are {end}."
    )


def _running(bundle: Bundle) -> str:
    # A bundle may hold artefacts of one format only.
    runtime = "litert" if any(artifact.format is Format.TFLITE for artifact in bundle.artifacts) else "onnx"
    option = "" if runtime == "litert" else " --runtime onnx"
    return f"```\nedgecnn run {bundle.name} picture.png{option}\nedgecnn parity {bundle.name}\n```"


def _limits(bundle: Bundle) -> str:
    lines = [
        f"- It knows {len(bundle.labels)} classes and names one of them for every picture.",
        "- The figures above hold for pictures like those of the data set; on others they do not.",
    ]
    if bundle.locate is Locate.DIGITS:
        lines.append(
            "- It reads digits that are written apart from each other, on a background that is lighter or darker."
        )
    if bundle.reject.label is not None:
        lines.append(f'- The class "{bundle.reject.label}" means: none of the others.')
    if bundle.reject.threshold > 0:
        what = "Readings" if bundle.reject.label is None else "Readings whose other classes together are"
        lines.append(f"- {what} below a probability of {bundle.reject.threshold:.2f} are not shown.")
    return "\n".join(lines)


def _made(bundle: Bundle) -> str:
    lines = [("made", bundle.created)]
    lines += [(f"recipe: {name}", _plain(value)) for name, value in bundle.recipe.items() if value is not None]
    lines += [(name, version) for name, version in bundle.versions.items()]
    return _table(("", ""), lines)


def _plain(value: Any) -> str:
    text = " ".join(_words(value).split())
    return text if len(text) <= 200 else text[:197] + "..."


def _words(value: Any) -> str:
    """A value of JSON as people write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_words(item)}" for name, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_words, value))
    return "-" if value is None else str(value)


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)
