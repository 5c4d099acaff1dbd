#!/usr/bin/env python3
"""A clinical board's own values of a guideline's parameters: they change what they should, results name
the document, and what is wrong with it is a finding with its line. Movements on registers between runs."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from test_starter_registers import ROOT, persons

BRAID = os.environ.get("BRAID", str(ROOT / "build" / "braid"))
wrong = []
checks = 0

GOOD = """id: harbour-board
title: Harbour's limits
version: 2
author: Clinical board
from: 2020-01-01
approval: {approvers: [Medical director], date: 2019-12-01, reason: frail population}
parameters:
  - name: Systolic Limit
    value: "%s"
    reason: frail population
"""


def check(what, want, got):
    global checks
    checks += 1
    if want != got:
        wrong.append(f"{what}: expected {want!r}, got {got!r}")


def braid(*arguments, code=0):
    result = subprocess.run([BRAID, *map(str, arguments)], capture_output=True, text=True, check=False)
    check(f"braid {' '.join(map(str, arguments))} ({result.stderr.strip()})", code, result.returncode)
    return result


def adapted(folder, text):
    """The starter programme with this adaptation."""
    programme = Path(folder) / "programme"
    shutil.rmtree(programme, ignore_errors=True)
    shutil.copytree(ROOT / "programmes" / "starter", programme)
    with open(programme / "programme.yaml", "a") as file:
        file.write("adaptation: adaptation.yaml\n")
    (programme / "adaptation.yaml").write_text(text)
    return programme


def controlled(programme, store):
    result = json.loads(braid("indicators", programme, "--store", store, "--tier", "programme", "--indicator",
                              "bp-controlled", "--json").stdout)
    return result["indicators"][0]["units"][0]["numerator"], result["documents"]["adaptation"]


def latest_below(source, systolic):
    """Persons whose latest blood pressure of 2020 is below the limit and 90, by the raw JSON."""
    from test_gaps import has_hypertension, PANELS, has_code
    count = 0
    for patient, resources in persons(source):
        if patient.get("deceasedBoolean") or patient.get("deceasedDateTime", "9999")[:10] <= "2020-12-31" \
                or not has_hypertension(resources):
            continue
        values = []
        for r in resources:
            if (r["resourceType"] != "Observation" or not has_code(r["code"], PANELS)
                    or r["status"] not in ("final", "amended", "corrected")):
                continue
            parts = {c["code"]["coding"][0]["code"]: c["valueQuantity"]["value"] for c in r.get("component", [])}
            if {"8480-6", "8462-4"} <= set(parts) and "2020-01-01" <= r["effectiveDateTime"][:10] <= "2020-12-31":
                values.append((r["effectiveDateTime"], parts))
        values.sort(key=lambda value: value[0])
        count += bool(values) and values[-1][1]["8480-6"] < systolic and values[-1][1]["8462-4"] < 90
    return count


def check_findings(folder, store):
    rows = [(GOOD % "150 'mm[Hg]'", None, None),
            (GOOD % "'high'", 9, "cannot be System.String"), (GOOD % "150 'mm[Hg", 9, None),
            ((GOOD % "150 'mm[Hg]'").replace("Systolic Limit", "Systolic Limt"), 8, "did you mean"),
            ((GOOD % "150 'mm[Hg]'").replace("Systolic Limit", "Measurement Period"), 8, "the period"),
            ((GOOD % "150 'mm[Hg]'").replace("approval:", "approved:"), 1, "approval"),
            ((GOOD % "150 'mm[Hg]'").replace("[Medical director]", "[]"), 6, "nobody"),
            ((GOOD % "150 'mm[Hg]'").replace("2019-12-01", "2020-02-01"), 6, "before its approval"),
            ((GOOD % "150 'mm[Hg]'").replace("from: 2020-01-01", "from: 2020-13-01"), 5, None)]
    for text, line, says in rows:
        programme = adapted(folder, text)
        result = subprocess.run([BRAID, "indicators", str(programme), "--store", str(store)],
                                capture_output=True, text=True, check=False)
        check(text, 0 if line is None else 3, result.returncode)
        if line is not None:
            is_told = f"adaptation.yaml:{line}:" in result.stderr and (says or "") in result.stderr
            check(f"line {line}, {says}: {result.stderr}", True, is_told)


def check_movements(folder):
    """Two runs over other records: one person less, one more; the same day again changes nothing."""
    sample = ROOT / "examples" / "sample"
    lines = (sample / "Condition.ndjson").read_text().splitlines(keepends=True)
    programme = ROOT / "programmes" / "starter"
    out = Path(folder) / "moved"
    history = out / "measure" / "register-history.ndjson"
    for day, kept in (("2020-06-30", lines), ("2020-07-31", lines[1:]), ("2020-08-31", lines)):
        data = Path(folder) / "data"
        shutil.rmtree(data, ignore_errors=True)
        shutil.copytree(sample, data)
        (data / "Condition.ndjson").write_text("".join(kept))
        braid("load", data, "--store", out / "store", "--quiet")
        braid("measure", programme, "--out", out, "--on", day, "--quiet")
        before = history.read_text()
        braid("measure", programme, "--out", out, "--on", day, "--quiet")
        check(f"{day} again", before, history.read_text())
    subject = json.loads(lines[0])["subject"]["reference"].removeprefix("Patient/")
    moves = [json.loads(braid("register", "movements", "--out", out, "--month", month, "--json").stdout)
             for month in ("2020-06", "2020-07", "2020-08")]
    found = [{(m["person"], m["movement"]) for m in month if m["person"] == subject} for month in moves]
    check("first run", [], moves[0])
    check("movements of who lost a condition", [set(), {(subject, "left")}, {(subject, "entered")}], found)
    # An earlier day leaves the history as it is.
    before = history.read_text()
    braid("measure", programme, "--out", out, "--on", "2020-01-31", "--quiet")
    check("an earlier day", before, history.read_text())
    history.write_text("{}")
    braid("register", "movements", "--out", out, code=6)


def main():
    sample = ROOT / "examples" / "sample"
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        braid("load", sample, "--store", store, "--quiet")
        for limit in (120, 140, 150, 170):
            achieved, adaptation = controlled(adapted(folder, GOOD % f"{limit} 'mm[Hg]'"), store)
            check(f"limit {limit}", latest_below(sample, limit), achieved)
            check("named", ("harbour-board", "2"), (adaptation["id"], adaptation["version"]))
        _, adaptation = controlled(adapted(folder, (GOOD % "120 'mm[Hg]'").replace("2020-01-01", "2021-01-01")), store)
        check("not in force", None, adaptation)
        check_findings(folder, store)
        check_movements(folder)
    for line in wrong[:20]:
        print(line)
    print(f"{checks - len(wrong)} passed, {len(wrong)} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
