#!/usr/bin/env bash
# Checks the LuCI app: syntax of its pages and documents, the pages with stand-ins for LuCI, what rpcd is answered.
set -eu
cd "$(dirname "$0")/.."

for page in htdocs/luci-static/resources/view/picket/*.js; do
    # LuCI takes a page for the body of a function.
    { echo '(function() {'; cat "$page"; echo '})'; } >"${TMPDIR:-/tmp}/picket-page.$$.js"
    node --check "${TMPDIR:-/tmp}/picket-page.$$.js"
    rm "${TMPDIR:-/tmp}/picket-page.$$.js"
done
for document in root/usr/share/luci/menu.d/*.json root/usr/share/rpcd/acl.d/*.json; do
    python3 -m json.tool "$document" >/dev/null
done
node tests/views.js

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0

# answers METHOD INPUT EXPECTED: of rpcd's call, as JSON, where picket is a stand-in.
answers() {
    local got
    got=$(printf '%s' "$2" | PROG=$work/picket CONF=$work/conf SEEN=$work/etc/seen dash root/usr/libexec/rpcd/luci.picket call "$1")
    if [ "$(python3 -c 'import json,sys; print(json.dumps(json.loads(sys.argv[1]), sort_keys=True))' "$got")" != "$3" ]; then
        echo "FAILED: call $1 '$2' answers $got, not $3" >&2
        exit 1
    fi
    passed=$((passed + 1))
}

# picket CODE TEXT: stands in, and wants the words that it really takes.
picket() {
    printf '%s' "$2" >"$work/text"
    cat >"$work/picket" <<SH
#!/bin/sh
echo "\$*" >"$work/words"
cat "$work/text"
exit $1
SH
    chmod +x "$work/picket"
}

picket 0 '{"sensor":"gw"}'
answers status '{}' '{"sensor": "gw"}'
picket 69 'picket: status: /run/"x"\y: not there'
answers status '{}' '{"error": "picket: status: /run/xy: not there"}'
picket 1 '{"worst":"bad"}'
answers doctor '{}' '{"worst": "bad"}'
picket 78 ''
answers doctor '{}' '{"error": "picket doctor could not look: see the configuration"}'
picket 0 ''
answers alerts '{}' '{"acknowledged": 0, "alerts": []}'
picket 0 '{"seq":1}
{"seq":2}
'
answers alerts '{}' '{"acknowledged": 0, "alerts": [{"seq": 1}, {"seq": 2}]}'
grep -qx "alerts list --limit 200 -c $work/conf" "$work/words"
answers acknowledge '{"seq":2,"ubus_rpc_session":"0123456789abcdef0123456789abcdef"}' '{"acknowledged": 2}'
answers acknowledge '{"seq": 1}' '{"acknowledged": 2}'
answers acknowledge '{"seq":"3; reboot"}' '{"error": "seq must be a number"}'
answers alerts '{}' '{"acknowledged": 2, "alerts": [{"seq": 1}, {"seq": 2}]}'

# Every method that the pages ask is listed and allowed, and no other is.
listed=$(dash root/usr/libexec/rpcd/luci.picket list | python3 -c 'import json,sys; print(*sorted(json.load(sys.stdin)))')
allowed=$(python3 -c '
import json
access = json.load(open("root/usr/share/rpcd/acl.d/luci-app-picket.json"))["luci-app-picket"]
print(*sorted(access["read"]["ubus"]["luci.picket"] + access["write"]["ubus"]["luci.picket"]))')
asked=$(grep -oh "method: '[a-z]*'" htdocs/luci-static/resources/view/picket/*.js | cut -d "'" -f 2 | sort -u | tr '\n' ' ')
if [ "$listed" != "$allowed" ] || [ "$listed " != "$asked" ]; then
    echo "FAILED: listed $listed; allowed $allowed; asked $asked" >&2
    exit 1
fi
echo "luci: $passed answers to rpcd"
