#!/bin/sh
# Health check `app` of a lab device: asks the device's service how it is.
# The service is reached through FIFOs, so that the check needs nothing but a POSIX shell.
service=$ROLLOUT_ROOT/run/app
if [ ! -p "$service/ask" ]; then
  echo '{"status":"down"}'
  exit 1
fi
answer=$service/$$
trap 'rm -f "$answer"' EXIT
mkfifo "$answer" || exit 2
exec 3<>"$answer"
echo $$ >"$service/ask"
read -r code text <&3
printf '%s\n' "$text"
exit "$code"
