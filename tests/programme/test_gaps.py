#!/usr/bin/env python3
"""Gaps, due days and sets of registers of the starter programme, worked out again over the raw JSON,
and the formulas of its statistics, worked out again in another way."""
import calendar
import json
import os
import subprocess
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from test_starter_registers import (HBA1C, HYPERTENSION, PANELS, ROOT, SYNTHEA, has_code, persons)

BRAID = os.environ.get("BRAID", str(ROOT / "build" / "braid"))
LAST = date(2020, 12, 31)
AHEAD = 90
wrong = []
checks = 0


def check(what, want, got):
    global checks
    checks += 1
    if want != got:
        wrong.append(f"{what}: expected {want!r}, got {got!r}")


def braid(*arguments, code=0):
    global checks
    checks += 1
    result = subprocess.run([BRAID, *map(str, arguments)], capture_output=True, text=True, check=False)
    if result.returncode != code:
        wrong.append(f"braid {' '.join(map(str, arguments))}: ended with {result.returncode}: {result.stderr}")
    return result.stdout


def less_a_year(day):
    """The same day of the year before, or the last of that month."""
    return day.replace(year=day.year - 1, day=min(day.day, calendar.monthrange(day.year - 1, day.month)[1]))


def pressures(resources):
    for r in resources:
        if (r["resourceType"] == "Observation" and has_code(r["code"], PANELS)
                and r["status"] in ("final", "amended", "corrected") and "effectiveDateTime" in r
                and {"8480-6", "8462-4"} <= {c.get("code") for part in r.get("component", [])
                                             for c in part["code"]["coding"]}):
            yield date.fromisoformat(r["effectiveDateTime"][:10])


def has_hypertension(resources):
    for r in resources:
        if r["resourceType"] != "Condition" or not has_code(r.get("code", {}), HYPERTENSION):
            continue
        begun = (r.get("onsetDateTime") or r.get("recordedDate") or "9999")[:10]
        refuted = any(c.get("code") in ("refuted", "entered-in-error")
                      for c in r.get("verificationStatus", {}).get("coding", []))
        active = any(c.get("code") in ("active", "recurrence", "relapse")
                     for c in r.get("clinicalStatus", {}).get("coding", []))
        if active and not refuted and begun <= "2020-12-31":
            return True
    return False


def is_measured(days, last):
    return any(less_a_year(last) + timedelta(days=1) <= day <= last for day in days)


def check_due_days(source, gaps):
    """bp-recorded: who is recorded on the last day, and the first later day on which they are not."""
    found = {g["person"]: g for g in gaps if g["indicator"] == "bp-recorded"}
    members = 0
    for patient, resources in persons(source):
        dead = patient.get("deceasedDateTime", "9999")[:10]
        if patient.get("deceasedBoolean") or not has_hypertension(resources) or dead < "2020-01-01":
            continue
        members += 1
        days = list(pressures(resources))
        gap = found.get(patient["id"], {})
        if dead <= "2020-12-31":
            check(f"{patient['id']} died", "excluded", gap.get("status"))
            continue
        if not is_measured(days, LAST):
            check(patient["id"], "open", gap.get("status"))
            continue
        ahead = (LAST + timedelta(days=n) for n in range(1, AHEAD + 1))
        due = next((day for day in ahead if not is_measured(days, day)), None)
        check(patient["id"], ("closed", None) if due is None else ("due-soon", str(due)),
              (gap.get("status"), gap.get("due")))
    check("persons with hypertension", members, len(found))
    return members


def check_documents(text, gaps):
    """Every document's references lead to an entry, or to a resource behind the gap; as many issues
    as there are gaps that are not excluded."""
    issues = 0
    for line in text.splitlines():
        bundle = json.loads(line)
        check("bundle", ("Bundle", "document"), (bundle["resourceType"], bundle["type"]))
        check("first entry", "Composition", bundle["entry"][0]["resource"]["resourceType"])
        urls = {entry["fullUrl"] for entry in bundle["entry"]}
        check("urls are unique", len(bundle["entry"]), len(urls))
        for entry in bundle["entry"]:
            issues += entry["resource"]["resourceType"] == "DetectedIssue"
            for part in json.dumps(entry["resource"]).split('"reference": "')[1:]:
                reference = part.split('"')[0]
                if reference.startswith("urn:uuid:") and reference not in urls and \
                        entry["resource"]["resourceType"] != "Patient":
                    check(reference, "leads somewhere", "leads nowhere")
    check("issues", sum(g["status"] in ("open", "due-soon", "closed") for g in gaps), issues)


def check_sets(programme, out, gaps):
    def ids(expression):
        return {row["person"] for row in json.loads(
            braid("register", "combine", programme, expression, "--out", out, "--json"))}
    diabetes, hypertension = ids("diabetes"), ids("Hypertension")
    everybody = ids("diabetes or not diabetes")
    opened = {g["person"] for g in gaps if g["indicator"] == "bp-recorded" and g["status"] == "open"}
    check("and", diabetes & hypertension, ids("diabetes and hypertension"))
    check("and not", diabetes - hypertension, ids('"Diabetes" and not hypertension'))
    check("or", diabetes | hypertension, ids("diabetes or hypertension"))
    check("not", everybody - diabetes, ids("not diabetes"))
    check("brackets", everybody - (diabetes | hypertension), ids("not (diabetes or hypertension)"))
    check("and before or", diabetes | (hypertension & opened), ids("diabetes or hypertension and bp-recorded:gap"))
    for bad in ("diabetis", "diabetes and", "(diabetes", 'diabetes "hypertension"', '"diabetes', "diabetes ; x"):
        braid("register", "count", programme, bad, "--out", out, code=2)


def run_source(source):
    programme = ROOT / "programmes" / "starter"
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        data = source
        if not source.is_dir():
            data = Path(folder) / source.name
            data.symlink_to(source)
        braid("load", data, "--store", out / "store", "--quiet")
        texts = [braid("gaps", programme, "--out", out, "--all", "--due-within", AHEAD, "--json",
                       "--threads", threads) for threads in (1, 3)]
        check("threads", texts[0], texts[1])
        gaps = json.loads(texts[0])
        members = check_due_days(source, gaps)
        check("priorities", sorted((g["priority"] for g in gaps), reverse=True), [g["priority"] for g in gaps])
        documents = Path(folder) / "gaps.ndjson"
        text = braid("gaps", programme, "--out", out, "--fhir", "--due-within", AHEAD,
                     "--recorded-at", "2021-01-01T00:00:00Z")
        documents.write_text(text)
        check_documents(text, gaps)
        read = json.loads(braid("load", documents, "--store", Path(folder) / "read", "--json", "--quiet"))
        check("refused of our own documents", 0, read["refused"])
        check_sets(programme, out, gaps)
        return members


def main():
    members = run_source(ROOT / "examples" / "sample")
    if SYNTHEA.exists():
        members += run_source(SYNTHEA)
    else:
        print(f"skipped: {SYNTHEA} is not there")
    for line in wrong[:30]:
        print(line)
    check("persons on the register asked", True, members > 0)
    skipped = 0 if SYNTHEA.exists() else 1
    print(f"{checks - len(wrong)} passed, {len(wrong)} failed, {skipped} skipped")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
