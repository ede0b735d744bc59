"""A Debian of another release than the image's, as a tarball: made by mmdebstrap once, kept by what it is made from."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

from installer.plan.sources import COMPONENTS, IN_SYSTEMD, NEEDS, SMALL_INITRAMFS
from tests.vm.places import CACHE, ROOT, only_one

SUITE = "bookworm"
PACKAGES = [package for package, _ in NEEDS if package not in IN_SYSTEMD]
OPTIONS = ("--mode=root", "--variant=important", '--aptopt=APT::Install-Recommends "false"', *SMALL_INITRAMFS)


def debian_tarball() -> Path:
    """Return a tarball with everything that an installed system needs; made now (as root, minutes) or before."""
    mirror, security = mirrors()
    lines = [
        f"deb {mirror} {SUITE} {COMPONENTS}",
        f"deb {mirror} {SUITE}-updates {COMPONENTS}",
        f"deb {security} {SUITE}-security {COMPONENTS}",
    ]
    argv = [*OPTIONS, f"--components={COMPONENTS.replace(' ', ',')}", f"--include={','.join(PACKAGES)}", SUITE]
    key = hashlib.sha256(json.dumps(argv).encode()).hexdigest()[:16]
    found = CACHE / f"tarball-{key}" / "debian.tar.zst"
    with only_one("tarball"):
        if not found.exists():
            for older in CACHE.glob("tarball-*/"):
                shutil.rmtree(older)
            unfinished = CACHE / "tarball-unfinished" / found.name
            shutil.rmtree(unfinished.parent, ignore_errors=True)
            unfinished.parent.mkdir(parents=True)
            root = [] if os.geteuid() == 0 else ["sudo"]
            # unshare: it makes all mounts that it sees private (1.5.7).
            gently = [*root, "unshare", "--mount", "nice", "-n", "19"]
            subprocess.run([*gently, "mmdebstrap", *argv, str(unfinished), *lines], check=True)
            unfinished.parent.rename(found.parent)
    return found


def mirrors() -> tuple[str, str]:
    """Return where this machine gets Debian and its security updates from, as the image's building does."""
    script = "source iso/stages/base.sh; mirror Debian; mirror Debian-Security"
    told = subprocess.run(["bash", "-euc", script], cwd=ROOT, check=True, capture_output=True, text=True)
    debian, security = told.stdout.split()
    return debian, security


if __name__ == "__main__":
    print(debian_tarball())
