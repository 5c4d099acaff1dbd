#!/usr/bin/env python3
"""Checks models/*.tsv: their own invariants, and that they agree with the CQL model info.

The model info (../shared/data/modelinfo/fhir-modelinfo-4.0.1.xml) was made by others from the same
standard, so it is a second witness: each of its classes and elements must be in our table with a
compatible type, and the other way round. Without that file these checks are skipped.
"""

import os
import sys
import xml.etree.ElementTree as ET

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
MODEL_INFO = os.path.join(ROOT, "..", "shared", "data", "modelinfo", "fhir-modelinfo-4.0.1.xml")
NS = "{urn:hl7-org:elm-modelinfo:r1}"
XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"

# Classes of the model info that are no types of the JSON form.
CLASSES_NOT_OURS = {
    "SimpleQuantity": "a profile of Quantity",
    "MoneyQuantity": "a profile of Quantity",
}
# What the model info takes from CQL's own types.
SYSTEM_TYPES = {
    "System.String": ("string", "id", "uri", "xhtml"),
    "System.Boolean": ("boolean",),
}
OPEN_TYPES = 50


def read_tables():
    types, elements = {}, {}
    with open(os.path.join(ROOT, "models", "fhir-r4.tsv"), encoding="utf-8") as table:
        for line in table:
            cells = line.rstrip("\n").split("\t")
            if cells[0] == "type":
                types[cells[1]] = cells[2:]
                elements[cells[1]] = []
            elif cells[0] == "element":
                elements[cells[1]].append(cells[2:])
    return types, elements


def read_directory():
    rows = {}
    with open(os.path.join(ROOT, "models", "directory.tsv"), encoding="utf-8") as table:
        for line in table:
            if not line.startswith("#"):
                cells = line.rstrip("\n").split("\t")
                rows[cells[0]] = cells[1:]
    return rows


def class_key(name):
    """A backbone class Bundle.Entry is our Bundle.entry: compared without regard to case."""
    return name.lower()


class Report:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def check(self, ok, what):
        if ok:
            self.passed += 1
        else:
            self.failed += 1
            print("FAILED:", what)


def test_invariants(report, types, elements):
    kinds = {}
    for cells in types.values():
        kinds[cells[0]] = kinds.get(cells[0], 0) + 1
    report.check(kinds.get("resource") == 4 and kinds.get("domainresource") == 144,
                 f"148 resource types, 146 of them concrete: {kinds}")
    report.check(kinds.get("primitive") == 20, f"20 primitives with xhtml: {kinds}")
    report.check(kinds.get("datatype") == 41, f"41 datatypes, 2 of them abstract: {kinds}")
    for name, rows in elements.items():
        names = [r[0] for r in rows]
        report.check(len(set(names)) == len(names) < 250, f"{name}: names once, below 250")
        report.check(all(r[1] in types for r in rows), f"{name}: every element's type is known")
        inherited = {"resource": ["id", "meta", "implicitRules", "language"],
                     "domainresource": ["id", "meta", "implicitRules", "language", "text",
                                        "contained", "extension", "modifierExtension"],
                     "primitive": ["id", "extension"] if name != "xhtml" else ["id"],
                     "datatype": ["id", "extension"], "backbone": ["id", "extension"]}
        want = inherited[types[name][0]]
        if types[name][1] == "BackboneElement":
            want = want + ["modifierExtension"]
        report.check(names[:len(want)] == want, f"{name}: begins with what it inherits")
        groups = {}
        for row in rows:
            if row[4] != "-":
                groups.setdefault(row[4], []).append(row)
        for group, members in groups.items():
            first = rows.index(members[0])
            together = rows[first:first + len(members)] == members
            stem = group[:-3]
            named = all(m[0] == stem + m[1][0].upper() + m[1][1:] for m in members)
            same_min = len({m[2] for m in members}) == 1
            report.check(together and named and same_min, f"{name}.{group}: alternatives")
    for owner, group in (("Extension", "value[x]"), ("ElementDefinition", "defaultValue[x]"),
                         ("ElementDefinition", "fixed[x]"), ("ElementDefinition", "pattern[x]"),
                         ("ElementDefinition.example", "value[x]"), ("Task.input", "value[x]"),
                         ("Parameters.parameter", "value[x]")):
        count = sum(r[4] == group for r in elements[owner])
        report.check(count == OPEN_TYPES, f"{owner}.{group}: {count} open types")


def walk(elements, owner, path):
    """The row at the end of a path, None when there is no such element."""
    row = None
    for name in path.split("."):
        row = next((r for r in elements.get(owner, []) if r[0] == name), None)
        if row is None:
            return None
        owner = row[1]
    return row


def test_directory(report, elements, directory):
    kinds = [("Reference", "id"), ("CodeableConcept", "Coding"), ("date", "dateTime", "instant"),
             ("decimal", "integer", "unsignedInt", "positiveInt"), ("Reference",)]
    for owner, cells in directory.items():
        report.check(len(cells) == 5 and cells[0] != "-", f"{owner}: five columns and a patient")
        for column, cell in enumerate(cells):
            for path in cell.split(" ") if cell != "-" else []:
                row = walk(elements, owner, path)
                report.check(row is not None and row[1] in kinds[column], f"{owner}: {path}")
                if row is None or row[1] != "Reference" or row[6] == "-":
                    continue
                target = "Patient" if column == 0 else "Organization"
                targets = row[6].split(" ")
                report.check(target in targets or "Resource" in targets,
                             f"{owner}: {path} can point at a {target}")


def specifier_types(node):
    """(type names, is a list) of an element of the model info."""
    name = node.get("elementType")
    if name:
        return [name], False
    return specifier_names(node.find(NS + "elementTypeSpecifier"))


def specifier_names(spec):
    kind = spec.get(XSI_TYPE)
    if kind == "NamedTypeSpecifier":
        name = spec.get("name")
        namespace = spec.get("namespace")
        return [f"{namespace}.{name}" if namespace else name], False
    if kind == "ListTypeSpecifier":
        if spec.get("elementType"):
            return [spec.get("elementType")], True
        return specifier_names(spec[0])[0], True
    names = []
    for choice in spec:
        names += specifier_names(choice)[0]
    return names, False


def is_code_class(info):
    """Such as AccountStatus: a class with only a value, for a code bound to a value set."""
    return (info is not None and info.get("baseType") == "FHIR.Element"
            and [e.get("name") for e in info.findall(NS + "element")] == ["value"])


def compatible(classes, types, theirs, ours):
    if theirs in SYSTEM_TYPES:
        return ours in SYSTEM_TYPES[theirs]
    name = theirs.split(".", 1)[1] if theirs.startswith("FHIR.") else theirs
    if name in CLASSES_NOT_OURS:
        return ours == "Quantity"
    if class_key(name) == class_key(ours):
        return True
    # A class of its own for a code, or for what is written as one.
    return name not in types and is_code_class(classes.get(class_key(name))) and \
        ours in ("code", "string", "uri")


def test_model_info(report, types, elements):
    root = ET.parse(MODEL_INFO).getroot()
    classes = {class_key(t.get("name")): t for t in root.iter(NS + "typeInfo")}
    ours = {class_key(name): name for name in types}
    for key, info in sorted(classes.items()):
        name = info.get("name")
        if name in CLASSES_NOT_OURS or (key not in ours and is_code_class(info)):
            continue
        report.check(key in ours, f"model info's class {name} is in the table")
        if key in ours and types[ours[key]][0] != "primitive":
            test_class(report, classes, types, elements[ours[key]], info)
    for key, name in sorted(ours.items()):
        report.check(key in classes, f"{name} is in the model info")
        if key in classes and types[name][0] != "primitive":
            test_type(report, classes, ours[key], elements[name])


def test_class(report, classes, types, rows, info):
    """Each element of the model info's class is in our rows, with its type and cardinality."""
    for element in info.findall(NS + "element"):
        where = f"{info.get('name')}.{element.get('name')}"
        names, is_list = specifier_types(element)
        plain = [r for r in rows if r[0] == element.get("name")]
        chosen = [r for r in rows if r[4] == element.get("name") + "[x]"]
        if plain:
            fits = len(names) == 1 and compatible(classes, types, names[0], plain[0][1])
            report.check(fits, f"{where}: theirs {names}, ours {plain[0][1]}")
            report.check(is_list == (plain[0][3] == "*"), f"{where}: list or not")
            continue
        missing = [n for n in names if not any(compatible(classes, types, n, r[1]) for r in chosen)]
        extra = [r[1] for r in chosen
                 if not any(compatible(classes, types, n, r[1]) for n in names)]
        report.check(bool(chosen) and not missing and not extra,
                     f"{where}: choice, missing {missing}, extra {extra}")


def test_type(report, classes, name, rows):
    """Each of our elements is in the model info's class or in a class that it is based on."""
    theirs = set()
    key = class_key(name)
    while key in classes:
        theirs |= {e.get("name") for e in classes[key].findall(NS + "element")}
        key = class_key(classes[key].get("baseType", "").removeprefix("FHIR."))
    for row in rows:
        title = row[4][:-3] if row[4] != "-" else row[0]
        report.check(title in theirs, f"{name}.{row[0]} is in the model info")


def test_primary_codes(report, directory):
    """Where the model info names a primary code, the directory's code is that one."""
    root = ET.parse(MODEL_INFO).getroot()
    for info in root.iter(NS + "typeInfo"):
        path, name = info.get("primaryCodePath"), info.get("name")
        if path and name in directory:
            code = directory[name][1]
            stems = {p[:-len(end)] if p.endswith(end) else p
                     for p in code.split(" ") for end in ("CodeableConcept",)}
            # Through a reference (DeviceUseStatement: device.code) and a plain code
            # (MeasureReport: type) there is no concept in the resource itself.
            none = f"{name}.{path}" in ("DeviceUseStatement.device.code", "MeasureReport.type")
            report.check(path in stems or (none and code == "-"),
                         f"{name}: primary code {path}, directory {code}")


def main():
    report = Report()
    types, elements = read_tables()
    directory = read_directory()
    test_invariants(report, types, elements)
    test_directory(report, elements, directory)
    if os.path.exists(MODEL_INFO):
        test_model_info(report, types, elements)
        test_primary_codes(report, directory)
    else:
        report.skipped += 2
        print("skipped: no model info at ../shared/data/modelinfo")
    if report.skipped:
        print(f"{report.skipped} skipped")
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
