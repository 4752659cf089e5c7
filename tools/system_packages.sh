#!/bin/sh
# Installs the Debian packages that the tests use, when they are missing and root or passwordless
# sudo allows; otherwise prints the line to run, and goes on: a test that lacks its program says so.
#
# usage: tools/system_packages.sh [PACKAGE...]
set -eu

[ "$#" -gt 0 ] || set -- openssh-server openssh-client dropbear-bin busybox-static dash \
  mender-artifact mender-client signify-openbsd shellcheck bubblewrap openssl procps util-linux sudo opendoas git jq attr \
  grub-common libubootenv-tool rauc squashfs-tools dbus-daemon swupdate cpio xdelta3 \
  postgresql pgbouncer prometheus softhsm2 opensc

if ! command -v dpkg-query >/dev/null 2>&1; then
  printf 'not a Debian-like system; the tests use what these packages hold:\n  %s\n' "$*" >&2
  exit 0
fi

missing=
for package in "$@"; do
  dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
    missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
  root=
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
  root='sudo -n'
else
  printf 'some tests need packages that only root can install:\n' >&2
  printf '  sudo apt-get install --no-install-recommends%s\n' "$missing" >&2
  exit 0
fi

# `missing` and `root` are lists of words.
# shellcheck disable=SC2086
apt() {
  $root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -q -y "$@"
}
install() { apt install --no-install-recommends "$@" >/dev/null; }

printf 'installing Debian packages:%s\n' "$missing" >&2
# shellcheck disable=SC2086
if ! install $missing 2>/dev/null; then
  apt update >/dev/null || :
  # One that this release of the system does not have must not keep the others away.
  for package in $missing; do
    install "$package" || printf 'could not install %s; its tests will say so\n' "$package" >&2
  done
fi
