// Reads at a steady rate, whether or not those before are answered: node load.js HOST KEY RATE SECONDS PATH…
// Prints as JSON how long they took, in ms, and how often each status came.
import http from 'node:http';

const [host, key, rate, seconds, ...paths] = process.argv.slice(2);
const [hostname, port] = host.split(':');
const total = Number(rate) * Number(seconds);
const agent = new http.Agent({ keepAlive: true, maxSockets: 256 });
const headers = { authorization: `Bearer ${key}` };
const took = [];
const statuses = {};
let made = 0, answered = 0;

function answer(status, from) {
	statuses[status] = (statuses[status] ?? 0) + 1;
	took.push(performance.now() - from);
	if (++answered === total) report();
}

function read(path) {
	const from = performance.now();
	const request = http.request({ agent, hostname, port, path, headers }, (response) => {
		response.resume();
		response.on('end', () => answer(response.statusCode, from));
	});

	request.on('error', () => answer('failed', from));
	request.end();
}

function report() {
	took.sort((a, b) => a - b);
	const at = (part) => took[Math.min(took.length - 1, Math.floor(took.length * part))];
	console.log(JSON.stringify({ count: took.length, statuses, p50: at(0.5), p90: at(0.9), p99: at(0.99),
		most: at(1) }));
	process.exit(0);
}

const began = performance.now();
setInterval(() => {
	const due = Math.min(total, Math.floor((performance.now() - began) / 1000 * Number(rate)));

	while (made < due) {
		read(paths[made % paths.length]);
		made += 1;
	}
}, 1);
