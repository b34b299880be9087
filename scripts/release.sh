#!/usr/bin/env bash
# Makes everything of release $1 in dist/release/: packages, programs, source, bills of materials, notes, checksums. See docs/release.md.
#
# The programs are those in dist/TARGET/picket. CHECK=1 stops after the checks, of versions, changelogs and work tree.
set -euo pipefail
cd "$(dirname -- "${BASH_SOURCE[0]}")/.."
version=${1:?"a version, such as 0.2.0"}
out=dist/release
# Released for each of these; see cross/README.md.
targets="x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu armv7-unknown-linux-gnueabihf x86_64-unknown-linux-musl aarch64-unknown-linux-musl"

faults=0
fault() {
    echo "release: $*" >&2
    faults=$((faults + 1))
}
same() {
    [ "$2" = "$version" ] || fault "$1 says version ${2:-none}, not $version"
}
same Cargo.toml "$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)"
same packaging/openwrt/picket/Makefile "$(sed -n 's/^PKG_VERSION:=//p' packaging/openwrt/picket/Makefile)"
same packaging/debian/changelog "$(sed -n '1s/^picket (\(.*\)-1) .*/\1/p' packaging/debian/changelog)"
notes=$(awk -v head="## [$version]" 'index($0, head) == 1 { on = 1; next } /^## / { on = 0 } on' CHANGELOG.md)
[ -n "${notes//[[:space:]]/}" ] || fault "CHANGELOG.md has no section ## [$version], or nothing in it"
grep -q "^## \[$version\] - [0-9]\{4\}-[0-9][0-9]-[0-9][0-9]$" CHANGELOG.md || fault "CHANGELOG.md: the section of $version has no date"
[ -z "$(git status --porcelain)" ] || fault "there are changes that are not committed"
[ "$faults" = 0 ] || exit 65
[ -z "${CHECK-}" ] || exit 0

for target in $targets; do
    [ -x "dist/$target/picket" ] || fault "there is no dist/$target/picket: make cross TARGET=$target"
done
[ "$faults" = 0 ] || exit 66

rm -rf "$out"
mkdir -p "$out"
OUT=$out scripts/packages.sh
SOURCE_DATE_EPOCH=$(date -u -d "$(sed -n 's/^ -- .*>  //p' packaging/debian/changelog | head -n 1)" +%s)
export SOURCE_DATE_EPOCH
for target in $targets; do
    tar --create --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -C "dist/$target" picket |
        xz -T1 -9 >"$out/picket-$version-$target.tar.xz"
    python3 scripts/sbom.py "$target" gateway >"$out/picket-$version-$target.cdx.json"
done
# The source as committed, Cargo.lock with it: what the feed package is built from.
git archive --format=tar --prefix="picket-$version/" HEAD | xz -T1 -9 >"$out/picket-$version.tar.xz"
printf '# Picket %s\n%s\n' "$version" "$notes" >"$out/release-notes.md"
sums=$(cd "$out" && find . -type f -printf '%P\n' | LC_ALL=C sort | xargs sha256sum)
echo "$sums" >"$out/SHA256SUMS"
echo "release: $(wc -l <"$out/SHA256SUMS") files in $out"
