"""Does KVM work here? A /dev/kvm that exists may still fail to run a stock kernel, so one is run."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

from tests.vm.places import CACHE, extracted, only_one

TCG = ("-accel", "tcg,thread=multi", "-cpu", "max,-erms,-fsrm")
"""Without the promise that `rep movsb` is fast: emulated, it goes byte by byte, and kernel and C library copy by it
where it is made. Files are read and written in a third of the time without it, memory is copied in a sixth."""
KVM = ("-accel", "kvm", "-cpu", "host")
SECONDS = 30
"""A kernel on a working KVM is through in two or three seconds."""

NO_ROOT = "Kernel panic - not syncing: VFS"
"""Where a kernel without an initramfs ends: everything before that has worked."""


@cache
def accelerator(iso: Path) -> tuple[str, ...]:
    """Return QEMU's arguments for KVM if it can run the kernel of the ISO, else for emulation, and say so once."""
    problem = _remembered(iso)
    if not problem:
        return KVM
    print(f"KVM is not used: {problem}. The machines are emulated, which is slower.", file=sys.stderr)
    return TCG


def _remembered(iso: Path) -> str:
    """Return why KVM cannot be used, or nothing; asked once per boot of this machine."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    note = CACHE / f"kvm-{boot}"
    with only_one("kvm"):
        if not note.exists():
            note.write_text(_absent() or _try(extracted(iso, "live/vmlinuz")))
    return note.read_text()


def _absent() -> str:
    if not Path("/dev/kvm").exists():
        return "there is no /dev/kvm"
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "this user may not open /dev/kvm (the group kvm may)"
    return ""


def _try(kernel: Path) -> str:
    argv = ["qemu-system-x86_64", *KVM, "-m", "512", "-nodefaults", "-display", "none", "-no-reboot"]
    argv += ["-serial", "stdio", "-kernel", str(kernel), "-append", "console=ttyS0 panic=-1"]
    try:
        ran = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"/dev/kvm did not run a kernel within {SECONDS} seconds"
    if NO_ROOT.encode() in ran.stdout:
        return ""
    said = ran.stderr.decode(errors="replace").strip().splitlines()
    return f"/dev/kvm cannot run a kernel ({said[0] if said else 'it stopped without a word'})"
