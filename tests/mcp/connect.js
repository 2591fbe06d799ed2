// The official clients, of both generations of the SDK, over both transports.
import { Client as Client2, StreamableHTTPClientTransport as Http2 }
	from '@modelcontextprotocol/client';
import { StdioClientTransport as Stdio2 } from '@modelcontextprotocol/client/stdio';
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as Stdio1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as Http1 }
	from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { tenon } from './stage.js';

const who = { name: 'tenon-tests', version: '1.0' };
/** Of an older generation, of today's, and of today's before a server that knows only older ones. */
export const eras = { v1: null, 'v2 legacy': 'legacy', 'v2 modern': { pin: '2026-07-28' },
	'v2 auto': 'auto' };

export function makeClient(era, options = {}) {
	const mode = eras[era];

	return mode === null ? new Client1(who, options)
		: new Client2(who, { versionNegotiation: { mode }, ...options });
}

export function makeHttp(era, server, options = {}) {
	const Transport = eras[era] === null ? Http1 : Http2;

	return new Transport(new URL(server.url), { ...options,
		requestInit: { headers: { Authorization: `Bearer ${server.token}` } } });
}

export function makeStdio(era, stage, ...more) {
	const Transport = eras[era] === null ? Stdio1 : Stdio2;

	return new Transport({ command: tenon, stderr: 'pipe',
		args: ['mcp', '--account', stage.account, '--environment', 'production', '--data', stage.data,
			...more] });
}

/** Runs with a client that is connected, and closes it. */
export async function withClient(era, transport, run, options) {
	const client = makeClient(era, options);

	await client.connect(transport);
	try {
		return await run(client);
	} finally {
		await client.close();
	}
}

/** The text of a result; what is an error there, is one here. */
export function textOf(result) {
	const text = result.content.map((part) => part.text).join('\n');

	if (result.isError) throw new Error(`the tool says: ${text}`);
	return text;
}
