#!/usr/bin/env python3
"""make_fhir_model -- writes models/fhir-r4.tsv from the published R4 definitions.

    tools/make_fhir_model.py hl7.fhir.r4.examples-4.0.1.tgz [OUT]

The package holds a StructureDefinition for every base type of R4 4.0.1, next to profiles and
logical models, which are left out. What is taken are facts only (names, types, cardinalities,
flags), in our own form; models/README.md says what the columns mean. The same package gives
the same bytes.
"""

import hashlib
import json
import os
import sys
import tarfile

BASE = "http://hl7.org/fhir/StructureDefinition/"
FHIR_TYPE = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type"
REGEX = "http://hl7.org/fhir/StructureDefinition/regex"
FHIRPATH = "http://hl7.org/fhirpath/System."
VERSION = "4.0.1"
# Backbone elements have one of these as their type code and get a type of their own.
INLINE = ("BackboneElement", "Element")
# Kinds of value a required binding can speak of; in a choice, other alternatives have none.
BOUND = ("code", "Coding", "CodeableConcept", "Quantity", "string", "uri")
JSON_KINDS = {"boolean": "boolean", "decimal": "number", "integer": "number",
              "positiveInt": "number", "unsignedInt": "number"}

HEADER = """\
# The element model of FHIR R4, one row a type and one row an element as it is named in JSON.
# source: npm package hl7.fhir.r4.examples 4.0.1, its base StructureDefinitions (HL7)
# version: FHIR R4 4.0.1
# licence: CC0 1.0 (HL7 FHIR)
# sha256 of the package: %s
# made by: tools/make_fhir_model.py; the columns are described in models/README.md
# type<TAB>name<TAB>kind<TAB>base<TAB>json<TAB>regex
# element<TAB>owner<TAB>name<TAB>type<TAB>min<TAB>max<TAB>choice<TAB>flags<TAB>targets<TAB>valueset
"""


def read_definitions(path):
    """The base definitions by type name: no profile, no logical model."""
    found = {}
    with tarfile.open(path) as package:
        for member in package:
            if not member.name.startswith("package/StructureDefinition-"):
                continue
            definition = json.load(package.extractfile(member))
            name = definition["type"]
            if (definition["url"] != BASE + name or definition["kind"] == "logical"
                    or definition.get("derivation") == "constraint"):
                continue
            if definition["fhirVersion"] != VERSION:
                raise SystemExit(f"{member.name}: version {definition['fhirVersion']}")
            if name in found:
                raise SystemExit(f"{name}: defined twice")
            found[name] = definition
    return found


def extension_value(node, url):
    for extension in node.get("extension", []):
        if extension["url"] == url:
            return next(v for k, v in extension.items() if k.startswith("value"))
    return None


def type_code(type_node, path, is_resource):
    """The FHIR type. Ids and urls are published as FHIRPath strings with the FHIR type aside."""
    code = type_node["code"]
    if not code.startswith(FHIRPATH):
        return code
    # R4 says "string" for the id of a resource as well; by its text it is an id.
    if is_resource and path.count(".") == 1 and path.endswith(".id"):
        return "id"
    return extension_value(type_node, FHIR_TYPE) or "string"


def cell(value):
    return value if value else "-"


def profile_names(profiles):
    return [p[len(BASE):] if p.startswith(BASE) else p for p in profiles]


def element_rows(definition):
    """(owner, row) for each element in the order of the definition; choices one row a type."""
    is_resource = definition["kind"] == "resource"
    for element in definition["snapshot"]["element"][1:]:
        path = element["path"]
        owner, name = path.rsplit(".", 1)
        if element["max"] == "0":
            continue
        flags = [word for word, key in (("modifier", "isModifier"), ("summary", "isSummary"))
                 if element.get(key)]
        common = [str(element["min"]), "1" if element["max"] == "1" else "*"]
        if "contentReference" in element:
            yield owner, [name, element["contentReference"][1:]] + common + \
                ["-", cell(" ".join(flags)), "-", "-"]
            continue
        choice = name if name.endswith("[x]") else ""
        for type_node in element["type"]:
            code = type_code(type_node, path, is_resource)
            title = name[:-3] + code[0].upper() + code[1:] if choice else name
            kind = path if code in INLINE and not choice else code
            targets = profile_names(type_node.get("targetProfile", []))
            binding = element.get("binding", {})
            bound = binding.get("strength") == "required" and code in BOUND
            value_set = binding.get("valueSet", "").split("|")[0] if bound else ""
            yield owner, [title, kind] + common + \
                [cell(choice), cell(" ".join(flags)), cell(" ".join(targets)), cell(value_set)]


def type_kind(definition, base):
    if definition["kind"] == "primitive-type":
        return "primitive"
    if definition["kind"] == "complex-type":
        return "datatype"
    return "domainresource" if "DomainResource" in (base, definition["type"]) else "resource"


def type_blocks(definitions):
    """Each type's rows, keyed by name: first its own row, then its elements'."""
    blocks = {}
    for name, definition in definitions.items():
        base = definition.get("baseDefinition", "")[len(BASE):]
        kind = type_kind(definition, base)
        json_kind, regex = "object", ""
        if kind == "primitive":
            json_kind = JSON_KINDS.get(name, "string")
            value = definition["snapshot"]["element"][-1]
            regex = extension_value(value["type"][0], REGEX)
        blocks[name] = [["type", name, kind, cell(base), json_kind, cell(regex)]]
        for element in definition["snapshot"]["element"][1:]:
            codes = [t["code"] for t in element.get("type", [])]
            if len(codes) == 1 and codes[0] in INLINE:
                path = element["path"]
                blocks[path] = [["type", path, "backbone", codes[0], "object", "-"]]
        for owner, row in element_rows(definition):
            # A primitive's value is the JSON value itself, not a property.
            if kind == "primitive" and row[0] == "value":
                continue
            blocks[owner].append(["element", owner] + row)
    return blocks


def main():
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    here = os.path.dirname(os.path.abspath(__file__))
    out = sys.argv[2] if len(sys.argv) == 3 else os.path.join(here, "../models/fhir-r4.tsv")
    with open(sys.argv[1], "rb") as package:
        checksum = hashlib.sha256(package.read()).hexdigest()
    blocks = type_blocks(read_definitions(sys.argv[1]))
    with open(out, "w", encoding="utf-8", newline="\n") as table:
        table.write(HEADER % checksum)
        for name in sorted(blocks):
            for row in blocks[name]:
                table.write("\t".join(row) + "\n")
    print(f"{len(blocks)} types, {sum(len(b) - 1 for b in blocks.values())} elements")


if __name__ == "__main__":
    main()
