// What the official clients do: list, call the tools that people ask for first, write.
import assert from 'node:assert/strict';
import { eras, makeHttp, makeStdio, textOf, withClient } from '../connect.js';
import { Stage } from '../stage.js';

const first = ['list_all_recruitee_interview_results', 'list_all_recruitee_notes',
	'list_all_recruitee_locations', 'list_all_recruitee_offer_notes', 'list_all_recruitee_admins'];

export async function open() {
	const stage = await Stage.open('--candidates', '120');

	stage.mcp = await stage.makeServer();
	stage.structured = await stage.makeServer({ structured: true });
	stage.careful = await stage.makeServer({ confirm: 'writes' });
	stage.sandboxRecords = async (collection) => (await (await fetch(
		`${stage.sandbox.url}/sandbox/records?collection=${collection}`)).json()).records;
	return stage;
}

const call = async (client, name, args) => textOf(await client.callTool({ name, arguments: args }));

/** Which records of the sandbox stand in a result: whatever its form, their ids are in it. */
function idsIn(text, records) {
	return records.filter(({ id }) => new RegExp(`\\b${id}\\b`).test(text)).map(({ id }) => id);
}

async function callFirst(stage, client) {
	const admins = await stage.sandboxRecords('admins');
	const locations = await stage.sandboxRecords('locations');
	const results = await stage.sandboxRecords('results');
	const [offer] = (await stage.sandboxRecords('offers'));
	const [candidate] = (await stage.sandboxRecords('candidates'));

	assert.equal(idsIn(await call(client, 'list_all_recruitee_admins', {}), admins).length,
		Math.min(25, admins.length));
	assert.equal(idsIn(await call(client, 'list_all_recruitee_locations', {}), locations).length,
		Math.min(25, locations.length));
	assert.equal(idsIn(await call(client, 'list_all_recruitee_interview_results', { limit: 3 }),
		results).length, 3);
	await call(client, 'list_all_recruitee_offer_notes', { offer_id: String(offer.id) });
	return String(candidate.id);
}

async function write(client, candidate, words) {
	await call(client, 'create_a_recruitee_candidate_note',
		{ candidate_id: candidate, body: words });
	const notes = await call(client, 'list_all_recruitee_notes', { id: candidate });
	assert.equal(notes.split(words).length - 1 > 0, true, notes);
}

async function useAll(stage, client, words) {
	const { tools } = await client.listTools();
	const names = tools.map(({ name }) => name);

	assert.deepEqual(first.filter((name) => !names.includes(name)), []);
	assert.equal(names.length > 150, true);
	await write(client, await callFirst(stage, client), words);
}

function everyWay() {
	const cases = {};

	for (const era of Object.keys(eras)) {
		cases[`${era} over HTTP`] = (stage) => withClient(era, makeHttp(era, stage.mcp),
			(client) => useAll(stage, client, `${era} wrote over HTTP`));
		cases[`${era} over stdio`] = (stage) => withClient(era, makeStdio(era, stage),
			(client) => useAll(stage, client, `${era} wrote over stdio`));
	}
	return cases;
}

/** Something between us and the client that does not know today's revision. */
const olden = async (url, request) => (String(request.body).includes('"server/discover"')
	? new Response('{"error":"what is this?"}', { status: 400 }) : fetch(url, request));

/** The structured result of a list is what its text says, and fits the schema that v2 holds it to. */
async function callStructured(client) {
	await client.listTools();
	const result = await client.callTool({ name: 'list_all_ats_jobs', arguments: { limit: 2 } });

	textOf(result);
	assert.equal(result.structuredContent.result.length, 2);
}

/** A write that the person at the client is asked about: it is done, or is not, as they say. */
async function ask(stage, answer, words) {
	const [candidate] = await stage.sandboxRecords('candidates');
	const era = 'v2 modern';

	return withClient(era, makeHttp(era, stage.careful), async (client) => {
		const asked = [];
		client.setRequestHandler('elicitation/create', (request) => {
			asked.push(request.params.message);
			return answer;
		});
		const result = await client.callTool({ name: 'create_a_recruitee_candidate_note',
			arguments: { candidate_id: String(candidate.id), body: words } });
		const notes = await call(client, 'list_all_recruitee_notes', { id: String(candidate.id) });
		return { asked, result, isThere: notes.includes(words) };
	}, { capabilities: { elicitation: {} } });
}

export const cases = {
	...everyWay(),
	'v2 falls back over HTTP': (stage) => withClient('v2 auto',
		makeHttp('v2 auto', stage.mcp, { fetch: olden }),
		(client) => useAll(stage, client, 'v2 fell back')),
	'structured results, v1': (stage) => withClient('v1', makeHttp('v1', stage.structured),
		callStructured),
	'structured results, v2': (stage) => withClient('v2 modern',
		makeHttp('v2 modern', stage.structured), callStructured),
	'a write is confirmed': async (stage) => {
		const { asked, result, isThere } = await ask(stage, { action: 'accept', content: { confirm: true } }, 'yes!');
		textOf(result);
		assert.deepEqual([asked.length, isThere], [1, true]);
	},
	'a write is declined': async (stage) => {
		const { asked, result, isThere } = await ask(stage, { action: 'decline' }, 'never!');
		assert.deepEqual([asked.length, result.isError, isThere], [1, true, false]);
	},
	'a token that is not known': (stage) => assert.rejects(withClient('v1',
		makeHttp('v1', { ...stage.mcp, token: 'tmcp_unknown' }), (client) => client.listTools())),
	'who called is in the log': async (stage) => {
		const { result } = await stage.api('GET', '/log?tool='
			+ `list_all_recruitee_admins&mcp_server_id=${stage.mcp.id}`);
		assert.equal(result.length >= Object.keys(eras).length, true);
		assert.deepEqual([...new Set(result.map((one) => one.client_name))], ['tenon-tests']);
	},
};
