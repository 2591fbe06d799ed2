// What is asked once the account is linked; the choices come from the account itself.
import { call } from '../api.js';
import { h, icon, makeButton, makeId, setBusy } from '../dom.js';
import { t } from '../texts.js';
import { makeSign } from '../view.js';

const SEARCH_FROM = 9;

function makeNote(field, id) {
	return h('p', { id: `${id}-note`, class: 'note' }, field.help ?? '');
}

function makeSelect(field, id, options) {
	return h('div', { class: 'select-box' },
		h('select', { id, class: 'input', 'aria-describedby': `${id}-note` },
			h('option', { value: '' }, t('form.choose')),
			...options.map((one) => h('option', { value: one.value }, one.label))),
		icon('down'));
}

function makeChecks(field, options, onChange) {
	const list = h('div', { class: 'checks' }, ...options.map((one) => h('label', {},
		h('input', { type: 'checkbox', value: one.value, onchange: onChange }),
		h('span', {}, one.label))));
	if (options.length < SEARCH_FROM) return h('div', { class: 'input-box' }, list);
	const input = h('input', {
		type: 'search', class: 'input', placeholder: t('choose.search'),
		'aria-label': `${t('choose.search')}: ${field.label}`,
	});
	input.addEventListener('input', () => {
		for (const label of list.children)
			label.hidden = !label.textContent.toLowerCase().includes(input.value.trim().toLowerCase());
	});
	return h('div', {}, h('div', { class: 'search' }, icon('search'), input), list);
}

/** A field whose options are read from the account when what they depend on is known. */
function makeChoice(field, onChange) {
	const id = makeId('choice');
	const isMany = field.type === 'multi_select';
	const place = h('div', { class: 'choice' });
	const note = makeNote(field, id);
	const label = [field.label,
		field.required ? null : h('span', { class: 'optional' }, t('field.optional'))];
	const element = isMany
		? h('fieldset', { class: 'field', 'aria-describedby': `${id}-note` },
			h('legend', {}, ...label.filter(Boolean)), place, note)
		: h('div', { class: 'field' }, h('label', { for: id }, ...label), place, note);
	let asked = 0;

	const show = (options) => {
		if (options.length === 0) place.replaceChildren(h('p', { class: 'quiet' }, t('form.none')));
		else if (isMany) place.replaceChildren(makeChecks(field, options, onChange));
		else place.replaceChildren(makeSelect(field, id, options));
		place.querySelector('select')?.addEventListener('change', onChange);
	};
	const load = async (query) => {
		const mine = (asked += 1);
		place.replaceChildren(h('div', { class: 'bones one', 'aria-hidden': 'true' }, h('span')));
		try {
			const { options } = await call('GET', `options?${new URLSearchParams(query)}`);
			if (mine === asked) show(options);
		} catch {
			if (mine !== asked) return;
			place.replaceChildren(h('p', { class: 'quiet' }, t('form.failed'), ' ',
				makeButton(t('retry'), { class: 'button link', onclick: () => load(query) })));
		}
		onChange();
	};
	const wait = (first) => {
		asked += 1;
		place.replaceChildren(h('p', { class: 'quiet' }, t('form.first', { field: first })));
	};
	const value = () => {
		if (!isMany) return place.querySelector('select')?.value || null;
		return [...place.querySelectorAll('input[type=checkbox]:checked')].map((one) => one.value);
	};
	return { element, load, wait, value };
}

function makeText(field) {
	const id = makeId('text');
	const input = h('input', { id, class: 'input', type: 'text', 'aria-describedby': `${id}-note` });

	return {
		element: h('div', { class: 'field' }, h('label', { for: id }, field.label),
			h('div', { class: 'input-box' }, input), makeNote(field, id)),
		value: () => input.value.trim() || null,
	};
}

function makeSwitch(field) {
	const input = h('input', { type: 'checkbox' });

	return {
		element: h('div', { class: 'field checks alone' },
			h('label', {}, input, h('span', {}, field.label)), makeNote(field, makeId('switch'))),
		value: () => input.checked,
	};
}

function makePart(field, onChange) {
	if (field.type === 'text') return makeText(field);
	if (field.type === 'boolean') return makeSwitch(field);
	return makeChoice(field, onChange);
}

const isEmpty = (value) => value === null || (Array.isArray(value) && value.length === 0);

/** The parts of the form by name; a part is loaded anew when what it depends on has changed. */
function makeParts(fields) {
	const parts = new Map();
	const known = new Map();
	const refresh = () => {
		for (const field of fields) {
			const part = parts.get(field.name);
			if (!part.load) continue;
			const above = field.depends_on.map((name) => [name, parts.get(name)?.value() ?? null]);
			const missing = above.find(([, value]) => isEmpty(value));
			const key = JSON.stringify(above);
			if (known.get(field.name) === key) continue;
			known.set(field.name, key);
			if (missing) part.wait(fields.find((one) => one.name === missing[0])?.label ?? missing[0]);
			else part.load([['field', field.name], ...above]);
		}
	};

	for (const field of fields) parts.set(field.name, makePart(field, refresh));
	refresh();
	return parts;
}

function missingOne(fields, parts) {
	for (const field of fields) {
		const isMissing = field.required && isEmpty(parts.get(field.name).value());
		parts.get(field.name).element.classList.toggle('wrong', isMissing);
		if (isMissing) return parts.get(field.name).element;
	}
	return null;
}

/** Asks; `done` is called when the answers are kept, or when it is passed over. */
export function showForm(app, connector, fields, done) {
	const parts = makeParts(fields);
	const trouble = h('p', { class: 'quiet trouble', role: 'alert' });
	const button = makeButton(t('form.save'), { type: 'submit' });
	const form = h('form', { novalidate: true },
		...[...parts.values()].map((part) => part.element), trouble, button,
		fields.some((field) => field.required) ? ''
			: makeButton(t('form.skip'), { class: 'button plain', onclick: done }));

	form.addEventListener('submit', async (event) => {
		event.preventDefault();
		if (button.getAttribute('aria-disabled') === 'true') return;
		const missing = missingOne(fields, parts);
		trouble.textContent = missing ? t('form.required') : '';
		if (missing) {
			missing.querySelector('select, input')?.focus();
			return;
		}
		const values = [...parts].map(([name, part]) => [name, part.value()])
			.filter(([, value]) => !isEmpty(value));
		setBusy(button, true, t('form.saving'));
		try {
			await call('POST', 'form', { values: Object.fromEntries(values) });
			done();
		} catch (refused) {
			setBusy(button, false, t('form.save'));
			if (!app.isOver(refused)) trouble.textContent = t('form.unsaved');
		}
	});
	app.view.show({
		name: 'form', above: makeSign('check'), title: t('form.title', { name: connector.label }),
		text: t('form.text', { name: connector.label }), content: [form],
	});
	app.tell('form', connector);
}
