"""The killable process that makes one small picture: ``python -P -m hub.thumbnail_worker SOURCE TARGET``.

A stranger's picture may be made to fill the memory or to confuse a decoder: memory, processor time and pixels are limited, and what a
camera wrote beside the picture (where it was taken) is left out. Ends with 1 when there is none to be had.
"""

from __future__ import annotations

import resource
import sys
import warnings

from PIL import Image, ImageOps

#: Bytes of address space, seconds of processor time, pixels of the source; pixels of what is made.
MEMORY, SECONDS, PIXELS, SIZE = 768 * 1024 * 1024, 8, 25_000_000, (320, 240)


def main(source: str, target: str) -> int:
    """Make it."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    Image.MAX_IMAGE_PIXELS = PIXELS
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        with Image.open(source, formats=("PNG", "JPEG", "GIF", "WEBP")) as picture:
            picture.draft("RGB", (SIZE[0] * 2, SIZE[1] * 2))
            small = ImageOps.fit(ImageOps.exif_transpose(picture).convert("RGBA"), SIZE)
        small.save(target, "WEBP", quality=80)
    except Exception:  # whatever a decoder says of a stranger's bytes
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
