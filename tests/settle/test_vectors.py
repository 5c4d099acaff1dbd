#!/usr/bin/env python3
"""Figures that are known from outside (tests/settle/vectors/vectors.tsv), each by commands that anybody
can run, to the cent."""
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BRAID = os.environ.get("BRAID", str(ROOT / "build" / "braid"))
runs = {}


def lines(contract, table):
    if (contract, table) not in runs:
        result = subprocess.run([BRAID, "settle", contract, "--aggregates", table, "--json"],
                                capture_output=True, text=True, check=False, cwd=ROOT)
        if result.returncode != 0:
            raise SystemExit(f"{contract} with {table}: {result.stderr}")
        runs[contract, table] = json.loads(result.stdout)["lines"]
    return runs[contract, table]


def amount(contract, table, selector):
    """Cents of the lines that the selector names, which must be there."""
    wanted = [part.split("=", 1) for part in selector.split()]
    found = [line for line in lines(contract, table)
             if all(str(line.get(key)) == value for key, value in wanted)]
    if not found:
        raise SystemExit(f"{contract} with {table}: no line is {selector}")
    return sum(line.get("amount_minor", line.get("earned")) for line in found)


def main():
    passed = failed = 0
    for row in (ROOT / "tests/settle/vectors/vectors.tsv").read_text().splitlines():
        if not row or row.startswith("#"):
            continue
        name, contract, table, second, selector, want, working = row.split("\t")
        got = amount(contract, table, selector)
        if second:
            got = amount(contract, second, selector) - got
        ok = got == round(float(want) * 100)
        passed += ok
        failed += not ok
        if not ok:
            print(f"{name}: {got / 100:.2f}, not {want} ({working})")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
