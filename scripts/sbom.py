"""Writes the bill of materials of a program as CycloneDX 1.5 JSON: `sbom.py TARGET FEATURES > sbom.json`.

What is linked, by cargo's own resolution for the target: no development and no build dependencies. The same Cargo.lock gives the same
bytes. Checksums are those that Cargo.lock holds the registry to.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
import uuid
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def linked(metadata: dict) -> tuple[dict, dict[str, list[str]]]:
    """The packages that are linked by id, and what each of them needs."""
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    root = next(package["id"] for package in packages.values() if package["name"] == "picket")
    needs: dict[str, list[str]] = {}
    waiting = [root]
    while waiting:
        one = waiting.pop()
        if one in needs:
            continue
        # A procedural macro runs in the compiler; what it needs is not linked either.
        if any("proc-macro" in target["kind"] for target in packages[one]["targets"]):
            needs[one] = []
            continue
        needs[one] = [dep["pkg"] for dep in nodes[one]["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"])]
        waiting += needs[one]
    macros = {one for one in needs if any("proc-macro" in target["kind"] for target in packages[one]["targets"])}
    needs = {one: sorted(reference(packages[dep]) for dep in deps if dep not in macros) for one, deps in needs.items() if one not in macros}
    return {one: packages[one] for one in needs}, needs


def reference(package: dict) -> str:
    return f'pkg:cargo/{package["name"]}@{package["version"]}'


def libpcap() -> dict:
    """The C library, by the script that builds it."""
    text = (ROOT / "cross/libpcap.sh").read_text()
    version, checksum = (re.search(rf"^{key}=(\S+)$", text, re.MULTILINE).group(1) for key in ("version", "sha256"))
    return {"type": "library", "bom-ref": f"pkg:generic/libpcap@{version}", "name": "libpcap", "version": version,
            "purl": f"pkg:generic/libpcap@{version}", "licenses": [{"license": {"id": "BSD-3-Clause"}}],
            "hashes": [{"alg": "SHA-256", "content": checksum}]}


def main() -> None:
    target, features = sys.argv[1:]
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", target, "--no-default-features",
               "--features", f"picket/{features}", "--manifest-path", str(ROOT / "Cargo.toml")]
    metadata = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    packages, needs = linked(metadata)
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    checksums = {(package["name"], package["version"]): package.get("checksum") for package in lock["package"]}

    components, dependencies, own = [], [], None
    for one, package in sorted(packages.items(), key=lambda item: reference(item[1])):
        component = {"type": "library", "bom-ref": reference(package), "name": package["name"], "version": package["version"],
                     "purl": reference(package)}
        if package["license"]:
            # Cargo still takes "/" for OR; SPDX does not.
            component["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
        if checksum := checksums.get((package["name"], package["version"])):
            component["hashes"] = [{"alg": "SHA-256", "content": checksum}]
        dependencies.append({"ref": reference(package), "dependsOn": needs[one]})
        if package["name"] == "picket":
            own = {**component, "type": "application"}
        else:
            components.append(component)
    pcap = libpcap()
    components.append(pcap)
    for dependency in dependencies:
        if dependency["ref"].startswith("pkg:cargo/pcap@"):
            dependency["dependsOn"].append(pcap["bom-ref"])
    dependencies.append({"ref": pcap["bom-ref"], "dependsOn": []})

    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    document = {
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {"timestamp": datetime.fromtimestamp(epoch, UTC).isoformat().replace("+00:00", "Z"), "component": own,
                     "properties": [{"name": "target", "value": target}, {"name": "features", "value": features}]},
        "components": components, "dependencies": dependencies,
    }
    # A number of its own for every content, and the same for the same.
    content = json.dumps(document, sort_keys=True)
    document["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}"
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
