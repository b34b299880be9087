#!/bin/sh
# Run by the feed's CI on each architecture: $1 is the package, $2 its version.

case "$1" in
picket)
	picket --version | grep -F "$2"
	picket check -c /etc/config/picket
	;;
esac
