#!/usr/bin/env python3
"""Runs the public CQL suite and holds each file to its committed floor.

    tests/cql/test_suite.py [--driver PROGRAM] [--show FILE-PREFIX] [--raise-floor]

The suite is ../shared/data/cql-tests (XML, cqframework/cql-tests); without it the test is skipped.
Tests of other versions than 1.0 to 1.5 are skipped and named. suite-floor.tsv holds for each file
how many must pass; --raise-floor writes what passes now where that is more. Closes with
"N passed, N failed, N skipped"; only a file under its floor fails.
"""

import argparse
import os
import subprocess
import sys
import xml.etree.ElementTree as ET

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SUITE = os.path.join(ROOT, "..", "shared", "data", "cql-tests")
FLOOR = os.path.join(ROOT, "tests", "cql", "suite-floor.tsv")
NS = "{http://hl7.org/fhirpath/tests}"


def version_of(element, inherited):
    return element.get("version") or inherited


def is_other_version(test, version):
    last = test.get("versionTo")
    return (version or "1.0") > "1.5" or (last is not None and last < "1.5")


def read_tests(path):
    """Each test as (name, invalid, expression, output, skipped)."""
    root = ET.parse(path).getroot()
    for group in root.iter(NS + "group"):
        for test in group.iter(NS + "test"):
            expression = test.find(NS + "expression")
            output = test.find(NS + "output")
            name = group.get("name") + "." + test.get("name")
            invalid = expression.get("invalid") or ""
            text = expression.text or ""
            want = (output.text or "") if output is not None else ""
            other = is_other_version(test, version_of(test, group.get("version")))
            yield name, "" if invalid == "false" else invalid, text, want, other


def escape(text):
    return (text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")
            .replace("\r", ""))


def run_file(driver, path):
    """The number of tests, those that failed (name, got, want), and the names skipped."""
    tests = list(read_tests(path))
    wanted = [t for t in tests if not t[4]]
    lines = "".join("\t".join(escape(part) for part in t[:4]) + "\n" for t in wanted)
    result = subprocess.run([driver], input=lines, capture_output=True, text=True, check=False)
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    failed = [(row[0], row[2], row[3]) for row in rows if row[1] != "pass"]
    if len(rows) < len(wanted):
        failed += [(t[0], f"the driver ended with {result.returncode}", "")
                   for t in wanted[len(rows):]]
    return len(wanted), failed, [t[0] for t in tests if t[4]], {t[0]: t[2] for t in tests}


def find_driver(given):
    for path in (given, os.environ.get("BRAID_CQL_SUITE"),
                 os.path.join(os.environ.get("BRAID_BUILD", ""), "tests", "cql", "cql_suite"),
                 os.path.join(ROOT, "build", "tests", "cql", "cql_suite")):
        if path and os.path.exists(path):
            return path
    return None


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
    parser.add_argument("--driver")
    parser.add_argument("--show", default=None)
    parser.add_argument("--raise-floor", action="store_true")
    options = parser.parse_args()
    driver = find_driver(options.driver)
    if driver is None or not os.path.isdir(SUITE):
        print("the suite or its driver is not there")
        print("0 passed, 0 failed, 1 skipped")
        return 0
    floor = read_floor()
    below, skipped, files, total, passed_all = 0, [], 0, 0, 0
    for name in sorted(os.listdir(SUITE)):
        if not name.endswith(".xml"):
            continue
        stem = name[:-4]
        count, failed, other, texts = run_file(driver, os.path.join(SUITE, name))
        passed = count - len(failed)
        files, total, passed_all = files + 1, total + count, passed_all + passed
        skipped += other
        least = floor.get(stem, 0)
        print(f"{stem}: {passed} of {count}" + (f", below {least}" if passed < least else ""))
        below += passed < least
        if options.show is not None and stem.startswith(options.show):
            for test, got, want in failed:
                print(f"    {test}: {' '.join(texts[test].split())}\n        got {got}\n        want {want}")
        floor[stem] = max(least, passed)
    print(f"all: {passed_all} of {total}; of another version: {', '.join(skipped)}")
    if options.raise_floor:
        write_floor(floor)
    print(f"{files - below} passed, {below} failed, {len(skipped)} skipped")
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
