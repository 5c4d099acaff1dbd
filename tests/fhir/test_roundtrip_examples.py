#!/usr/bin/env python3
"""JSON -> tape -> JSON for every example of HL7's package hl7.fhir.r4.examples 4.0.1.

Needs npm and the network for the first run; the package is kept in the build folder. Values must
be equal, numbers by their digits; what is refused must stand in roundtrip-exceptions.tsv.
"""

import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile

PACKAGE = "hl7.fhir.r4.examples@4.0.1"
ARCHIVE = "hl7.fhir.r4.examples-4.0.1.tgz"
SHA256 = "dce87f1b5b9341867033f7d1f544fa1b5232503f6d62813887ac6b8a8b6cb682"
HERE = os.path.dirname(os.path.abspath(__file__))


def skip(reason):
    print(f"skipped: {reason}")
    print("0 passed, 0 failed, 1 skipped")
    sys.exit(0)


def fetch(cache):
    """The folder of the examples; fetched and unpacked once."""
    folder = os.path.join(cache, "package")
    if os.path.exists(os.path.join(cache, "complete")):
        return folder
    os.makedirs(cache, exist_ok=True)
    archive = os.path.join(cache, ARCHIVE)
    if not os.path.exists(archive):
        if shutil.which("npm") is None:
            skip("npm is not installed")
        done = subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=cache, check=False,
                              capture_output=True, timeout=300)
        if done.returncode != 0 or not os.path.exists(archive):
            skip(f"npm pack {PACKAGE} failed")
    with open(archive, "rb") as packed:
        if hashlib.sha256(packed.read()).hexdigest() != SHA256:
            raise SystemExit(f"{archive}: not the archive that this test knows")
    with tarfile.open(archive) as packed:
        members = [m for m in packed.getmembers()
                   if m.isfile() and m.name.startswith("package/") and ".." not in m.name]
        packed.extractall(cache, members)
    with open(os.path.join(cache, "complete"), "w", encoding="utf-8"):
        pass
    return folder


def exceptions():
    rows = {}
    with open(os.path.join(HERE, "roundtrip-exceptions.tsv"), encoding="utf-8") as table:
        for line in table:
            if not line.startswith("#"):
                name, said, _reason = line.rstrip("\n").split("\t")
                rows[name] = said
    return rows


def load(text):
    """JSON with numbers as their digits."""
    return json.loads(text, parse_int=lambda t: ("#", t), parse_float=lambda t: ("#", t))


def main():
    build = os.environ.get("BRAID_BUILD", "build")
    driver = os.path.join(build, "tests", "fhir", "roundtrip_driver")
    if not os.path.exists(driver):
        skip(f"{driver} is not built")
    folder = fetch(os.path.join(build, "cache", "hl7.fhir.r4.examples"))
    files = [f for f in sorted(glob.glob(os.path.join(folder, "*.json")))
             if os.path.basename(f) not in ("package.json", ".index.json")]
    answers = subprocess.run([driver], input="\n".join(files) + "\n", check=True, text=True,
                             encoding="utf-8", stdout=subprocess.PIPE).stdout.split("\n")[:-1]
    known, failed = exceptions(), 0
    if len(answers) != len(files):
        raise SystemExit(f"{len(files)} files, {len(answers)} answers")
    for path, answer in zip(files, answers):
        name = os.path.basename(path)
        if answer.startswith("refused: "):
            said = answer.removeprefix("refused: ")
            good = known.pop(name, None) == said
        else:
            said = "comes back otherwise"
            with open(path, encoding="utf-8-sig") as source:
                good = load(answer) == load(source.read())
        if not good:
            failed += 1
            print(f"{name}: {said}")
    for name in known:
        failed += 1
        print(f"{name}: is an exception no longer, or is missing")
    print(f"{len(files)} examples")
    print(f"{1 if failed == 0 else 0} passed, {0 if failed == 0 else 1} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
