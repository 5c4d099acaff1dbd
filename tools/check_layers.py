#!/usr/bin/env python3
"""check_layers -- every #include of src/ goes down the layers, and to a facade.

A folder may include its own headers, the facade x/x.h of a folder x in a lower layer, and the
public headers of base. tests/, bench/ and fuzz/ may include anything. Prints file:line of what
does not hold; tools/check_layers.py [ROOT] exits with 1 then.
"""
import re
import sys
from pathlib import Path

LAYERS = [
    ["base"],
    ["terms", "ledger"],
    ["fhir", "pay"],
    ["store", "cql"],
    ["intake", "identity", "attribution"],
    ["measure", "synth"],
    ["risk"],
    ["contract"],
    ["settle"],
    ["insight"],
    ["programme"],
    ["service"],
    ["cli"],
]
LEVEL = {folder: level for level, folders in enumerate(LAYERS) for folder in folders}
# base is the exception with more than one public header.
BASE_HEADERS = {f"base/{name}.h" for name in (
    "base decimal money ratio date json json_index yaml csv xml io pages threads progress test limits").split()}
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')


def complaint(folder, quote, target, is_generated):
    """What is wrong with `#include target` in a file of the folder, or None."""
    other = target.split("/")[0]
    if other not in LEVEL or "/" not in target:
        if quote == '"' and not is_generated:
            return f'"{target}": write it relative to src/ ("{folder}/…")'
        return None
    if other == folder:
        return None
    if LEVEL[other] >= LEVEL[folder]:
        return f"{folder} may not include {other}, which is not in a layer below it"
    if other == "base":
        if target not in BASE_HEADERS and not target.endswith(".def"):
            return f"{target} is no public header of base; base/base.h has the core"
        return None
    if target != f"{other}/{other}.h":
        return f"only {other}/{other}.h may be included from outside its folder, not {target}"
    return None


def check(root):
    wrong = []
    source = root / "src"
    for path in sorted(source.rglob("*")):
        if path.suffix not in (".c", ".h", ".cc", ".cpp", ".hpp", ".def", ".inc"):
            continue
        folder = path.relative_to(source).parts[0]
        where = path.relative_to(root)
        if folder not in LEVEL:
            wrong.append(f"{where}:1: the folder {folder} is in no layer")
            continue
        build_file = source / folder / "meson.build"
        build = build_file.read_text() if build_file.exists() else ""
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            match = INCLUDE.match(line)
            if match is None:
                continue
            quote, target = match.groups()
            # A header made at build time lies in no folder of src/; its folder's build names it.
            is_generated = "/" not in target and target in build and not (
                path.parent / target).exists()
            text = complaint(folder, quote, target, is_generated)
            if text is not None:
                wrong.append(f"{where}:{number}: {text}")
    return wrong


def main(arguments):
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent
    wrong = check(root)
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
