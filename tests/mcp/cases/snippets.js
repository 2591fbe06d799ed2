// The configurations of docs/mcp.md, with the names of this server in them, tried with the clients'
// own library.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { here, root, Stage, tenon } from '../stage.js';

const [, text] = /^## Clients$([^]*?)(?=^## |$(?![^]))/m.exec(
	fs.readFileSync(path.join(root, 'docs/mcp.md'), 'utf8'));
const blocks = [...text.matchAll(/^```(json|js) ([\w-]+)\n([^]*?)^```$/gm)]
	.map(([, kind, name, body]) => ({ kind, name, body }));

export async function open() {
	const stage = await Stage.open();

	stage.mcp = await stage.makeServer();
	return stage;
}

/** As somebody would who has this server, and a value for each variable. */
function fill(stage, body) {
	return body.replaceAll('https://ats.example.com/mcp/mcp_0123456789abcdef', stage.mcp.url)
		.replaceAll('acc_0123456789abcdef', stage.account)
		.replaceAll('/var/lib/tenon', stage.data)
		.replaceAll(/tmcp_secret|\$\{(env:)?TENON_MCP_TOKEN\}|\$\{input:tenon-token\}/g, stage.mcp.token);
}

async function list(transport) {
	const client = new Client({ name: 'snippets', version: '1' });

	await client.connect(transport);
	const { tools } = await client.listTools();
	await client.close();
	assert.equal(tools.length > 150, true);
}

const overHttp = (url, headers) => list(new StreamableHTTPClientTransport(new URL(url),
	{ requestInit: { headers } }));

/** What a desktop client makes of an entry: a program that it starts, or an address. */
function use({ command, args, env, url, headers }) {
	if (url) return overHttp(url, headers);
	assert.equal(command, 'tenon');
	return list(new StdioClientTransport({ command: tenon, args, env: { ...process.env, ...env },
		stderr: 'pipe' }));
}

const ways = {
	openai: ({ server_url: url, authorization }) => overHttp(url,
		{ Authorization: `Bearer ${authorization}` }),
	anthropic: ({ mcp_servers: [{ url, name, authorization_token: token }], tools }) => {
		assert.equal(tools[0].mcp_server_name, name);
		return overHttp(url, { Authorization: `Bearer ${token}` });
	},
};

async function runConfiguration(stage, { name, body }) {
	const configuration = JSON.parse(fill(stage, body));
	const servers = configuration.mcpServers ?? configuration.servers;

	await (ways[name] ?? (() => use(servers.recruiting)))(configuration);
}

/** A module of its own, beside the packages that it imports. */
function runModule(stage, { name, body }) {
	const file = path.join(here, 'node_modules', `.snippet-${name}.mjs`);

	fs.writeFileSync(file, `${fill(stage, body)}
console.log(tools.length);
await client.close();
`);
	try {
		const out = execFileSync(process.execPath, [file], { encoding: 'utf8', timeout: 60000 });
		assert.equal(Number(out) > 150, true, out);
	} finally {
		fs.rmSync(file);
	}
}

export const cases = {
	'there are as many as there are clients': async () => assert.deepEqual(
		blocks.map(({ name }) => name).sort(), ['anthropic', 'claude-code', 'claude-desktop',
			'claude-desktop-remote', 'cursor', 'openai', 'sdk-v1', 'sdk-v2', 'vscode']),
	'no block goes untried': async () => assert.equal(
		(text.match(/^```\w/gm) ?? []).length, blocks.length),
	...Object.fromEntries(blocks.map((block) => [block.name, async (stage) =>
		(block.kind === 'js' ? runModule : runConfiguration)(stage, block)])),
};
