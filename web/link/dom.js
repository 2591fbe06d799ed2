// Elements without a library, and without markup in strings: nothing that comes from elsewhere is
// ever read as HTML.

const SVG = 'http://www.w3.org/2000/svg';

const icons = {
	back: 'M15 5l-7 7 7 7',
	close: 'M6 6l12 12M18 6L6 18',
	next: 'M9 6l6 6-6 6',
	down: 'M6 9l6 6 6-6',
	search: 'M11 4a7 7 0 1 1 0 14a7 7 0 0 1 0-14M16.2 16.2L21 21',
	check: 'M5 12.5l4.5 4.5L19 7.5',
	alert: 'M12 7.5v5.5M12 16.5v.01',
	lock: 'M7 11V8a5 5 0 0 1 10 0v3M6 11h12v9H6z',
	eye: 'M2.5 12s3.5-6.5 9.5-6.5s9.5 6.5 9.5 6.5s-3.5 6.5-9.5 6.5S2.5 12 2.5 12M12 9a3 3 0 1 1 0 6a3 3 0 0 1 0-6',
	eye_off: 'M4 4l16 16M9.5 5.8A9 9 0 0 1 12 5.5c6 0 9.5 6.5 9.5 6.5a16 16 0 0 1-2.8 3.5M6.3 7.3A15.5 15.5 0 0 0 2.5 12s3.5 6.5 9.5 6.5a9 9 0 0 0 4.2-1.1M10 10.1a3 3 0 0 0 4 4',
	out: 'M9 5H5v14h14v-4M13 5h6v6M19 5l-8 8',
	link: 'M7 8h12l-3.5-3.5M17 16H5l3.5 3.5',
};

/** A drawing that says nothing by itself. */
export function icon(name) {
	const svg = document.createElementNS(SVG, 'svg');
	const path = document.createElementNS(SVG, 'path');

	svg.setAttribute('viewBox', '0 0 24 24');
	svg.setAttribute('class', `icon icon-${name}`);
	svg.setAttribute('aria-hidden', 'true');
	path.setAttribute('d', icons[name]);
	svg.append(path);
	return svg;
}

/**
 * An element: h('button', {type: 'button', onclick: f}, 'Text', child). null and false are left out;
 * true is an attribute without a value.
 */
export function h(tag, attributes = {}, ...children) {
	const element = document.createElement(tag);

	for (const [name, value] of Object.entries(attributes)) {
		if (value === null || value === undefined || value === false) continue;
		if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
		else element.setAttribute(name, value === true ? '' : value);
	}
	element.append(...children.flat().filter((child) => child !== null && child !== undefined));
	return element;
}

let counted = 0;

/** An id for an element that another one names. */
export const makeId = (what) => `${what}-${(counted += 1)}`;

/** A line for those who do not see the page; the region is there from the start. */
export function announce(text) {
	document.querySelector('#said').textContent = text;
}

/** A button that waits: `is` says whether, `text` what it reads. */
export function setBusy(button, is, text) {
	button.setAttribute('aria-disabled', String(is));
	button.classList.toggle('busy', is);
	button.querySelector('.button-text').textContent = text;
}

export function makeButton(text, attributes = {}) {
	return h('button', { type: 'button', class: 'button', ...attributes },
		h('span', { class: 'spinner', 'aria-hidden': 'true' }),
		h('span', { class: 'button-text' }, text));
}
