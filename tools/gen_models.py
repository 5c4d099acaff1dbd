#!/usr/bin/env python3
"""Writes the tables of models/cql as C: gen_models.py OUTPUT.c PROFILES.tsv TABLE.tsv ...

The C file defines model_tables, model_table_count and model_profiles of src/cql/model.h. Comments
are left out.
"""
import sys


def literal(line):
    text = line.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    return '    "%s\\n"' % text


def lines_of(path):
    with open(path, encoding="utf-8") as file:
        return [line for line in file.read().split("\n") if line and not line.startswith("#")]


def main():
    out = ['#include "cql/model.h"', ""]
    rows = []
    for number, path in enumerate(sys.argv[3:]):
        lines = lines_of(path)
        cells = lines[0].split("\t")
        assert cells[0] == "model", path
        out.append("static const char table_%d[] =" % number)
        out.append("\n".join(literal(line) for line in lines) + ";")
        rows.append('    {"%s", "%s", table_%d, sizeof(table_%d) - 1},' % (cells[1], cells[2], number, number))
    out += ["", "const ModelTable model_tables[] = {"] + rows + ["};"]
    out.append("const size_t model_table_count = %d;" % len(rows))
    out.append("const char model_profiles[] =\n" + "\n".join(literal(line) for line in lines_of(sys.argv[2])) + ";")
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n")


main()
