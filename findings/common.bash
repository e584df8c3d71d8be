# SPDX-License-Identifier: Apache-2.0
# Sourced by the findings. environment PACKAGE==VERSION...: a fresh virtual environment with just these, gone when the script ends;
# `python` is then its interpreter, in an empty folder of its own.
set -euo pipefail
environment() {
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  "${PYTHON:-python3}" -m venv "$folder/venv"
  "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
  mkdir "$folder/work"
  cd "$folder/work"
  python() { "$folder/venv/bin/python" "$@"; }
}
