"""Join frames into one animated WebP: `python tools/animate.py FRAMES OUT.webp` (needs Pillow)."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

_MS_PER_FRAME = 150


def main(frames: Path, out: Path) -> None:
    """Write the animation; fail when it outgrows what a README should load."""
    first, *rest = [Image.open(path).convert("RGB") for path in sorted(frames.glob("*.png"))]
    first.save(out, save_all=True, append_images=rest, duration=_MS_PER_FRAME, loop=0, quality=60, method=4)
    size = out.stat().st_size
    sys.stdout.write(f"{out}: {len(rest) + 1} frames, {size} bytes\n")
    if size >= 1_500_000:
        raise SystemExit("The animation is larger than 1.5 MB: record fewer frames.")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
