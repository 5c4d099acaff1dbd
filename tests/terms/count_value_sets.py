"""Counts the codes of each value set of a content IG, apart from the program: what
test_value_sets.c holds its own counts against. Prints url, version, count, tab-separated."""
import json
import pathlib
import sys


def codes(contains):
    for entry in contains:
        if "code" in entry and not entry.get("abstract"):
            yield entry["system"], entry["code"]
        yield from codes(entry.get("contains", []))


rows = {}
for path in pathlib.Path(sys.argv[1]).rglob("*.json"):
    value_set = json.loads(path.read_bytes())
    key = value_set["url"], value_set.get("version", "")
    rows[key] = len(set(codes(value_set["expansion"]["contains"])))
for (url, version), count in sorted(rows.items(), key=lambda row: [p.encode() for p in row[0]]):
    print(url, version, count, sep="\t")
