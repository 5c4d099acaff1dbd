#!/usr/bin/env python3
"""embed -- the report's page as C arrays, cut where the title and the data go in.

    embed.py page.html style.css report.js OUT.h
"""
import sys
from pathlib import Path


def array(name, text):
    data = text.encode()
    rows = [", ".join(str(byte) for byte in data[at:at + 24]) for at in range(0, len(data), 24)]
    body = ",\n    ".join(rows)
    return f"static const unsigned char {name}[] = {{\n    {body}}};\n"


def main(page, style, script, out):
    text = Path(page).read_text()
    text = text.replace("{{STYLE}}", Path(style).read_text())
    source = Path(script).read_text()
    if "</script" in source or "<!--" in source:
        sys.exit(f"{script}: would end the script element that it stands in")
    head, rest = text.split("{{TITLE}}")
    middle, tail = rest.split("{{DATA}}")
    tail = tail.replace("{{SCRIPT}}", source)
    Path(out).write_text("/* Made from src/programme/report by embed.py. */\n#pragma once\n"
                         + array("report_head", head) + array("report_middle", middle)
                         + array("report_tail", tail))


if __name__ == "__main__":
    main(*sys.argv[1:])
