#!/usr/bin/env python3
"""Registers and indicators of the starter programme, counted again over the raw JSON.

The counting here shares nothing with Braid: json, lists and a few lines a question. It runs over
the Synthea bundles beside the tree where they are present, and over examples/sample always.
"""
import gzip
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BRAID = os.environ.get("BRAID", str(ROOT / "build" / "braid"))
SYNTHEA = ROOT.parent / "shared" / "data" / "synthea-r4" / "bundles.tar.xz"

DIABETES = {"73211009", "44054006", "46635009", "313435000", "313436004", "E10.9", "E11.9"}
HYPERTENSION = {"38341003", "59621000", "I10"}
HBA1C = {"4548-4", "17856-6", "59261-8"}
LDL = {"2089-1", "13457-7", "18262-6"}
PANELS = {"55284-4", "85354-9"}
STATINS = {"316672", "314231", "312961", "198211", "617312", "617310", "617311", "259255"}


def resources_of(text):
    """Resources in a text that is one document, or one a line."""
    try:
        documents = [json.loads(text)]
    except json.JSONDecodeError:
        documents = [json.loads(line) for line in text.splitlines() if line.strip()]
    for document in documents:
        if document["resourceType"] == "Bundle":
            yield from (entry["resource"] for entry in document["entry"])
        else:
            yield document


def texts(source):
    if source.is_dir():
        for path in sorted(source.iterdir()):
            data = path.read_bytes()
            yield (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    else:
        with tarfile.open(source) as archive:
            for member in archive:
                if member.isfile():
                    yield archive.extractfile(member).read().decode()


def persons(source):
    """Resources by person."""
    patients = {}
    others = {}
    for text in texts(source):
        names = {}
        found = list(resources_of(text))
        if found and '"urn:uuid:' in text:
            names = {f"urn:uuid:{r['id']}": f"{r['resourceType']}/{r['id']}" for r in found}
        for resource in found:
            if resource["resourceType"] == "Patient":
                patients[resource["id"]] = resource
            reference = resource.get("subject", {}).get("reference", "")
            reference = names.get(reference, reference)
            if reference.startswith("Patient/"):
                others.setdefault(reference[8:], []).append(resource)
    for person, patient in patients.items():
        yield patient, others.get(person, [])


def has_code(concept, codes):
    return any(coding.get("code") in codes for coding in concept.get("coding", []))


def in_year(text):
    return "2020-01-01" <= text[:10] <= "2020-12-31"


def present(records, codes):
    for r in records:
        if r["resourceType"] == "Condition" and has_code(r["code"], codes):
            refuted = has_code(r.get("verificationStatus", {}), {"refuted", "entered-in-error"})
            active = has_code(r["clinicalStatus"], {"active", "recurrence", "relapse"})
            if active and not refuted and r["onsetDateTime"][:10] <= "2020-12-31":
                return True
    return False


def observations(records, codes):
    found = [r for r in records if r["resourceType"] == "Observation" and has_code(r["code"], codes)
             and in_year(r["effectiveDateTime"]) and r["status"] in ("final", "amended", "corrected")]
    return sorted(found, key=lambda r: r["effectiveDateTime"])


def on_statin(records):
    for r in records:
        if r["resourceType"] == "MedicationRequest" and \
                has_code(r.get("medicationCodeableConcept", {}), STATINS):
            written = r["authoredOn"][:10]
            if written <= "2020-12-31" and (r["status"] == "active" or in_year(written)):
                return True
    return False


def controlled(results):
    if not results:
        return False
    value = results[-1]["valueQuantity"]
    return value["value"] <= (58 if value["unit"] == "mmol/mol" else 7.5)


def pressures(records):
    found = []
    for r in observations(records, PANELS):
        parts = {part["code"]["coding"][0]["code"]: part["valueQuantity"]["value"]
                 for part in r["component"]}
        if "8480-6" in parts and "8462-4" in parts:
            found.append((parts["8480-6"], parts["8462-4"]))
    return found


def count(source):
    registers = {"diabetes": 0, "hypertension": 0}
    indicators = {}

    def ask(name, died, achieved):
        counts = indicators.setdefault(name, [0, 0, 0, 0])
        counts[0] += 1
        counts[1 if died else 2 if achieved else 3] += 1

    for patient, records in persons(source):
        death = patient.get("deceasedDateTime", "9999")[:10]
        if death < "2020-01-01":
            continue
        died = death <= "2020-12-31"
        age = 2020 - int(patient["birthDate"][:4])  # on the last day of the year
        if present(records, DIABETES):
            registers["diabetes"] += 1
            results = observations(records, HBA1C)
            ask("hba1c-measured", died, bool(results))
            ask("hba1c-controlled", died, controlled(results))
            ask("ldl-measured", died, bool(observations(records, LDL)))
            if 40 <= age <= 75:
                ask("statin", died, on_statin(records))
        if present(records, HYPERTENSION):
            registers["hypertension"] += 1
            found = pressures(records)
            ask("bp-recorded", died, bool(found))
            ask("bp-controlled", died, bool(found) and found[-1][0] < 140 and found[-1][1] < 90)
    return registers, indicators


def run(source):
    with tempfile.TemporaryDirectory() as out:
        result = subprocess.run([BRAID, "run", "programmes/starter", "--data", str(source), "--out",
                                 out, "--json", "--quiet"], cwd=ROOT, capture_output=True,
                                text=True, check=False)
        if result.returncode != 0:
            raise RuntimeError(f"braid run ended with {result.returncode}: {result.stderr}")
        gaps = [json.loads(line) for line in open(Path(out) / "measure" / "gaps.ndjson")]
        members = [json.loads(line) for line in open(Path(out) / "measure" / "registers.ndjson")]
        return json.loads(result.stdout), gaps, members


def compare(label, source):
    wanted_registers, wanted_indicators = count(source)
    result, gaps, members = run(source)
    registers = {r["id"]: r["persons"] for r in result["measure"]["registers"]}
    indicators = {i["id"]: [i["denominator"], i["excluded"], i["achieved"], i["gaps"]]
                  for i in result["measure"]["indicators"]}
    passed = failed = 0
    pairs = [("registers", registers, wanted_registers)]
    pairs += [(name, indicators.get(name), wanted) for name, wanted in wanted_indicators.items()]
    for name, wanted in wanted_indicators.items():
        listed = [0, 0, 0, 0]
        for line in gaps:
            if line["indicator"] == name:
                listed[0] += 1
                listed[("", "excluded", "achieved", "gap").index(line["status"])] += 1
        pairs.append((f"lines of gaps.ndjson: {name}", listed, wanted))
    for name, wanted in wanted_registers.items():
        pairs.append((f"lines of registers.ndjson: {name}",
                      sum(line["register"] == name for line in members), wanted))
    for name, got, wanted in pairs:
        if got == wanted:
            passed += 1
        else:
            failed += 1
            print(f"{label}: {name}: braid says {got}, the count is {wanted}")
    return passed, failed


def main():
    passed = failed = skipped = 0
    for label, source in (("sample", ROOT / "examples" / "sample"), ("synthea", SYNTHEA)):
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
