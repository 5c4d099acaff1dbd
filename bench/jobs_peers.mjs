// The three jobs of bench_jobs in DuckDB, over the facts that it writes to standard input. Leaves
// with 1 when an answer differs from the one that came with the facts.
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';

const runs = Number(process.env.BENCH_RUNS ?? 5);
const folder = mkdtempSync(join(process.env.BENCH_SCRATCH ?? tmpdir(), 'duckdb-'));
const head = {};

// Lines that begin with # say what is asked; the others go to a file for DuckDB's reader.
async function receive(path) {
  const file = createWriteStream(path);
  let rest = Buffer.alloc(0);
  let inHead = true;
  for await (const piece of process.stdin) {
    let bytes = piece;
    if (inHead) {
      bytes = Buffer.concat([rest, piece]);
      while (bytes.length > 0 && bytes[0] === 35) {
        const end = bytes.indexOf(10);
        if (end < 0) break;
        const [name, ...values] = bytes.toString('utf8', 1, end).split(',');
        head[name] = values.map(BigInt);
        bytes = bytes.subarray(end + 1);
      }
      inHead = bytes.length === 0 || bytes[0] === 35;
      if (inHead) {
        rest = bytes;
        continue;
      }
    }
    if (!file.write(bytes)) await new Promise((resume) => file.once('drain', resume));
  }
  await new Promise((resume) => file.end(resume));
}

const until = 18261;
const jobs = {
  register: () => `
    WITH register AS (
      SELECT DISTINCT person FROM condition
      WHERE code IN (${head.diabetes.join(',')}) AND day <= ${until}),
    latest AS (
      SELECT o.person, arg_max(o.number, o.position) AS number
      FROM observation o JOIN register r ON o.person = r.person
      WHERE o.code IN (${head.hba1c.join(',')}) AND o.day <= ${until} AND o.day > ${until - 730}
        AND o.number IS NOT NULL
      GROUP BY o.person)
    SELECT (SELECT count(*) FROM register), count(*), coalesce(sum(number), 0) FROM latest`,
  cost: () => `
    WITH cell AS (
      SELECT org, year(date) * 12 + month(date) AS month, sum(number) AS cost, count(*) AS claims
      FROM (SELECT org, number, DATE '1970-01-01' + day AS date FROM claim
            WHERE day >= 16344 AND day <= ${until} AND org >= ${head.orgs[0]}
              AND org < ${head.orgs[1]} AND number IS NOT NULL)
      GROUP BY ALL)
    SELECT sum(claims), sum(cost), count(*) FILTER (cost <> 0) FROM cell`,
  window: () => `
    WITH admitted AS (
      SELECT person, min(day) AS day FROM encounter
      WHERE code IN (${head.admission.join(',')}) AND day <= ${until} AND day > ${until - 2191}
      GROUP BY person)
    SELECT (SELECT count(*) FROM admitted), count(*), coalesce(sum(c.number), 0)
    FROM claim c JOIN admitted a ON c.person = a.person
    WHERE c.day >= a.day AND c.day < a.day + 90 AND c.number IS NOT NULL`,
};

async function main() {
  const csv = join(folder, 'facts.csv');
  await receive(csv);
  let differs = false;
  for (const threads of [1, 2]) {
    const database = join(folder, `facts-${threads}.duckdb`);
    const instance = await DuckDBInstance.create(database, { threads: String(threads) });
    const connection = await instance.connect();
    // Each resource type has a table, in order of persons and days as in the store.
    const types = await connection.runAndReadAll(`
      CREATE TABLE fact AS SELECT row_number() OVER () AS position, * FROM read_csv('${csv}',
        header=false, auto_detect=false, columns={'type': 'USMALLINT', 'person': 'UINTEGER',
        'day': 'INTEGER', 'code': 'UINTEGER', 'number': 'BIGINT', 'org': 'UINTEGER'});
      SELECT DISTINCT type FROM fact ORDER BY type`);
    const numbers = types.getRows().map((row) => Number(row[0]));
    const names = ['claim', 'condition', 'encounter', 'observation'];
    for (const [i, name] of names.entries()) {
      await connection.run(`CREATE TABLE ${name} AS SELECT position, person, day, code, number, org
        FROM fact WHERE type = ${numbers[i]} ORDER BY position`);
    }
    await connection.run('DROP TABLE fact');
    for (const [name, query] of Object.entries(jobs)) {
      for (let run = 0; run <= runs; run++) {
        const begin = performance.now();
        const rows = (await connection.runAndReadAll(query())).getRows();
        const time = performance.now() - begin;
        // The first run warms up.
        if (run > 0) console.log(`bench: DuckDB ${name}, ${threads} thread${threads > 1 ? 's' : ''} ${time.toFixed(1)} ms`);
        const same = rows[0].every((value, i) => BigInt(value) === head[name][i]);
        if (!same && run === 0) {
          console.log(`${name}: DuckDB says ${rows[0].join(' ')}, Braid ${head[name].join(' ')}`);
          differs = true;
        }
      }
    }
    connection.closeSync();
    instance.closeSync?.();
    rmSync(database, { force: true });
  }
  return differs ? 1 : 0;
}

let status = 1;
try {
  status = await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(status);
