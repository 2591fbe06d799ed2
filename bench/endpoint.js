// An endpoint of webhooks: tells `take` of each event, and when its first byte came by `now`.
import http from 'node:http';

export function endpoint(now, take) {
	return http.createServer((request, response) => {
		const at = now();
		const parts = [];

		request.on('data', (part) => parts.push(part));
		request.on('end', () => {
			response.end();
			take(JSON.parse(Buffer.concat(parts)), at);
		});
	});
}
