#!/usr/bin/env python3
"""Payments of the starter programme, worked out again over the raw JSON.

Nothing of Braid is used but the lines and details that it wrote: practices by counting encounters,
ages, member months, indicators (counted as in tests/programme/test_starter_registers.py), amounts
in whole cents. Compared are every line (practice, period, cell, indicator: quantity and amount),
the persons behind each, what was said of their encounters, and the balances in the ledger. Runs
over examples/sample always, and over the Synthea bundles beside the tree where they are present.
"""
import datetime
import importlib.util
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BRAID = os.environ.get("BRAID", str(ROOT / "build" / "braid"))
SPEC = importlib.util.spec_from_file_location(
    "registers", ROOT / "tests" / "programme" / "test_starter_registers.py")
REGISTERS = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(REGISTERS)

YEAR = 2020
CENTS = {"age under 65": 250, "age from 65": 500}
INDICATOR_CENTS = 2000
FEE = "care-management-fee"
QUALITY = "quality-achieved"


def instant(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def encounters(records):
    """(local day, instant, organisation) of each encounter that can count."""
    found = []
    for r in records:
        if r["resourceType"] != "Encounter" or "serviceProvider" not in r:
            continue
        start = r.get("period", {}).get("start") or r.get("period", {}).get("end")
        reference = r["serviceProvider"]["reference"]
        if start:
            found.append((start[:10], instant(start), reference.replace("urn:uuid:", "")
                          .replace("Organization/", "")))
    return found


def practice_on(visits, day):
    """(organisation, its encounters, all, those of the next, latest day) or None."""
    since = f"{int(day[:4]) - 2}{day[4:]}"
    counted = [visit for visit in visits if since <= visit[0] < day]
    if not counted:
        return None
    counts = Counter(visit[2] for visit in counted)
    latest = {}
    for local, at, organisation in counted:
        latest[organisation] = max(latest.get(organisation, (0, "")), (at, local))
    ranked = sorted(counts, key=lambda o: (-counts[o], -latest[o][0], o))
    best = ranked[0]
    following = max((counts[o] for o in ranked[1:]), default=0)
    return best, counts[best], len(counted), following, latest[best][1]


def age_on(birth, day):
    return int(day[:4]) - int(birth[:4]) - (day[5:] < birth[5:])


def achieved(patient, records):
    """Indicators whose numerator the person is in."""
    death = patient.get("deceasedDateTime", "9999")[:10]
    if death <= f"{YEAR}-12-31" or patient.get("deceasedBoolean"):
        return []  # not on the registers, or excluded
    found = []
    if REGISTERS.present(records, REGISTERS.DIABETES):
        results = REGISTERS.observations(records, REGISTERS.HBA1C)
        found += ["hba1c-measured"] if results else []
        found += ["hba1c-controlled"] if REGISTERS.controlled(results) else []
        found += ["ldl-measured"] if REGISTERS.observations(records, REGISTERS.LDL) else []
        if 40 <= age_on(patient["birthDate"], f"{YEAR}-12-31") <= 75 and \
                REGISTERS.on_statin(records):
            found.append("statin")
    if REGISTERS.present(records, REGISTERS.HYPERTENSION):
        pressures = REGISTERS.pressures(records)
        found += ["bp-recorded"] if pressures else []
        if pressures and pressures[-1][0] < 140 and pressures[-1][1] < 90:
            found.append("bp-controlled")
    return found


def work_out(source):
    """{(clause, practice, period, indicator, cell): {person: what decided}} and the unpaid."""
    lines = defaultdict(dict)
    unpaid = set()
    for patient, records in REGISTERS.persons(source):
        person = patient["id"]
        birth = patient["birthDate"]
        death = patient.get("deceasedDateTime", "9999")[:10]
        visits = encounters(records)
        for month in range(1, 13):
            day = f"{YEAR}-{month:02}-01"
            if birth > day or death < day or patient.get("deceasedBoolean"):
                continue
            decided = practice_on(visits, day)
            if decided is None:
                unpaid.add((person, FEE, day[:7]))
                continue
            cell = "age under 65" if age_on(birth, day) < 65 else "age from 65"
            lines[FEE, decided[0], day[:7], "", cell][person] = decided[1:]
        decided = practice_on(visits, f"{YEAR + 1}-01-01")
        period = f"{YEAR}-01..{YEAR}-12"
        for indicator in achieved(patient, records):
            if decided is None:
                unpaid.add((person, QUALITY, period))
            else:
                lines[QUALITY, decided[0], period, indicator, "everyone"][person] = decided[1:]
    return lines, unpaid


def read_details(folder, line, cache):
    """{person: what decided} of a line."""
    name = line["detail"]
    if name not in cache:
        cache[name] = [json.loads(row) for row in open(folder / "details" / f"{name}.ndjson")]
    found = {}
    header = None
    for row in cache[name]:
        if "contract" in row:
            header = row
        elif (header["clause"], header["practice"]) == (line["clause"], line["practice"]) and \
                row["from"] <= line["period"] <= row["to"] and \
                row.get("indicator") == line.get("indicator") and \
                header["cells"][row["cell"]] == line["cell"]:
            assert row["person"] not in found, "a person twice behind one line"
            found[row["person"]] = (row["encounters"], row["of"], row["next"], row["latest"])
    return found


def read_unpaid(folder):
    """{(person, clause, period)}, months one by one."""
    found = set()
    for text in open(folder / "unpaid.ndjson"):
        row = json.loads(text)
        if row["from"] == row["to"]:
            found.add((row["person"], row["clause"], row["from"]))
            continue
        for month in range(int(row["from"][5:7]), int(row["to"][5:7]) + 1):
            found.add((row["person"], row["clause"], f"{row['from'][:5]}{month:02}"))
    return found


def read_balances(path):
    """{practice: cents owed} of the ledger."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    rows = connection.execute("select code, debit - credit from account where code like 'payable:%'")
    return {code.removeprefix("payable:"): -minor for code, minor in rows}


def compare(label, source):
    wanted, wanted_unpaid = work_out(source)
    passed = failed = 0
    owed = Counter()
    cache = {}

    def check(what, got, want):
        nonlocal passed, failed
        if got == want:
            passed += 1
        else:
            failed += 1
            print(f"{label}: {what}: braid says {got}, the calculation {want}")

    with tempfile.TemporaryDirectory() as out:
        result = subprocess.run([BRAID, "run", "programmes/starter", "--data", str(source), "--out",
                                 out, "--json", "--quiet"], cwd=ROOT, capture_output=True,
                                text=True, check=False)
        if result.returncode != 0:
            print(f"{label}: braid run ended with {result.returncode}: {result.stderr}")
            return 0, 1
        folder = Path(out) / "settle"
        lines = [json.loads(text) for text in open(folder / "lines.ndjson")]
        seen = set()
        for line in lines:
            key = (line["clause"], line["practice"], line["period"], line.get("indicator", ""),
                   line["cell"])
            persons = wanted.get(key, {})
            cents = INDICATOR_CENTS if line["clause"] == QUALITY else CENTS.get(line["cell"], 0)
            seen.add(key)
            owed[line["practice"]] += cents * len(persons)
            check(f"{key} persons and amount", (line["quantity"], line["amountMinor"]),
                  (len(persons), cents * len(persons)))
            check(f"{key} detail", read_details(folder, line, cache), persons)
        check("lines that are missing", sorted(set(wanted) - seen), [])
        check("persons not paid for", read_unpaid(folder), wanted_unpaid)
        check("balances", read_balances(Path(out) / "ledger.sqlite"), dict(owed))
    print(f"{label}: {len(lines)} lines, {len(owed)} practices, {sum(owed.values()) / 100:.2f}")
    return passed, failed


def main():
    passed = failed = skipped = 0
    for label, source in (("sample", ROOT / "examples" / "sample"),
                          ("synthea", REGISTERS.SYNTHEA)):
        if not source.exists():
            print(f"{label}: skipped, {source.name} is not there")
            skipped += 1
            continue
        more, wrong = compare(label, source)
        passed += more
        failed += wrong
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
