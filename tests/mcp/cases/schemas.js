// What goes over the wire, held against the schema of each revision; schemas of tools against
// their own; lists against each other.
import assert from 'node:assert/strict';
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { revisions } from '../revisions.js';
import { Stage } from '../stage.js';

const MODERN = '2026-07-28';
const legacy = Object.keys(revisions).filter((revision) => revision !== MODERN);

export async function open() {
	const stage = await Stage.open();

	stage.plain = await stage.makeServer();
	stage.structured = await stage.makeServer({ structured: true });
	stage.search = await stage.makeServer({ mode: 'search' });
	return stage;
}

function modernMeta() {
	return { 'io.modelcontextprotocol/protocolVersion': MODERN,
		'io.modelcontextprotocol/clientInfo': { name: 'schemas', version: '1' },
		'io.modelcontextprotocol/clientCapabilities': {} };
}

/** The answer's text and value. */
async function post(server, revision, method, params = {}) {
	const isModern = revision === MODERN;
	const body = { jsonrpc: '2.0', id: 1, method,
		params: isModern ? { ...params, _meta: modernMeta() } : params };
	const answer = await fetch(server.url, { method: 'POST', body: JSON.stringify(body), headers: {
		'Content-Type': 'application/json', Accept: 'application/json, text/event-stream',
		Authorization: `Bearer ${server.token}`,
		...method === 'initialize' ? {} : { 'MCP-Protocol-Version': revision },
		...isModern ? { 'Mcp-Method': method } : {},
		...isModern && params.name ? { 'Mcp-Name': params.name } : {},
	} });
	const text = await answer.text();

	assert.match(answer.headers.get('content-type'), /^application\/json/);
	return { status: answer.status, text, message: JSON.parse(text) };
}

/** The result, which must be what the revision's schema says. */
async function ask(server, revision, type, method, params) {
	const { status, message } = await post(server, revision, method, params);
	const envelope = { '2025-11-25': 'JSONRPCResultResponse', [MODERN]: 'JSONRPCResultResponse' };

	assert.equal(status, 200, JSON.stringify(message));
	assert.deepEqual(revisions[revision](envelope[revision] ?? 'JSONRPCResponse', message), []);
	assert.deepEqual(revisions[revision](type, message.result), []);
	return message.result;
}

const listTools = (server, revision) => ask(server, revision, 'ListToolsResult', 'tools/list');
const callTool = (server, revision, name, args) => ask(server, revision, 'CallToolResult',
	'tools/call', { name, arguments: args });

const calls = [
	['list_all_ats_candidates', { limit: 5 }],
	['list_all_ats_jobs', { limit: 5, fields: 'id,name' }],
	['list_all_recruitee_admins', { limit: 5 }],
	['list_all_recruitee_interview_results', { limit: 5 }],
	['create_a_ats_department', { name: 'Trial', dry_run: true }],
];

function compiler() {
	const ajv = new Ajv2020({ strict: true, allErrors: true });

	addFormats(ajv);
	return ajv;
}

async function checkResults(server, revision) {
	const { tools } = await listTools(server, revision);
	const ajv = compiler();

	for (const [name, args] of calls) {
		const tool = tools.find((one) => one.name === name);
		const result = await callTool(server, revision, name, args);
		assert.notEqual(result.isError, true, JSON.stringify(result));
		assert.equal(ajv.validate(tool.inputSchema, args), true, ajv.errorsText());
		if (tool.outputSchema) assert.equal(ajv.validate(tool.outputSchema, result.structuredContent),
			true, `${name}: ${ajv.errorsText()}`);
		assert.equal(Boolean(tool.outputSchema), Boolean(result.structuredContent));
	}
}

/** What clients trip over, beside what the inspector finds. */
function checkShape(tool) {
	const { inputSchema: schema, annotations } = tool;

	assert.match(tool.name, /^[a-z0-9_]{1,48}$/);
	assert.equal(schema.type, 'object');
	assert.equal(schema.additionalProperties, false);
	assert.doesNotMatch(JSON.stringify(schema), /"(anyOf|oneOf|allOf|\$ref|nullable)"|"type":\[/);
	for (const hint of ['readOnlyHint', 'destructiveHint', 'idempotentHint', 'openWorldHint'])
		assert.equal(typeof annotations[hint], 'boolean', `${tool.name} ${hint}`);
	for (const [name, property] of Object.entries(schema.properties)) {
		assert.match(name, /^[a-zA-Z0-9_.-]{1,64}$/);
		assert.equal(property.description.length > 0, true, `${tool.name} ${name}`);
	}
}

async function checkErrors(server, revision) {
	const envelope = revision === MODERN || revision === '2025-11-25' ? 'JSONRPCErrorResponse'
		: 'JSONRPCError';
	for (const [method, params, code] of [['nothing/such', {}, -32601],
		['tools/call', { name: 'no_such_tool', arguments: {} }, -32602],
		['tools/list', { cursor: 'made up' }, -32602]]) {
		const { message } = await post(server, revision, method, params);
		assert.deepEqual(revisions[revision](envelope, message), []);
		assert.equal(message.error.code, code, JSON.stringify(message));
	}
}

function forEachRevision() {
	const cases = {};

	for (const revision of Object.keys(revisions)) {
		cases[`results, ${revision}`] = (stage) => checkResults(stage.plain, revision);
		cases[`structured results, ${revision}`] = (stage) => checkResults(stage.structured, revision);
		cases[`errors, ${revision}`] = (stage) => checkErrors(stage.plain, revision);
		cases[`a wrong argument is a result, ${revision}`] = async (stage) => {
			const result = await callTool(stage.structured, revision, 'list_all_ats_jobs', { limit: 'x' });
			assert.equal(result.isError, true);
			assert.match(result.content[0].text, /limit/);
			assert.equal(result.structuredContent, undefined);
		};
	}
	for (const revision of legacy)
		cases[`initialize, ${revision}`] = (stage) => ask(stage.plain, revision, 'InitializeResult',
			'initialize', { protocolVersion: revision, capabilities: {},
				clientInfo: { name: 'schemas', version: '1' } });
	return cases;
}

export const cases = {
	...forEachRevision(),
	'discover, 2026-07-28': (stage) => ask(stage.plain, MODERN, 'DiscoverResult', 'server/discover'),
	'every schema compiles, in strict mode': async (stage) => {
		const { tools } = await listTools(stage.structured, '2025-11-25');
		const ajv = compiler();
		for (const tool of tools) {
			ajv.compile(tool.inputSchema);
			ajv.compile(tool.outputSchema);
			checkShape(tool);
		}
		assert.equal(new Set(tools.map(({ name }) => name)).size, tools.length);
	},
	'two tools in search mode': async (stage) => {
		const { tools } = await listTools(stage.search, MODERN);
		assert.deepEqual(tools.map(({ name }) => name).sort(), ['call_tool', 'search_tools']);
		const found = await callTool(stage.search, MODERN, 'search_tools', { query: 'list notes', limit: 10 });
		assert.match(found.content[0].text, /list_all_recruitee_notes/);
		const called = await callTool(stage.search, MODERN, 'call_tool',
			{ name: 'list_all_recruitee_admins', arguments: { limit: 1 } });
		assert.notEqual(called.isError, true);
	},
	'the list is the same bytes every time': async (stage) => {
		for (const server of [stage.plain, stage.structured, stage.search]) {
			const once = (await post(server, MODERN, 'tools/list')).text;
			for (let i = 0; i < 3; i++)
				assert.equal((await post(server, MODERN, 'tools/list')).text, once);
			await stage.restart();
			assert.equal((await post(server, MODERN, 'tools/list')).text, once);
		}
	},
	'the list is of one page, and its tools in the order of their names': async (stage) => {
		const { tools, nextCursor } = await listTools(stage.plain, MODERN);
		const names = tools.map(({ name }) => name);
		assert.equal(nextCursor, undefined);
		assert.deepEqual(names, [...names].sort());
	},
};
