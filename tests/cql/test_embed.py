#!/usr/bin/env python3
"""The example program that embeds the engine: what it prints, and that it needs public headers only."""
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BRAID_BUILD", ROOT / "build"))
EXAMPLE = ROOT / "examples" / "embed"
PUBLIC = {"base", "terms/terms.h", "fhir/fhir.h", "cql/cql.h"}
WANT = """ben  Is Adult  false
ben  Weights  []
ben  Weight in Pounds  null
anna  Is Adult  true
anna  Weights  [{"value":70,"unit":"kg","system":"http://unitsofmeasure.org","code":"kg"}]
anna  Weight in Pounds  {"value":154.32358353,"unit":"[lb_av]"}
"""


def main():
    wrong = []
    source = (EXAMPLE / "embed.c").read_text()
    for header in re.findall(r'^#include "(.*)"', source, re.MULTILINE):
        if header not in PUBLIC and header.split("/")[0] not in PUBLIC:
            wrong.append(f"{header} is not public")
    program = BUILD / "examples" / "embed" / "embed"
    runs = [(["adult.cql", "bundle.json"], 0, WANT, ""),
            (["meson.build", "bundle.json"], 1, "", "library:1:1"),
            (["adult.cql", "nothing.json"], 1, "", "nothing.json")]
    for names, code, out, err in runs:
        result = subprocess.run([program, *[EXAMPLE / name for name in names]], capture_output=True,
                                text=True, check=False)
        if (result.returncode, result.stdout) != (code, out) or err not in result.stderr:
            wrong.append(f"{names}: {result.returncode} {result.stdout} {result.stderr}")
    for line in wrong:
        print(line)
    print(f"{1 + len(runs) - len(wrong)} passed, {len(wrong)} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
