#!/usr/bin/env python3
"""check_docs -- links between the documents lead somewhere, and the man pages are well formed.

    tools/check_docs.py [COMMAND]

With COMMAND (the built braid), each command that `braid help` lists must have a man page.
"""
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def documents():
    skipped = {"node_modules", ".git"}
    for path in sorted(ROOT.rglob("*.md")):
        parts = path.relative_to(ROOT).parts
        if not skipped.intersection(parts) and not parts[0].startswith("build"):
            yield path


def anchors(text):
    titles = re.findall(r"^#+ +(.+?)\s*$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def check_links(path, wrong):
    text = path.read_text()
    plain = FENCE.sub(lambda match: "\n" * match.group(0).count("\n"), text)
    for match in LINK.finditer(plain):
        target, _, anchor = match.group(1).partition("#")
        where = f"{path.relative_to(ROOT)}:{plain.count(chr(10), 0, match.start()) + 1}"
        if re.match(r"[a-z]+:", target):
            continue
        file = path if not target else path.parent / target
        if not file.exists():
            wrong.append(f"{where}: {target} does not exist")
        elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text()):
            wrong.append(f"{where}: {target or path.name} has no heading #{anchor}")


def check_man_page(path, wrong):
    result = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", str(path)],
                            capture_output=True, text=True, check=False)
    for line in result.stderr.splitlines():
        wrong.append(line.replace(str(ROOT) + "/", ""))


def check_commands(command, wrong):
    result = subprocess.run([command, "help"], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        wrong.append(f"`braid help` left with status {result.returncode}")
    for name in re.findall(r"^  ([a-z][a-z-]*)  ", result.stdout, re.MULTILINE):
        if not (ROOT / "man" / f"braid-{name}.1").exists() and name != "help":
            wrong.append(f"man/braid-{name}.1: is missing")


def main(arguments):
    wrong = []
    for path in documents():
        check_links(path, wrong)
    if shutil.which("groff"):
        for path in sorted((ROOT / "man").glob("*.[15]")):
            check_man_page(path, wrong)
    if arguments and Path(arguments[0]).exists():
        check_commands(arguments[0], wrong)
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
