// What node and DuckDB take to read the NDJSON that bench_load loads: node load_peers.mjs FILE
import { readFileSync, statSync } from 'node:fs';
import { DuckDBInstance } from '@duckdb/node-api';

const file = process.argv[2];
const runs = Number(process.env.BENCH_RUNS ?? 5);
const megabytes = statSync(file).size / 1e6;

function figure(name, seconds) {
  console.log(`bench: ${name} ${(megabytes / seconds).toFixed(1)} MB/s`);
}

for (let run = 0; run < runs; run++) {
  const bytes = readFileSync(file);
  const begin = performance.now();
  let from = 0;
  let objects = 0;
  while (from < bytes.length) {
    let end = bytes.indexOf(10, from);
    if (end < 0) end = bytes.length;
    if (typeof JSON.parse(bytes.toString('utf8', from, end)) === 'object') objects++;
    from = end + 1;
  }
  figure('node JSON.parse, NDJSON, 1 thread', (performance.now() - begin) / 1000);
  if (objects === 0) process.exit(1);
}

// Columns that the three jobs need: the least that can be asked of an explicit schema.
const columns = `{
  resourceType: 'VARCHAR', id: 'VARCHAR',
  subject: 'STRUCT(reference VARCHAR)', patient: 'STRUCT(reference VARCHAR)',
  code: 'STRUCT(coding STRUCT("system" VARCHAR, code VARCHAR)[])',
  effectiveDateTime: 'VARCHAR', onsetDateTime: 'VARCHAR', birthDate: 'VARCHAR',
  valueQuantity: 'STRUCT("value" DOUBLE, unit VARCHAR)',
  period: 'STRUCT("start" VARCHAR, "end" VARCHAR)',
  serviceProvider: 'STRUCT(reference VARCHAR)',
  billablePeriod: 'STRUCT("start" VARCHAR, "end" VARCHAR)',
  total: 'JSON', provider: 'STRUCT(reference VARCHAR)'
}`;

for (const threads of [1, 2]) {
  const instance = await DuckDBInstance.create(':memory:', { threads: String(threads) });
  const connection = await instance.connect();
  const path = file.replaceAll("'", "''");
  const forms = [
    ['automatic columns', ''],
    ['explicit columns', `, columns=${columns}`],
  ];
  for (const [name, options] of forms) {
    for (let run = 0; run < Math.min(runs, 3); run++) {
      const begin = performance.now();
      await connection.run(`CREATE OR REPLACE TABLE t AS SELECT * FROM read_json('${path}',
        format='newline_delimited', maximum_object_size=67108864${options})`);
      figure(`DuckDB read_json, ${name}, ${threads} thread${threads > 1 ? 's' : ''}`,
        (performance.now() - begin) / 1000);
    }
  }
  connection.closeSync();
}
