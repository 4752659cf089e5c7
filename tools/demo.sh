#!/bin/sh
# The main job in one go: a local fleet of real SSH devices, a good release through its waves, a bad
# one stopped in its canary and taken back. Run it with `make demo`; `make demo KEEP=1` leaves the
# fleet running to play with.
#
# Everything below is an ordinary command that you can type yourself in the directory that it names.
set -eu

program=${ROLLOUT:-rollout}
devices=${DEVICES:-24}
place=${DEMO_DIR:-.demo}
typed=${program#"$PWD/"} # as one would type it here

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
else
  say() { printf '\n%s\n' "$*"; }
fi
run() {
  printf '$ %s\n' "$*"
  "$@"
}
rollout() { "$program" "$@"; }
# Runs a command that must end with the given exit code: anything else is a failed demo.
expect() {
  wanted=$1
  shift
  code=0
  run "$@" || code=$?
  [ "$code" -eq "$wanted" ] || {
    printf 'demo: expected exit code %s, got %s\n' "$wanted" "$code" >&2
    exit 1
  }
}

down() { [ -n "${KEEP:-}" ] || rollout lab down >/dev/null 2>&1 || :; }

# The fleet of an earlier run with KEEP=1: nobody could stop it without the files that go now.
[ ! -e "$place/.rollout/lab/lab.json" ] || rollout -C "$place" lab down >/dev/null 2>&1 || :
rm -rf "$place"
mkdir -p "$place"
cd "$place"
printf 'inventory = [".rollout/lab/inventory.yml"]\n' >rollout.toml
trap down EXIT
trap 'exit 130' INT TERM
printf 'working in %s\n' "$place"

say "1. Two releases of an application, signed with a key made just now"
run rollout key generate release.key
for release in 1.0:true 1.1:false; do
  version=${release%:*}
  mkdir -p "app-$version"
  printf '{"version": "%s", "healthy": %s}\n' "$version" "${release#*:}" >"app-$version/service.json"
  run rollout artifact build directory "app-$version" --dest /opt/app --name "app-$version" \
    --device-type lab --key release.key --out "app-$version.mender"
done

say "2. A fleet of $devices devices: real SSH servers, each trusting that key only"
run rollout lab up --devices "$devices" --key release.key.pub
for version in 1.0 1.1; do
  cat >"app-$version.yml" <<PLAN
schema: 1
name: app
release: "$version"
hosts: lab
artifact: ./app-$version.mender
waves: [1, 25%, rest]
soak: 1s
on_failure: rollback
gates:
  - name: service healthy
    check: app
    success_when: result.exit == 0
PLAN
done

say "3. What would happen"
run rollout preview app-1.0.yml

say "4. The good release goes out in waves"
expect 0 rollout apply app-1.0.yml --yes

say "5. The bad release: its service fails its check on the first device"
expect 5 rollout apply app-1.1.yml --yes

say "6. Where the fleet stands"
run rollout lab status
good=$(rollout lab status | grep -c ' 1\.0' || :)
[ "$good" -eq "$devices" ] || {
  printf 'demo: %s of %s devices run 1.0\n' "$good" "$devices" >&2
  exit 1
}

untouched=$(rollout status --format json | sed -n 's/.*"untouched": *\([0-9]*\).*/\1/p')
[ "$untouched" = $((devices - 1)) ] || {
  printf 'demo: %s of %s devices were never touched\n' "$untouched" "$devices" >&2
  exit 1
}

say "The bad release was stopped: 1 device is back on 1.0, $untouched were never touched."
cat <<NEXT
Look further:
  $typed -C $place status                why it halted
  $typed -C $place events --format text  what happened, in order
NEXT
if [ -n "${KEEP:-}" ]; then
  cat <<NEXT
The fleet is still running:
  $typed -C $place preview app-1.1.yml   what another try would do
  $typed -C $place lab break lab-01 --mode offline
  $typed -C $place lab down              stop it
NEXT
else
  printf 'The fleet is gone; \140make demo KEEP=1\140 leaves it running to play with.\n'
fi
