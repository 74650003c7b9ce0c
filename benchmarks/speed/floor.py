"""The least that a preprocessing must do: read, Fourier transform, cut off high frequencies, transform back.

    python -m benchmarks.speed.floor SCALE MICROGRAPH...

Neither normalises nor writes.
"""

from __future__ import annotations

import sys

import mrcfile
import torch


def downsampled(image: torch.Tensor, scale: float) -> torch.Tensor:
    """``(h, w)`` float32 -> ``(h // scale, w // scale)``, by leaving out what the smaller image cannot hold."""
    rows, columns = (int(side // scale) for side in image.shape)
    spectrum = torch.fft.rfft2(image, norm="forward")
    upper, lower = (rows + 1) // 2, rows // 2
    kept = torch.cat([spectrum[:upper, :columns // 2 + 1], spectrum[-lower:, :columns // 2 + 1]])
    return torch.fft.irfft2(kept, (rows, columns), norm="forward")


def main() -> None:
    """Downsample every micrograph."""
    torch.set_num_threads(1)
    scale = float(sys.argv[1])
    for path in sys.argv[2:]:
        with mrcfile.open(path) as file:
            downsampled(torch.from_numpy(file.data.astype("float32")), scale)


if __name__ == "__main__":
    main()
