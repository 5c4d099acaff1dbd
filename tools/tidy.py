#!/usr/bin/env python3
"""tidy -- the rules of this repository that no other tool checks.

    tools/tidy.py [file...]     without files: all that git knows or would add

Text: UTF-8, no tabs (but in a Makefile), no blanks at the end of a line, a line break at the end
of the file, no file of code over 1,500 lines, nothing marked as left to do, no path of
somebody's machine, no host of a package registry. C: no banned function; no clock, environment,
locale, randomness or exit in the layers that must give the same bytes on every machine;
`#pragma once` and a comment first in each header; a source file includes its own header, or
an inner one of its folder (x_int.h), first.
Folders: each folder of src/ has a README.md.

Prints file:line of what does not hold and exits with 1 then.
"""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINES_MAX = 1500
CODE = {".c", ".h", ".cpp", ".hpp", ".def", ".py", ".sh", ".mjs", ".ts", ".js", ".build"}
C_CODE = {".c", ".h", ".cpp", ".hpp", ".def"}
# Other people's data, kept as it came; and texts that must be as their publisher wrote them.
NOT_OURS = re.compile(r"^(LICENSE$|fuzz/corpus/|tests/.*/(data|cases)/|examples/|models/.*\.tsv$)")

BANNED = re.compile(r"(?<![\w.>])(strcpy|strncpy|strcat|strncat|sprintf|vsprintf|strtok|atoi|atol|"
                    r"atoll|atof|gmtime|localtime|asctime|ctime|rand|srand|gets|setjmp|longjmp)"
                    r"\s*\(")
# What would make the same inputs give other bytes, or ends the process; allowed in the files that
# are the one door to it.
IMPURE = re.compile(r"(?<![\w.>])(time|clock|clock_gettime|gettimeofday|getenv|secure_getenv|"
                    r"setlocale|random|drand48|getrandom|exit|_exit|abort)\s*\(")
IMPURE_FOLDERS = {"service", "cli"}
IMPURE_FILES = {"src/base/arena.c"}  # a broken invariant and the end of memory stop the process
UNFINISHED = re.compile(r"\b(TODO|FIXME|HACK)\b")
MACHINE_PATH = re.compile(r"(?<![\w.])/(work|root|home/\w+|Users|tmp/d)(/|\b)")
REGISTRY = re.compile(r"registry\.npmjs\.org|deb\.debian\.org|pypi\.org|proxy\.golang\.org")
COMMENT_OR_STRING = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def blank_out(match):
    """Same length and line breaks, so that line numbers stay."""
    return re.sub(r"[^\n]", " ", match.group(0))


def check_text(name, text, wrong):
    is_code = Path(name).suffix in CODE
    lines = text.split("\n")
    if text and not text.endswith("\n"):
        wrong.append(f"{name}:{len(lines)}: no line break at the end")
    if is_code and len(lines) - 1 > LINES_MAX:
        wrong.append(f"{name}:{LINES_MAX}: {len(lines) - 1} lines; split it at a seam")
    tabs_allowed = Path(name).name == "Makefile" or Path(name).suffix == ".tsv"
    is_checker = name == "tools/tidy.py"
    for number, line in enumerate(lines, 1):
        if "\t" in line and not tabs_allowed:
            wrong.append(f"{name}:{number}: a tab")
        if line != line.rstrip():
            wrong.append(f"{name}:{number}: blanks or a carriage return at the end of the line")
        if is_checker:
            continue
        if UNFINISHED.search(line):
            wrong.append(f"{name}:{number}: {UNFINISHED.search(line).group(0)}")
        if MACHINE_PATH.search(line):
            wrong.append(f"{name}:{number}: a path of one machine")
        if REGISTRY.search(line):
            wrong.append(f"{name}:{number}: the host of a package registry")


def check_calls(name, code, wrong):
    parts = Path(name).parts
    pure = parts[0] == "src" and parts[1] not in IMPURE_FOLDERS and name not in IMPURE_FILES
    for number, line in enumerate(code.split("\n"), 1):
        for match in BANNED.finditer(line):
            wrong.append(f"{name}:{number}: {match.group(1)} is banned")
        for match in IMPURE.finditer(line) if pure else ():
            wrong.append(f"{name}:{number}: {match.group(1)} has no place below service and cli")


def check_shape(name, text, wrong):
    path = ROOT / name
    if path.suffix in (".h", ".hpp"):
        if "#pragma once" not in text:
            wrong.append(f"{name}:1: no #pragma once")
        if not text.startswith("/*"):
            wrong.append(f"{name}:1: a header opens with a comment that says what it is")
    elif name.startswith("src/") and path.suffix == ".c" and path.with_suffix(".h").exists():
        first = re.search(r'^\s*#\s*include\s*["<]([^">]+)', text, re.MULTILINE)
        own = str(path.with_suffix(".h").relative_to(ROOT / "src"))
        inner = re.compile(rf"{path.parent.name}/\w+_int\.h")
        if first is None or not (first.group(1) == own or inner.fullmatch(first.group(1))):
            wrong.append(f'{name}:1: the first #include is to be "{own}"')


def check_file(name, wrong):
    path = ROOT / name
    if NOT_OURS.match(name) or not path.is_file() or path.is_symlink():
        return
    content = path.read_bytes()
    if b"\0" in content[:8192]:
        return  # a picture or the like
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        wrong.append(f"{name}:{content[:error.start].count(10) + 1}: not UTF-8")
        return
    check_text(name, text, wrong)
    if path.suffix in C_CODE:
        check_calls(name, COMMENT_OR_STRING.sub(blank_out, text), wrong)
        check_shape(name, text, wrong)


def all_files():
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others",
                             "--exclude-standard"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode == 0:
        return sorted(set(name for name in listed.stdout.decode().split("\0") if name))
    skipped = re.compile(r"(^|/)(build[^/]*|node_modules|\.git|__pycache__)(/|$)")
    names = (str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file())
    return sorted(name for name in names if not skipped.search(name))


def main(arguments):
    wrong = []
    names = [str(Path(name).resolve().relative_to(ROOT)) for name in arguments] or all_files()
    for name in names:
        check_file(name, wrong)
    if not arguments:
        for folder in sorted((ROOT / "src").iterdir()):
            if folder.is_dir() and not (folder / "README.md").exists():
                wrong.append(f"src/{folder.name}/README.md:1: is missing")
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
