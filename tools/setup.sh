# shellcheck shell=bash
# Set up for people who work on edgecnn; tools/demo, tools/test and tools/check source it and call `prepare`.
#
# `prepare` makes .venv with edgecnn (editable) and every extra, at the versions of tools/constraints.txt. It needs
# Python 3.11 or newer, pip and a package index. A stamp lets it run again in no time while nothing has changed.
# Set EDGECNN_VENV to put the environment elsewhere; EDGECNN_READY=1 says that it stands and needs no look.

VENV=${EDGECNN_VENV:-$PWD/.venv}
EXTRAS='train,serve,mqtt,remote,dev'

say() { printf '%s\n' "edgecnn: $*" >&2; }

# The newest-enough Python of this machine, or a line that says what is missing.
find_python() {
  local candidate
  for candidate in "${PYTHON:-python3}" python3.11 python3.12 python3.13; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  say "Python 3.11 or newer was not found; on Debian 12: apt-get install python3 python3-pip"
  return 1
}

fingerprint() {
  { printf '%s\n' "$PWD" "$EXTRAS"; cat pyproject.toml tools/constraints.txt tools/setup.sh; } | sha256sum | cut -d' ' -f1
}

make_venv() {
  local python
  python=$(find_python)
  rm -rf "$VENV"
  # Debian keeps ensurepip in a package of its own (python3-venv); the machine's pip can fill the environment as well.
  if "$python" -c 'import ensurepip' 2>/dev/null && "$python" -m venv "$VENV" >/dev/null 2>&1; then
    return
  fi
  rm -rf "$VENV"
  "$python" -m venv --without-pip "$VENV"
  if ! "$python" -m pip --python "$VENV/bin/python" install --quiet --quiet pip -c tools/constraints.txt; then
    say "pip could not be installed into $VENV; on Debian 12: apt-get install python3-pip"
    return 1
  fi
}

# pip in the environment: with its progress for a person, with its errors alone for a log.
in_venv() {
  local quiet=(--quiet --quiet)
  [ ! -t 2 ] || quiet=()
  "$VENV/bin/python" -m pip "$@" ${quiet[@]+"${quiet[@]}"} --disable-pip-version-check >&2
}

# opencv-python needs X libraries (libGL, libxcb) that a machine without a screen may not have. The headless build of the
# same version does without. Both share the folder cv2, so they never stay installed together.
settle_opencv() {
  local reason version
  if reason=$("$VENV/bin/python" -c 'import cv2' 2>&1); then
    return
  fi
  version=$("$VENV/bin/python" -c 'from importlib.metadata import version; print(version("opencv-python"))')
  in_venv uninstall --yes opencv-python
  in_venv install "opencv-python-headless==$version"
  say "opencv-python $version does not import here (${reason##*$'\n'}); opencv-python-headless $version took its place"
}

# Is this program or (with .so in its name) this library here?
has() {
  case $1 in
    *.so*) [[ $(PATH=$PATH:/sbin ldconfig -p) == *"$1"* ]] ;;
    *) PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null ;;
  esac
}

missing_packages() {
  local need package
  while read -r need package; do
    case $need in '#'* | '') continue ;; esac
    has "$need" || printf '%s\n' "$package"
  done <tools/packages.txt
}

# Install what is missing of tools/packages.txt.
install_packages() {
  local root=() missing
  mapfile -t missing < <(missing_packages)
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ]; then
    root=(sudo -n)
    if ! sudo -n true 2>/dev/null; then
      say "this needs root; run: sudo apt-get install ${missing[*]}"
      return 1
    fi
  fi
  say "installing ${missing[*]}"
  ${root[@]+"${root[@]}"} apt-get update -qq
  ${root[@]+"${root[@]}"} env DEBIAN_FRONTEND=noninteractive \
    apt-get install -qq -y --no-install-recommends -o Acquire::Retries=3 "${missing[@]}" >/dev/null
  rm -f "$VENV/.edgecnn-stamp" # with the libraries there, opencv-python may import now
}

prepare() {
  export PATH="$VENV/bin:$PATH"
  if [ "${EDGECNN_READY:-}" = 1 ]; then
    return
  fi
  local stamp=$VENV/.edgecnn-stamp wanted
  wanted=$(fingerprint)
  mkdir -p build
  exec 9>build/setup.lock
  flock 9 # two tools started at once do not fill one environment together
  if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || ! "$VENV/bin/python" -c '' 2>/dev/null; then
    say "setting up $VENV (a few minutes and about 3 GB the first time)"
    rm -f "$stamp"
    "$VENV/bin/python" -m pip --version >/dev/null 2>&1 || make_venv
    in_venv install pip -c tools/constraints.txt
    in_venv uninstall --yes opencv-python-headless
    in_venv install -e ".[$EXTRAS]" -c tools/constraints.txt
    settle_opencv
    printf '%s\n' "$wanted" >"$stamp"
  fi
  exec 9>&-
  export EDGECNN_READY=1
}
