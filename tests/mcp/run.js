// Runs the cases of the kinds that are named, or of all: cases/KIND.js exports `cases`, functions
// that get a stage where `open` of that file makes one.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const folder = path.join(path.dirname(fileURLToPath(import.meta.url)), 'cases');
const kinds = fs.readdirSync(folder).map((name) => name.replace(/\.js$/, '')).sort();
const CASE_MS = 120000;

/** A case that hangs fails, and the others go on. */
function limit(running) {
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => reject(new Error('the case took over two minutes')), CASE_MS);
	});
	return Promise.race([running, late]).finally(() => clearTimeout(timer));
}

async function runCase(kind, name, run, stage) {
	const began = performance.now();
	const error = await limit(run(stage)).then(() => null, (fault) => fault);
	const seconds = ((performance.now() - began) / 1000).toFixed(1);

	console.log(`${error ? 'FAILED' : 'ok    '} ${kind}: ${name} (${seconds} s)`);
	if (error) console.log(String(error.stack ?? error).replace(/^/gm, '       '));
	return error ? 1 : 0;
}

async function runKind(kind, totals) {
	const module = await import(pathToFileURL(path.join(folder, `${kind}.js`)));
	const stage = await module.open?.();

	for (const [name, run] of Object.entries(module.cases)) {
		const failed = await runCase(kind, name, run, stage);
		totals.failed += failed;
		totals.passed += 1 - failed;
	}
	await stage?.close();
}

async function main() {
	const wanted = process.argv.slice(2);
	const unknown = wanted.find((kind) => !kinds.includes(kind));
	const totals = { passed: 0, failed: 0 };

	if (unknown) {
		console.error(`tests/mcp/run: ${unknown} is none of ${kinds.join(', ')}`);
		process.exit(2);
	}
	for (const kind of wanted.length > 0 ? wanted : kinds) {
		await runKind(kind, totals).catch((error) => {
			console.log(`FAILED ${kind}: ${error.stack}`);
			totals.failed += 1;
		});
	}
	console.log(`mcp tests: ${totals.passed} passed, ${totals.failed} failed, 0 skipped`);
	process.exit(totals.failed > 0 || totals.passed === 0 ? 1 : 0);
}

main();
