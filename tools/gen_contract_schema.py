#!/usr/bin/env python3
"""gen_contract_schema -- the kinds of clause in models/contract.schema.json, from models/clauses.

    tools/gen_contract_schema.py           writes them into the schema
    tools/gen_contract_schema.py --check   fails when they are not up to date

The rest of the schema is written by hand and held against the parser's tables by
tests/contract/test_schema.py."""
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import small_yaml  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = ROOT / "models/contract.schema.json"
COMMON = {"id": {"$ref": "#/$defs/id"}, "title": {"$ref": "#/$defs/text"}, "from": {"$ref": "#/$defs/id"},
          "to": {"$ref": "#/$defs/payees"}}
VALUES = {"value": {"$ref": "#/$defs/value"}, "points": {"$ref": "#/$defs/points"},
          "choice": {"type": "string"}, "number": {"type": "integer", "minimum": 1}}
DEFS = {
    "payees": {"oneOf": [{"$ref": "#/$defs/id"},
                         {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/id"}}]},
    "value": {"description": "A number, a table of cells, a name, or a mapping such as {value, per}, {first} or "
                             "a primitive.", "type": ["number", "string", "array", "object"]},
    "points": {"type": "array", "minItems": 1, "items": {
        "type": "object", "additionalProperties": False, "minProperties": 2, "maxProperties": 2,
        "properties": {name: {"$ref": "#/$defs/value"} for name in ("at", "from", "gives", "rate")}}},
    "kind-graph": {"type": "object", "additionalProperties": False,
                   "required": ["id", "kind", "title", "from", "to", "graph", "pays"],
                   "properties": {**COMMON, "kind": {"const": "graph"}, "graph": {"type": "object"},
                                  "pays": {"$ref": "#/$defs/value"}, "shows": {"type": "object"},
                                  "reasons": {"type": "array"}}},
}


def definition(macro):
    properties = {**COMMON, "kind": {"const": macro["kind"]}}
    required = ["id", "kind", "title", "from", "to"]
    for each in macro["parameters"]:
        properties[each["name"]] = {**VALUES[each.get("is", "value")], "description": each["says"]}
        if "default" not in each:
            required.append(each["name"])
    return {"description": macro["title"], "type": "object", "additionalProperties": False,
            "required": required, "properties": properties}


def schema():
    document = json.loads(SCHEMA.read_text(encoding="utf-8"))
    defs = {name: value for name, value in document["$defs"].items()
            if not name.startswith("kind-") and name not in DEFS and name != "graph-clause"}
    defs.update(DEFS)
    for path in sorted((ROOT / "models/clauses").glob("*.yaml")):
        macro = small_yaml.parse(path.read_text(encoding="utf-8"))
        defs["kind-" + macro["kind"]] = definition(macro)
    own = ["member-month-fee", "indicator-fee"]
    defs["clause"] = {"oneOf": [{"$ref": f"#/$defs/{name}"} for name in
                                own + [name for name in defs if name.startswith("kind-")]]}
    document["$defs"] = defs
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def main(arguments):
    if arguments == ["--check"]:
        fresh = SCHEMA.read_text(encoding="utf-8") == schema()
        if not fresh:
            print("models/contract.schema.json is not what models/clauses gives; run "
                  "tools/gen_contract_schema.py")
        return 0 if fresh else 1
    SCHEMA.write_text(schema(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
