#!/usr/bin/env python3
"""gen_clauses -- turns models/clauses.tsv into the constant table of the kinds of clause.

    tools/gen_clauses.py CLAUSES.tsv OUT.h
    tools/gen_clauses.py --check [CLAUSES.tsv]

OUT.h (contract_clauses.h) is made at build time and included by src/contract/kinds.c only. The
rules of the table are checked on the way: each kind's rows stand together, has its three texts, uses
primitives in their order, and each alternative of a path has at most two parts.
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PRIMITIVES = ("basis", "gate", "rate", "timing")
ABOUT = ("title", "formula", "source")
NAME = re.compile(r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$")
PATH = re.compile(r"^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)?(\|[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)?)*\??$")


def read(path):
    """[(kind, {about}, [(primitive, parameter, value)])] in order of the file."""
    kinds = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue

        def wrong(text, at=number):
            raise SystemExit(f"{path}:{at}: {text}")
        cells = line.split("\t")
        if len(cells) != 4 or not all(cells):
            wrong("a row has four cells, none of them empty")
        kind, part, parameter, value = cells
        if not NAME.match(kind):
            wrong(f"{kind} is no name")
        if not kinds or kinds[-1][0] != kind:
            if any(kind == other[0] for other in kinds):
                wrong(f"the rows of {kind} do not stand together")
            kinds.append((kind, {}, []))
        about, parts = kinds[-1][1], kinds[-1][2]
        if part == "about":
            if parameter not in ABOUT or parameter in about or parts:
                wrong(f"{parameter}: about rows come first, one each of {', '.join(ABOUT)}")
            about[parameter] = value
            continue
        if part not in PRIMITIVES:
            wrong(f"{part} is none of {', '.join(PRIMITIVES)}")
        if parts and PRIMITIVES.index(part) < PRIMITIVES.index(parts[-1][0]):
            wrong(f"{part} works before {parts[-1][0]}")
        if not value.startswith("=") and not PATH.match(value):
            wrong(f"{value} is neither =word nor the path of a member")
        parts.append((part, parameter, value))
    for kind, about, parts in kinds:
        if set(about) != set(ABOUT) or not parts:
            raise SystemExit(f"{path}: {kind} lacks one of {', '.join(ABOUT)}, or its primitives")
        if not {"basis", "rate", "timing"} <= {primitive for primitive, _, _ in parts}:
            raise SystemExit(f"{path}: {kind} needs a basis, a rate and a timing")
    return kinds


def quoted(text):
    return "STR_INIT(\"" + text.replace("\\", "\\\\").replace('"', '\\"') + "\")"


def generate(kinds):
    out = ["/* Made by tools/gen_clauses.py from models/clauses.tsv. */", "#pragma once", ""]
    for number, (kind, _, parts) in enumerate(kinds):
        out.append(f"static const ClauseKindPart clause_kind_parts_{number}[] = {{")
        for primitive, parameter, value in parts:
            fixed = value.startswith("=")
            optional = value.endswith("?")
            text = value[1:] if fixed else value.rstrip("?")
            out.append(f"    {{PRIMITIVE_{primitive.upper()}, {quoted(parameter)}, {quoted(text)}, "
                       f"{'true' if fixed else 'false'}, {'true' if optional else 'false'}}},")
        out.append("};")
    out.append("static const ClauseKind clause_kinds[] = {")
    for number, (kind, about, parts) in enumerate(kinds):
        out.append(f"    {{{quoted(kind)}, {quoted(about['title'])},")
        out.append(f"     {quoted(about['formula'])},")
        out.append(f"     {quoted(about['source'])},")
        out.append(f"     clause_kind_parts_{number}, {len(parts)}}},")
    out.append("};")
    return "\n".join(out) + "\n"


def main(arguments):
    if arguments and arguments[0] == "--check":
        kinds = read(Path(arguments[1]) if len(arguments) > 1 else ROOT / "models/clauses.tsv")
        print(f"{len(kinds)} kinds of clause")
        return 0
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    Path(arguments[1]).write_text(generate(read(Path(arguments[0]))), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
