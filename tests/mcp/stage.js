// The real program on a data folder of its own, with an account at a real sandbox.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { company, Program, root, secret, start, tenon } from '../web/stage.js';

export { root, start, tenon };
export const here = path.dirname(fileURLToPath(import.meta.url));

export class Stage extends Program {
	static async open(...sandboxOptions) {
		const stage = new Stage();
		stage.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tenon-mcp-'));
		stage.data = path.join(stage.folder, 'data');
		stage.sandbox = await start(['sandbox', 'recruitee', '--listen', '127.0.0.1:0',
			'--token', secret, '--company', company, ...sandboxOptions]);
		stage.bases = ['--connector-base-url', `recruitee=${stage.sandbox.url}`];
		await stage.serve('127.0.0.1:0');
		stage.makeKey();
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
