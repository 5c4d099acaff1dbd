// The population defines of a published library by cql-execution and cql-exec-fhir, from the ELM of its
// Library resources, over the patients of bench_library:
//
//     node bench/library_peers.mjs CONTENT-IG-FOLDER LIBRARY LABEL < patients
//
// Standard input: `#rate` TAB Braid's patients a second, `#populations` TAB their names, then for each
// patient `#patient` TAB id TAB a digit a population (1 where Braid says true) and its resources as
// NDJSON. Leaves with 1 when an answer differs.
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import cql from 'cql-execution';
import cqlfhir from 'cql-exec-fhir';

console.error = console.warn = () => {}; // cql-exec-fhir writes a line for each element a class has not

const [folder, wanted, label] = process.argv.slice(2);

function filesBelow(path) {
  return readdirSync(path).sort().map((name) => join(path, name)).flatMap((file) =>
    statSync(file).isDirectory() ? filesBelow(file) : [file]);
}

const readJson = (file) => JSON.parse(readFileSync(file, 'utf8'));

// The ELM of all libraries; the one asked for is known by its name.
function readLibraries() {
  const elm = [];
  for (const file of filesBelow(join(folder, 'input/resources/library'))) {
    const content = readJson(file).content.find((part) => part.contentType === 'application/elm+json');
    if (content) elm.push(JSON.parse(Buffer.from(content.data, 'base64').toString('utf8')));
  }
  const main = elm.find((library) => library.library.identifier.id === wanted);
  return new cql.Library(main, new cql.Repository(elm));
}

function readValueSets() {
  const sets = {};
  for (const file of filesBelow(join(folder, 'input/vocabulary/valueset'))) {
    const set = readJson(file);
    const codes = [];
    const gather = (contains) => {
      for (const entry of contains ?? []) {
        if (entry.code) codes.push({ code: entry.code, system: entry.system, version: entry.version });
        gather(entry.contains);
      }
    };
    gather(set.expansion?.contains);
    for (const include of codes.length === 0 ? (set.compose?.include ?? []) : [])
      for (const concept of include.concept ?? [])
        codes.push({ code: concept.code, system: include.system, version: include.version });
    sets[set.url] = { [set.version ?? '1']: codes };
  }
  return new cql.CodeService(sets);
}

function readPatients() {
  const input = { rate: 0, populations: [], patients: [] };
  for (const line of readFileSync(0, 'utf8').split('\n')) {
    if (line.startsWith('#')) {
      const [name, ...values] = line.slice(1).split('\t');
      if (name === 'rate') input.rate = Number(values[0]);
      else if (name === 'populations') input.populations = values;
      else input.patients.push({ id: values[0], answers: values[1], lines: [] });
    } else if (line.trim() !== '') {
      input.patients.at(-1).lines.push(line);
    }
  }
  return input;
}

const utc = (year, month, day, hour, minute, second, ms) =>
  new cql.DateTime(year, month, day, hour, minute, second, ms, 0);
const library = readLibraries();
const codes = readValueSets();
const period = new cql.Interval(utc(2026, 1, 1, 0, 0, 0, 0), utc(2026, 12, 31, 23, 59, 59, 999));
const now = utc(2027, 1, 1, 0, 0, 0, 0);

const source = cqlfhir.PatientSource.FHIRv401({ requireProfileTagging: true });

// From text to answers; the definitions of a patient share a context, so that each runs once.
async function ask(patient, populations) {
  source.loadBundles([{ resourceType: 'Bundle', type: 'collection',
    entry: patient.lines.map((line) => ({ resource: JSON.parse(line) })) }]);
  const context = new cql.PatientContext(library, source.currentPatient(), codes,
    { 'Measurement Period': period }, now);
  source.nextPatient(); // past this one: the source stands where the next comes
  let answers = '';
  for (const name of populations) {
    try {
      answers += (await library.expressions[name].execute(context)) === true ? '1' : '0';
    } catch (error) {
      answers += '!';
      patient.error ??= String(error.message).split('\n')[0];
    }
  }
  return answers;
}

const { rate, populations, patients } = readPatients();
for (const patient of patients.slice(0, 50)) await ask(patient, populations); // warms up
const begin = performance.now();
const answers = [];
for (const patient of patients) answers.push(await ask(patient, populations));
const peer = patients.length / ((performance.now() - begin) / 1000);
console.log(`bench: library ${label}: cql-execution, from JSON text ${peer.toFixed(1)} patients/s`);
console.log(`bench: library ${label}: Braid over cql-execution, from JSON text ${(rate / peer).toFixed(0)} times`);
let differing = 0;
patients.forEach((patient, i) => {
  if (patient.answers === answers[i]) return;
  if (++differing > 20) return;
  console.log(`${label}, patient ${patient.id}: Braid ${patient.answers}, cql-execution ${answers[i]} ` +
    `(${populations.join(', ')}) ${patient.error ?? ''}`);
});
console.log(`${label}: ${patients.length - differing} of ${patients.length} patients have the same answers`);
process.exit(differing > 0 ? 1 : 0);
