// The inspector's command line: its lint of what clients do not take, over the whole list.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { here, Stage, tenon } from '../stage.js';

const program = path.join(here, 'node_modules/@modelcontextprotocol/inspector',
	'clients/launcher/build/index.js');

export async function open() {
	const stage = await Stage.open();

	stage.mcp = await stage.makeServer();
	stage.home = path.join(stage.folder, 'home');
	fs.mkdirSync(stage.home);
	return stage;
}

function inspect(stage, ...args) {
	const child = spawn(process.execPath, [program, '--cli', ...args],
		{ stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, HOME: stage.home } });
	const out = [];
	const log = [];

	child.stdout.on('data', (bytes) => out.push(bytes));
	child.stderr.on('data', (bytes) => log.push(bytes));
	return new Promise((resolve, reject) => {
		child.on('error', reject);
		child.on('close', (code) => resolve({ code, out: Buffer.concat(out).toString(),
			log: Buffer.concat(log).toString() }));
	});
}

const overHttp = (stage, era, ...args) => inspect(stage, '--server-url', stage.mcp.url,
	'--transport', 'http', '--protocol-era', era, '--header', `Authorization: Bearer ${stage.mcp.token}`,
	...args);

async function lint(stage, era) {
	const { code, out, log } = await overHttp(stage, era, '--method', 'tools/list', '--strict',
		'--format', 'json', '-q');

	assert.equal(code, 0, log + out);
	assert.doesNotMatch(log, /warning|error/i);
	assert.equal((out.match(/"inputSchema"/g) ?? []).length > 150, true);
}

export const cases = {
	'the whole list, strictly, legacy': (stage) => lint(stage, 'legacy'),
	'the whole list, strictly, modern': (stage) => lint(stage, 'modern'),
	'a call': async (stage) => {
		const { code, out, log } = await overHttp(stage, 'auto', '--method', 'tools/call',
			'--tool-name', 'list_all_recruitee_admins', '--tool-args-json', '{"limit":1}');
		assert.equal(code, 0, log);
		assert.match(out, /content/);
	},
	'over stdio': async (stage) => {
		const { code, out, log } = await inspect(stage, '--transport', 'stdio', '--method', 'tools/list',
			'-q', '--format', 'json', tenon, 'mcp', '--account', stage.account,
			'--environment', 'production', '--data', stage.data);
		assert.equal(code, 0, log);
		assert.match(out, /list_all_recruitee_notes/);
	},
};
