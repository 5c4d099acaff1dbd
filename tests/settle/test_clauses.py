#!/usr/bin/env python3
"""Every kind of clause (models/clauses) pays what its own example says: the example is made into a
contract and a table of inputs, and settled by the command. And docs/clauses.md is up to date."""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import small_yaml  # noqa: E402

BRAID = os.environ.get("BRAID", str(ROOT / "build" / "braid"))
BUILT_IN = ("party", "period", "person", "event", "indicator", "age", "sex", "instalment")


def flow(value):
    """A value as flow YAML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return json.dumps(value) if isinstance(value, small_yaml.Quoted) else value


def contract_of(macro):
    """(the contract, the table) of a kind's example."""
    example = macro["example"]
    units = {each["name"]: each.get("unit", "ratio") for each in macro["parameters"]}
    keys = {}
    for row in example["inputs"]:
        by = keys.setdefault(row["input"], [])
        by += [key for key in row if key not in ("input", "value") and key not in by]
    used = sorted({key for by in keys.values() for key in by})
    names = {value: name for name, value in example["clause"].items() if isinstance(value, str)}
    lines = ["contract: example", "title: Example", "version: 1", "currency: USD",
             "period: {from: 2020-01-01, to: 2020-12-31}", "parties:",
             "  - {id: payer, role: payer, name: Payer}",
             "  - {id: parties, role: provider, name: Parties, each: listed}"]
    own = {key: value for key, value in example.get("dimensions", {}).items()}
    own.update({key: {} for key in used if key not in BUILT_IN and key not in own})
    if own:
        lines += ["dimensions:"] + [f"  {key}: {flow(value)}" for key, value in own.items()]
    lines.append("inputs:")
    for name, by in keys.items():
        fallback = ", default: 100000" if name == "since" else ""
        lines.append(f"  {name}: {{unit: {units[names[name]]}, by: [{', '.join(by)}]{fallback}}}")
    lines += ["clauses:", "  - id: example", f"    kind: {macro['kind']}", "    title: Example",
              "    from: payer", "    to: parties"]
    lines += [f"    {key}: {flow(value)}" for key, value in example["clause"].items()]
    lines += ["approval: {author: A, approvers: [B], reason: C}", ""]
    table = ["\t".join(["input", *used, "value"])]
    for row in example["inputs"]:
        table.append("\t".join([row["input"], *(row.get(key, "") for key in used), row["value"]]))
    return "\n".join(lines), "\n".join(table) + "\n"


def settle(contract, table, folder):
    paths = [Path(folder) / "contract.yaml", Path(folder) / "inputs.tsv"]
    paths[0].write_text(contract)
    paths[1].write_text(table)
    result = subprocess.run([BRAID, "settle", paths[0], "--aggregates", paths[1], "--json"],
                            capture_output=True, text=True, check=False)
    if result.returncode != 0:
        return None, result.stderr.strip()
    return json.loads(result.stdout), ""


def compare(macro, outcome):
    """What differs between the lines and the example."""
    wanted = {}
    for row in macro["example"]["pays"]:
        key = tuple(sorted((name, str(value)) for name, value in row.items() if name != "amount"))
        wanted[key] = row["amount"].replace(".", "")
    found = {}
    for line in outcome["lines"]:
        names = set(macro["example"]["pays"][0]) - {"amount"}
        key = tuple(sorted((name, str(line.get(name))) for name in names))
        found[key] = str(line["amount_minor"])
        if "?" in line["reason"] or not line["reason"]:
            return f"a reason is not whole: {line['reason']}"
    wanted = {key: str(int(value)) for key, value in wanted.items()}
    return "" if found == wanted else f"pays {found}, its example says {wanted}"


def main():
    passed = failed = 0
    for path in sorted((ROOT / "models/clauses").glob("*.yaml")):
        macro = small_yaml.parse(path.read_text())
        contract, table = contract_of(macro)
        with tempfile.TemporaryDirectory() as folder:
            outcome, error = settle(contract, table, folder)
        error = error or compare(macro, outcome)
        passed += not error
        failed += bool(error)
        if error:
            print(f"{path.stem}: {error}")
    docs = subprocess.run([sys.executable, ROOT / "tools/gen_clause_docs.py", "--check"], check=False)
    passed += docs.returncode == 0
    failed += docs.returncode != 0
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
