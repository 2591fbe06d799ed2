// Opens tenon's link page for one of your customers, and says what came of it.
// docs/link-dialog.md describes the messages between the two; each side checks origin and source.
const LINK = 'link';
const KEY = 'tenon-link-state';
const READY_MS = 20000;

const page = globalThis.document;
const served = /^(.*)\/link\/sdk\/index\.js/.exec(import.meta.url);

const listOf = (integrations = []) => integrations.map((one) => one.name ?? one);

/** What the page is told; functions and what is for this side only stay here. */
const forPage = ({ integration, integrations, noBack, authFormat, skipRapidForm, language, theme }) =>
	({ integration, integrations: listOf(integrations), noBack, authFormat, skipRapidForm, language,
		theme });

const failure = ({ message, error_type, reason, integrated_account_id }) =>
	Object.assign(new Error(message || error_type), { error_type, reason, integrated_account_id });

function openFrame(url) {
	const dialog = page.createElement('dialog');
	const frame = page.createElement('iframe');
	const { style } = page.documentElement;
	const { overflow } = style;

	dialog.style.cssText = 'position:fixed;inset:0;width:100%;height:100%;max-width:none;'
		+ 'max-height:none;margin:0;padding:0;border:0;overflow:hidden;background:none;outline:none';
	frame.style.cssText = 'display:block;width:100%;height:100%;border:0;color-scheme:light;'
		+ 'background:rgb(9 9 11/.55)';
	frame.title = dialog.ariaLabel = 'Connect';
	frame.id = 'tenon-link-iframe';
	frame.referrerPolicy = 'no-referrer';
	frame.src = url;
	dialog.append(frame);
	page.body.append(dialog);
	style.overflow = 'hidden';
	dialog.showModal();
	frame.focus();
	return {
		target: () => frame.contentWindow,
		isGone: () => !dialog.isConnected,
		onEscape: (close) => dialog.addEventListener('cancel', (event) => {
			event.preventDefault();
			close();
		}),
		close() {
			style.overflow = overflow;
			dialog.close();
			dialog.remove();
		},
	};
}

function openPopup(url, { width = 700, height = 800 }) {
	const left = Math.max(0, screenX + (outerWidth - width) / 2);
	const top = Math.max(0, screenY + (outerHeight - height) / 2);
	const popup = open(url, '', `popup,width=${width},height=${height},left=${left},top=${top}`);

	return popup && {
		target: () => popup,
		isGone: () => popup.closed,
		onEscape() {},
		close: () => popup.close(),
	};
}

function openHere(base, token, options) {
	const state = [...crypto.getRandomValues(new Uint8Array(16))]
		.map((byte) => byte.toString(16).padStart(2, '0')).join('');
	const url = new URL(`${base}/${LINK}`);

	sessionStorage.setItem(KEY, state);
	url.hash = new URLSearchParams({ token, state, options: JSON.stringify(forPage(options)) });
	location.assign(url);
}

/**
 * Lets the customer link an account. The promise gives {result, integrated_account_id, integration, status},
 * or is refused with 'closed', 'blocked', or an Error that has an error_type. It has close().
 */
export function authenticate(linkToken, options = {}) {
	const { signal, onEvent } = options;
	let end;
	const promise = new Promise((resolve, reject) => {
		const base = (options.baseUrl ?? served?.[1] ?? '').replace(/\/+$/, '');
		const { origin } = new URL(base); // throws without one
		if (options.sameWindow) {
			openHere(base, linkToken, options);
			return;
		}
		const isFrame = options.iframe !== false;
		const url = `${base}/${LINK}?${new URLSearchParams({ origin: location.origin,
			mode: isFrame ? 'iframe' : 'popup' })}`;
		const view = isFrame ? openFrame(url) : openPopup(url, options);
		let channel;
		let linked; // known as soon as it is so, though the dialog may be open for more
		let isOver = false;

		const emit = (name, data) => {
			options[`on${name[0].toUpperCase()}${name.slice(1)}`]?.(data);
			onEvent?.(name, data);
		};
		end = (problem = 'closed') => {
			if (isOver) return;
			isOver = true;
			clearInterval(watch);
			clearTimeout(patience);
			removeEventListener('message', hear);
			signal?.removeEventListener('abort', stop);
			view?.close();
			emit('exit', linked ?? problem);
			if (linked) emit('success', linked);
			if (linked) resolve(linked);
			else reject(problem);
		};
		const stop = () => end();
		const hear = ({ source, origin: from, data }) => {
			if (source !== view.target() || from !== origin || data?.tenon !== LINK) return;
			if (data.type === 'ready' && !channel) {
				channel = data.channel;
				clearTimeout(patience);
				source.postMessage({ tenon: LINK, type: 'start', channel, token: linkToken,
					options: forPage(options) }, origin);
				emit('open');
			}
			if (data.channel !== channel) return;
			const { tenon, type, channel: _, ...rest } = data;
			if (type === 'step') emit('step', rest);
			if (type === 'connected' || type === 'success') linked = rest;
			if (type === 'success') end();
			if (type === 'exit') end(rest.error_type ? failure(rest) : 'closed');
		};
		const patience = setTimeout(() => end(failure({ error_type: 'connection_error',
			message: `no link page answers at ${base}` })), READY_MS);
		const watch = setInterval(() => view?.isGone() && end(), 300);

		addEventListener('message', hear);
		view?.onEscape(stop);
		signal?.addEventListener('abort', stop);
		if (!view) end('blocked');
		else if (signal?.aborted) end();
	});
	return Object.assign(promise, { close: () => end?.() });
}

/**
 * In the same-window mode, what came of it: {result: 'success' | 'closed' | 'error', …}, once, on
 * the page of the redirect_uri; null where nobody comes back, or where another than this tab began.
 */
export function linkResult() {
	const { tenon_link: is, state, ...result } = Object.fromEntries(
		new URLSearchParams(location.hash.slice(1)));
	if (!is) return null;
	const wanted = sessionStorage.getItem(KEY);

	history.replaceState(history.state, '', location.pathname + location.search);
	sessionStorage.removeItem(KEY);
	return wanted && wanted === state ? result : null;
}

export default authenticate;
