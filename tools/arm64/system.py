"""The emulated system of tools/emulate-pi: how it is made, and how a command runs in it as on a board's CPU."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent.parent
BED = Path(os.environ.get("EDGECNN_EMULATOR", ROOT / "build" / "emulate-pi"))
ROOTFS, WORK = BED / "rootfs", BED / "work"
PYTHON = ROOT / ".venv" / "bin" / "python"
HOST_PACKAGES = ["qemu-user", "qemu-user-static", "binfmt-support", "mmdebstrap", "arch-test", "gcc", "libc6-dev"]
BOARD_PACKAGES = "python3,python3-venv,python3-pip,ca-certificates,libgomp1"


@dataclass(frozen=True)
class Cpu:
    """What distinguishes a board's CPU to the libraries that look at it."""

    name: str
    boards: str
    variant: int
    part: int
    revision: int
    khz: int
    features: str


_BASE = "fp asimd evtstrm crc32 cpuid"
_DOT = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"
CPUS = {
    "a53": Cpu("Cortex-A53", "Pi 3, Zero 2 W", 0, 0xD03, 4, 1_000_000, _BASE),
    "a72": Cpu("Cortex-A72", "Pi 4", 0, 0xD08, 3, 1_800_000, _BASE),
    "a76": Cpu("Cortex-A76", "Pi 5", 4, 0xD0B, 1, 2_400_000, _DOT),
}


def stop(line: str) -> NoReturn:
    """End with one line and exit code 1."""
    raise SystemExit(f"emulate-pi: {line}")


def call(*command: str | Path, check: bool = True, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a command; a failure ends the tool with that command's name, unless `check` is off."""
    words = [str(part) for part in command]
    ran: subprocess.CompletedProcess[str] = subprocess.run(words, text=True, **options)  # type: ignore[call-overload]
    if check and ran.returncode != 0:
        stop(f"this command failed: {' '.join(words)}")
    return ran


def build() -> None:
    """Make the emulated system, or bring its edgecnn up to date: root file system, wheel, faked boards, plugin."""
    if os.geteuid() != 0:
        stop("build needs root (chroot, mount): run it with sudo")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    missing = [name for name in HOST_PACKAGES if subprocess.run(["dpkg", "-s", name], capture_output=True).returncode]
    if missing:
        call("apt-get", "update", "-qq")
        call("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing, env=environment)
    binfmt = Path("/proc/sys/fs/binfmt_misc")
    if not os.path.ismount(binfmt):
        call("mount", "-t", "binfmt_misc", "binfmt_misc", binfmt)
    if not (binfmt / "qemu-aarch64").exists():
        call("update-binfmts", "--enable", "qemu-aarch64")
    WORK.mkdir(parents=True, exist_ok=True)
    if not (ROOTFS / "venv").exists():
        _debian()
    _install()
    for key, cpu in CPUS.items():
        _fake_board(BED / "boards" / key, cpu)
    plugin = Path(__file__).with_name("count.c")
    call("gcc", "-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-o", BED / "libcount.so", plugin)
    inside("a72", ["/venv/bin/edgecnn", "--version"])


def _debian() -> None:
    """Make the root file system, of this machine's release and from this machine's package sources."""
    shutil.rmtree(ROOTFS, ignore_errors=True)
    sources = next(
        p for p in map(Path, ("/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list")) if p.exists()
    )
    suite = re.search(r"VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text())
    call("mmdebstrap", "-q", "--arch=arm64", "--variant=minbase", f"--include={BOARD_PACKAGES}",
         suite.group(1) if suite else "bookworm", ROOTFS, sources)  # fmt: skip
    for name in ("bed", "qemu", "lib64", "usr/lib/x86_64-linux-gnu"):
        (ROOTFS / name).mkdir(parents=True, exist_ok=True)
    for name in ("qemu-aarch64", "libcount.so"):
        (ROOTFS / "qemu" / name).touch()


def _install() -> None:
    """Install edgecnn[pi] in it as the README tells, with this machine's name resolution and pip configuration."""
    for name in ("etc/pip.conf", "etc/resolv.conf", "etc/hosts"):
        if Path("/", name).exists():
            shutil.copy(Path("/", name), ROOTFS / name)
    bundle = os.environ.get("PIP_CERT", "/etc/ssl/certs/ca-certificates.crt")
    shutil.copy(bundle, ROOTFS / "etc/ssl/certs/ca-certificates.crt")
    script = (
        "import sys, pathlib\n"
        "from edgecnn.remote.wheel import build_wheel\n"
        "name, data = build_wheel()\n"
        "pathlib.Path(sys.argv[1], name).write_bytes(data)\n"
        "print(name)"
    )
    made = subprocess.run([PYTHON, "-c", script, WORK], stdout=subprocess.PIPE, text=True, check=True)
    wheel = f"/bed/{made.stdout.strip()}"
    plain = os.environ | {"PIP_FIND_LINKS": ""}
    pip = ["/venv/bin/pip", "-q", "install"]
    for command in (
        ["python3", "-m", "venv", "/venv"],
        [*pip, f"{wheel}[pi]"],
        [*pip, "--force-reinstall", "--no-deps", wheel],  # the version alone does not tell a new wheel
    ):
        inside(None, command, env=plain)


def _fake_board(folder: Path, cpu: Cpu) -> None:
    """Write the /proc/cpuinfo and /sys/devices/system/cpu of a board with four such cores."""
    system = folder / "sys/devices/system/cpu"
    text = ""
    for core in range(4):
        text += (
            f"processor\t: {core}\nBogoMIPS\t: 108.00\nFeatures\t: {cpu.features}\nCPU implementer\t: 0x41\n"
            f"CPU architecture: 8\nCPU variant\t: {cpu.variant:#x}\nCPU part\t: {cpu.part:#x}\n"
            f"CPU revision\t: {cpu.revision}\n\n"
        )
        for name, value in {
            "cpufreq/cpuinfo_max_freq": cpu.khz, "topology/physical_package_id": 0, "topology/core_siblings": "f",
            "topology/core_siblings_list": "0-3",
        }.items():  # fmt: skip
            file = system / f"cpu{core}" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{value}\n")
    for name in ("possible", "present", "online"):
        (system / name).write_text("0-3\n")
    (system / "kernel_max").write_text("7\n")
    (folder / "cpuinfo").write_text(text)


def inside(
    cpu: str | None, command: list[str], *, count: bool = False, check: bool = True, **options: object
) -> subprocess.CompletedProcess[str]:
    """Run a command in the system; mounts live in a namespace of their own and go with it."""
    if not ROOTFS.is_dir():
        stop(f"there is no emulated system in {BED}; run: tools/emulate-pi build")
    mounts = [("/proc", "proc"), ("/dev", "dev"), (WORK, "bed")]
    if cpu:
        mounts += [(BED / "boards" / cpu / "cpuinfo", "proc/cpuinfo"), (BED / "boards" / cpu / "sys", "sys")]
    prefix = ["chroot", str(ROOTFS)]
    if count:  # the plugin needs the dynamic qemu, and so the host's libraries, inside
        mounts += [("/usr/bin/qemu-aarch64", "qemu/qemu-aarch64"), (BED / "libcount.so", "qemu/libcount.so")]
        mounts += [("/usr/lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"), ("/usr/lib64", "lib64")]
        prefix = ["setarch", "-R", *prefix, "/qemu/qemu-aarch64", "-plugin", "/qemu/libcount.so"]
    binds = " && ".join(f"mount --bind '{source}' '{ROOTFS / target}'" for source, target in mounts)
    environment = {**(options.pop("env", None) or os.environ), "HOME": "/root", "PYTHONHASHSEED": "0"}  # type: ignore[dict-item]
    environment |= {"OPENBLAS_NUM_THREADS": "1"} | ({"QEMU_CPU": f"cortex-{cpu}"} if cpu else {})
    environment.pop("OPENBLAS_CORETYPE", None)
    return call("unshare", "-m", "--propagation", "private", "sh", "-c", f'{binds} && exec "$@"', "sh", *prefix,
                *command, env=environment, check=check, **options)  # fmt: skip
