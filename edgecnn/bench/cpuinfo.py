"""What /proc/cpuinfo says, read alike on x86 and on Arm boards."""

from __future__ import annotations

from dataclasses import dataclass

ARM_PARTS = {
    0xD03: "Cortex-A53",
    0xD04: "Cortex-A35",
    0xD05: "Cortex-A55",
    0xD07: "Cortex-A57",
    0xD08: "Cortex-A72",
    0xD09: "Cortex-A73",
    0xD0A: "Cortex-A75",
    0xD0B: "Cortex-A76",
    0xD0C: "Neoverse-N1",
    0xD41: "Cortex-A78",
    0xD40: "Neoverse-V1",
    0xD49: "Neoverse-N2",
    0xD4F: "Neoverse-V2",
}
"""CPU part numbers of Arm Ltd. (implementer 0x41), from the Main ID Registers in their reference manuals."""

FEATURES = {
    "asimd": "NEON",
    "asimddp": "dot product",
    "i8mm": "i8mm",
    "fphp": "fp16",
    "sve": "SVE",
    "sse4_1": "SSE4.1",
    "avx": "AVX",
    "avx2": "AVX2",
    "fma": "FMA",
    "avx_vnni": "AVX-VNNI",
    "avx512f": "AVX-512",
    "avx512_vnni": "AVX-512 VNNI",
    "amx_int8": "AMX int8",
}
"""Instructions that decide which kernels the runtimes choose: name in /proc/cpuinfo -> name for people."""


@dataclass(frozen=True, slots=True)
class Cpu:
    """A processor as the kernel describes it.

    Attributes:
        model: Name for people, such as "Cortex-A76 r4p1" or "AMD EPYC".
        cores: Logical processors that the kernel lists.
        features: Values of `FEATURES` that it has, in that order.
        board: Name of the board ("Raspberry Pi 5 Model B Rev 1.0"), where the kernel gives one.
    """

    model: str
    cores: int
    features: tuple[str, ...]
    board: str | None


def parse_cpuinfo(text: str) -> Cpu:
    """Read the text of /proc/cpuinfo.

    Args:
        text: The file's content; of another system it may be anything.

    Returns:
        What it says; model "unknown" and 0 cores where it says nothing.
    """
    fields: dict[str, str] = {}
    cores = 0
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            key = key.strip()
            cores += key == "processor"
            fields.setdefault(key, value.strip())  # the first processor speaks for all of them
    flags = set((fields.get("flags") or fields.get("Features") or "").split())
    features = tuple(name for flag, name in FEATURES.items() if flag in flags)
    # "Hardware" is BCM2835 on every Raspberry Pi, whatever chip it has, so it is not read at all.
    return Cpu(_model(fields), cores, features, fields.get("Model") or None)


def _model(fields: dict[str, str]) -> str:
    part, implementer = _number(fields.get("CPU part")), _number(fields.get("CPU implementer"))
    if part is None or implementer is None:
        return " ".join(fields.get("model name", "").split()) or "unknown"
    name = ARM_PARTS.get(part) if implementer == 0x41 else None
    name = name or f"Arm implementer {implementer:#04x} part {part:#05x}"
    variant, revision = _number(fields.get("CPU variant")), _number(fields.get("CPU revision"))
    return name if variant is None or revision is None else f"{name} r{variant}p{revision}"


def _number(text: str | None) -> int | None:
    try:
        return int(text or "", 0)
    except ValueError:
        return None
