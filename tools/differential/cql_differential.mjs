#!/usr/bin/env node
/*
 * Differential test: expressions through our engine, @cqframework/cql's and cql-execution.
 *
 *     npm install --prefix tools/differential        once
 *     node tools/differential/cql_differential.mjs --table FILE.tsv   section, expression, expected
 *     node tools/differential/cql_differential.mjs --suite            the public suite
 *     node tools/differential/cql_differential.mjs --random N [--seed S]
 *
 * Ours is build/tests/cql/cql_expressions (or --driver PROGRAM). Differences that are explained stand in
 * tests/cql/differential-known.tsv: a regular expression of the expression, who is right, why. Every
 * other one is printed, and the run ends with 1. Closes with "N agree, N explained, N differ".
 */
import fs from 'node:fs';
import path from 'node:path';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import saxes from 'saxes';
import { evaluateAll, normalise } from './peers.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const options = parse(process.argv.slice(2));

function parse(args) {
  const found = { seed: '1', models: path.join(root, '../shared/data/modelinfo'),
    driver: path.join(root, 'build/tests/cql/cql_expressions'), batch: '200' };
  for (let i = 0; i < args.length; i++) {
    if (!args[i].startsWith('--'))
      fail(`not an option: ${args[i]}`);
    const name = args[i].slice(2);
    found[name] = ['suite', 'all'].includes(name) ? true : args[++i];
  }
  return found;
}

function fail(text) {
  process.stderr.write(text + '\n');
  process.exit(2);
}

function run(command, args, input) {
  const result = spawnSync(command, args, { input, encoding: 'utf8', maxBuffer: 1 << 28 });
  if (result.status !== 0)
    fail(`${command} ended with ${result.status}: ${result.stderr}`);
  return result.stdout.split('\n').filter(line => line !== '');
}

/* Expressions with a section each. */
function readExpressions() {
  if (options.table)
    return fs.readFileSync(options.table, 'utf8').split('\n').filter(l => l !== '' && l[0] !== '#')
      .map(line => line.split('\t')).map(([section, text]) => ({ section, text: unescape(text) }));
  if (options.suite)
    return suiteExpressions(path.join(root, '../shared/data/cql-tests'));
  if (options.random)
    return run(options.driver, ['--generate', options.random, options.seed], '')
      .map(text => ({ section: 'random', text }));
  return fail('one of --table, --suite and --random is needed');
}

/* Group and name of every test of the suite, and its expression. */
function suiteExpressions(folder) {
  const rows = [];
  for (const file of fs.readdirSync(folder).filter(name => name.endsWith('.xml')).sort()) {
    const parser = new saxes.SaxesParser();
    let group = '', test = '', text = null;
    parser.on('opentag', tag => {
      group = tag.name === 'group' ? tag.attributes.name : group;
      test = tag.name === 'test' ? tag.attributes.name : test;
      text = tag.name === 'expression' ? '' : null;
    });
    parser.on('text', part => { text = text === null ? null : text + part; });
    parser.on('closetag', tag => {
      if (tag.name === 'expression')
        rows.push({ section: `${group}.${test}`, text });
      text = null;
    });
    parser.write(fs.readFileSync(path.join(folder, file), 'utf8')).close();
  }
  return rows;
}

function unescape(text) {
  return text.replace(/\\(.)/g, (_, c) => c === 'n' ? '\n' : c === 't' ? '\t' : c);
}

function escape(text) {
  return text.replace(/\\/g, '\\\\').replace(/\n/g, '\\n').replace(/\t/g, '\\t').replace(/\r/g, '');
}

function evaluateOurs(rows) {
  return run(options.driver, [], rows.map(row => escape(row.text) + '\n').join(''))
    .map(line => line.split('\t'))
    .map(([kind, text]) => kind === 'error' ? { error: text } : { text });
}

function readKnown() {
  const file = path.join(root, 'tests/cql/differential-known.tsv');
  return fs.readFileSync(file, 'utf8').split('\n').filter(l => l !== '' && l[0] !== '#')
    .map(line => line.split('\t')).map(([pattern, peer, ours, why]) =>
      ({ pattern: new RegExp(pattern), peer, why: `${ours}: ${why}` }));
}

function same(a, b) {
  if (a.error !== undefined || b.error !== undefined)
    return a.error !== undefined && b.error !== undefined;
  return normalise(a.text) === normalise(b.text);
}

const show = result => result.error !== undefined ? `error: ${result.error}` : result.text;

async function main() {
  const rows = readExpressions();
  const ours = evaluateOurs(rows);
  const known = readKnown();
  const counts = { agree: 0, explained: 0, differ: 0 };
  for (let from = 0; from < rows.length; from += Number(options.batch)) {
    const part = rows.slice(from, from + Number(options.batch));
    const peers = await evaluateAll(options.models, part.map(row => row.text));
    part.forEach((row, i) => compare(row, ours[from + i], peers[i], known, counts));
  }
  process.stdout.write(`${counts.agree} agree, ${counts.explained} explained, ${counts.differ} differ\n`);
  process.exit(counts.differ > 0 ? 1 : 0);
}

function compare(row, mine, peers, known, counts) {
  const differing = ['kotlin', 'js'].filter(name => !same(mine, peers[name]));
  if (differing.length === 0) {
    counts.agree++;
    return;
  }
  const open = differing.filter(name => !known.some(k => (k.peer === name || k.peer === 'both') &&
    k.pattern.test(row.text)));
  if (open.length === 0 && !options.all) {
    counts.explained++;
    return;
  }
  counts.differ++;
  process.stdout.write(`${row.section}: ${row.text}\n    ours   ${show(mine)}\n` +
    ['kotlin', 'js'].map(name => `    ${name.padEnd(6)} ${open.includes(name) ? '! ' : ''}${show(peers[name])}\n`).join(''));
}

await main();
