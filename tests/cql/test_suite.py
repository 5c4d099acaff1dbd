#!/usr/bin/env python3
"""Runs the public CQL suite with `braid cql test` and holds each file to its committed floor.

    tests/cql/test_suite.py [--show FILE-PREFIX] [--raise-floor]

The suite is ../shared/data/cql-tests (XML, cqframework/cql-tests); without it the test is skipped.
suite-floor.tsv holds for each file how many must pass; --raise-floor writes what passes now where
that is more. Closes with "N passed, N failed, N skipped"; only a file under its floor fails.
"""

import argparse
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SUITE = os.path.join(ROOT, "..", "shared", "data", "cql-tests")
FLOOR = os.path.join(ROOT, "tests", "cql", "suite-floor.tsv")
BRAID = os.environ.get("BRAID", os.path.join(ROOT, "build", "braid"))


def read_floor():
    if not os.path.exists(FLOOR):
        return {}
    with open(FLOOR, encoding="utf-8") as lines:
        rows = [line.rstrip("\n").split("\t") for line in lines if not line.startswith("#")]
    return {row[0]: int(row[1]) for row in rows}


def write_floor(floor):
    with open(FLOOR, "w", encoding="utf-8") as out:
        out.write("# file<TAB>tests of the public suite that must pass; only ever raised\n")
        for name in sorted(floor):
            out.write(f"{name}\t{floor[name]}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--show", default=None)
    parser.add_argument("--raise-floor", action="store_true")
    options = parser.parse_args()
    if not os.path.isdir(SUITE):
        print("the suite is not there")
        print("0 passed, 0 failed, 1 skipped")
        return 0
    result = subprocess.run([BRAID, "cql", "test", SUITE, "--json"], capture_output=True, text=True,
                            check=False)
    if result.returncode not in (0, 1):
        print(f"braid cql test ended with {result.returncode}: {result.stderr}")
        print("0 passed, 1 failed, 0 skipped")
        return 1
    suite = json.loads(result.stdout)
    floor = read_floor()
    below = 0
    skipped = []
    for file in suite["files"]:
        stem = os.path.basename(file["file"])[:-4]
        passed, least = file["passed"], floor.get(stem, 0)
        print(f"{stem}: {passed} of {passed + file['failed']}"
              + (f", below {least}" if passed < least else ""))
        below += passed < least
        skipped += [test["test"] for test in file["tests"] if test["outcome"] == "skipped"]
        if options.show is not None and stem.startswith(options.show):
            for test in file["tests"]:
                if test["outcome"] == "failed":
                    print(f"    {test['test']}: {test['expression']}\n        got {test['found']}\n"
                          f"        want {test['expected']}")
        floor[stem] = max(least, passed)
    gone = set(floor) - {os.path.basename(file["file"])[:-4] for file in suite["files"]}
    print(f"all: {suite['passed']} of {suite['passed'] + suite['failed']}; of another version: "
          + ", ".join(skipped))
    if options.raise_floor:
        write_floor(floor)
    below += len(gone)
    print(f"{len(floor) - below} passed, {below} failed, {len(skipped)} skipped")
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
