#!/bin/sh
# Compares the control packets that `picket inspect` counts with tshark's, by type, on every capture below a folder.
#
#   scripts/compare-tshark.sh [FOLDER]      default: ../shared/corpus; needs tshark (4.0 or later) and jq
#
# tshark is told the ports on which picket found MQTT, since it knows 1883 only. It is asked about captures in which picket
# finds MQTT, that have port 1883, or that hold a protocol name of MQTT; so nothing is left out that either could find.
# Prints a line per capture with MQTT and, where they differ, each difference as TYPE picket/tshark. Ends with 1 if any does.
set -eu
folder=${1:-../shared/corpus}
picket=${PICKET:-target/release/picket}
[ -d "$folder" ] || { echo "compare-tshark: skipped, there is no folder $folder"; exit 0; }
types="CONNECT CONNACK PUBLISH PUBACK PUBREC PUBREL PUBCOMP SUBSCRIBE SUBACK UNSUBSCRIBE UNSUBACK PINGREQ PINGRESP DISCONNECT AUTH"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
captures=0 packets=0 different=0

find "$folder" -type f | LC_ALL=C sort >"$work/files"
while read -r file; do
    case $(head -c 4 "$file" | od -An -tx1 | tr -d ' \n') in
        a1b2c3d4|d4c3b2a1|a1b23c4d|4d3cb2a1|a1b2cd34|34cdb2a1|0a0d0d0a) ;;
        *) continue ;;
    esac
    # A damaged capture ends with an error, behind the summary of what is whole.
    "$picket" inspect --output json --top 1000 "$file" >"$work/ours" 2>/dev/null || [ -s "$work/ours" ] || continue
    ours=$(jq '[.control_packets[]] | add' "$work/ours")
    if [ "$ours" = 0 ] && ! grep -qaE 'MQTT|MQIsdp' "$file" &&
        [ "$("$picket" inspect --output json --filter 'tcp port 1883' "$file" 2>/dev/null | jq .packets)" = 0 ]; then
        continue
    fi
    ports=$(jq -r '.brokers.top[] | select(.carriers | index("tcp")) | .port' "$work/ours" | sort -un)
    set --
    for port in $ports; do
        [ "$port" = 1883 ] || set -- "$@" -d "tcp.port==$port,mqtt"
    done
    # Segments in disorder need the option; where the capture lacks the start of a stream, tshark waits for it with the
    # option, in vain. So whichever agrees is taken.
    for reorder in TRUE FALSE; do
        tshark -r "$file" -o tcp.reassemble_out_of_order:$reorder "$@" -Y mqtt -T fields -e mqtt.msgtype 2>/dev/null |
            tr ',' '\n' | grep . | sort | uniq -c >"$work/theirs" || true
        difference='' number=0 sum=0
        for type in $types; do
            number=$((number + 1))
            a=$(jq ".control_packets.$type" "$work/ours")
            b=$(awk -v n=$number '$2 == n { print $1 }' "$work/theirs")
            sum=$((sum + a))
            [ "$a" = "${b:-0}" ] || difference="$difference $type $a/${b:-0}"
        done
        [ -n "$difference" ] || break
    done
    [ "$sum" -gt 0 ] || [ -n "$difference" ] || continue
    captures=$((captures + 1)) packets=$((packets + sum))
    if [ -n "$difference" ]; then
        different=$((different + 1))
        echo "${file#"$folder"/}: $sum, differs:$difference"
    else
        echo "${file#"$folder"/}: $sum"
    fi
done <"$work/files"
echo "$captures captures with $packets control packets; $different differ"
[ "$different" = 0 ]
