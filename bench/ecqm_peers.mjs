// What bench_ecqm measures, by fqm-execution: 1,000 persons made from the test cases of four official
// measures under new ids, in one process, in calls of 100. Supplemental data, HTML and clause
// coverage are left out. BENCH_IG: the content guide, unpacked (bench_ecqm leaves it in the scratch
// folder). With `cases` as argument every test case of the guide is run instead, for rates.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

const persons = 1000;
const callsOf = 100;
const names = ['CMS122', 'CMS165', 'CMS130', 'CMS2'];

const ig = process.env.BENCH_IG ?? join(process.env.BENCH_SCRATCH ?? 'bench-scratch', 'ecqm');
if (!existsSync(join(ig, 'input'))) {
  console.log(`${ig} is absent: nothing to measure`);
  process.exit(0);
}
const { Calculator } = await import('fqm-execution');
const read = (file) => JSON.parse(readFileSync(file, 'utf8'));
const all = (folder) => readdirSync(join(ig, 'input', folder)).map((file) => read(join(ig, 'input', folder, file)));
const shared = [...all('resources/library'), ...all('vocabulary/valueset')];
const bundle = (resources) => ({
  resourceType: 'Bundle', type: 'collection', entry: resources.map((resource) => ({ resource })),
});
const casesOf = (name) => {
  const folder = join(ig, 'input/tests/measure', name);
  return readdirSync(folder).map((each) => ({
    name: each,
    resources: readdirSync(join(folder, each)).map((file) => read(join(folder, each, file))),
  }));
};
const options = (period) => ({
  measurementPeriodStart: `${period.start}T00:00:00.000Z`,
  measurementPeriodEnd: `${period.end}T23:59:59.999Z`,
  calculateHTML: false, calculateClauseCoverage: false, calculateSDEs: false,
  trustMetaProfile: true, useElmJsonsCaching: true,
});

async function time(measure) {
  const cases = casesOf(measure.name);
  const texts = Array.from({ length: persons }, (_, i) => {
    const { resources } = cases[i % cases.length];
    const own = resources.filter((resource) => resource.resourceType !== 'MeasureReport');
    const { id } = own.find((resource) => resource.resourceType === 'Patient');
    return JSON.stringify(bundle(own)).replaceAll(id, `person-${i}`);
  });
  const begin = performance.now();
  for (let from = 0; from < persons; from += callsOf) {
    const patients = texts.slice(from, from + callsOf).map((text) => JSON.parse(text));
    await Calculator.calculate(bundle([measure, ...shared]), patients, options(measure.effectivePeriod));
  }
  const each = ((performance.now() - begin) * 1000) / persons;
  console.log(`bench: ${measure.name.replace(/FHIR.*/, '')}, fqm-execution ${each.toFixed(0)} us/person`);
}

// Counts of populations only: observations are compared by nobody alike.
function agrees(report, result) {
  return report.group.every((group) => {
    const found = result.detailedResults.find((each) => each.groupId === group.id);
    const holds = (list, id) => list.some((each) => each.populationId === id && each.result);
    return group.population.every(({ id, code, count }) => {
      if (code.coding[0].code.includes('observation')) return true;
      const episodes = found.episodeResults;
      const number = episodes
        ? episodes.filter((each) => holds(each.populationResults, id)).length
        : Number(holds(found.populationResults, id));
      return number === count;
    });
  });
}

async function check(measure) {
  let passed = 0;
  const cases = casesOf(measure.name);
  for (const { resources } of cases) {
    const report = resources.find((resource) => resource.resourceType === 'MeasureReport');
    const own = resources.filter((resource) => resource !== report);
    try {
      const { results } = await Calculator.calculate(
        bundle([measure, ...shared]), [bundle(own)], options(report.period));
      passed += Number(agrees(report, results[0]));
    } catch { /* the case failed */ }
  }
  console.log(`${measure.name}: ${passed} of ${cases.length}`);
}

const isCheck = process.argv.includes('cases');
for (const measure of all('resources/measure')) {
  if (isCheck) await check(measure);
  else if (names.some((name) => measure.name.startsWith(`${name}FHIR`))) await time(measure);
}
