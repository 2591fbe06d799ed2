// The real program on a data folder of its own, with an account at a real sandbox.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { company, root, secret, start, tenon } from '../web/stage.js';

export { root, start, tenon };
export const here = path.dirname(fileURLToPath(import.meta.url));

export class Stage {
	static async open(...sandboxOptions) {
		const stage = new Stage();
		stage.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tenon-mcp-'));
		stage.data = path.join(stage.folder, 'data');
		stage.sandbox = await start(['sandbox', 'recruitee', '--listen', '127.0.0.1:0',
			'--token', secret, '--company', company, ...sandboxOptions]);
		stage.bases = ['--connector-base-url', `recruitee=${stage.sandbox.url}`];
		await stage.serve('127.0.0.1:0');
		stage.key = stage.run(['key', 'create', '--environment', 'production', '--scope', 'admin',
			'--scope', 'call', '--json']).key;
		stage.account = stage.run(['account', 'link', 'recruitee', '--environment', 'production',
			'--set', `company_id=${company}`, '--json', ...stage.bases],
		JSON.stringify({ api_token: secret })).id;
		return stage;
	}

	async serve(address) {
		this.server = await start(['serve', '--listen', address, '--data', this.data, ...this.bases]);
	}

	async restart() {
		await this.server.stop();
		await this.serve(this.server.host);
	}

	/** A command on the data folder; the JSON that it prints. */
	run(args, input = '') {
		return JSON.parse(execFileSync(tenon, [...args, '--data', this.data],
			{ encoding: 'utf8', input }));
	}

	async api(method, where, body) {
		const answer = await fetch(this.server.url + where, {
			method,
			headers: { Authorization: `Bearer ${this.key}`, 'Content-Type': 'application/json' },
			body: body && JSON.stringify(body),
		});
		const parsed = await answer.json();
		if (!answer.ok) throw new Error(`${method} ${where}: ${JSON.stringify(parsed)}`);
		return parsed;
	}

	/** An MCP server of the account: {url, token, …}. */
	async makeServer(more = {}) {
		const made = await this.api('POST', `/integrated-account/${this.account}/mcp`,
			{ name: 'tests', ...more });
		return { ...made, url: new URL(made.url, this.server.url).href };
	}

	async close() {
		await this.server.stop();
		await this.sandbox.stop();
		fs.rmSync(this.folder, { recursive: true, force: true });
	}
}
