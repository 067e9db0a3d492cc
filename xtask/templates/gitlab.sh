#!/bin/sh
# The script of the GitLab templates: finds or downloads a gate's program, and runs it.
# `cargo xtask generate` sets `program`, `helper`, `inputs` and `switches` above it; `cargo xtask dist` fills in the pins.
# shellcheck disable=SC2154
set -eu
version=''
sha256_x86_64=''
sha256_aarch64=''
helper_sha256_x86_64=''
helper_sha256_aarch64=''

fail() { # WHAT EXPECTED SEEN HINT
  printf 'error: %s\n  expected: %s\n  seen: %s\n  hint: %s\n' "$@" >&2
  exit 2
}

for input in $inputs; do
  eval "value=\${PRODTEST_INPUT_$input:-}"
  if [ -n "$value" ]; then export "PRODTEST_$input=$value"; fi
done
# One that nobody gave is `false`, which must not hide a variable of the pipeline either.
for switch in $switches; do
  eval "value=\${PRODTEST_INPUT_$switch:-}"
  if [ "$value" = true ]; then export "PRODTEST_$switch=true"; fi
done

if [ -n "${PRODTEST_BIN_DIR:-}" ]; then
  folder=$PRODTEST_BIN_DIR
else
  folder=$(mktemp -d)
fi

find_or_download() { # PROGRAM SHA256_X86_64 SHA256_AARCH64
  if [ -n "${PRODTEST_BIN_DIR:-}" ]; then
    [ -x "$folder/$1" ] || fail "$1 is not in bin-dir" "an executable $folder/$1" \
      "$(ls -ld -- "$folder/$1" 2>&1 || true)" "set bin-dir (or PRODTEST_BIN_DIR) to the folder that holds $1"
    return
  fi
  machine=$(uname -sm)
  case $machine in
    'Linux x86_64') target=x86_64-unknown-linux-musl sha256=$2 ;;
    'Linux aarch64') target=aarch64-unknown-linux-musl sha256=$3 ;;
    *) fail "no $1 for this machine" 'Linux x86_64 or Linux aarch64' "$machine" \
      'use such a runner, or set bin-dir to a folder with a program of your own' ;;
  esac
  [ -n "$sha256" ] || fail 'this template pins no hash' "the template of a release, with a sha256 for $target" \
    'the template of a work tree' 'include a released version, or set bin-dir'
  url=${PRODTEST_MIRROR:-https://github.com/godel/prodtest/releases/download}/v$version/$1-$target
  curl --proto '=https' --tlsv1.2 --fail --silent --show-error --location --retry 3 --connect-timeout 20 \
    --max-time 300 --output "$folder/$1" -- "$url" || fail "could not download $1" "the program at $url" \
    'see above' 'check the way to that address, or set PRODTEST_MIRROR to an https copy of the releases'
  seen=$(sha256sum -- "$folder/$1" | cut -d ' ' -f 1)
  if [ "$seen" != "$sha256" ]; then
    rm -f -- "$folder/$1"
    fail "the download is not what was released; it was not run" "sha256 $sha256" "sha256 $seen of $url" \
      'look at what PRODTEST_MIRROR serves; if it is not set, please report this'
  fi
  chmod 755 "$folder/$1"
}

find_or_download "$program" "$sha256_x86_64" "$sha256_aarch64"
# The gate calls it, and looks for it beside itself.
if [ -n "$helper" ]; then find_or_download "$helper" "$helper_sha256_x86_64" "$helper_sha256_aarch64"; fi

"$folder/$program"
