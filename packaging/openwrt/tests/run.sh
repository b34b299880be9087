#!/usr/bin/env bash
# Runs the init script as OpenWrt would, with stand-ins that record what it asks procd for.
set -eu
cd "$(dirname "$0")/.."
init=picket/files/picket.init

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/etc/config" "$work/bin"
failed=0 passed=0

# run VERDICT FUNCTION: the script's FUNCTION under dash with the configuration in $work, where `picket check` has this verdict.
run() {
    # shellcheck disable=SC2016 # for the stand-in to expand
    printf '#!/bin/sh\necho picket "$@" >>"$CALLS"\nexit %s\n' "$1" >"$work/bin/picket"
    chmod +x "$work/bin/picket"
    : >"$work/calls"
    local code=0
    # shellcheck disable=SC2016 # for dash to expand
    env CALLS="$work/calls" ROOT="$work" dash -c '
        . tests/stub.sh
        . "$1"
        PROG=$ROOT/bin/picket CONF=$ROOT/etc/config/picket CAPS=$ROOT/caps JAIL=$ROOT/ujail RUN=$ROOT/run
        "$2"
    ' _ "$init" "$2" >"$work/out" 2>&1 || code=$?
    echo "exit $code" >>"$work/calls"
}

# config [SED]: the configuration as shipped, with folders in $work, switched on, and changed by SED.
config() {
    sed -e "s|'0'|'1'|" -e "s|/var/|$work/var/|" -e "${1:-}" picket/files/picket.config >"$work/etc/config/picket"
}

expect() {
    if grep -qxF -- "$1" "$work/calls"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $name: no call '$1' in:" && cat "$work/calls" "$work/out"
    fi
}

refuse() {
    if ! grep -qF -- "$1" "$work/calls"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $name: there is a call '$1' in:" && cat "$work/calls"
    fi
}

name="as shipped it is switched off"
cp picket/files/picket.config "$work/etc/config/picket"
run 0 start_service
expect "exit 0"
refuse open_instance

name="without a jail it starts as root and drops by itself"
config
run 0 start_service
expect "exit 0"
expect "set_param command $work/bin/picket run -c $work/etc/config/picket"
expect "append_param netdev br-lan"
expect "set_param respawn 300 5 0"
expect "chown picket:picket $work/var/lib/picket"
expect close_instance
refuse add_jail
refuse "set_param user"

name="in a jail it has one capability"
touch "$work/ujail" "$work/caps" && chmod +x "$work/ujail"
run 0 start_service
expect "set_param user picket"
expect "set_param capabilities $work/caps"
expect "set_param no_new_privs 1"
expect "add_jail picket log procfs sysfs"
expect "add_jail_mount_rw $work/var/lib/picket $work/var/run/picket"

name="a jail can be required"
config "s|'auto'|'require'|"
run 0 start_service
expect "add_jail picket log procfs sysfs requirejail"

name="a jail can be refused"
config "s|'auto'|'none'|"
run 0 start_service
refuse add_jail

name="a second interface is watched for, too"
config "s|^\(.*\)list interfaces 'br-lan'|&\n\1list interfaces 'eth1'|"
run 0 start_service
expect "append_param netdev eth1"
run 0 service_triggers
expect "add_reload_trigger picket"
expect "add_interface_trigger interface.* lan /etc/init.d/picket reload"
expect "add_interface_trigger interface.* wan /etc/init.d/picket reload"

name="a configuration that is wrong starts nothing"
config
run 78 start_service
expect "exit 1"
refuse open_instance

name="the verbs ask the program with the configuration of UCI"
for verb in status check doctor; do
    run 3 "$verb"
    expect "picket $verb -c $work/etc/config/picket"
    expect "exit 3"
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
