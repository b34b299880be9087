# Stands in for rc.common, procd.sh and functions.sh of OpenWrt: reads UCI, and writes every call of procd's into $CALLS.
# shellcheck shell=dash

_calls() {
	printf '%s\n' "$*" >>"$CALLS"
}

# Each option as a variable c_SECTION_OPTION; the values of a list one on each line.
config_load() {
	eval "$(awk -v q="'" '
		function bare(text) { gsub(/^["\x27]|["\x27]$/, "", text); return text }
		$1 == "config" { section = $3 == "" ? $2 : bare($3) }
		$1 == "option" || $1 == "list" {
			name = "c_" section "_" $2
			value = $0
			sub(/^[ \t]*(option|list)[ \t]+[^ \t]+[ \t]+/, "", value)
			value = bare(value)
			if ($1 == "list" && name in seen) value = seen[name] "\n" value
			seen[name] = value
		}
		END { for (name in seen) print name "=" q seen[name] q }
	' "$ROOT/etc/config/$1")"
}

config_get() {
	eval "$1=\${c_$2_$3:-\${4:-}}"
}

config_get_bool() {
	config_get "$@"
	eval "case \$$1 in 1|on|true|yes|enabled) $1=1 ;; *) $1=0 ;; esac"
}

config_list_foreach() {
	local values value

	eval "values=\${c_$1_$2:-}"
	for value in $values; do
		"$3" "$value"
	done
}

procd_open_instance() { _calls open_instance; }
procd_close_instance() { _calls close_instance; }
procd_set_param() { _calls set_param "$@"; }
procd_append_param() { _calls append_param "$@"; }
procd_add_jail() { _calls add_jail "$@"; }
procd_add_jail_mount() { _calls add_jail_mount "$@"; }
procd_add_jail_mount_rw() { _calls add_jail_mount_rw "$@"; }
procd_add_reload_trigger() { _calls add_reload_trigger "$@"; }
procd_add_interface_trigger() { _calls add_interface_trigger "$@"; }
logger() { _calls logger "$@"; }
chown() { _calls chown "$@"; }
uci() { printf '%s\n' "network.lan.device='br-lan'" "network.wan.device='eth1'"; }
