#!/usr/bin/env bash
# Build the documentation from a fresh clone: needs Python 3.11 only.
set -euo pipefail
cd "$(dirname "$0")/.."
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_QUIET=1
python3.11 -m venv .venv
.venv/bin/python -m pip install -e '.[docs]'
.venv/bin/python docs/build.py
