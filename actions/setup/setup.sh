#!/usr/bin/env bash
# Finds the program $PROGRAM in $PRODTEST_BIN_DIR, or downloads it and holds it against the hash that manifest.json,
# part of the pinned commit, has for it: before it is run for the first time, and each time it comes from the cache.
# Says where it is in the step's output `path`, and puts it on PATH.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
manifest=$(dirname -- "$here")/manifest.json
mirror=${PRODTEST_MIRROR:-https://github.com/godel/prodtest/releases/download}

fail() { # WHAT EXPECTED SEEN HINT; one annotation, its lines escaped as workflow commands want it
  local text
  text=$(printf '%s\nexpected: %s\nseen: %s\nhint: %s' "$@")
  text=${text//'%'/'%25'} text=${text//$'\r'/'%0D'} text=${text//$'\n'/'%0A'}
  printf '::error title=prodtest setup::%s\n' "$text"
  exit 2
}

found() { # PATH
  printf 'path=%s\n' "$1" >>"${GITHUB_OUTPUT:-/dev/stdout}"
  if [[ -n ${GITHUB_PATH:-} ]]; then dirname -- "$1" >>"$GITHUB_PATH"; fi
  exit 0
}

hash() { sha256sum -- "$1" | cut -d ' ' -f 1; }

[[ ${PROGRAM:-} =~ ^prodtest(-[a-z]+)?$ ]] ||
  fail 'no such program' 'prodtest, or prodtest-GATE' "${PROGRAM:-nothing}" 'set the input program to prodtest-smoke'

if [[ -n ${PRODTEST_BIN_DIR:-} ]]; then
  path=$(realpath -ms -- "$PRODTEST_BIN_DIR")/$PROGRAM
  [[ -f $path && -x $path ]] || fail "$PROGRAM is not in bin-dir" "an executable file $path" \
    "$(ls -ld -- "$path" 2>&1 || true)" "set bin-dir (or PRODTEST_BIN_DIR) to the folder that holds $PROGRAM"
  found "$path"
fi

machine=$(uname -sm)
case $machine in
  'Linux x86_64') target=x86_64-unknown-linux-musl ;;
  'Linux aarch64') target=aarch64-unknown-linux-musl ;;
  *) fail "no $PROGRAM for this machine" 'Linux x86_64 or Linux aarch64' "$machine" \
    'use such a runner, or set bin-dir to a folder with a program of your own' ;;
esac

[[ -f $manifest ]] || fail 'no hash to hold the download against' "$manifest, as every release has it" 'no such file' \
  'use a released version, godel/prodtest/smoke@v1, or set bin-dir'
# `cargo xtask dist` writes one entry a line.
version=$(sed -n 's/^ *"version": "\([0-9A-Za-z.+-]*\)",$/\1/p' "$manifest")
wanted=$(sed -n "s/^ *\"$PROGRAM-$target\": {\"sha256\":\"\([0-9a-f]\{64\}\)\".*\$/\1/p" "$manifest")
[[ -n $version && -n $wanted ]] || fail 'no hash to hold the download against' \
  "an entry $PROGRAM-$target in $manifest" 'none' 'use a version that was released for this machine, or set bin-dir'

folder=${RUNNER_TOOL_CACHE:-${RUNNER_TEMP:-${TMPDIR:-/tmp}}}/prodtest/$version/$wanted
path=$folder/$PROGRAM
if [[ -f $path && $(hash "$path") == "$wanted" ]]; then
  found "$path"
fi

mkdir -p -- "$folder"
half=$(mktemp -- "$folder/.half.XXXXXX")
trap 'rm -f -- "$half"' EXIT
url=$mirror/v$version/$PROGRAM-$target
said=$(curl --proto '=https' --tlsv1.2 --fail --silent --show-error --location --retry 3 --connect-timeout 20 \
  --max-time 300 --output "$half" -- "$url" 2>&1) || fail "could not download $PROGRAM" "the program at $url" "$said" \
  'check the way to that address, or set PRODTEST_MIRROR to an https copy of the releases'
seen=$(hash "$half")
[[ $seen == "$wanted" ]] || fail 'the download is not what was released; it was not run' "sha256 $wanted" \
  "sha256 $seen of $url" 'look at what PRODTEST_MIRROR serves; if it is not set, please report this'
chmod 755 -- "$half"
mv -f -- "$half" "$path"
found "$path"
