#!/bin/sh
# Makes the environment that the benchmarks run Topaz in: topaz-em 0.3.20 beside a torch without CUDA.
#
#     benchmarks/topaz_environment.sh VENV
#
# Settings in the environment: PYTHON (3.8 to 3.13, default python3), TORCH (what pip takes as torch: a requirement or the
# path of a wheel; default torch==2.13.0) and TORCHVISION (the release that belongs to it, default 0.28.0).  pip's own
# settings hold too; where pip's torch is a CUDA build, PIP_EXTRA_INDEX_URL or TORCH name one without.
#
# The compiled half of torchvision belongs to one build of torch and cannot be imported beside another.  Topaz needs
# torchvision.transforms only, which is pure Python, so the package's entry file is replaced by one line.
set -eu
[ $# -eq 1 ] || { echo "usage: $0 VENV" >&2; exit 2; }
venv=$1

"${PYTHON:-python3}" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet "${TORCH:-torch==2.13.0}" "numpy<2.3"
"$venv/bin/python" -m pip install --quiet --no-deps "torchvision==${TORCHVISION:-0.28.0}" topaz-em==0.3.20
"$venv/bin/python" -m pip install --quiet tqdm h5py pandas psutil scikit-learn scipy pillow future
site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
echo 'from torchvision import transforms  # all that Topaz needs, see topaz_environment.sh' > "$site/torchvision/__init__.py"

found=$("$venv/bin/topaz" --version 2>&1 | tail -n 1)
case $found in
    *0.3.20*) echo "$venv/bin/topaz: $found" ;;
    *) echo "$venv/bin/topaz --version says '$found', expected 0.3.20" >&2; exit 1 ;;
esac
