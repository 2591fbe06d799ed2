// The real program, a real sandbox, and a customer's site on another origin.
import { execFileSync, spawn } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
export const root = path.join(here, '../..');
export const tenon = process.env.TENON_PROGRAM ?? path.join(root, 'build/tenon');

export const company = '41207';
export const secret = 'canary-7Qd9-the-secret-of-the-sandbox';

/** A program that says on its first line where it listens. */
export function start(args, env, program = tenon) {
	const child = spawn(program, args,
		{ stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
	const log = [];

	child.stderr.on('data', (bytes) => log.push(bytes));
	return new Promise((resolve, reject) => {
		child.on('error', reject);
		child.on('exit', (code) => reject(new Error(`tenon ${args[0]}: ${code} ${log.join('')}`)));
		child.stdout.once('data', (line) => {
			const url = new URL(/https?:\/\/\S+/.exec(String(line))[0]);
			const stop = () => new Promise((gone) => {
				child.removeAllListeners('exit');
				child.once('exit', gone);
				child.kill();
			});
			resolve({ url: url.origin, host: url.host, log: () => log.join(''), stop });
		});
	});
}

const types = { html: 'text/html', js: 'text/javascript', json: 'application/json' };

/** React as a module: it comes as files that require each other. */
function serveReact(names) {
	const files = { react: 'react/cjs/react.production.js',
		scheduler: 'scheduler/cjs/scheduler.production.js',
		'react-dom': 'react-dom/cjs/react-dom.production.js',
		'react-dom/client': 'react-dom/cjs/react-dom-client.production.js' };
	const bodies = Object.entries(files).map(([name, file]) =>
		`${JSON.stringify(name)}(module, exports, require) {\n${
			fs.readFileSync(path.join(here, 'node_modules', file), 'utf8')}\n}`);

	return `const process = { env: {} };
const bodies = {${bodies.join(',')}};
const known = globalThis.reactModules ??= {};
function require(name) {
	if (!known[name]) {
		known[name] = { exports: {} };
		bodies[name](known[name], known[name].exports, require);
	}
	return known[name].exports;
}
export const { ${names.join(', ')} } = require(
	new URL(import.meta.url).search.slice(1));`;
}

const reactNames = { react: ['createElement', 'useCallback', 'useEffect', 'useRef', 'useState'],
	'react-dom/client': ['createRoot'] };

/** Folders under paths: {'/': '/…/customer'}; what is not found is a 404. */
function serveFolders(folders) {
	return (request, response) => {
		const { pathname, search } = new URL(request.url, 'http://any');
		if (pathname === '/react.js') {
			response.writeHead(200, { 'Content-Type': 'text/javascript' });
			response.end(serveReact(reactNames[search.slice(1)]));
			return;
		}
		const prefix = Object.keys(folders).sort((a, b) => b.length - a.length)
			.find((one) => pathname.startsWith(one));
		const file = path.join(folders[prefix], path.normalize(pathname.slice(prefix.length)) || '');
		const found = fs.statSync(file, { throwIfNoEntry: false });
		const name = found?.isDirectory() ? path.join(file, 'index.html') : file;

		if (!fs.existsSync(name)) {
			response.writeHead(404).end();
			return;
		}
		response.writeHead(200, { 'Content-Type': types[name.split('.').pop()] ?? 'text/plain' });
		fs.createReadStream(name).pipe(response);
	};
}

async function listen(handler, host) {
	const server = http.createServer(handler);
	await new Promise((ready) => { server.listen(0, '127.0.0.1', ready); });
	return {
		url: `http://${host}:${server.address().port}`,
		stop: () => new Promise((gone) => {
			server.closeAllConnections();
			server.close(gone);
		}),
	};
}

/** Another server, which has tenon under /tools/tenon/. */
function forward(host) {
	return (request, response) => {
		const { pathname, search } = new URL(request.url, 'http://any');
		if (!pathname.startsWith('/tools/tenon/')) {
			response.writeHead(404).end();
			return;
		}
		const [hostname, port] = host.split(':');
		const onward = http.request({ hostname, port, method: request.method, headers: request.headers,
			path: pathname.replace('/tools/tenon', '') + search }, (answer) => {
			response.writeHead(answer.statusCode, answer.headers);
			answer.pipe(response);
		});
		onward.on('error', () => response.destroy());
		request.pipe(onward);
	};
}

/** Where one signs in: its page allows or declines; tokens are given for the right verifier only. */
function makeProvider() {
	const codes = new Map();
	const digest = (text) => crypto.createHash('sha256').update(text).digest('base64url');

	function ask(query, response) {
		const back = (values) => {
			const url = new URL(query.get('redirect_uri'));
			for (const [name, value] of Object.entries({ ...values, state: query.get('state') }))
				url.searchParams.set(name, value);
			return url.href.replaceAll('&', '&amp;');
		};
		const code = crypto.randomUUID();
		codes.set(code, query);
		response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8',
			...query.get('client_id') === 'apart' ? { 'Cross-Origin-Opener-Policy': 'same-origin' } : {} });
		response.end(`<!doctype html><title>Sign in</title><link rel="icon" href="data:,">
			<a href="${back({ code })}">Allow</a>
			<a href="${back({ error: 'access_denied' })}">Decline</a>`);
	}
	function give(form, response) {
		const asked = codes.get(form.get('code'));
		const isRight = asked?.get('code_challenge') === digest(form.get('code_verifier') ?? '')
			&& asked.get('redirect_uri') === form.get('redirect_uri');
		codes.delete(form.get('code'));
		response.writeHead(isRight ? 200 : 400, { 'Content-Type': 'application/json' });
		const token = asked?.get('client_id') === 'untaken' ? 'a token of nothing' : secret;
		response.end(JSON.stringify(isRight ? { access_token: token, token_type: 'Bearer',
			expires_in: 3600, refresh_token: 'refresh-1' } : { error: 'invalid_grant' }));
	}
	return (request, response) => {
		const { pathname, searchParams } = new URL(request.url, 'http://any');
		if (pathname === '/authorize') {
			ask(searchParams, response);
			return;
		}
		let body = '';
		request.on('data', (bytes) => { body += bytes; });
		request.on('end', () => give(new URLSearchParams(body), response));
	};
}

/** An ATS with two ways to connect, of which one is to sign in there. */
function addSignIn(text) {
	return text.replace(/^credentials:\n( .*\n)+/m, `credentials:
  - format: oauth2
    authorize_url: https://login.meadow.example/authorize
    token_url: https://login.meadow.example/token
    scopes: [all]
  - format: api_key
    fields: {api_token: {label: Personal API token, secret: true, required: true}}
    headers: {Authorization: 'Bearer {api_token}'}
`).replace(/^headers: .*\n/m, '');
}

/** What is asked once an account is linked, and cannot be read. */
const addInstall = (text) => `${text.replace(/^post_connect:\n( .*\n)+/m, '')}
post_install: {call: admin.get, context: {admin_id: $error("no")}}
`;

/** More ATSs than there are: the same connector under made-up names. */
const others = { fjord: 'Fjord', harbour: 'Harbour HR', kiln: 'Kiln', meadow: 'Meadow',
	orchard: 'Orchard' };

function makeShare(folder) {
	for (const name of ['models', 'web', 'sdk']) fs.symlinkSync(path.join(root, name),
		path.join(folder, name));
	fs.cpSync(path.join(root, 'connectors'), path.join(folder, 'connectors'), { recursive: true });
	for (const [name, label] of Object.entries(others)) {
		const copy = path.join(folder, 'connectors', name);
		const file = path.join(copy, 'connector.yaml');
		fs.cpSync(path.join(root, 'connectors/recruitee'), copy, { recursive: true });
		const text = fs.readFileSync(file, 'utf8').replace(/^label: .*/m, `label: ${label}`)
			.replace(/^ +logo: .*\n/m, '');
		const changed = { meadow: addSignIn, orchard: addInstall }[name]?.(text) ?? text;
		fs.writeFileSync(file, changed);
	}
}

/** A data folder with a server on it, and a key that may do all. */
export class Program {
	/** A command on the data folder; the JSON that it prints. */
	run(args, input = '') {
		return JSON.parse(execFileSync(tenon, [...args, '--data', this.data],
			{ encoding: 'utf8', input }));
	}

	makeKey() {
		this.key = this.run(['key', 'create', '--environment', 'production', '--scope', 'admin',
			'--scope', 'call', '--json']).key;
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
}

export class Stage extends Program {
	static async open() {
		const stage = new Stage();
		stage.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tenon-web-'));
		stage.share = path.join(stage.folder, 'share');
		stage.data = path.join(stage.folder, 'data');
		fs.mkdirSync(stage.share);
		makeShare(stage.share);
		stage.sandbox = await start(['sandbox', 'recruitee', '--listen', '127.0.0.1:0',
			'--token', secret, '--company', company, '--candidates', '30']);
		await stage.serve('127.0.0.1:0');
		stage.makeKey();
		stage.customer = await listen(serveFolders({
			'/': path.join(here, 'customer'),
			'/sdk/': path.join(root, 'sdk/link'),
			'/node_modules/': path.join(here, 'node_modules'),
		}), 'localhost');
		stage.provider = await listen(makeProvider(), '127.0.0.1');
		stage.proxy = await listen(forward(stage.server.host), '127.0.0.1');
		return stage;
	}

	async serve(address) {
		const bases = ['recruitee', ...Object.keys(others)].flatMap((name) =>
			['--connector-base-url', `${name}=${this.sandbox.url}`]);
		this.server = await start(['serve', '--listen', address, '--data', this.data,
			'--allow-address', '127.0.0.1/32', ...bases],
			{ TENON_SHARE: this.share });
	}

	/** With `change` of the store in between, where the API has no way to that. */
	async restart(change) {
		await this.server.stop();
		execFileSync('python3', ['-c', 'import glob, sqlite3, sys\n'
			+ 'store = sqlite3.connect(glob.glob(sys.argv[1] + "/*.db")[0])\n'
			+ 'store.execute(sys.argv[2])\nstore.commit()', this.data, change]);
		await this.serve(this.server.host);
	}

	async makeToken(more = {}) {
		const made = await this.api('POST', '/link-token', { tenant_id: 'customer 7',
			connectors: ['recruitee'], ...more.integrated_account_id ? { tenant_id: undefined,
				connectors: undefined } : {}, ...more });
		return made.link_token;
	}

	async setFaults(faults) {
		const answer = await fetch(`${this.sandbox.url}/sandbox/faults`,
			{ method: 'PUT', body: JSON.stringify(faults) });
		if (!answer.ok) throw new Error(await answer.text());
	}

	async close() {
		for (const one of [this.server, this.sandbox, this.customer, this.proxy,
			this.provider]) await one?.stop();
		fs.rmSync(this.folder, { recursive: true, force: true });
	}
}
