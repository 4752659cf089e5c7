#!/bin/sh
# What the tests with real boots use (tests/vm): QEMU, GRUB and a kernel of Debian's. The kernel is only
# unpacked into DIRECTORY: if it were installed, it would be this machine's own. What is missing makes
# no failure: a test that lacks it says so.
#
# usage: tools/vm_packages.sh DIRECTORY
set -eu

"$(dirname "$0")/system_packages.sh" qemu-system-x86 grub-common grub-pc-bin e2fsprogs dropbear-bin \
  busybox-static sudo fakeroot xdelta3
[ ! -e "$1/boot" ] || exit 0
kernel=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/.*Depends: \(linux-image-\)/\1/p')
if [ -z "$kernel" ]; then
  printf 'this system has no package linux-image-cloud-amd64: nothing boots for real here\n' >&2
  exit 0
fi
printf 'unpacking the kernel of %s into %s\n' "$kernel" "$1" >&2
rm -rf "$1.new"
mkdir -p "$1.new"
if (cd "$1.new" && apt-get -q download "$kernel" >/dev/null 2>&1 && dpkg-deb -x ./*.deb . && rm ./*.deb); then
  rm -rf "$1"
  mv "$1.new" "$1"
else
  rm -rf "$1.new"
  printf '%s cannot be fetched: nothing boots for real here\n' "$kernel" >&2
fi
