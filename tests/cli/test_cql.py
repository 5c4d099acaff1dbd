#!/usr/bin/env python3
"""braid cql check, run and test as commands: outputs, exit codes, and the same bytes on any number
of threads, from files and from a store."""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BRAID = os.environ.get("BRAID", str(ROOT / "build" / "braid"))
SAMPLE = str(ROOT / "examples" / "sample")
LIBRARY = str(ROOT / "examples" / "cql" / "hba1c.cql")

wrong = []
passed = 0


def check(name, ok, detail=""):
    global passed
    if ok:
        passed += 1
    else:
        wrong.append(f"{name}: {detail}")


def braid(*arguments, **more):
    return subprocess.run([BRAID, *map(str, arguments)], capture_output=True, text=True, check=False,
                          **more)


def test_same_bytes(folder):
    store = folder / "store"
    braid("load", SAMPLE, "--store", store, "--quiet")
    outputs = set()
    for source in (("--data", SAMPLE), ("--store", store)):
        for threads in (1, 2, 7):
            result = braid("cql", "run", LIBRARY, *source, "--now", "2026-01-01", "--threads", threads)
            check(f"run {source[0]} on {threads}", result.returncode == 0, result.stderr)
            outputs.add(result.stdout)
    check("same bytes", len(outputs) == 1, f"{len(outputs)} outputs")
    lines = [json.loads(line) for line in outputs.pop().splitlines()]
    check("a line a person", len({line["person"] for line in lines}) == len(lines) == 24, len(lines))
    by_id = {line["person"]: line["values"] for line in lines}
    check("a value", by_id["person-01"]["Is Controlled"] is True, by_id["person-01"])
    one = braid("cql", "run", LIBRARY, "--store", store, "--person", "person-01",
                "--expression", "Is Measured", "--expression", "HbA1cReview.Is Controlled")
    check("one person, some definitions",
          json.loads(one.stdout) == {"person": "person-01",
                                     "values": {"Is Measured": True, "Is Controlled": True}}, one.stdout)
    standard_input = braid("cql", "run", LIBRARY, "--data", "-", "--quiet",
                           input="".join(path.read_text() for path in
                                         sorted((ROOT / "examples" / "sample").glob("*.ndjson"))))
    check("standard input", standard_input.stdout.count("\n") == 18, standard_input.stderr)


def test_errors_of_persons(folder):
    """An error is that person's, and of that definition; the others go on."""
    library = folder / "errors.cql"
    library.write_text("""library E using FHIR version '4.0.1'
parameter Least Integer
context Patient
define "One": singleton from ([Condition] C return C.id.value)
define "Two": Count([Condition]) > Coalesce(Least, -1)
""")
    result = braid("cql", "run", library, "--data", SAMPLE, "--threads", 2)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    failed = [line for line in lines if "errors" in line]
    check("errors end with 1", result.returncode == 1, result.returncode)
    check("some have errors", 0 < len(failed) < len(lines) == 24, len(failed))
    check("the error is of its definition", all(set(line["errors"]) == {"One"} for line in failed), failed)
    check("other definitions go on", all(line["values"]["Two"] is True for line in lines), lines)
    check("counts", f"24 persons, {len(failed)} with errors, 0 resources refused" in result.stderr,
          result.stderr)
    check("findings name person and place", "Patient/person-" in result.stderr
          and "line 4, column" in result.stderr, result.stderr)
    parameter = braid("cql", "run", library, "--data", SAMPLE, "--parameter", "Least=1000",
                      "--expression", "Two", "--quiet")
    check("a parameter", parameter.returncode == 0 and "true" not in parameter.stdout, parameter.stdout)


def test_bad_calls(folder):
    bad = folder / "bad.cql"
    bad.write_text("library Bad\ndefine A: 1 +\ndefine B: Nothing\n")
    semantic = folder / "semantic.cql"
    semantic.write_text("library Bad\ninclude Nowhere version '1'\ndefine A: 1 + 'a'\ndefine B: Nothing\n")
    rows = [
        ("syntax", 3, ["run", bad], "bad.cql:"),
        ("semantic", 3, ["check", semantic], ""),
        ("no such file", 4, ["check", folder / "none.cql"], "no such file"),
        ("no library in a folder", 4, ["check", folder / "empty"], "no file *.cql"),
        ("no folder of libraries", 4, ["check", LIBRARY, "-I", folder / "none"], "no folder"),
        ("no store", 4, ["run", LIBRARY, "--store", folder / "none"], ""),
        ("no data", 4, ["run", LIBRARY, "--data", folder / "none"], ""),
        ("both", 2, ["run", LIBRARY, "--data", SAMPLE, "--store", "x"], "not both"),
        ("no parameter of that name", 2, ["run", LIBRARY, "--parameter", "x=1"], "no library has"),
        ("parameter without value", 2, ["run", LIBRARY, "--parameter", "x"], "NAME=VALUE"),
        ("parameter of another type", 3, ["run", LIBRARY, "--parameter", "Measurement Period=1"], "Integer"),
        ("near name", 2, ["run", LIBRARY, "--expression", "Is Measurd"], "did you mean 'Is Measured'"),
        ("moment", 2, ["run", LIBRARY, "--now", "yesterday"], "is no moment"),
        ("person", 4, ["run", LIBRARY, "--data", SAMPLE, "--person", "nobody"], "nobody"),
        ("person of nothing", 2, ["run", LIBRARY, "--person", "a"], "--person needs"),
        ("no xml", 3, ["test", LIBRARY], "xml-syntax"),
        ("no tests", 3, ["test", ROOT / "examples" / "cql" / "other.xml"], ""),
    ]
    (folder / "empty").mkdir()
    (folder / "other.xml").write_text("<suite/>")
    for name, code, arguments, text in rows:
        arguments = [folder / "other.xml" if str(a).endswith("other.xml") else a for a in arguments]
        result = braid("cql", *arguments)
        check(name, result.returncode == code and text in result.stderr + result.stdout,
              f"{result.returncode} {result.stderr}{result.stdout}")
    result = braid("cql", "check", semantic, "--json")
    rules = sorted(finding["rule"] for finding in json.loads(result.stdout)["findings"])
    check("all findings at once", len(rules) >= 3 and "cql-include" in rules, rules)


def test_includes(folder):
    """Found by name and version, in the folders of -I and beside the file."""
    lib = folder / "lib"
    lib.mkdir()
    (lib / "a1.cql").write_text("library A version '1.9.0' define X: 19")
    (lib / "a2.cql").write_text("library A version '1.10.0' define X: 110")
    (lib / "broken.cql").write_text("library Broken define X: (((")
    main = folder / "main.cql"
    main.write_text("library Main include A version '1.9.0' called Old include Beside\n"
                    "define Y: Old.X + Beside.Z")
    (folder / "Beside.cql").write_text("library Beside include A version '1.10.0' define Z: A.X * 1000")
    result = braid("cql", "run", main, "-I", lib, "--quiet")
    check("includes", result.stdout == '{"values":{"Y":110019}}\n', result.stdout + result.stderr)
    (folder / "highest.cql").write_text("library Highest include A define Y: A.X")
    result = braid("cql", "run", folder / "highest.cql", "-I", lib, "--quiet")
    check("the highest version", result.stdout == '{"values":{"Y":110}}\n', result.stdout + result.stderr)
    result = braid("cql", "check", main)
    check("an include that is nowhere", result.returncode == 3 and "main.cql:1:" in result.stdout
          and "'A' version '1.9.0' is missing" in result.stdout, result.stdout)


def test_suite_form(folder):
    suite = folder / "suite.xml"
    suite.write_text("""<tests xmlns="http://hl7.org/fhirpath/tests" version="1.0"><group name="G" version="1.4">
<test name="equal"><expression>1.50 + 1</expression><output>2.5</output></test>
<test name="other text"><expression>{1, 2} union {3}</expression><output>{ 1,2, 3.0 }</output></test>
<test name="zone"><expression>@2020-01-01T12:00:00.000Z</expression><output>@2020-01-01T13:00:00.000+01:00</output></test>
<test name="wrong"><expression>1 &lt; 2</expression><output>false</output></test>
<test name="null is not false"><expression>null as Boolean</expression><output>false</output></test>
<test name="invalid"><expression invalid="semantic">1 + 'a'</expression></test>
<test name="valid after all"><expression invalid="true">1 + 1</expression><output>2</output></test>
<test name="marked valid"><expression invalid="false">1 + 1</expression><output>2</output></test>
<test name="later" version="2.0"><expression>1</expression><output>1</output></test>
<test name="earlier" versionTo="1.3"><expression>1</expression><output>1</output></test>
<test name="old enough" versionTo="1.5"><expression>1</expression><output>1</output></test>
<test name="no expression"><output>1</output></test>
</group></tests>""")
    result = braid("cql", "test", suite, "--json")
    outcomes = {test["test"]: test["outcome"] for test in json.loads(result.stdout)["files"][0]["tests"]}
    want = {"equal": "passed", "other text": "passed", "zone": "passed", "wrong": "failed",
            "null is not false": "failed", "invalid": "passed", "valid after all": "failed",
            "marked valid": "passed", "later": "skipped", "earlier": "skipped", "old enough": "passed",
            "no expression": "failed"}
    for name, outcome in want.items():
        check(f"suite: {name}", outcomes.get(f"G.{name}") == outcome, outcomes.get(f"G.{name}"))
    result = braid("cql", "test", suite)
    check("suite: ends with 1", result.returncode == 1, result.returncode)
    check("suite: last line", result.stdout.endswith("\n6 passed, 4 failed, 2 skipped\n"), result.stdout)
    check("suite: place", "suite.xml:5: failed: G.wrong" in result.stdout, result.stdout)


def test_repl(_folder):
    rows = [
        ("values and declarations", 0, [], "define X: 5\nX + 1\ndefine X: 7\nX + 1\n", "6\n8\n"),
        ("over several lines", 0, [], "{1,\n2}\n", "{ 1, 2 }\n"),
        ("a type", 0, [], ":type 1.0\n", "System.Decimal\n"),
        ("functions", 0, [], "define function F(a Integer): a * 2\nF(4)", "8\n"),
        ("an error, and on", 3, [], "1 + 'a'\n2\n", "2\n"),
        ("a bad declaration leaves the old one", 3, [], "define X: 1\ndefine X: Y\nX\n", "1\n"),
        ("the end", 0, [], "1\n:quit\n2\n", "1\n"),
        ("a list", 0, [], "define X: 1\n:list", "define X: 1\n"),
        ("a library", 0, [], f":load {LIBRARY}\n\"Is Measured\"\n", "false\n"),
        ("a person", 0, [LIBRARY, "--data", SAMPLE, "--person", "person-01"],
         "\"Is Measured\"\n:person person-19\n\"Is Controlled\"\n", "true\nnull\n"),
        ("nobody", 3, ["--data", SAMPLE], ":person nobody\nCount([Patient])\n", "0\n"),
    ]
    for name, code, arguments, text, want in rows:
        result = braid("cql", "repl", *arguments, input=text)
        check(f"repl: {name}", (result.returncode, result.stdout) == (code, want),
              f"{result.returncode} {result.stdout!r} {result.stderr}")
    result = braid("cql", "repl", input="1 + 'a'\n")
    check("repl: a finding has its column", "input:1:3: error:" in result.stderr, result.stderr)


def test_explain(folder):
    base = ("cql", "explain", LIBRARY, "--data", SAMPLE, "--person", "person-01",
            "--expression", "Is Controlled")
    result = braid(*base)
    check("explain: the values of parts", result.returncode == 0
          and "  true  LessOrEqual  \"Latest Value\" <= 7.5 '%'" in result.stdout, result.stdout)
    check("explain: facts behind them", "<- Observation/observation-0005 2020-03-24" in result.stdout,
          result.stdout)
    clauses = json.loads(braid(*base, "--json").stdout)["clauses"]
    root = clauses[0]
    text = Path(LIBRARY).read_text().splitlines()[root["line"] - 1]
    check("explain: clause results", root["value"] is True
          and text[root["column"] - 1:root["endColumn"]] == "\"Latest Value\" <= 7.5 '%'", root)
    retrieve = next(clause for clause in clauses if clause["kind"] == "Retrieve")
    check("explain: clause facts", len(retrieve["facts"]) == 3, retrieve)
    result = braid(*base, "--html", folder / "page.html")
    page = (folder / "page.html").read_text()
    check("explain: spans nest", page.count("<span") == page.count("</span>") > 10
          and 'class="true"' in page and result.stdout == "", page.count("<span"))
    result = braid("cql", "explain", LIBRARY, "--expression", "Is Controlled")
    check("explain: the plan", "LessOrEqual" in result.stdout and "retrieve #0" in result.stdout,
          result.stdout)
    result = braid("cql", "explain", LIBRARY, "--json")
    check("explain: json is of a person", result.returncode == 2, result.stderr)


def test_bad_units(folder):
    """A unit that is none gives null, one warning a run, and stops nothing."""
    library = folder / "units.cql"
    library.write_text("""library U using FHIR version '4.0.1' context Patient
define Heavy: exists ([Observation] O where (O.value as FHIR.Quantity) > 5 'kg')
""")
    lines = [json.dumps({"resourceType": "Patient", "id": f"p{i}"}) for i in range(50)]
    lines += [json.dumps({"resourceType": "Observation", "id": f"o{i}", "status": "final",
                          "code": {"text": "weight"}, "subject": {"reference": f"Patient/p{i}"},
                          "valueQuantity": {"value": 150, "unit": "lbs" if i % 2 else "kg",
                                            "code": "lbs" if i % 2 else "kg",
                                            "system": "http://unitsofmeasure.org"}})
              for i in range(50)]
    (folder / "data.ndjson").write_text("\n".join(lines) + "\n")
    for threads in (1, 2, 7):
        result = braid("cql", "run", library, "--data", folder / "data.ndjson", "--threads", threads)
        values = [json.loads(line)["values"]["Heavy"] for line in result.stdout.splitlines()]
        check("bad units: ends with 0", result.returncode == 0, result.stderr)
        check("bad units: the others are compared", (values.count(True), values.count(False)) == (25, 25),
              values)
        check("bad units: said once", result.stderr.count("'lbs' is no unit of UCUM") == 1
              and "[lb_av]" in result.stderr, result.stderr)


def main():
    for test in (test_explain, test_bad_units, test_repl, test_same_bytes, test_errors_of_persons, test_bad_calls, test_includes, test_suite_form):
        with tempfile.TemporaryDirectory() as folder:
            test(Path(folder))
    for line in wrong:
        print(line)
    print(f"{passed} passed, {len(wrong)} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
