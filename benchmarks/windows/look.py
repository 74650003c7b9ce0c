"""How far particles stand out of the background to the eye, by the filter of the picture.

    python -m benchmarks.windows.look [--data FOLDER]

Contrast: the mean particle's deviation from the background, root mean square over its disc, in standard deviations of
the pixels of the background (those farther than a diameter from every annotated centre).  Of a micrograph of each real
set, levelled, at the size that a window of 650 px shows; with the Gaussian of the window (its standard deviation in
pixels of the window), with Gaussians that follow the diameter, and with a Wiener filter that is told the annotated
particles: no other linear, round filter gets nearer to them in the mean square.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.common.datasets import data_folder, read_table
from pupicker.engine.files.micrographs import read_image
from pupicker.window.micrograph_image import BACKGROUND_SIGMA, lowPass

WINDOW_PX = 650
#: title -> micrograph, table of particles, diameter in pixels
SETS = {
    "apoferritin": ("empiar10146_apoferritin/mrc/May08_03.05.02.mrc",
                    "empiar10146_apoferritin/truth/particles_1.5A.txt", 120 / 1.5),
    "β-galactosidase": ("empiar10017_bgal/mrc_bin4/Falcon_2012_06_12-14_57_34_0.mrc",
                        "empiar10017_bgal/truth/particles_bin4_7.08A.txt", 191 / 7.08),
    "80S ribosome": ("ribosome80s_10028/mrc/ribosome80s.mrc", "ribosome80s_10028/truth.tsv", 270 / 2.68),
}
GAUSSIANS = {"1 px": (1.0, 0.0), "3 px": (3.0, 0.0), "0.03 d": (0.0, 0.03), "0.06 d": (0.0, 0.06),
             "0.1 d": (0.0, 0.1)}
BANDS = ((0.03, 0.5), (0.03, 0.3), (0.06, 0.5), (0.06, 0.3), (0.06, 0.2), (0.1, 0.3))
"""Standard deviations of two Gaussians whose difference lets a band pass, in diameters."""


def shown(pixels: Any, scale: float) -> Any:
    """A micrograph as the window shows it, levelled, before any filter."""
    size = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
    picture = np.asarray(Image.fromarray(pixels.astype(np.float32)).resize(size, Image.Resampling.BOX))
    return picture - lowPass(picture, BACKGROUND_SIGMA * min(size))


def background(shape: tuple[int, ...], centres: Any, diameter_px: float) -> Any:
    """Pixels farther than a diameter from every centre, and as far from the edges."""
    rows, columns = np.mgrid[:shape[0], :shape[1]]
    nearest = np.full(shape, np.inf, np.float32)
    for x, y in centres:
        np.minimum(nearest, (columns - x) ** 2 + (rows - y) ** 2, out=nearest)
    edge = np.minimum(np.minimum(rows, shape[0] - 1 - rows), np.minimum(columns, shape[1] - 1 - columns))
    return (nearest > diameter_px ** 2) & (edge > diameter_px)


def mean_particle(picture: Any, centres: Any, diameter_px: float) -> Any:
    """Mean of the squares around the centres, and the disc in it."""
    half = round(diameter_px / 2)
    cuts = [picture[y - half:y + half + 1, x - half:x + half + 1] for x, y in np.rint(centres).astype(int)]
    whole = [cut for cut in cuts if cut.shape == (2 * half + 1, 2 * half + 1)]
    rows, columns = np.mgrid[-half:half + 1, -half:half + 1]
    return np.mean(whole, axis=0)[rows ** 2 + columns ** 2 <= half ** 2]


def contrast(picture: Any, centres: Any, diameter_px: float, outside: Any) -> float:
    """Of the mean particle against the pixels of the background."""
    rest = picture[outside]
    return float(np.sqrt(np.mean((mean_particle(picture, centres, diameter_px) - rest.mean()) ** 2)) / rest.std())


def wiener(picture: Any, outside: Any) -> Any:
    """The picture less the power of its background, by radial frequency."""
    frequency = np.hypot(np.fft.fftfreq(picture.shape[0])[:, None], np.fft.rfftfreq(picture.shape[1])[None])
    ring = np.minimum((frequency * 100).astype(int), 70)

    def power(image: Any) -> Any:
        found = np.abs(np.fft.rfft2(image)) ** 2
        return np.bincount(ring.ravel(), found.ravel(), 71) / np.maximum(1, np.bincount(ring.ravel(), minlength=71))

    noise = power(np.where(outside, picture - picture[outside].mean(), 0)) / outside.mean()
    gain = np.clip(1 - noise / np.maximum(power(picture), 1e-30), 0, 1)
    return np.fft.irfft2(np.fft.rfft2(picture) * gain[ring], picture.shape)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=data_folder(), help="folder of the data, see README.md")
    data = parser.parse_args().data
    bands = [f"{fine:g} to {coarse:g} d" for fine, coarse in BANDS]
    print(f"| set | none | {' | '.join([*GAUSSIANS, *bands])} | Wiener |")
    for title, (micrograph, table, diameter_px) in SETS.items():
        pixels = read_image(data / micrograph).pixels
        scale = WINDOW_PX / max(pixels.shape)
        picture, diameter = shown(pixels, scale), diameter_px * scale
        centres = np.array([row[1:] for row in read_table(data / table) if row[0] == Path(micrograph).stem]) * scale
        outside = background(picture.shape, centres, diameter)
        found = [picture, *[lowPass(picture, window_px + share * diameter) for window_px, share in GAUSSIANS.values()],
                 *[lowPass(picture, fine * diameter) - lowPass(picture, coarse * diameter) for fine, coarse in BANDS],
                 wiener(picture, outside)]
        print(f"| {title} | {' | '.join(f'{contrast(one, centres, diameter, outside):.2f}' for one in found)} |",
              flush=True)


if __name__ == "__main__":
    main()
