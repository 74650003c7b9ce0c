r"""The score above which a micrograph has more maxima than its own noise would give.

With :math:`N(s)` candidates of the micrograph that score at least :math:`s`, and :math:`N_0(s)` of noise that looks
like its background (:mod:`pupicker.core.image.noise`), scaled to the area of the background, the floor is the lowest
candidate's score with

.. math:: N_0(s) \le q\,N(s),

the false discovery rate of Benjamini and Hochberg (1995) with the null distribution measured; :math:`q` = 0.2.  From
where the best fifth of the noise begins :math:`N_0` is an exponential tail with their mean excess, as maxima of noise
have it.  If no candidate fulfils it, the floor is where :math:`N_0 = q`: noise alone reaches it on one micrograph in
five.

Limits: candidates that are distributed as those of the noise leave the floor above (nearly) all of them; candidates far
above all noise leave it at the lowest of them with :math:`N_0(s)/N(s)\le q`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

FALSE_SHARE = 0.2
"""q: of the picks at the floor or above it, so many may be noise."""

_TAIL = 0.2
_FEWEST = 5


def noise_floor(candidates: Tensor, noise: Tensor, ratio: float, share: float = FALSE_SHARE) -> float:
    """The floor.

    Parameters
    ----------
    candidates
        ``(n,)`` scores of all candidates of the micrograph.
    noise
        ``(m,)`` scores of all candidates of the noise.
    ratio
        Area of the micrograph's background over that of the noise.
    share
        q.

    Returns
    -------
    float
        Minus infinity if noise gives too few candidates to say anything.
    """
    if noise.numel() < _FEWEST:
        return -math.inf
    null = noise.double().sort().values
    ordered = candidates.double().sort(descending=True).values
    begin = float(null.quantile(1 - _TAIL))
    excess = null[null > begin] - begin
    scale = max(float(excess.mean()) if excess.numel() else 0.0, 1e-6)
    at_begin = ratio * float(excess.numel())
    reached = ratio * (null.numel() - torch.searchsorted(null, ordered, right=False)).double()
    false = torch.where(ordered > begin, at_begin * torch.exp(-(ordered - begin) / scale), reached)
    fits = (false <= share * torch.arange(1, ordered.numel() + 1, dtype=torch.float64)).nonzero()
    if fits.numel():
        return float(ordered[int(fits.max())])
    return begin + scale * math.log(max(at_begin, 1e-9) / share)
