// The page around the dialog. Its origin stands in the address; each message goes to that origin
// only and is heard from that origin and window only. No message has a secret in it, but the one
// with the link token, which comes from there.

// crypto.randomUUID is for secure pages only, and a tenon in a house may be none.
const makeId = () =>
	[...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16)).join('');

/** The channel to `other` (parent or opener), which must be of `origin`. */
export function openChannel(other, origin) {
	const id = makeId();
	let hear = () => {};

	const send = (type, rest = {}) =>
		other.postMessage({ tenon: 'link', type, channel: id, ...rest }, origin);

	addEventListener('message', (event) => {
		const message = event.data;
		if (event.source !== other || event.origin !== origin) return;
		if (message?.tenon !== 'link' || message.channel !== id) return;
		hear(message);
	});
	return {
		send,
		/** Says that the page is there, and waits for the token. */
		start: () => new Promise((resolve) => {
			hear = (message) => {
				if (message.type !== 'start' || typeof message.token !== 'string') return;
				hear = () => {};
				resolve(message);
			};
			send('ready');
		}),
	};
}

/** There is nobody to be told. */
export const noChannel = { send() {} };
