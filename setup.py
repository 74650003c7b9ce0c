"""Package description of scipion-em-pupicker.

The version is read from ``pupicker/__init__.py`` as text, so that nothing of the package is imported at installation.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent


def read(name):
    """Return the text of a file beside this one."""
    return (HERE / name).read_text(encoding="utf-8")


def version():
    """Return ``__version__`` of the package without importing it."""
    return re.search(r'^__version__ = "([^"]+)"$', read("pupicker/__init__.py"), re.MULTILINE).group(1)


def requirements():
    """Return what the Scipion plugin needs beside the core: the lines of requirements.txt."""
    lines = (line.split("#")[0].strip() for line in read("requirements.txt").splitlines())
    return [line for line in lines if line]


CORE = [
    "torch>=2.4",
    "numpy<3,>=1.22",
    "mrcfile>=1.4",
    "tifffile>=2022.2",
    "imagecodecs>=2022.2",
    "safetensors>=0.3.1",
    "gemmi>=0.6",
    "matplotlib>=3.5",
    "pillow>=9.1",  # matplotlib needs it too
    "jinja2>=3",  # torch needs it too
]
TEST = ["pytest", "pytest-xdist", "hypothesis", "ruff", "mypy", "vermin", "pika"]
PLUGINS = ["scipion-app", "scipion-em-relion", "scipion-em-sphire"]  # what the tests run before and after ours

setup(
    name="scipion-em-pupicker",
    version=version(),
    description="Scipion plugin and command line: particle picking in cryo-EM micrographs from a few labelled examples",
    long_description=read("README.md"),
    long_description_content_type="text/markdown",
    license="GPL-3.0-or-later",
    license_files=["LICENSE"],
    keywords="scipion cryoem imageprocessing scipion-3.0 particle-picking",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Bio-Informatics",
    ],
    packages=find_packages(include=["pupicker", "pupicker.*"]),
    package_data={"pupicker": [
        "protocols.conf", "*.png", "py.typed", "templates/*", "engine/reports/templates/*.j2", "weights/*.safetensors",
        "tests/*.json", "tests/stored_models/*",
    ]},
    # The plugin modules run on any Python of Scipion; the extra [core] (command line, training, picking) needs 3.10.
    python_requires=">=3.8",
    # Nothing: the command line does without Scipion, and the Scipion that installs the plugin is there already (the
    # plugin itself says when it is too old).  [scipion] brings one to an environment that has none.
    install_requires=[],
    extras_require={"core": CORE, "scipion": requirements(), "test": TEST, "plugins": PLUGINS},
    entry_points={
        "pyworkflow.plugin": ["pupicker = pupicker"],
        "console_scripts": ["pupicker = pupicker.commands.main:main"],
    },
)
