// Signing in at the ATS. A frame may not be sent there, and its cookies are not the first party's:
// a window of the page's own is opened at the click, asks for the address itself, and goes there.
// When it comes back it tells the page which opened it. The page asks the server besides, because
// the ATS's own headers may have cut the two windows apart.
import { base, call, Refused, setSession } from './api.js';

const POLL_MS = 1500;
const LATE_POLLS = 400;
const WINDOW = 'popup,width=600,height=720';

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

const refused = (reason) => new Refused(409, { reason });

/** Where to sign in. */
async function askAddress({ connector, format, context }) {
	const body = { connector, format, context };
	return (await call('POST', 'oauth/start', body)).authorize_url;
}

/** Tells the window what to begin with, as often as it asks; what it says at last is given. */
function talk(popup, start) {
	return new Promise((resolve) => {
		const hear = (event) => {
			if (event.source !== popup || event.origin !== location.origin) return;
			if (event.data?.tenon !== 'link-oauth') return;
			if (event.data.type === 'ready')
				popup.postMessage({ tenon: 'link-oauth', type: 'start', ...start }, location.origin);
			if (event.data.type !== 'result') return;
			removeEventListener('message', hear);
			resolve(event.data.result);
		};
		addEventListener('message', hear);
	});
}

/**
 * How the session stands; an outcome, or null while it is open. What a try before this one failed
 * for is no outcome: `seen.none` is true once nothing was there.
 */
async function look(seen) {
	const stand = await call('GET', 'session').catch((error) => {
		if (error.status === 0) return { status: 'open' };
		throw error;
	});

	if (stand.status === 'connected') return stand;
	if (stand.status === 'failed') throw refused(stand.error ?? 'failed');
	if (stand.error && seen.none) throw refused(stand.error);
	seen.none ||= !stand.error;
	return null;
}

async function poll(popup, told) {
	const seen = {};

	for (;;) {
		const said = await Promise.race([told, pause(POLL_MS)]);
		const wasClosed = popup.closed;
		const stand = await look(seen);
		if (stand) return stand;
		if (said && said !== 'connected') throw refused(said);
		if (wasClosed) throw refused('sign_in_closed');
	}
}

/** A window that was cut off looks like one that was closed: what it does may still come. */
async function waitForLate(app) {
	for (let i = 0; i < LATE_POLLS && !app.result && !app.hasEnded; i += 1) {
		await pause(POLL_MS);
		const stand = await look({}).catch(() => null);
		if (stand) return stand;
	}
	return null;
}

/**
 * Signs in as `attempt` says; the account, as from connecting. Throws Refused; should it come to an
 * account nevertheless, `late` gets it.
 */
export async function signIn(app, attempt, late) {
	if (app.mode === 'same_window') {
		const url = await askAddress(attempt);
		app.keep({ connector: attempt.connector, format: attempt.format });
		location.assign(url);
		return new Promise(() => {});
	}
	const popup = window.open(new URL('../link?mode=oauth', base), '', WINDOW);
	if (!popup) throw refused('sign_in_blocked');
	const told = talk(popup, { session: app.opened.session, connector: attempt.connector,
		format: attempt.format, context: attempt.context });
	try {
		return await poll(popup, told);
	} catch (error) {
		if (error.reason === 'sign_in_closed')
			waitForLate(app).then((stand) => stand && !app.result && late(stand));
		else app.noteUntaken(await call('GET', 'session').catch(() => null), error.reason);
		throw error;
	} finally {
		popup.close();
	}
}

/** The window's own part, before it goes to the ATS. */
export async function runWindow() {
	const { opener } = window;
	if (!opener) return;
	const say = (type, rest) =>
		opener.postMessage({ tenon: 'link-oauth', type, ...rest }, location.origin);
	const start = await new Promise((resolve) => {
		addEventListener('message', (event) => {
			if (event.source !== opener || event.origin !== location.origin) return;
			if (event.data?.tenon === 'link-oauth' && event.data.type === 'start') resolve(event.data);
		});
		say('ready');
	});

	setSession(start.session);
	try {
		const url = await askAddress(start);
		location.assign(url);
	} catch (error) {
		say('result', { result: error.reason ?? 'failed' });
	}
}

/** Back from the ATS: true if there was a page to be told. */
export function reportBack(result) {
	if (!window.opener) return false;
	window.opener.postMessage({ tenon: 'link-oauth', type: 'result', result }, location.origin);
	window.close();
	return true;
}
