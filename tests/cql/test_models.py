#!/usr/bin/env python3
"""The models of CQL libraries, against their published model info and against published libraries.

    tests/cql/test_models.py

1. `braid model import` over each file of ../shared/data/modelinfo gives the table in models/cql.
2. Counts in those tables equal an independent count over the XML.
3. The libraries of ../shared/data/ecqm/content-ig.tar.xz resolve: at least as many without a finding
   as library-floor.txt says, and `braid cql check` of all takes under LIMIT_SECONDS.
What is not there is skipped. Closes with "N passed, N failed, N skipped".
"""

import base64
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
import xml.etree.ElementTree as ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHARED = os.path.join(ROOT, "..", "shared", "data")
INFO = os.path.join(SHARED, "modelinfo")
GUIDE = os.path.join(SHARED, "ecqm", "content-ig.tar.xz")
FLOOR = os.path.join(ROOT, "tests", "cql", "library-floor.txt")
BRAID = os.environ.get("BRAID", os.path.join(ROOT, "build", "braid"))
SANITIZED = os.environ.get("BRAID_SANITIZED") == "1"
LIMIT_SECONDS = 5.0  # of a busy machine; bench/ measures

counts = {"passed": 0, "failed": 0, "skipped": 0}


def outcome(holds, text):
    counts["passed" if holds else "failed"] += 1
    if not holds:
        print("FAILED: " + text)


def table_path(info):
    name = info[: -len(".xml")].replace("-modelinfo", "")
    return os.path.join(ROOT, "models", "cql", name + ".tsv")


def count_xml(path):
    """How often each kind of fact is in the XML."""
    found = {"class": 0, "element": 0, "target": 0, "retrievable": 0, "conversion": 0, "context": 0,
             "related": 0}
    kinds = {"typeInfo": "class", "element": "element", "conversionInfo": "conversion",
             "contextInfo": "context", "contextRelationship": "related"}
    for node in ElementTree.parse(path).iter():
        tag = node.tag.split("}")[-1]
        if tag in kinds:
            found[kinds[tag]] += 1
        found["target"] += tag == "element" and "target" in node.attrib
        found["retrievable"] += tag == "typeInfo" and node.get("retrievable") == "true"
    return found


def count_table(path):
    found = {"class": 0, "element": 0, "target": 0, "retrievable": 0, "conversion": 0, "context": 0,
             "related": 0}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            cells = line.rstrip("\n").split("\t")
            if cells[0] in found:
                found[cells[0]] += 1
            found["target"] += cells[0] == "element" and len(cells) > 3
            found["retrievable"] += cells[0] == "class" and len(cells) > 3 and cells[3] == "retrievable"
    return found


def test_tables():
    if not os.path.isdir(INFO):
        counts["skipped"] += 1
        return
    for info in sorted(os.listdir(INFO)):
        path = os.path.join(INFO, info)
        made = subprocess.run([BRAID, "model", "import", path], capture_output=True, check=False)
        with open(table_path(info), "rb") as file:
            outcome(made.returncode == 0 and made.stdout == file.read(),
                    f"{info}: braid model import does not give {table_path(info)}: "
                    + made.stderr.decode()[:500])
        expected, found = count_xml(path), count_table(table_path(info))
        outcome(expected == found, f"{info}: {found} in the table, {expected} in the XML")


def unpack_libraries(folder):
    """CQL text of the Library resources, under the version that the resource has."""
    with tarfile.open(GUIDE, "r:xz") as guide:
        for member in guide:
            if "/resources/library/" not in member.name or not member.name.endswith(".json"):
                continue
            library = json.load(io.TextIOWrapper(guide.extractfile(member), encoding="utf-8"))
            for content in library.get("content", []):
                if content["contentType"] != "text/cql":
                    continue
                text = base64.b64decode(content["data"]).decode("utf-8")
                text = re.sub(r"^(library\s+\S+\s+version\s+)'[^']*'",
                              rf"\g<1>'{library['version']}'", text, count=1, flags=re.M)
                name = f"{library['name']}-{library['version']}.cql"
                with open(os.path.join(folder, name), "w", encoding="utf-8", newline="") as file:
                    file.write(text)


def test_libraries():
    if not os.path.exists(GUIDE):
        counts["skipped"] += 1
        return
    with tempfile.TemporaryDirectory() as folder:
        unpack_libraries(folder)
        files = sorted(os.listdir(folder))
        start = time.monotonic()
        checked = subprocess.run([BRAID, "cql", "check", folder, "--json"], capture_output=True,
                                 text=True, check=False)
        seconds = time.monotonic() - start
    findings = json.loads(checked.stdout)["findings"]
    # Value sets are another matter: none are given here.
    findings = [each for each in findings
                if each["rule"] != "cql-value-set" and each["severity"] == "error"]
    wrong = {os.path.basename(each["file"]) for each in findings}
    with open(FLOOR, encoding="utf-8") as file:
        least = int(file.read())
    fine = len(files) - len(wrong)
    print(f"{fine} of {len(files)} libraries resolve without a finding, in {seconds:.2f} s")
    for each in findings[:20]:
        print(f"    {os.path.basename(each['file'])}:{each['line']}: {each['text']}")
    outcome(fine >= least, f"only {fine} libraries resolve, {least} must")
    outcome(SANITIZED or seconds < LIMIT_SECONDS, f"checking took {seconds:.2f} s")


def main():
    test_tables()
    test_libraries()
    print(", ".join(f"{counts[name]} {name}" for name in ("passed", "failed", "skipped")))
    return 1 if counts["failed"] else 0


sys.exit(main())
