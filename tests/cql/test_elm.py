#!/usr/bin/env python3
"""ELM read back has the values of its source; what is wrong with ELM is said with its path.

Closes with "N passed, N failed, N skipped". What needs ../shared/data is skipped without it.
"""

import base64
import glob
import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BRAID_BUILD", os.path.join(ROOT, "build"))
COMPARE = os.path.join(BUILD, "tests", "cql", "elm_compare")
BRAID = os.environ.get("BRAID", os.path.join(BUILD, "braid"))
SUITE = os.path.join(ROOT, "..", "shared", "data", "cql-tests")
STARTER = os.path.join(ROOT, "programmes", "starter")
PERIOD = ["-p", "Measurement Period=Interval[@2020-01-01T00:00:00.0, @2020-12-31T23:59:59.999]"]
counts = {"passed": 0, "failed": 0, "skipped": 0}


def check(label, ok, shown=""):
    counts["passed" if ok else "failed"] += 1
    if not ok:
        print(f"FAIL {label}: {shown}")


def compare(left, right, data=(), options=()):
    words = [COMPARE, *options, *left, "--", *right]
    if data:
        words += ["--", *data]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    last = done.stdout.splitlines()[-1] if done.stdout else ""
    return done, last


def starter_options():
    return ["-v", os.path.join(STARTER, "valuesets"), *PERIOD]


def test_starter(folder):
    """The programme's library as another translator writes it, alone and within a FHIR Library."""
    source = os.path.join(STARTER, "cql", "Starter.cql")
    elm = os.path.join(ROOT, "tests", "cql", "elm", "Starter.json")
    data = sorted(glob.glob(os.path.join(ROOT, "examples", "sample", "*.ndjson")))
    done, last = compare([source], [elm], data, starter_options())
    check("starter", last == "540 same, 0 differ, 0 of one side", done.stdout + done.stderr)
    with open(elm, "rb") as file:
        packed = base64.b64encode(file.read()).decode()
    library = {"resourceType": "Library", "content": [
        {"contentType": "application/elm+xml", "data": "PGE+"},
        {"contentType": "application/elm+json; charset=utf-8", "data": packed}]}
    path = os.path.join(folder, "library.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(library, file)
    done, last = compare([source], [path], data, starter_options())
    check("FHIR Library with ELM", last.startswith("540 same, 0 differ"), done.stderr)
    with open(source, "rb") as file:
        library["content"].append({"contentType": "text/cql",
                                   "data": base64.b64encode(file.read()).decode()})
    with open(path, "w", encoding="utf-8") as file:
        json.dump(library, file)
    done, last = compare([source], [path], data, starter_options())
    check("FHIR Library with both", last.startswith("540 same, 0 differ"), done.stderr)


INTEGER = "{urn:hl7-org:elm-types:r1}Integer"


def literal(value, kind="Integer"):
    return {"type": "Literal", "valueType": "{urn:hl7-org:elm-types:r1}" + kind,
            "value": str(value)}


def library_of(expression, **more):
    return {"library": {"identifier": {"id": "T"}, **more,
                        "statements": {"def": [{"name": "E", "context": "Unfiltered",
                                                "expression": expression}]}}}


def nested(levels):
    """As text: too deep for the writer of JSON here."""
    text = json.dumps(library_of("HERE"))
    inner = '{"type": "Negate", "operand": ' * levels + json.dumps(literal(1)) + "}" * levels
    return text.replace('"HERE"', inner)


# What is wrong, and what the finding must say.
BAD = [
    ("no library", {"thing": 1}, "expected ELM JSON with a member 'library'"),
    ("another resource", {"resourceType": "Patient"}, "expected a FHIR Library"),
    ("a Library without content", {"resourceType": "Library"}, "has no content of type text/cql"),
    ("bad base64", {"resourceType": "Library", "content": [
        {"contentType": "text/cql", "data": "A"}]}, "is not base64"),
    ("an unknown node", library_of({"type": "Frobnicate"}),
     "library.statements.def[0].expression: expressions of type 'Frobnicate'"),
    ("a node without type", library_of({}), "expected an expression: an object with a type"),
    ("a missing operand", library_of({"type": "Not"}), "Not lacks the member 'operand'"),
    ("operands that are none", library_of({"type": "And", "operand": 3}),
     "expected the array 'operand'"),
    ("a deep operand", library_of({"type": "And", "operand": [literal("true", "Boolean"), 7]}),
     "library.statements.def[0].expression.operand[1]: expected an expression"),
    ("a bad literal", library_of(literal("x")), "out of the range of Integer: 'x'"),
    ("a bad Boolean", library_of(literal("maybe", "Boolean")), "expected true or false"),
    ("an unknown literal", library_of(literal("x", "Colour")), "expected a literal of a System"),
    ("a bad precision", library_of({"type": "SameAs", "precision": "Fortnight",
                                    "operand": [literal(1), literal(2)]}),
     "expected a precision such as Day, not 'Fortnight'"),
    ("a type without URL", library_of({"type": "As", "operand": literal(1), "asType": "Integer"}),
     "expected a type's name such as"),
    ("an unknown type", library_of({"type": "As", "operand": literal(1),
                                    "asType": "{urn:x}Thing"}), "the type 'urn:x.Thing'"),
    ("no type", library_of({"type": "As", "operand": literal(1)}),
     "expected the member asType or asTypeSpecifier"),
    ("an unknown name", library_of({"type": "ExpressionRef", "name": "Nothing"}),
     "the name 'Nothing' is not known here"),
    ("a name of another library", library_of({"type": "CodeRef", "name": "x",
                                              "libraryName": "Other"}), "'Other'"),
    ("the locator", library_of({"type": "ExpressionRef", "name": "Nothing",
                                "locator": "12:5-12:9"}), ":12:5:"),
    ("a missing include", library_of(literal(1), includes={"def": [
        {"localIdentifier": "C", "path": "http://x.org/Common", "version": "1"}]}),
     "the library 'Common' version '1' is missing"),
    ("an unknown function", library_of({"type": "FunctionRef", "name": "f", "operand": []}),
     "there is no function 'f'"),
    ("operands that do not fit", library_of({"type": "Add", "operand": [literal(1)]}),
     "Add does not take (System.Integer)"),
    ("a query without source", library_of({"type": "Query", "source": []}),
     "expected a query with a source"),
    ("what the translator found", library_of(literal(1), annotation=[
        {"errorSeverity": "error", "message": "wrong"}]), "the translator reported: wrong"),
    ("too deep", nested(1100), "nested more than"),
]


def test_bad(folder):
    path = os.path.join(folder, "bad.json")
    good = os.path.join(folder, "good.json")
    with open(good, "w", encoding="utf-8") as file:
        json.dump(library_of(literal(1)), file)
    for label, document, expected in BAD:
        with open(path, "w", encoding="utf-8") as file:
            file.write(document if isinstance(document, str) else json.dumps(document))
        done, _ = compare([path], [good])
        check(label, expected in done.stderr and done.returncode == 2, done.stderr)


def on_words(expression):
    return {"type": "Query", "source": [{"alias": "X", "expression": expression}]}


# Nodes that a source text can say too: both must have the same value.
SAME = [
    ("Interval[1, 3]", {"type": "Interval", "low": literal(1), "high": literal(3),
                        "lowClosedExpression": literal("true", "Boolean"),
                        "highClosedExpression": {"type": "Not",
                                                 "operand": literal("false", "Boolean")}}),
    ("Interval(1, 3]", {"type": "Interval", "low": literal(1), "high": literal(3),
                        "lowClosed": False}),
    ("Skip({1, 2, 3}, 1)", {"type": "Slice", "source": {"type": "List", "element": [
        literal(1), literal(2), literal(3)]}, "startIndex": literal(1),
        "endIndex": {"type": "Null"}}),
    ("{2}", {"type": "Slice", "source": {"type": "List", "element": [
        literal(1), literal(2), literal(3)]}, "startIndex": literal(1), "endIndex": literal(2)}),
    ("'a' + 'b' + 'c'", {"type": "Concatenate", "operand": [
        literal("a", "String"), literal("b", "String"), literal("c", "String")]}),
    ("Round(2.55, 1)", {"type": "Round", "operand": literal("2.55", "Decimal"),
                        "precision": literal(1)}),
    ("2.0", literal("2", "Decimal")),
    ("DateTime(2020, 1, 2, null, null, null, null, 2.0)", {
        "type": "DateTime", "year": literal(2020), "month": literal(1), "day": literal(2),
        "timezoneOffset": literal("2", "Decimal")}),
    ("({1, 2, 3}) X where X > 1", {
        "type": "Filter", "scope": "X", "source": {"type": "List", "element": [
            literal(1), literal(2), literal(3)]},
        "condition": {"type": "Greater", "operand": [{"type": "AliasRef", "name": "X"},
                                                     literal(1)]}}),
    ("({1, 1}) X return all X + 1", {
        "type": "ForEach", "source": {"type": "List", "element": [literal(1), literal(1)]},
        "element": {"type": "Add", "operand": [{"type": "AliasRef", "name": "$this"},
                                               literal(1)]}}),
    ("5 days", {"type": "Quantity", "value": 5, "unit": "days"}),
    ("1 'mg':2 'mL'", {"type": "Ratio", "numerator": {"value": 1, "unit": "mg"},
                       "denominator": {"value": 2, "unit": "mL"}}),
    ("maximum Integer", {"type": "MaxValue", "valueType": INTEGER}),
    ("Message(1, true, 'a', 'Message', 'b')", {
        "type": "Message", "source": literal(1), "condition": literal("true", "Boolean"),
        "code": literal("a", "String"), "severity": literal("Message", "String"),
        "message": literal("b", "String")}),
    ("({3, 1, 2}) X sort desc", {**on_words({"type": "List", "element": [
        literal(3), literal(1), literal(2)]}),
        "sort": {"by": [{"type": "ByDirection", "direction": "desc"}]}}),
]


def test_same(folder):
    left = os.path.join(folder, "left.cql")
    right = os.path.join(folder, "right.json")
    for text, expression in SAME:
        with open(left, "w", encoding="utf-8") as file:
            file.write(f"library T\ndefine E: {text}\n")
        with open(right, "w", encoding="utf-8") as file:
            json.dump(library_of(expression), file)
        done, last = compare([left], [right])
        check(text, last == "1 same, 0 differ, 0 of one side", done.stdout + done.stderr)


def translate(sources, folder, *options):
    return subprocess.run([BRAID, "cql", "translate", *sources, "--elm", "json", "--out", folder,
                           *options], capture_output=True, text=True, check=False)


def test_written_starter(folder):
    """What we write of the programme's library is read again with the same values."""
    source = os.path.join(STARTER, "cql", "Starter.cql")
    data = sorted(glob.glob(os.path.join(ROOT, "examples", "sample", "*.ndjson")))
    for options in ([], ["--result-types", "--locators"]):
        done = translate([source], folder, *options)
        elm = done.stdout.strip()
        check("starter is written", done.returncode == 0, done.stderr)
        done, last = compare([source], [elm], data, starter_options())
        check("starter as written", last == "540 same, 0 differ, 0 of one side",
              done.stdout + done.stderr)
        # What is read is written again: byte for byte the same.
        with open(elm, encoding="utf-8") as file:
            first = file.read()
        translate([elm], os.path.join(folder, "again"), *options)
        again = os.path.join(folder, "again", os.path.basename(elm))
        if not options:
            with open(again, encoding="utf-8") as file:
                check("written twice", file.read() == first, "the second ELM is another")


# Tests of the suite that are no CQL 1.5.
NOT_OURS = ("Slice(", "timezone from", "Floor(-2147483649)")


def suite_expressions():
    for path in sorted(glob.glob(os.path.join(SUITE, "**", "*.xml"), recursive=True)):
        for test in xml.etree.ElementTree.parse(path).getroot().iter():
            if not test.tag.endswith("}test"):
                continue
            for expression in test:
                is_valid = expression.get("invalid") in (None, "false")
                text = expression.text or ""
                if expression.tag.endswith("}expression") and is_valid and \
                        not any(word in text for word in NOT_OURS):
                    yield text


def test_suite(folder):
    """Every valid expression of the public suite: written, read, the same value."""
    texts = list(suite_expressions())
    if not texts:
        counts["skipped"] += 1
        return
    sources = []
    for number, text in enumerate(texts):
        sources.append(os.path.join(folder, f"T{number:04}.cql"))
        with open(sources[-1], "w", encoding="utf-8") as file:
            file.write(f"library T{number:04}\ndefine E: {text}\n")
    elm = os.path.join(folder, "elm")
    done = translate(sources, elm)
    check("the suite is written", done.returncode == 0, done.stdout[-2000:] + done.stderr)
    written = [os.path.join(elm, f"T{number:04}.json") for number in range(len(texts))]
    done, last = compare(sources, written)
    check("the suite", last == f"{len(texts)} same, 0 differ, 0 of one side",
          done.stdout[-3000:] + done.stderr)


def main():
    with tempfile.TemporaryDirectory() as folder:
        test_starter(folder)
        test_bad(folder)
        test_same(folder)
        test_written_starter(folder)
        test_suite(os.path.join(folder))
    print(", ".join(f"{count} {name}" for name, count in counts.items()))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
