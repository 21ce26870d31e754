"""The wheel of the edgecnn that is running, made from its own files: the board gets exactly this code."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from importlib import metadata
from pathlib import Path

import edgecnn
from edgecnn.errors import RemoteError

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same files give the same bytes, and so the same folder on the board


def build_wheel() -> tuple[str, bytes]:
    """Make a wheel of the installed package.

    Returns:
        The file name and the bytes of the wheel (format: PEP 427, the binary distribution format).

    Raises:
        RemoteError: edgecnn runs from files without an installation, so its requirements are unknown.
    """
    package = Path(edgecnn.__file__).parent
    # A checkout may also have an edgecnn.egg-info of an older build in the search path; it has no METADATA.
    described = next(
        filter(None, (found.read_text("METADATA") for found in metadata.distributions(name="edgecnn"))), None
    )
    if described is None:
        raise RemoteError("edgecnn: expected an installed package, found only its files; run: pip install -e .")
    info = f"edgecnn-{edgecnn.__version__}.dist-info"
    files = {
        f"edgecnn/{path.relative_to(package).as_posix()}": path.read_bytes()
        for path in sorted(package.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    files[f"{info}/METADATA"] = described.encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: edgecnn\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/entry_points.txt"] = b"[console_scripts]\nedgecnn = edgecnn.cli:main\n"
    record = "".join(f"{name},{_digest(data)},{len(data)}\n" for name, data in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data, zipfile.ZIP_DEFLATED)
    return f"edgecnn-{edgecnn.__version__}-py3-none-any.whl", buffer.getvalue()


def _digest(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
