#!/usr/bin/env python3
"""The Medicare Shared Savings Program, settled from inputs alone, against what was published for each
accountable care organization and year: amounts within US$2 or 0.08 % (rates are rounded in the file),
minimum rates of one-sided ones within 6e-5. Skipped where ../shared/data is absent."""
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BRAID = os.environ.get("BRAID", str(ROOT / "build" / "braid"))
DATA = ROOT.parent / "shared/data/mssp/mssp-2013-2016.tsv"
PUBLISHED = ("GEN_SAVE_LOSS", "EARN_SAVE_LOSS")


def settle(rows, names):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "inputs.tsv"
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, names, delimiter="\t", extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
        result = subprocess.run([BRAID, "settle", "programmes/mssp", "--aggregates", path, "--json"],
                                capture_output=True, text=True, check=True, cwd=ROOT)
    return result.stdout


def main():
    if not DATA.exists():
        print("0 passed, 0 failed, 1 skipped")
        return 0
    with DATA.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    names = [name for name in rows[0] if name not in PUBLISHED]
    output = settle(rows, names)
    lines = {(str(line["year"]), line["aco"]): line for line in json.loads(output)["lines"]}
    passed = failed = 0
    for row in rows:
        line = lines.pop((row["py"], row["aco"]), None)
        want = float(row["EARN_SAVE_LOSS"] or 0)
        wrong = ""
        if line is None:
            wrong = "no line"
        elif abs(line["earned"] / 100 - want) > max(2, abs(want) * 0.0008):
            wrong = f"earned {line['earned'] / 100:.2f}, published {want:.2f}: {line['reason']}"
        elif row["track"] == "1" and abs(line["minimum_rate"] - float(row["msr_pub"])) > 6e-5:
            wrong = f"minimum rate {line['minimum_rate']}, published {row['msr_pub']}"
        passed += not wrong
        failed += bool(wrong)
        if wrong:
            print(f"{row['py']} {row['aco']}: {wrong}")
    # the order of rows and of columns changes nothing
    same = settle(rows[::-1], names[::-1]) == output
    passed += same
    failed += not same or bool(lines)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
