/*
 * Runs ELM JSON with npm's cql-execution, to see whether another engine executes what we write:
 *
 *     npm install --prefix tools/differential
 *     node tools/differential/elm_peer.mjs FOLDER|FILE...
 *
 * A line for each definition that needs no person: file TAB definition TAB value as JSON, or
 * "error: …". The evaluation moment is 2026-01-01T00:00:00Z.
 */
import fs from 'node:fs';
import path from 'node:path';
import cql from 'cql-execution';

const files = process.argv.slice(2).flatMap(name => fs.statSync(name).isDirectory()
  ? fs.readdirSync(name).filter(file => file.endsWith('.json')).sort().map(file => path.join(name, file)) : [name]);
const nobody = { currentPatient: () => undefined, nextPatient: () => undefined };
const now = cql.DateTime.fromJSDate(new Date('2026-01-01T00:00:00Z'), 0);

for (const file of files) {
  const name = path.basename(file, '.json');
  try {
    const library = new cql.Library(JSON.parse(fs.readFileSync(file, 'utf8')));
    const results = await new cql.Executor(library).exec(nobody, now);
    for (const [definition, value] of Object.entries(results.unfilteredResults))
      console.log(`${name}\t${definition}\t${JSON.stringify(value ?? null)}`);
  } catch (error) {
    console.log(`${name}\t\terror: ${String(error.message).split('\n')[0]}`);
  }
}
