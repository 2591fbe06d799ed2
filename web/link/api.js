// What the page asks the server. Everything is relative to this file, so that tenon may also stand
// behind a path of another server.

export const base = new URL('./', import.meta.url);

let bearer = '';

/** Later calls are made with it. */
export function setSession(text) {
	bearer = text;
}

/** An answer that is an error, or none: `reason` is a word for which there is a sentence. */
export class Refused extends Error {
	constructor(status, body) {
		super(body.message ?? 'no answer');
		this.status = status;
		this.reason = body.reason ?? (status === 0 ? 'unreachable' : 'failed');
		this.field = body.field ?? null;
		this.reference = body.request_id ?? null;
	}
}

const TIMEOUT_MS = 90_000;

/** Throws Refused. */
export async function call(method, path, body, token = bearer) {
	let answer;
	let parsed;

	try {
		answer = await fetch(new URL(path, base), {
			method,
			headers: {
				Authorization: `Bearer ${token}`,
				...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
			},
			body: body === undefined ? undefined : JSON.stringify(body),
			cache: 'no-store',
			credentials: 'same-origin',
			referrerPolicy: 'no-referrer',
			signal: AbortSignal.timeout(TIMEOUT_MS),
		});
		parsed = await answer.json();
	} catch {
		throw new Refused(answer && !answer.ok ? answer.status : 0, {});
	}
	if (!answer.ok) throw new Refused(answer.status, parsed);
	return parsed;
}

/** Tells the server that nothing comes of it; also while the page goes away. */
export function leave() {
	if (bearer === '') return;
	fetch(new URL('exit', base), {
		method: 'POST', keepalive: true, headers: { Authorization: `Bearer ${bearer}` },
	}).catch(() => {});
}

/** The server names pictures from its root; they are shown from where this page is. */
export const pictureUrl = (path) => new URL(path.replace(/^\/link\//, ''), base).href;
