#!/usr/bin/env python3
"""Writes the model tables of models/cql as C: gen_models.py OUTPUT.c TABLE.tsv ...

The C file defines model_tables and model_table_count of src/cql/model.h. Comments are left out.
"""
import sys


def literal(line):
    text = line.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    return '    "%s\\n"' % text


def main():
    out = ['#include "cql/model.h"', ""]
    rows = []
    for number, path in enumerate(sys.argv[2:]):
        with open(path, encoding="utf-8") as file:
            lines = [line for line in file.read().split("\n") if line and not line.startswith("#")]
        cells = lines[0].split("\t")
        assert cells[0] == "model", path
        out.append("static const char table_%d[] =" % number)
        out.append("\n".join(literal(line) for line in lines) + ";")
        rows.append('    {"%s", "%s", table_%d, sizeof(table_%d) - 1},' % (cells[1], cells[2], number, number))
    out += ["", "const ModelTable model_tables[] = {"] + rows + ["};"]
    out.append("const size_t model_table_count = %d;" % len(rows))
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n")


main()
