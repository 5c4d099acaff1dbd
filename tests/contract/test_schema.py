#!/usr/bin/env python3
"""The published JSON Schema of contract documents and the parser's tables say the same: members of
each mapping and which of them are required, the words of each list, the kinds of clause and their
members. Closes with `N passed, N failed`."""
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SCHEMA = json.loads((ROOT / "models/contract.schema.json").read_text())
DEFS = SCHEMA["$defs"]
CONTRACT = ROOT / "src/contract"
passed = 0
failed = 0


def check(label, got, want):
    global passed, failed
    if got == want:
        passed += 1
        return
    failed += 1
    print(f"{label}: the schema has {got}, the parser {want}")


def keys():
    """{mapping: ({all}, {required})} of key.def."""
    found = {}
    for name, key, need in re.findall(r'^KEY_(\w+)\("([^"]+)", (\w+)\)',
                                      (CONTRACT / "key.def").read_text(), re.MULTILINE):
        every, required = found.setdefault(name, (set(), set()))
        every.add(key)
        if need == "REQUIRED":
            required.add(key)
    return found


def choices():
    """{list: [words]} of choice.def."""
    found = {}
    for name, word in re.findall(r'^CHOICE_(\w+)\(\w+, "([^"]+)"',
                                 (CONTRACT / "choice.def").read_text(), re.MULTILINE):
        found.setdefault(name, []).append(word)
    return found


def rule_words():
    """The lists of attribution, which reads the mapping of its rule itself."""
    text = (ROOT / "src/attribution/words.def").read_text()
    return {name: re.findall(rf'^ATTRIBUTION_{name}\(\w+, "([^"]+)"', text, re.MULTILINE)
            for name in ("METHOD", "TIE")}


def kinds():
    """{kind: [(path, optional)]} of clauses.tsv, without what a kind fixes."""
    found = {}
    for line in (ROOT / "models/clauses.tsv").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        kind, part, _, value = line.split("\t")
        rows = found.setdefault(kind, [])
        if part != "about" and not value.startswith("="):
            rows.append((value.rstrip("?"), value.endswith("?")))
    return found


def check_mappings():
    for name, (every, required) in keys().items():
        if name == "CLAUSE":
            continue
        schema = SCHEMA if name == "CONTRACT" else DEFS[name.lower()]
        check(f"{name} members", set(schema["properties"]), every)
        check(f"{name} required", set(schema["required"]), required)
        check(f"{name} is closed", schema["additionalProperties"], False)


def check_words():
    words = choices()
    party = DEFS["party"]["properties"]
    attribution = DEFS["attribution"]["properties"]
    words.update(rule_words())
    rounding = DEFS["rounding"]["properties"]
    check("roles", party["role"]["enum"], words["ROLE"])
    check("each", party["each"]["enum"], words["EACH"])
    check("days", DEFS["day"]["enum"], words["DAY"])
    check("sexes", DEFS["sex"]["enum"], words["SEX"])
    check("methods", attribution["method"]["enum"], words["METHOD"])
    check("ties", attribution["ties"]["items"]["enum"], words["TIE"])
    check("rounding levels", rounding["at"]["enum"], words["ROUND_AT"])
    rules = re.findall(r'^ROUNDING\(\w+, "([^"]+)"\)',
                       (ROOT / "src/base/rounding.def").read_text(), re.MULTILINE)
    check("rounding rules", rounding["rule"]["enum"], rules)
    attributes = re.findall(r'^ATTRIBUTE\(\w+, "([^"]+)"',
                            (CONTRACT / "attribute.def").read_text(), re.MULTILINE)
    check("cell members", set(DEFS["cell"]["properties"]), set(attributes) | {"amount"})


def check_kinds():
    common, common_required = keys()["CLAUSE"]
    table = kinds()
    check("kinds", {item["$ref"].split("/")[-1] for item in DEFS["clause"]["oneOf"]},
          set(table) | {name for name in DEFS if name.startswith("kind-")})
    made = subprocess.run([sys.executable, ROOT / "tools/gen_contract_schema.py", "--check"],
                          check=False)
    check("kinds of models/clauses", made.returncode, 0)
    for kind, rows in table.items():
        schema = DEFS[kind]
        members = set(common)
        required = set(common_required)
        alternatives = []
        for path, optional in rows:
            tops = [part.split(".")[0] for part in path.split("|")]
            members |= set(tops)
            if len(tops) > 1:
                alternatives = tops
            elif not optional:
                required |= set(tops)
        check(f"{kind} members", set(schema["properties"]), members)
        check(f"{kind} required", set(schema["required"]), required)
        check(f"{kind} alternatives", [item["required"][0] for item in schema["oneOf"]],
              alternatives)
        check(f"{kind} name", schema["properties"]["kind"]["const"], kind)


def check_references(node):
    """Every $ref leads somewhere."""
    if isinstance(node, list):
        for item in node:
            check_references(item)
    elif isinstance(node, dict):
        if "$ref" in node:
            check(node["$ref"], node["$ref"].startswith("#/$defs/") and
                  node["$ref"].split("/")[-1] in DEFS, True)
        for item in node.values():
            check_references(item)


check_mappings()
check_words()
check_kinds()
check_references(SCHEMA)
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
