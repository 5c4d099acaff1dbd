#!/usr/bin/env python3
"""gen_clause_docs -- docs/clauses.md from models/clauses, the table that the parser uses.

    tools/gen_clause_docs.py           writes it
    tools/gen_clause_docs.py --check   fails when it is not up to date
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import small_yaml  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/clauses.md"
HEAD = """# Kinds of clause

Made by `tools/gen_clause_docs.py` from `models/clauses`, the table that the program itself works by; change
that and run the script. How to write a contract is in [contracts.md](contracts.md), which also says what the
primitives mean.

Each kind is a macro over primitives. A parameter's value is a number, a table of cells, the name of an input
or shared value, `clauses.ID` for what another clause pays, or a primitive written in place. The example of
each kind is settled by the tests.

"""


def cell(text):
    return text.replace("|", "\\|") if isinstance(text, str) else text


def flow(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return f'"{value}"' if isinstance(value, small_yaml.Quoted) else value


def parameter_row(each):
    is_ = each.get("is", "value")
    unit = each.get("unit", "ratio") if is_ == "value" else is_
    default = f"`{flow(each['default'])}`" if "default" in each else "must be given"
    return f"| `{each['name']}` | {unit} | {default} | {cell(each['says'])} |"


def section(path):
    text = path.read_text(encoding="utf-8")
    macro = small_yaml.parse(text)
    graph = text[text.index("\ngraph:\n") + 1:text.index("\nexample:")]
    for key in ("shows", "reasons"):
        if f"\n{key}:" in graph:
            graph = graph[:graph.index(f"\n{key}:")]
    example = macro["example"]
    lines = [f"## {macro['kind']}", "", f"{macro['title']}.", "", "```text",
             macro["formula"].strip(), "```", "", f"Source: {macro['source']}.", "",
             "| parameter | unit | default | |", "|---|---|---|---|"]
    lines += [parameter_row(each) for each in macro["parameters"]]
    lines += ["", "```yaml", graph.strip(), "```", "", "Example:", "", "```yaml",
              f"kind: {macro['kind']}"]
    lines += [f"{key}: {flow(value)}" for key, value in example["clause"].items()]
    lines += ["```", ""]
    keys = []
    for row in example["inputs"]:
        keys += [key for key in row if key not in keys and key not in ("input", "value")]
    lines += ["| input | " + " | ".join([*keys, "value"]) + " |", "|---" * (len(keys) + 2) + "|"]
    lines += ["| " + " | ".join([row["input"], *(row.get(key, "") for key in keys), row["value"]]) +
              " |" for row in example["inputs"]]
    keys = list(example["pays"][0])
    lines += ["", "| " + " | ".join(["pays", *keys]) + " |", "|---" * (len(keys) + 1) + "|"]
    lines += ["| " + " | ".join(["", *(row[key] for key in keys)]) + " |" for row in example["pays"]]
    return macro["kind"], macro["title"], "\n".join(lines) + "\n"


def page():
    sections = [section(path) for path in sorted((ROOT / "models/clauses").glob("*.yaml"))]
    table = ["| kind | |", "|---|---|"]
    table += [f"| [{kind}](#{kind}) | {title} |" for kind, title, _ in sections]
    return HEAD + "\n".join(table) + "\n\n" + "\n".join(text for _, _, text in sections)


def main(arguments):
    if arguments == ["--check"]:
        fresh = PAGE.exists() and PAGE.read_text(encoding="utf-8") == page()
        if not fresh:
            print("docs/clauses.md is not what models/clauses gives; run tools/gen_clause_docs.py")
        return 0 if fresh else 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
