#!/usr/bin/env node
// Makes tests/terms/data/ucum-judge.tsv: what another implementation of UCUM says of some hundreds
// of units in clinical use. The judge is npm's @lhncbc/ucum-lhc (install it anywhere), the units are
// those of HL7's value set ucum-common and the judge's own list.
//
//     node tests/terms/make_ucum_judge.js FOLDER-OF-node_modules ValueSet-ucum-common.json > data/ucum-judge.tsv
//
// A row: unit, its dimensions, the power of moles in it, and how many of the first unit of
// the same dimensions (and moles) it is. "-" for units with a scale of their own and arbitrary ones.
const path = require("path");
const fs = require("fs");
const [folder, valueSet] = process.argv.slice(2);
const lhc = require(path.resolve(folder, "@lhncbc/ucum-lhc")).UcumLhcUtils.getInstance();
const codes = new Set();
JSON.stringify(JSON.parse(fs.readFileSync(valueSet, "utf8")).compose, (key, value) => {
  if (key === "code") codes.add(value);
  return value;
});
const definitions = JSON.parse(fs.readFileSync(path.resolve(folder, "@lhncbc/ucum-lhc/data/ucumDefs.min.json")));
const at = definitions.units.config.indexOf("csCode_");
for (const unit of definitions.units.data) codes.add(unit[at]);
// Where the judge itself is mistaken: it drops the "/" from the definitions of these atoms and the
// value of 100 from [LPF].
const mistaken = /(Bd|\[diop\]|\[mesh_i\]|Oe)$|\[LPF\]/;
const first = new Map();
console.log("# What the UCUM implementation of the Lister Hill Center (npm @lhncbc/ucum-lhc) says of units;");
console.log("# made by tests/terms/make_ucum_judge.js.");
console.log("# unit\tdimensions\tmoles\tfactor");
for (const code of [...codes].sort()) {
  if (mistaken.test(code)) continue;
  const found = lhc.getSpecifiedUnit(code, "validate");
  const unit = found && found.unit;
  if (!unit || found.origString !== code || found.retMsg.length > 0) continue;
  const dim = unit.dim_ && unit.dim_.dimVec_ ? unit.dim_.dimVec_.join(",") : "0,0,0,0,0,0,0";
  if (unit.isSpecial_ || unit.isArbitrary_) {
    console.log([code, "-", "-", "-"].join("\t"));
    continue;
  }
  const key = dim + "|" + (unit.moleExp_ || 0);
  if (!first.has(key)) first.set(key, unit);
  console.log([code, dim, unit.moleExp_ || 0, unit.magnitude_ / first.get(key).magnitude_].join("\t"));
}
