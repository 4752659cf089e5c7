#!/bin/sh
# What a device says of itself, signed with its host's keys. The root core asks, nobody else can:
#
#   report.sh NONCE COMPONENT STATE ARTIFACT MANIFEST ACTIVE BOOT-ID [ed25519|ecdsa]
#   report.sh         its name
#
# Prints `report BASE64`, then `signature BASE64` for each key, of that kind or of both, that
# signed (SSHSIG, namespace `device-report`), or `unsigned WHY`. Contract: docs/reference/device-protocol.md.
# shellcheck disable=SC2015,SC2046
set -fu
LC_ALL=C
export LC_ALL
ROOT=${ROLLOUT_ROOT-}

read -r id 2>/dev/null <"$ROOT/etc/rollout/device_id" || id=unknown
[ "$id" != @hostname ] || read -r id 2>/dev/null </proc/sys/kernel/hostname || id=unknown
[ $# -gt 0 ] || { echo "$id" && exit; }
[ $# -ge 7 ] || exit 64
text="device-report 1
device $id
nonce $1
time $(date +%s)
component $2
state $3
artifact $4
manifest $5
active $6
boot-id $7"
base64_line() { if [ -n "$(command -v openssl)" ]; then openssl base64 -A; else printf %s $(base64); fi; } # in lines, of busybox

encoded=$(printf '%s\n' "$text" | base64_line) && [ -n "$encoded" ] || exit 74
echo "report $encoded"
if [ -z "$(command -v ssh-keygen)" ]; then echo "unsigned no_ssh_keygen" && exit 0; fi
signed=
for kind in ${8:-ed25519 ecdsa}; do
  key=$ROOT/etc/ssh/ssh_host_${kind}_key
  [ -f "$key" ] || continue
  signature=$(printf '%s\n' "$text" | ssh-keygen -q -Y sign -n device-report -f "$key" 2>/dev/null) || continue
  signature=$(printf '%s\n' "$signature" | base64_line) && echo "signature $signature" && signed=yes
done
[ -n "$signed" ] || echo "unsigned no_host_key"
