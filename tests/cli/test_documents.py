#!/usr/bin/env python3
"""What help, man pages and docs say of the command is true: they are what the command's own tables
give, and every example in them runs. BRAID_GOLDEN=1 rewrites man/*.1 and docs/commands.md."""
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BRAID = os.environ.get("BRAID", str(ROOT / "build" / "braid"))
GOLDEN = os.environ.get("BRAID_GOLDEN") == "1"


def braid(*arguments):
    result = subprocess.run([BRAID, *arguments], capture_output=True, text=True, check=False)
    return result.stdout if result.returncode == 0 else f"ended with {result.returncode}"


def same(path, text, wrong):
    if GOLDEN:
        path.write_text(text)
    if not path.exists() or path.read_text() != text:
        wrong.append(f"{path.relative_to(ROOT)} is not what `braid help` gives; "
                     "BRAID_GOLDEN=1 tests/cli/test_documents.py rewrites it")


def shell_lines(text):
    """Commands in the ```sh blocks of a page."""
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            line = re.sub(r"^build/braid\b", "braid", line.strip().removeprefix("$ "))
            if line.startswith(("braid ", "cat ")):
                yield line


def run_examples(page, wrong):
    """All examples of a page one after the other, in a folder with programmes/ and examples/."""
    number = 0
    with tempfile.TemporaryDirectory() as folder:
        bin_folder = Path(folder) / "bin"
        bin_folder.mkdir()
        (bin_folder / "braid").symlink_to(Path(BRAID).resolve())
        for name in ("programmes", "examples", "models"):
            (Path(folder) / name).symlink_to(ROOT / name)
        environment = dict(os.environ, PATH=f"{bin_folder}:{os.environ['PATH']}")
        for line in shell_lines(page.read_text()):
            number += 1
            result = subprocess.run(["bash", "-o", "pipefail", "-c", line], cwd=folder,
                                    env=environment, capture_output=True, text=True, check=False,
                                    stdin=subprocess.DEVNULL)
            if result.returncode != 0:
                wrong.append(f"{page.name}: `{line}` ended with {result.returncode}: "
                             f"{result.stderr.strip()}")
    return number


def main():
    wrong = []
    checks = 0
    # The first word of each command, as `braid help` lists them; `help` and `version` have no page.
    families = [word for word in sorted(set(re.findall(r"^  ([a-z][a-z-]*)  ?[a-z ]", braid("help"), re.MULTILINE)))]
    for family in families:
        same(ROOT / "man" / f"braid-{family}.1", braid("help", family, "--man"), wrong)
    same(ROOT / "man" / "braid.1", braid("help", "--man"), wrong)
    same(ROOT / "docs" / "commands.md", braid("help", "--markdown"), wrong)
    checks += len(families) + 2
    for page in sorted((ROOT / "docs").glob("*.md")):
        checks += run_examples(page, wrong)
    for line in wrong:
        print(line)
    print(f"{checks - len(wrong)} passed, {len(wrong)} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
