// The card: one step at a time, with a head that stays. Each step gets the focus when it comes.
import { h, icon } from './dom.js';
import { t } from './texts.js';

const FOCUSABLE = 'a[href], button:not([disabled]), input:not([disabled]), select:not([disabled]), '
	+ 'summary, [tabindex="0"]';

/** Tab goes round in the card: what is around an iframe is not reachable while it is open. */
function keepFocus(card, event) {
	if (event.key !== 'Tab') return;
	const all = [...card.querySelectorAll(FOCUSABLE)].filter((one) => one.checkVisibility());
	const first = all[0];
	const last = all[all.length - 1];
	const at = document.activeElement;
	const isOut = !card.contains(at) || at === card.querySelector('h1');

	if (event.shiftKey && (at === first || isOut)) last?.focus();
	else if (!event.shiftKey && (at === last || !card.contains(at))) first?.focus();
	else return;
	event.preventDefault();
}

/** The card of this page; `mode` as in the address, `onClose` for the cross and Escape. */
export function createView(mode, onClose) {
	const back = h('button', { type: 'button', class: 'head-button back' }, icon('back'));
	const brand = h('div', { class: 'brand' });
	const close = h('button', { type: 'button', class: 'head-button close', onclick: onClose },
		icon('close'));
	const body = h('div', { class: 'step' });
	const card = h('main', { class: 'card' }, h('div', { class: 'head' }, back, brand, close), body);
	let goBack = null;

	document.body.dataset.mode = mode;
	back.addEventListener('click', () => goBack?.());
	document.body.append(card,
		h('p', { id: 'said', class: 'unseen', role: 'status', 'aria-live': 'polite' }));
	document.addEventListener('keydown', (event) => {
		if (event.key === 'Escape' && !event.isComposing) onClose();
		else if (mode === 'iframe') keepFocus(card, event);
	});

	return {
		/** The software company's own logo, in the middle of the head. */
		setLogo(source) {
			if (/^data:image\//.test(source ?? ''))
				brand.replaceChildren(h('img', { src: source, alt: '', class: 'brand-logo' }));
		},
		/** step: {name, title, text, above, content, back, closable}. */
		show(step) {
			const title = h('h1', { tabindex: '-1' }, step.title);

			goBack = step.back ?? null;
			back.hidden = goBack === null;
			back.setAttribute('aria-label', t('back'));
			close.hidden = step.closable === false;
			close.setAttribute('aria-label', t('close'));
			body.dataset.step = step.name;
			body.replaceChildren(...[step.above, title,
				step.text ? h('p', { class: 'lead' }, step.text) : null, ...step.content ?? []]
				.filter(Boolean));
			body.classList.remove('come');
			void body.offsetWidth; // so that the movement begins anew
			body.classList.add('come');
			card.scrollTop = 0;
			document.title = step.title;
			(step.focus ?? title).focus({ preventScroll: true });
		},
	};
}

/** What is seen until the first step. */
export function showWaiting(view) {
	view.show({
		name: 'waiting',
		title: t('loading'),
		content: [h('div', { class: 'bones', 'aria-hidden': 'true' },
			h('span'), h('span'), h('span'), h('span'))],
	});
}

/** A connector's picture, or its first letter where it has none. */
export function makeLogo(connector, pictureUrl) {
	const letter = () => h('span', { class: 'logo letter', 'aria-hidden': 'true' },
		connector.label.slice(0, 1).toUpperCase());

	if (!connector.logo) return letter();
	const image = h('img', { class: 'logo', src: pictureUrl(connector.logo), alt: '' });
	image.addEventListener('error', () => image.replaceWith(letter()));
	return image;
}

/** A round sign above a title: check or alert. */
export const makeSign = (name) => h('div', { class: `sign sign-${name}` }, icon(name));
