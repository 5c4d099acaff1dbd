/*
 * The two engines that ours is compared with, each behind one function: CQL expressions in, canonical
 * CQL text out. @cqframework/cql translates for both, one library a batch of expressions.
 */
import fs from 'node:fs';
import path from 'node:path';
import { CqlTranslator, LibraryManager, ModelManager, createModelInfoProvider, createUcumService,
         createLibrarySourceProvider, stringAsSource } from '@cqframework/cql/cql-to-elm';
import { CqlEngine, Environment, EvaluationParams } from '@cqframework/cql/engine';
import * as engine from '@cqframework/cql/engine';
import cql from 'cql-execution';
import ucumPackage from '@lhncbc/ucum-lhc';

const ucum = ucumPackage.UcumLhcUtils.getInstance();
const calendar = { year: 'a', years: 'a', month: 'mo', months: 'mo', week: 'wk', weeks: 'wk', day: 'd',
  days: 'd', hour: 'h', hours: 'h', minute: 'min', minutes: 'min', second: 's', seconds: 's',
  millisecond: 'ms', milliseconds: 'ms' };
const unitOf = unit => calendar[unit] ?? unit;

function convertUnit(value, from, to) {
  const result = ucum.convertUnitTo(unitOf(from), Number(value), unitOf(to));
  if (result.status !== 'succeeded')
    throw new Error(`cannot convert ${from} to ${to}`);
  return String(Number(result.toVal.toPrecision(15)));
}

function validateUnit(unit) {
  return ucum.validateUnitString(unitOf(unit)).status === 'valid' ? null : `unknown unit ${unit}`;
}

const ucumService = createUcumService(convertUnit, validateUnit,
  (a, b) => { throw new Error('no unit arithmetic'); }, (a, b) => { throw new Error('no unit arithmetic'); });

/* Folder of model info; the package has none, not even of System. */
export function createTranslator(modelFolder, getLibrary = () => null) {
  const modelManager = new ModelManager();
  modelManager.modelInfoLoader.registerModelInfoProvider(createModelInfoProvider((name, system, version) => {
    const file = name === 'System' ? 'system-modelinfo.xml' : `${name.toLowerCase()}-modelinfo-${version}.xml`;
    const full = path.join(modelFolder, file);
    return fs.existsSync(full) ? stringAsSource(fs.readFileSync(full, 'utf8')) : null;
  }));
  const manager = new LibraryManager(modelManager, undefined, undefined, ucumService);
  manager.librarySourceLoader.registerProvider(createLibrarySourceProvider((name, system, version) => {
    const text = getLibrary(name, version);
    return text == null ? null : stringAsSource(text);
  }));
  return manager;
}

/* --- one library of expressions --- */

function libraryText(name, expressions) {
  const lines = [`library ${name} version '1'`];
  expressions.forEach((text, i) => lines.push(`define E${i}: ${text.replace(/\r?\n/g, ' ')}`));
  return lines.join('\n') + '\n';
}

let serial = 0;

/* Results in the order of the expressions: { kotlin, js }, each { text } or { error }. */
export async function evaluateAll(modelFolder, expressions) {
  const results = expressions.map(() => ({}));
  await evaluateSome(modelFolder, expressions, expressions.map((_, i) => i), results);
  return results;
}

async function evaluateSome(modelFolder, expressions, indexes, results) {
  const name = `Batch${serial++}`;
  const source = libraryText(name, indexes.map(i => expressions[i]));
  const manager = createTranslator(modelFolder, wanted => wanted === name ? source : null);
  let translator;
  let errors = [];
  try {
    translator = CqlTranslator.fromText(source, manager);
    errors = translator.errors.asJsReadonlyArrayView();
  } catch (error) {
    errors = [error];
  }
  const bad = new Map();
  for (const error of errors)
    bad.set((error.locator?.startLine ?? 0) - 2, String(error.message ?? error));
  if (bad.size > 0 && indexes.length > 1) {
    /* What is wrong with one line may upset the lines after it: the batch goes on without it. */
    const good = indexes.filter((_, at) => !bad.has(at));
    const known = good.length < indexes.length;
    for (const [at, message] of bad)
      if (indexes[at] !== undefined)
        results[indexes[at]] = { kotlin: { error: message }, js: { error: message } };
    const middle = indexes.length >> 1;
    const parts = known ? [good] : [indexes.slice(0, middle), indexes.slice(middle)];
    for (const part of parts)
      if (part.length > 0)
        await evaluateSome(modelFolder, expressions, part, results);
    return;
  }
  if (bad.size > 0) {
    const message = [...bad.values()][0];
    results[indexes[0]] = { kotlin: { error: message }, js: { error: message } };
    return;
  }
  const elm = JSON.parse(translator.toJson());
  for (let at = 0; at < indexes.length; at++) {
    results[indexes[at]] = { kotlin: runKotlin(manager, name, `E${at}`),
                             js: await runJs(elm, `E${at}`) };
  }
}

function runKotlin(manager, library, expression) {
  try {
    const runner = new CqlEngine(new Environment(manager));
    const params = new EvaluationParams.LibraryParams.Builder();
    params.expressionsByName([expression]);
    const all = new EvaluationParams.Builder();
    all.libraryByName(library, params.build());
    const value = runner.evaluate(all.build()).onlyResultOrThrow.getByName(expression).value;
    return { text: kotlinText(value) };
  } catch (error) {
    return { error: String(error?.message ?? error).slice(0, 200) };
  }
}

/* Only the statement asked for is run, as an error would end the others. */
async function runJs(elm, expression) {
  try {
    const one = structuredClone(elm);
    one.library.statements.def = one.library.statements.def.filter(d => d.name === expression);
    one.library.statements.def.forEach(d => { d.context = 'Unfiltered'; });
    const library = new cql.Library(one);
    const executor = new cql.Executor(library);
    const when = cql.DateTime.fromJSDate(new Date('2026-01-15T10:30:15.250Z'), 0);
    const result = await executor.exec(new cql.PatientSource([]), when);
    return { text: jsText(result.unfilteredResults[expression]) };
  } catch (error) {
    return { error: String(error?.message ?? error).slice(0, 200) };
  }
}

/* --- canonical text --- */

/* The engine logs every error. */
console.log = console.error = console.warn = () => {};

const quote = text => `'${text.replace(/\\/g, '\\\\').replace(/'/g, "\\'").replace(/\n/g, '\\n')}'`;

function quantityText(value, unit) {
  if (unit == null || unit === '')
    unit = '1';
  return calendar[unit] !== undefined && unit.length > 2
    ? `${value} ${unit.replace(/s$/, '')}` : `${value} '${unit}'`;
}

function intervalText(low, lowClosed, high, highClosed) {
  return `Interval${lowClosed ? '[' : '('}${low}, ${high}${highClosed ? ']' : ')'}`;
}

function tupleText(entries) {
  const parts = entries.map(([name, text]) => `${name}: ${text}`).sort();
  return parts.length === 0 ? 'Tuple { : }' : `Tuple { ${parts.join(', ')} }`;
}

function listText(items) {
  return items.length === 0 ? '{}' : `{ ${items.join(', ')} }`;
}

function number(value) {
  if (Number.isInteger(value) && Math.abs(value) < 1e21)
    return BigInt(value).toString();
  return String(Number(value.toFixed(8)));
}

function codeText(code) {
  const parts = ['code', 'system', 'version', 'display'].filter(n => code[n] != null)
    .map(n => `${n}: ${quote(String(code[n]))}`);
  return `Code { ${parts.join(', ')} }`;
}

export function jsText(v) {
  if (v === null || v === undefined)
    return 'null';
  if (typeof v === 'boolean' || typeof v === 'bigint')
    return String(v);
  if (typeof v === 'number')
    return number(v);
  if (typeof v === 'string')
    return quote(v);
  if (Array.isArray(v))
    return listText(v.map(jsText));
  if (v.isUncertainty)
    return v.isPoint() ? jsText(v.low) : intervalText(jsText(v.low), true, jsText(v.high), true);
  if (v.isInterval)
    return intervalText(jsText(v.low), v.lowClosed, jsText(v.high), v.highClosed);
  if (v.isDateTime && v.isTime && v.isTime())
    return '@T' + v.toString();
  if (v.isDateTime)
    return '@' + v.toString() + (v.hour == null ? 'T' : '');
  if (v.isDate)
    return '@' + v.toString();
  if (v.isQuantity)
    return quantityText(jsText(v.value), v.unit);
  if (v.isRatio)
    return `${jsText(v.numerator)}:${jsText(v.denominator)}`;
  if (v.isCode)
    return codeText(v);
  if (v.isConcept)
    return `Concept { codes: ${listText(v.codes.map(codeText))}${v.display != null ? `, display: ${quote(v.display)}` : ''} }`;
  if (v.constructor === Object)
    return tupleText(Object.entries(v).map(([n, x]) => [n, jsText(x)]));
  return `? ${v.constructor?.name}`;
}

function mapEntries(map) {
  return [...map.asJsMapView().entries()];
}

export function kotlinText(v) {
  if (v === null || v === undefined)
    return 'null';
  if (v instanceof engine.Boolean || v instanceof engine.Integer || v instanceof engine.Long ||
      v instanceof engine.Decimal)
    return v.value.toPlainString ? v.value.toPlainString() : String(v.value);
  if (v instanceof engine.String)
    return quote(v.value);
  if (v instanceof engine.List)
    return listText(engine.iterableToList(v.value).asJsReadonlyArrayView().map(kotlinText));
  if (v instanceof engine.Interval)
    return intervalText(kotlinText(v.low), v.lowClosed, kotlinText(v.high), v.highClosed);
  if (v instanceof engine.Time)
    return '@T' + v.toString().replace(/^@?T/, '');
  if (v instanceof engine.DateTime) {
    const text = v.toString().replace(/^@/, '');
    return '@' + text + (text.includes('T') ? '' : 'T');
  }
  if (v instanceof engine.Date)
    return '@' + v.toString().replace(/^@/, '');
  if (v instanceof engine.Quantity)
    return quantityText(v.value.toPlainString(), v.unit);
  if (v instanceof engine.Ratio)
    return `${kotlinText(v.numerator)}:${kotlinText(v.denominator)}`;
  if (v instanceof engine.Code)
    return codeText(v);
  if (v instanceof engine.Concept) {
    const codes = v.codes?.asJsReadonlyArrayView?.() ?? [];
    return `Concept { codes: ${listText([...codes].map(codeText))}${v.display != null ? `, display: ${quote(v.display)}` : ''} }`;
  }
  if (v instanceof engine.Tuple)
    return tupleText(mapEntries(v.elements).map(([n, x]) => [n, kotlinText(x)]));
  return `? ${v.toString()}`;
}

/* Texts that say the same: zeros behind a point, L of a Long, an offset of zero, plural units. */
export function normalise(text) {
  return text
    .replace(/'(?:[^'\\]|\\.)*'|-?\d+\.\d+|\d+L\b|(T[\d:.]+)(?:\+00:00|Z)/g, (hit, time) => {
      if (hit[0] === "'")
        return hit;
      if (time !== undefined)
        return time;
      return hit.replace(/L$/, '').replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '').replace(/^-0$/, '0');
    })
    .replace(/(\d) (year|month|week|day|hour|minute|second|millisecond)s\b/g, '$1 $2');
}
