#!/bin/busybox sh
# The first program of the machine: finds its disk and starts the system of the slot that GRUB chose.
# Whatever fails ends it, and with it the kernel, which then boots again (`panic=`).
PATH=/bin
mount -t proc proc /proc && mount -t sysfs sysfs /sys && mount -t devtmpfs dev /dev || exit
while read -r module; do insmod "/modules/$module"; done </modules/order
read -r words </proc/cmdline
for word in $words; do
  case $word in root=*) root=${word#root=} ;; esac
done
tries=0
until [ -b "$root" ] || [ $((tries = tries + 1)) -gt 100 ]; do usleep 50000; done
mount -t ext4 -o ro "$root" /system || exit
for place in dev proc sys; do mount --move "/$place" "/system/$place"; done
exec switch_root /system /sbin/init
