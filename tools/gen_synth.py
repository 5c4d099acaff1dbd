#!/usr/bin/env python3
"""gen_synth -- makes the files of models/synth part of the command: texts in a C table.

    tools/gen_synth.py OUT.h FILE...

OUT.h (synth_files.h) is made at build time and included by src/synth/files.c only.
"""
import sys
from pathlib import Path


def literal(text):
    """The text as C string literals, one a line of it."""
    escapes = {"\\": "\\\\", '"': '\\"', "\t": "\\t", "?": "\\?"}
    lines = []
    for line in text.splitlines():
        lines.append('    "' + "".join(escapes.get(c, c) for c in line) + '\\n"')
    return "\n".join(lines)


def main():
    out, *paths = sys.argv[1:]
    rows = []
    for path in map(Path, paths):
        rows.append(f'{{STR_INIT("{path.name}"), STR_INIT(\n{literal(path.read_text(encoding="utf-8"))})}},')
    Path(out).write_text("/* Made by tools/gen_synth.py from models/synth. */\n" + "\n".join(rows) + "\n",
                         encoding="utf-8")


if __name__ == "__main__":
    main()
