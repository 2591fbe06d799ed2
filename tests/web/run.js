// Runs the cases one after another, each in a browser profile of its own.
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import fs from 'node:fs';
import { chromium } from 'playwright-core';
import { Stage } from './stage.js';

const here = path.dirname(fileURLToPath(import.meta.url));
const args = process.argv.slice(2);
const at = args.indexOf('--screenshots');
const pictures = at >= 0 ? args.splice(at, 2)[1] : null;
const wanted = args;

async function loadCases() {
	const files = fs.readdirSync(path.join(here, 'cases')).sort()
		.filter((name) => name.endsWith('.js'));
	const cases = [];
	for (const file of files) {
		if (file === 'screenshots.js' && !pictures) continue;
		const module = await import(pathToFileURL(path.join(here, 'cases', file)));
		for (const [name, run] of Object.entries(module.cases))
			cases.push({ name: `${file.replace('.js', '')}: ${name}`, run });
	}
	return cases.filter(({ name }) => wanted.length === 0 || wanted.some((one) => name.includes(one)));
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

async function main() {
	const cases = await loadCases();
	const stage = await Stage.open();
	const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
		args: ['--no-sandbox', '--disable-dev-shm-usage'] });
	let failed = 0;

	for (const one of cases) {
		const error = await runCase(browser, stage, one);
		console.log(`${error ? 'FAILED' : 'ok    '} ${one.name}`);
		if (error) console.log(error.stack.replace(/^/gm, '       '));
		failed += error ? 1 : 0;
	}
	const log = stage.server.log();
	await browser.close();
	await stage.close();
	if (/tlink_\w{20}|tsess_\w{20}/.test(log)) {
		failed += 1;
		console.log('FAILED a token stands in the log of the server');
	}
	console.log(`web tests: ${cases.length - failed} passed, ${failed} failed, 0 skipped`);
	process.exit(failed > 0 || cases.length === 0 ? 1 : 0);
}

main();
