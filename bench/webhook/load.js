// An endpoint of webhooks, and events at a steady rate: node load.js HOST KEY RATE SECONDS ACCOUNT…
// First prints the endpoint's address; a line on standard input begins it. Prints as JSON how long
// it took from each event's created_at to the first byte at the endpoint.
import fs from 'node:fs';
import http from 'node:http';

import { endpoint } from '../endpoint.js';

const [host, key, rate, seconds, ...accounts] = process.argv.slice(2);
const [hostname, port] = host.split(':');
const total = Number(rate) * Number(seconds);
const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
const now = () => performance.timeOrigin + performance.now();
const took = [];
const seen = new Set();
let made = 0, failed = 0, twice = 0;

const server = endpoint(now, (event, at) => {
	if (seen.has(event.id)) twice += 1;
	seen.add(event.id);
	took.push(at - Date.parse(event.created_at));
});

function happen(number) {
	const body = JSON.stringify({ context: { company_id: '41207', made: number } });
	const request = http.request({ agent, hostname, port, method: 'PATCH',
		path: `/integrated-account/${accounts[number % accounts.length]}`,
		headers: { authorization: `Bearer ${key}`, 'content-length': Buffer.byteLength(body) } },
	(response) => {
		response.resume();
		if (response.statusCode !== 200) failed += 1;
	});

	request.on('error', () => { failed += 1; });
	request.end(body);
}

function report() {
	took.sort((a, b) => a - b);
	const at = (part) => took[Math.min(took.length - 1, Math.floor(took.length * part))];
	console.log(JSON.stringify({ count: took.length, failed, twice, p50: at(0.5), p90: at(0.9),
		p99: at(0.99), most: at(1) }));
	process.exit(0);
}

server.listen(0, '127.0.0.1', () => {
	console.log(`http://127.0.0.1:${server.address().port}/`);
	fs.readSync(0, Buffer.alloc(1));
	const began = now();
	const timer = setInterval(() => {
		const due = Math.min(total, Math.floor((now() - began) / 1000 * Number(rate)));

		while (made < due) happen(made++);
		if (made === total && took.length - twice + failed >= total) {
			clearInterval(timer);
			report();
		}
		if (now() - began > Number(seconds) * 1000 + 60000) report();
	}, 2);
});
