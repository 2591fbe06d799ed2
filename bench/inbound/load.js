// Changes at the ATS at a steady rate, and an endpoint which waits for what is told of them:
// node load.js ATS TOKEN COMPANY RATE SECONDS FIRST. First prints the endpoint's address; a line on standard
// input begins it. Prints as JSON how long it took, in ms, from when a change was sent to the ATS, and from
// when that had answered, to the first byte of its event at the endpoint. RATE 0: FIRST changes at once.
import fs from 'node:fs';
import http from 'node:http';

import { endpoint } from '../endpoint.js';

const [host, token, company, rate, seconds, first] = process.argv.slice(2);
const [hostname, port] = host.split(':');
const total = Number(rate) > 0 ? Number(rate) * Number(seconds) : Number(first);
const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
const now = () => performance.now();
const made = new Map(); // candidate -> its changes that were not told yet
const arrived = new Map();
const took = { change: [], notice: [] };
let begun = 0, failed = 0, twice = 0;

function call(method, path, body, done) {
	const from = now();
	const request = http.request({ agent, hostname, port, method, path: `/c/${company}${path}`, headers },
		(response) => {
			const parts = [];

			response.on('data', (part) => parts.push(part));
			response.on('end', () => {
				if (response.statusCode >= 300) failed += 1;
				else done(JSON.parse(Buffer.concat(parts)), from, now());
			});
		});

	request.on('error', () => { failed += 1; });
	request.end(body && JSON.stringify(body));
}

// The event may be here before the ATS's answer is.
function match(key) {
	const change = made.get(key), at = arrived.get(key);

	if (change === undefined || at === undefined || change.is_told) return;
	change.is_told = true;
	took.change.push(at - change.from);
	took.notice.push(Math.max(0, at - change.to));
	if (key.startsWith('record:created ')) people.push(key.split(' ')[1]);
}

function note(key, from, to) {
	made.set(key, { from, to, is_told: false });
	match(key);
}

// Somebody comes; with every third change one of whom it was told is gone.
const people = [];

function change(number) {
	if (number % 3 === 2 && people.length > 0) {
		const id = people.shift();

		call('DELETE', `/candidates/${id}`, null, (_, from, to) => note(`record:deleted ${id}`, from, to));
		return;
	}
	call('POST', '/candidates', { candidate: { name: `Person ${number}` } }, ({ candidate }, from, to) =>
		note(`record:created ${candidate.id}`, from, to));
}

const server = endpoint(now, (event, at) => {
	const key = `${event.event} ${event.record_id}`;

	if (arrived.has(key)) twice += 1;
	arrived.set(key, at);
	match(key);
});

function report() {
	const sorted = (list) => list.sort((a, b) => a - b);
	const at = (list, part) => list[Math.min(list.length - 1, Math.floor(list.length * part))];
	const found = { count: took.change.length, failed, twice };

	for (const [name, list] of Object.entries(took)) {
		sorted(list);
		found[name] = { p50: at(list, 0.5), p90: at(list, 0.9), p99: at(list, 0.99), most: at(list, 1) };
	}
	console.log(JSON.stringify(found));
	process.exit(0);
}

server.listen(0, '127.0.0.1', () => {
	console.log(`http://127.0.0.1:${server.address().port}/`);
	fs.readSync(0, Buffer.alloc(1));
	const began = now();

	setInterval(() => {
		const due = Number(rate) > 0 ? Math.min(total, Math.floor((now() - began) / 1000 * Number(rate))) : total;

		while (begun < due) change(begun++);
		if (begun === total && took.change.length + failed >= total) report();
		if (now() - began > Number(seconds) * 1000 + 60000) report();
	}, 2);
});
