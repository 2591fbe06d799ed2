// The protocol's own suite, against the server with the suite's fixture tools in it.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { here, root, start } from '../stage.js';

const program = process.env.TENON_FIXTURES ?? path.join(root, 'build/tests/mcp/mcp_fixtures');
const suite = path.join(here, 'node_modules/@modelcontextprotocol/conformance/dist/index.js');

export async function open() {
	const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tenon-mcp-'));
	const server = await start([folder], {}, program);
	const close = async () => {
		await server.stop();
		fs.rmSync(folder, { recursive: true });
	};
	return { url: `${server.url}/mcp/fixtures`, close };
}

/** Its exit code and what it said. */
function runSuite(args) {
	const child = spawn(process.execPath, [suite, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
	const said = [];

	for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => said.push(bytes));
	return new Promise((resolve, reject) => {
		child.on('error', reject);
		child.on('close', (code) => resolve({ code, said: Buffer.concat(said).toString() }));
	});
}

/** What fails stands in baseline-REVISION.yml, and nothing else does; what stands there fails. */
async function runRevision(stage, revision) {
	const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tenon-mcp-'));
	const { code, said } = await runSuite(['server', '--url', stage.url, '--requirements', revision,
		'-o', folder, '--expected-failures', path.join(here, `baseline-${revision}.yml`)]);

	fs.rmSync(folder, { recursive: true });
	if (code !== 0 || !/Baseline check passed/.test(said))
		throw new Error(`exit code ${code}\n${said}`);
}

export const cases = {
	'requirements of 2025-11-25': (stage) => runRevision(stage, '2025-11-25'),
	'requirements of 2026-07-28': (stage) => runRevision(stage, '2026-07-28'),
};
