"""Names of micrographs, and of the tables and masks that belong to them.

A name is a file name without folders and without known extensions.  Only known ones are removed, because names contain
dots: ``May08_04.33.57`` has no extension.
"""

from __future__ import annotations

import os
import re
from pathlib import PurePath
from typing import Dict, Union

MICROGRAPH_SUFFIXES = (".mrc", ".mrcs", ".tif", ".tiff")
"""Micrograph files that the core reads; compared without regard to case."""

OTHER_MICROGRAPH_SUFFIXES = (".png", ".dm3", ".dm4")
"""Those that it reads too, where they are meant: pictures beside micrographs are often of something else."""

PACKED_SUFFIXES = (".gz", ".bz2")
"""Compressed micrographs have these behind their own extension."""

TABLE_SUFFIXES = (".star", ".tsv", ".csv", ".txt", ".tab", ".coords", ".coord", ".box", ".cbox", ".cs", ".json", ".pos",
                  ".xmd", ".sqlite", ".db")
MASK_SUFFIXES = MICROGRAPH_SUFFIXES + (".png",)
MASK_ENDING = "_mask"

# Formats that the core does not read but that appear as extensions in tables of other programs and in sets of Scipion.
_OTHER_IMAGE_SUFFIXES = (".eer", ".dm3", ".dm4", ".hdf", ".map", ".spi", ".xmp", ".png", ".jpg", ".jpeg")
_IMAGE_SUFFIXES = frozenset(MICROGRAPH_SUFFIXES + _OTHER_IMAGE_SUFFIXES + PACKED_SUFFIXES)

# RELION appends these to the micrograph's name in the name of a table; in front of an image extension they are
# part of the micrograph's own name.
_TABLE_ENDINGS = ("_autopick", "_manualpick")

# What programs put before and behind the name of a micrograph when they make something of it: an index into a stack,
# cryoSPARC's number; how it was averaged, who picked on it, what the file holds.
_BEFORE = re.compile(r"^(?:\d+@|\d{15,22}_)")
_BEHIND = re.compile(
    r"[_.-](?:patch_aligned|rigid_aligned|local_aligned|full_aligned|aligned_mics?|aligned|dose_?weighted|"
    r"non_?dose_?weighted|dws?|nodw|fractions|movies?|mics?|frames|motioncor2?|motion_?corrected|corrected|mc2|sum|"
    r"avg|average|eer|denoised|topaz_?picks?|topaz|cryolo|gautomatch|automatch|auto_?picks?|manual_?picks?|picks?|"
    r"picked|particles|coords|coordinates|boxes|info)$", re.IGNORECASE)

Name = Union[str, "os.PathLike[str]"]


class MaskError(ValueError):
    """Masks of a folder cannot be used; the message is one line that names the files."""


def micrograph_suffix(name: Name) -> str:
    """Extension of a micrograph in small letters, without that of a compressed file: ``a.mrc.gz`` -> ``.mrc``."""
    stem, suffix = os.path.splitext(PurePath(name).name)
    if suffix.lower() in PACKED_SUFFIXES:
        suffix = os.path.splitext(stem)[1]
    return suffix.lower()


def named_as_micrograph(name: Name) -> bool:
    """Whether a file has an extension of micrographs that the core reads."""
    return micrograph_suffix(name) in MICROGRAPH_SUFFIXES + OTHER_MICROGRAPH_SUFFIXES


def table_stem(name: Name) -> str:
    """File name without folders and without a table extension: ``dir/a_autopick.star`` -> ``a_autopick``."""
    base = PurePath(name).name
    stem, suffix = os.path.splitext(base)
    return stem if suffix.lower() in TABLE_SUFFIXES else base


def micrograph_key(name: Name) -> str:
    """Name of a micrograph without folders and known extensions: equal for a micrograph and its table.

    Parameters
    ----------
    name
        Micrograph or coordinate file, or a name out of a table, e.g. ``dir/a.mrc``, ``a_autopick.star``, ``000012``.

    Returns
    -------
    str
        ``a``, ``a``, ``000012``.  Never empty unless `name` is.
    """
    base = PurePath(name).name
    stem = table_stem(base)
    if stem != base:
        for ending in _TABLE_ENDINGS:
            if stem.endswith(ending) and stem != ending:
                stem = stem[: -len(ending)]
                break
    while True:
        shorter, suffix = os.path.splitext(stem)
        if suffix.lower() not in _IMAGE_SUFFIXES:
            return stem
        stem = shorter


def plain_name(name: Name) -> str:
    r"""The :func:`micrograph_key` without what programs add to names, and without the folders of Windows.

    ``000123456789012345678_mic_1_patch_aligned_doseweighted.mrc``, ``mic_1_topazpicks.star`` and
    ``000004@Extract\job\mic_1.mrcs`` are all ``mic_1``.  Two names with one plain name may still be of two
    micrographs: where it is not unique, nothing follows from it.
    """
    plain = micrograph_key(str(name).replace("\\", "/"))
    for ending in (_BEFORE, _BEHIND):
        while True:
            shorter = micrograph_key(ending.sub("", plain))
            if not shorter or shorter == plain:
                break
            plain = shorter
    return plain


def masks_by_key(folder: Name) -> Dict[str, str]:
    """Masks of a folder by the :func:`micrograph_key` of their micrograph: ``a.png`` and ``a_mask.mrc`` are of ``a``.

    Returns
    -------
    dict
        Path of each mask.  Files of other kinds and those whose names start with a dot are left out.

    Raises
    ------
    MaskError
        If two masks are of one micrograph.
    OSError
        If there is no such folder.
    """
    masks: Dict[str, str] = {}
    for name in sorted(os.listdir(folder)):
        if os.path.splitext(name)[1].lower() not in MASK_SUFFIXES or name.startswith("."):
            continue
        key = micrograph_key(name)
        key = key[: -len(MASK_ENDING)] if key.endswith(MASK_ENDING) else key
        if key in masks:
            raise MaskError("%s: %s and %s are of one micrograph; leave one of them"
                            % (folder, os.path.basename(masks[key]), name))
        masks[key] = os.path.join(folder, name)
    return masks
