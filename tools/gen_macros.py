#!/usr/bin/env python3
"""gen_macros -- turns models/clauses/*.yaml, the table of the kinds of clause, into C.

    tools/gen_macros.py OUT.h FILE...

OUT.h (contract_macros.h) holds each file's text; src/contract/macro.c alone includes it. That
each kind has what every kind must have is checked on the way; its graph is checked when it is used,
and by the tests with its own example.
"""
import re
import sys
from pathlib import Path

NEEDED = ("kind", "title", "formula", "source", "parameters", "graph", "pays", "example")


def c_text(text):
    lines = []
    for line in text.splitlines(keepends=True):
        escaped = line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        lines.append(f'     "{escaped}"')
    return "\n".join(lines)


def main(arguments):
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    out = ["/* Made by tools/gen_macros.py from models/clauses. */", "#pragma once", "",
           "static const ClauseMacroText macro_texts[] = {"]
    for path in sorted(map(Path, arguments[1:]), key=lambda each: each.stem):
        text = path.read_text(encoding="utf-8")
        for key in NEEDED:
            if not re.search(rf"^{key}:", text, re.MULTILINE):
                raise SystemExit(f"{path}: has no {key}")
        if not text.isascii():
            raise SystemExit(f"{path}: write ASCII")
        kind = re.search(r"^kind: (\S+)$", text, re.MULTILINE)
        if not kind or kind[1] != path.stem:
            raise SystemExit(f"{path}: its kind must be {path.stem}")
        out.append(f'    {{STR_INIT("{path.stem}"), STR_INIT(\n{c_text(text)})}},')
    out.append("};")
    Path(arguments[0]).write_text("\n".join(out) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
