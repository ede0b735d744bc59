"""What is in an initramfs: archives one behind the other, packed or not, as the kernel takes them apart."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

NEWC = b"070701"
ZSTD = b"\x28\xb5\x2f\xfd"
LAST = "TRAILER!!!"


def contents(image: bytes) -> dict[str, bytes]:
    """Return content by path, without a leading slash or dot; later archives win. Raises ValueError."""
    return dict(_entries(image))


def _entries(image: bytes) -> Iterator[tuple[str, bytes]]:
    at = 0
    while at < len(image):
        if image[at : at + 6] == NEWC:
            name, content, at = _entry(image, at)
            if name != LAST:
                yield name.removeprefix("/").removeprefix("./"), content
        elif image[at : at + 4] == ZSTD:
            yield from _entries(_unpacked(image[at:]))
            return
        elif image[at] == 0:
            # Entries are aligned from where their own archive begins.
            yield from _entries(image[at:].lstrip(b"\0"))
            return
        else:
            raise ValueError(f"neither an archive nor padding at byte {at}: {image[at : at + 8]!r}")


def _entry(image: bytes, at: int) -> tuple[str, bytes, int]:
    """Return name and content of the newc entry at this place, and the place after it (cpio(5), newc)."""
    size, length = (int(image[at + offset : at + offset + 8], 16) for offset in (54, 94))
    start = _aligned(at + 110 + length)
    name = image[at + 110 : at + 110 + length - 1].decode(errors="replace")
    return name, image[start : start + size], _aligned(start + size)


def _aligned(place: int) -> int:
    return (place + 3) // 4 * 4


def _unpacked(packed: bytes) -> bytes:
    """Return what zstd gives, and what stands behind its frame as it is."""
    # zstd(1) stops with an error at what follows the frame, after it has written the frame.
    done = subprocess.run(["zstd", "--decompress", "--stdout"], input=packed, capture_output=True, check=False)
    return done.stdout
