#!/usr/bin/env node
// Answers lines {"expr", "data"?, "bindings"?} as `tenon jsonata --batch` does, through npm
// jsonata. What JSON cannot say, or what is no answer of the language, is {"excluded": WHY}.
'use strict';

const fs = require('fs');
const Module = require('module');

const file = require.resolve('jsonata');
let source = fs.readFileSync(file, 'utf8');
// --in-order: the parts of a constructor one after another instead of concurrently.
if (process.argv.includes('--in-order'))
	source = source.replaceAll('await Promise.all(', 'await inOrder(').replaceAll(
		/\.map\(async \((item|key), idx\) => \{/g, '.map(($1, idx) => async () => {') +
		'\nasync function inOrder(all) { const out = []; for (const one of all) out.push(await one()); return out; }';
const loaded = new Module(file);
loaded._compile(source, file);
const jsonata = loaded.exports;

const TIMEOUT_MS = 300;
const STACK_MAX = 900;

// WHY a value cannot be compared as JSON, or undefined.
function strangeness(value, depth = 0) {
	if (typeof value === 'number' && !Number.isFinite(value)) return 'not a finite number';
	if (typeof value === 'function') return 'function';
	if (value === null || typeof value !== 'object') return undefined;
	if (value._jsonata_lambda || value._jsonata_function || value instanceof RegExp)
		return 'function';
	if (depth > 300) return 'too deep';
	for (const key of Object.keys(value)) {
		const why = strangeness(value[key], depth + 1);
		if (why !== undefined) return why;
	}
	return undefined;
}

function describeError(error) {
	if (error instanceof Error || error.error instanceof Error || typeof error.code !== 'string')
		return { excluded: 'raw: ' + String(error && error.message).slice(0, 100) };
	if (error.code === 'D1011' || error.code === 'D1012')
		return { excluded: 'guardrail ' + error.code };
	const out = { code: error.code };
	for (const field of ['position', 'token', 'value'])
		if (error[field] !== undefined && strangeness(error[field]) === undefined)
			out[field] = error[field];
		else if (error[field] !== undefined) out.strange = (out.strange || []).concat(field);
	out.message = error.message;
	return { error: out };
}

// The reference notes on a function where it was called last, and keeps that on its built-in
// functions beyond an evaluation: taken off, so that a case does not depend on those before it.
let builtins;

async function forgetCalls() {
	if (builtins === undefined) {
		const names = source
			.match(/staticFrame\.bind\('\w+'/g)
			.map((text) => '$' + text.split("'")[1]);
		builtins = await jsonata('[' + names.join(',') + ']').evaluate();
	}
	for (const builtin of builtins) {
		delete builtin.token;
		delete builtin.position;
	}
}

async function answer(line) {
	await forgetCalls();
	try {
		const expression = jsonata(line.expr, { timeout: TIMEOUT_MS, stack: STACK_MAX });
		const result = await expression.evaluate(line.data, line.bindings);
		if (result === undefined) return { undefined: true };
		const why = strangeness(result);
		return why === undefined ? { result } : { excluded: why };
	} catch (error) {
		return describeError(error);
	}
}

async function main() {
	const lines = require('readline').createInterface({ input: process.stdin });
	let out = [];
	for await (const line of lines) {
		if (line === '') continue;
		out.push(JSON.stringify(await answer(JSON.parse(line))) + '\n');
		if (out.length === 1000) {
			process.stdout.write(out.join(''));
			out = [];
		}
	}
	process.stdout.write(out.join(''));
}

if (require.main === module) main();
module.exports = { answer };
