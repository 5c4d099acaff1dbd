#!/usr/bin/env python3
"""Published measures: the ELM in their Library resources has the values of the CQL beside it.

Every definition of every measure library of ../shared/data/ecqm is worked out for the measure's test
cases from both. Without that data the test is skipped. Closes with "N passed, N failed, N skipped".
"""

import base64
import collections
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GUIDE = os.path.join(ROOT, "..", "shared", "data", "ecqm", "content-ig.tar.xz")
BUILD = os.environ.get("BRAID_BUILD", os.path.join(ROOT, "build"))
COMPARE = os.path.join(BUILD, "tests", "cql", "elm_compare")
PERIOD = "Measurement Period=Interval[@2026-01-01T00:00:00.0Z, @2026-12-31T23:59:59.999Z]"
# All cases take a minute under sanitizers.
CASES_MAX = 3 if os.environ.get("BRAID_SANITIZED") == "1" else 12


class Guide:
    def __init__(self, folder):
        self.folder = folder
        self.includes = {}  # of NAME-VERSION: the same of what it includes
        self.names = {}
        self.cases = collections.defaultdict(lambda: collections.defaultdict(list))
        for part in ("libraries", "valuesets", "cases"):
            os.mkdir(os.path.join(folder, part))

    def path(self, part, name):
        return os.path.join(self.folder, part, name)

    def add_library(self, library):
        """Under the version of the resource, which both sources may lag behind."""
        contents = {content["contentType"]: base64.b64decode(content["data"])
                    for content in library["content"] if "data" in content}
        if "application/elm+json" not in contents or "text/cql" not in contents:
            return
        key = f"{library['name']}-{library['version']}"
        elm = json.loads(contents["application/elm+json"])
        elm["library"]["identifier"]["version"] = library["version"]
        text = re.sub(r"^(library\s+\S+\s+version\s+)'[^']*'", rf"\g<1>'{library['version']}'",
                      contents["text/cql"].decode(), count=1, flags=re.M)
        with open(self.path("libraries", key + ".json"), "w", encoding="utf-8") as file:
            json.dump(elm, file)
        with open(self.path("libraries", key + ".cql"), "w", encoding="utf-8") as file:
            file.write(text)
        includes = elm["library"].get("includes", {}).get("def", [])
        self.names[key] = elm["library"]["identifier"]["id"]
        self.includes[key] = [f"{each['path'].split('/')[-1]}-{each.get('version')}"
                              for each in includes if not each["path"].endswith("FHIRHelpers")]

    def add_case(self, parts, text):
        measure, case, name = parts
        known = self.cases[measure]
        if name.startswith("MeasureReport") or (case not in known and len(known) == CASES_MAX):
            return
        path = self.path("cases", f"{measure}-{case}-{len(known[case])}.json")
        with open(path, "wb") as file:
            file.write(text)
        known[case].append(path)

    def read(self):
        with tarfile.open(GUIDE, "r:xz") as archive:
            for member in archive:
                parts = member.name.split("/")
                if not member.isfile() or not member.name.endswith(".json"):
                    continue
                if "/resources/library/" in member.name:
                    self.add_library(json.load(archive.extractfile(member)))
                elif "/valueset/" in member.name:
                    with open(self.path("valuesets", parts[-1]), "wb") as file:
                        file.write(archive.extractfile(member).read())
                elif "/tests/measure/" in member.name and len(parts) >= 3:
                    self.add_case(parts[-3:], archive.extractfile(member).read())

    def closure(self, key, found):
        """The library and all that it includes; False when one is not there."""
        if key in found:
            return True
        found.append(key)
        return key in self.includes and all(self.closure(each, found)
                                            for each in self.includes[key])


def compare(guide, key, cases):
    libraries = []
    if not guide.closure(key, libraries):
        return None
    files = [guide.path("libraries", each) for each in libraries]
    words = [COMPARE, "-l", guide.names[key], "-v", os.path.join(guide.folder, "valuesets"),
             "-p", PERIOD, *[each + ".cql" for each in files], "--",
             *[each + ".json" for each in files], "--",
             *[path for case in cases.values() for path in case]]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def main():
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    same = 0
    if not os.path.exists(GUIDE):
        print("the measures are not there\n0 passed, 0 failed, 1 skipped")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        guide = Guide(folder)
        guide.read()
        for key in sorted(guide.includes):
            cases = guide.cases.get(guide.names[key])
            if not cases:
                continue
            done = compare(guide, key, cases)
            if done is None:
                counts["skipped"] += 1
                continue
            last = done.stdout.splitlines()[-1]
            found = re.match(r"(\d+) same, 0 differ, 0 of one side", last)
            counts["passed" if found and int(found[1]) > 0 else "failed"] += 1
            same += int(found[1]) if found else 0
            if not found:
                print(f"FAIL {key}: {done.stdout[-1500:]}{done.stderr[-500:]}")
    print(f"{same} values are the same from CQL and from ELM")
    print(", ".join(f"{count} {name}" for name, count in counts.items()))
    return 1 if counts["failed"] or counts["passed"] == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
