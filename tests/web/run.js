// Runs the cases, each in a browser profile of its own; some files at once, each on a stage of its own.
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import fs from 'node:fs';
import os from 'node:os';
import { chromium } from 'playwright-core';
import { Stage } from './stage.js';

const here = path.dirname(fileURLToPath(import.meta.url));
const args = process.argv.slice(2);
const at = args.indexOf('--screenshots');
const pictures = at >= 0 ? args.splice(at, 2)[1] : null;
const wanted = args;

const LANES = Math.min(4, Math.max(2, os.availableParallelism()));

/** The cases of each file, the largest first. */
async function loadFiles() {
	const files = fs.readdirSync(path.join(here, 'cases')).sort()
		.filter((name) => name.endsWith('.js'));
	const found = [];
	for (const file of files) {
		if (file === 'screenshots.js' && !pictures) continue;
		const module = await import(pathToFileURL(path.join(here, 'cases', file)));
		found.push(Object.entries(module.cases)
			.map(([name, run]) => ({ name: `${file.replace('.js', '')}: ${name}`, run }))
			.filter(({ name }) => wanted.length === 0 || wanted.some((one) => name.includes(one))));
	}
	return found.filter((cases) => cases.length > 0).sort((a, b) => b.length - a.length);
}

/** Nothing of a page may fail unseen: faults of scripts and of the CSP fail the case. */
function watch(context, faults) {
	context.on('weberror', (fault) => faults.push(`script: ${fault.error().stack}`));
	context.on('console', (line) => {
		if (/Content.Security.Policy|violates/.test(line.text())) faults.push(`CSP: ${line.text()}`);
	});
	context.on('request', (request) => {
		if (/tlink_|tsess_/.test(request.url())) faults.push(`a secret in ${request.url()}`);
		const { hostname } = new URL(request.url());
		if (/^https?:/.test(request.url()) && !['127.0.0.1', 'localhost'].includes(hostname))
			faults.push(`a third party: ${request.url()}`);
	});
}

/** A browser that hangs fails the case, not the suite; not all that is waited for has a limit. */
const tooLong = () => new Promise((_, reject) => {
	setTimeout(() => reject(new Error('the case took over two minutes')), 120000).unref();
});

async function runCase(browser, stage, one) {
	const context = await browser.newContext({ locale: 'en-GB' });
	const faults = [];

	context.setDefaultTimeout(15000);
	watch(context, faults);
	try {
		const forgiven = [];
		await Promise.race([tooLong(),
			one.run({ stage, context, browser, pictures, forgive: (what) => forgiven.push(what) })]);
		const left = faults.filter((fault) => !forgiven.some((what) => what.test(fault)));
		if (left.length > 0) throw new Error(left.join('\n'));
		return null;
	} catch (error) {
		return error;
	} finally {
		await context.close();
	}
}

/** Takes files until there are none; how many cases failed. */
async function runLane(browser, files) {
	let failed = 0;

	for (let cases = files.shift(); cases; cases = files.shift()) {
		const stage = await Stage.open();
		for (const one of cases) {
			const began = performance.now();
			const error = await runCase(browser, stage, one);
			const seconds = ((performance.now() - began) / 1000).toFixed(1);
			console.log(`${error ? 'FAILED' : 'ok    '} ${one.name} (${seconds} s)`);
			if (error) console.log(error.stack.replace(/^/gm, '       '));
			failed += error ? 1 : 0;
		}
		const log = stage.server.log();
		await stage.close();
		if (/tlink_\w{20}|tsess_\w{20}/.test(log)) {
			failed += 1;
			console.log('FAILED a token stands in the log of the server');
		}
	}
	return failed;
}

async function main() {
	const files = await loadFiles();
	const count = files.reduce((sum, cases) => sum + cases.length, 0);
	const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
		args: ['--no-sandbox', '--disable-dev-shm-usage'],
		// The popup blocker that people have.
		ignoreDefaultArgs: ['--disable-popup-blocking'] });
	const lanes = Array.from({ length: LANES }, () => runLane(browser, files));
	const failed = (await Promise.all(lanes)).reduce((sum, one) => sum + one, 0);

	await browser.close();
	console.log(`web tests: ${count - failed} passed, ${failed} failed, 0 skipped`);
	process.exit(failed > 0 || count === 0 ? 1 : 0);
}

main();
