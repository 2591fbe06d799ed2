// Messages of the real program, held against the npm packages standardwebhooks and svix, and the
// signatures of its private key against Node's own Ed25519.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '../..');
const tenon = process.env.TENON_PROGRAM ?? path.join(root, 'build/tenon');
const mutations = Number(process.env.TENON_MUTATIONS ?? 100000);
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tenon-webhook-'));
const data = path.join(folder, 'data');

/** A program that says on its first line where it listens. */
function start(args) {
	const child = spawn(tenon, args, { stdio: ['ignore', 'pipe', 'ignore'] });

	process.on('exit', () => child.kill('SIGKILL'));
	return new Promise((resolve, reject) => {
		child.once('exit', (code) => reject(new Error(`tenon ${args[0]} ended: ${code}`)));
		child.stdout.once('data', (line) => resolve({
			url: new URL(/https?:\/\/\S+/.exec(String(line))[0]).origin,
		}));
	});
}

/** An endpoint; `next(n)` waits until it was sent so many messages. */
async function listen() {
	const messages = [], waiting = [];
	const server = http.createServer((request, response) => {
		const parts = [];
		request.on('data', (part) => parts.push(part));
		request.on('end', () => {
			messages.push({ headers: request.headers, body: Buffer.concat(parts) });
			response.end();
			waiting.splice(0).forEach((look) => look());
		});
	});
	await new Promise((ready) => { server.listen(0, '127.0.0.1', ready); });
	const next = (count) => new Promise((resolve) => {
		const look = () => (messages.length >= count ? resolve(messages) : waiting.push(look));
		look();
	});
	return { url: `http://127.0.0.1:${server.address().port}/`, next, messages };
}

const run = (args) => JSON.parse(execFileSync(tenon,
	[...args, '--data', data, '--json'], { encoding: 'utf8' }));

async function open() {
	const token = 'the-secret-of-the-sandbox';
	const sandbox = await start(['sandbox', 'recruitee', '--listen', '127.0.0.1:0',
		'--token', token, '--company', '41207', '--candidates', '1']);
	const server = await start(['serve', '--connector-base-url', `recruitee=${sandbox.url}`,
		'--listen', '127.0.0.1:0', '--data', data,
		'--allow-address', '127.0.0.0/8', '--log-level', 'error']);
	const { key } = run(['key', 'create', '--environment', 'production', '--scope', 'admin']);
	const api = async (method, target, body) => {
		const response = await fetch(server.url + target, {
			method, headers: { authorization: `Bearer ${key}` },
			body: body && JSON.stringify(body) });
		const answer = await response.json();
		assert.ok(response.ok, JSON.stringify(answer));
		return answer;
	};
	const account = (await api('POST', '/integrated-account', {
		connector: 'recruitee', credentials: { api_token: token },
		context: { company_id: '41207' } })).id;
	let made = 0;
	/** So many events, with all of Unicode in them. */
	const happen = async (count) => {
		for (let i = 0; i < count; i++) {
			await api('PATCH', `/integrated-account/${account}`, {
				context: { company_id: '41207', made: ++made,
					text: 'Ünïcödé \u{1F600} "quoted" \\ <b>' } });
		}
	};
	return { api, happen, receiver: await listen() };
}

const verifiers = {
	standardwebhooks: (secret) => new StandardWebhook(secret),
	svix: (secret) => new SvixWebhook(secret),
};
const accepts = (verifier, { headers, body }) => {
	try {
		verifier.verify(body.toString('utf8'), headers);
		return true;
	} catch {
		return false;
	}
};

function acceptsPrivately(publicKey, { headers, body }) {
	const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'),
		Buffer.from(publicKey.replace('whpk_', ''), 'base64')]);
	const key = crypto.createPublicKey({ key: der, format: 'der', type: 'spki' });
	const text = Buffer.concat([
		Buffer.from(`${headers['webhook-id']}.${headers['webhook-timestamp']}.`), body]);
	return headers['webhook-signature'].split(' ').some((one) => one.startsWith('v1a,') &&
		crypto.verify(null, text, key, Buffer.from(one.slice(4), 'base64')));
}

/** A small seeded generator: the same mutations each time. */
let state = 7;
const below = (n) => {
	state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
	return Math.floor(state / 2 ** 32 * n);
};
const change = (text, at) => {
	const to = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'[below(62)];
	return to === text[at] ? change(text, at)
		: text.slice(0, at) + to + text.slice(at + 1);
};

/** One thing that is not as it was. */
function mutate(message) {
	const headers = { ...message.headers };
	let body = Buffer.from(message.body);
	const signature = headers['webhook-signature'].split(' ').find((one) => one.startsWith('v1,'));

	headers['webhook-signature'] = signature;
	switch (below(7)) {
	case 0: // a bit
		body[below(body.length)] ^= 1 << below(7);
		break;
	case 1: // a byte more
		body = Buffer.concat([body.subarray(0, below(body.length)), Buffer.from('x'), body]);
		break;
	case 2: // cut
		body = body.subarray(0, below(body.length));
		break;
	case 3:
		headers['webhook-id'] = change(headers['webhook-id'], below(headers['webhook-id'].length));
		break;
	case 4: // another time which is near enough
		headers['webhook-timestamp'] = String(Number(headers['webhook-timestamp']) +
			(below(2) ? 1 : -1) * (1 + below(120)));
		break;
	case 5:
		headers['webhook-signature'] = change(signature, 3 + below(signature.length - 4));
		break;
	default: // of another message's id, body or time: the dot is not moved either
		headers['webhook-id'] += '.1';
		break;
	}
	return { headers, body };
}

const cases = {
	async 'both verifiers accept what is sent'({ api, happen, receiver, kept }) {
		kept.webhook = await api('POST', '/webhook', { target_url: receiver.url, asymmetric: true });
		await happen(5);
		for (const message of await receiver.next(5)) {
			for (const [name, make] of Object.entries(verifiers)) {
				assert.ok(accepts(make(kept.webhook.secret), message), name);
			}
			assert.ok(acceptsPrivately(kept.webhook.public_key, message), 'v1a');
			assert.equal(JSON.parse(message.body).id, message.headers['webhook-id']);
		}
	},
	async 'either secret is accepted while one takes the place of the other'({
		api, happen, receiver, kept }) {
		const before = kept.webhook;
		const after = await api('POST', `/webhook/${before.id}/rotate-secret`, { overlap_s: 3600 });
		const count = receiver.messages.length;

		assert.notEqual(after.secret, before.secret);
		assert.notEqual(after.public_key, before.public_key);
		await happen(1);
		const message = (await receiver.next(count + 1))[count];
		for (const webhook of [before, after]) {
			for (const [name, make] of Object.entries(verifiers)) {
				assert.ok(accepts(make(webhook.secret), message), name);
			}
			assert.ok(acceptsPrivately(webhook.public_key, message), 'v1a');
		}
		kept.webhook = await api('POST', `/webhook/${before.id}/rotate-secret`, { overlap_s: 0 });
		await happen(1);
		const last = (await receiver.next(count + 2))[count + 1];
		assert.ok(accepts(verifiers.svix(kept.webhook.secret), last));
		assert.ok(!accepts(verifiers.svix(before.secret), last));
		assert.ok(!accepts(verifiers.standardwebhooks(after.secret), last));
	},
	async [`${mutations} messages with one thing changed are refused by both`]({
		happen, receiver, kept }) {
		const count = receiver.messages.length;

		await happen(8);
		const messages = (await receiver.next(count + 8)).slice(count);
		const made = Object.values(verifiers).map((make) => make(kept.webhook.secret));
		for (let i = 0; i < mutations; i++) {
			const message = mutate(messages[i % messages.length]);

			assert.ok(!made.some((verifier) => accepts(verifier, message)), `mutation ${i}`);
		}
		assert.ok(messages.every((message) => made.every((one) => accepts(one, message))));
	},
};

const totals = { passed: 0, failed: 0 };
const stage = { ...await open(), kept: {} };
for (const [name, check] of Object.entries(cases)) {
	const error = await check(stage).then(() => null, (fault) => fault);

	console.log(`${error ? 'FAILED' : 'ok    '} ${name}`);
	if (error) console.log(String(error.stack ?? error).replace(/^/gm, '       '));
	totals[error ? 'failed' : 'passed'] += 1;
}
fs.rmSync(folder, { recursive: true, force: true });
console.log(`webhook tests: ${totals.passed} passed, ${totals.failed} failed, 0 skipped`);
process.exit(totals.failed > 0 ? 1 : 0);
