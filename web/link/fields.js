// A field that the customer fills in: label, input, help, and what is wrong with it.
import { h, icon, makeId } from './dom.js';
import { t } from './texts.js';

/** The patterns of connectors are PCRE; one that a browser cannot read is left to the server. */
function toPattern(text) {
	try {
		return text ? new RegExp(text, 'u') : null;
	} catch {
		return null;
	}
}

function makeInput(field, id) {
	return h('input', {
		id, class: 'input', name: field.name, type: field.secret ? 'password' : 'text',
		placeholder: field.placeholder, autocomplete: field.secret ? 'new-password' : 'off',
		autocapitalize: 'none', spellcheck: 'false', dir: 'auto', required: field.required,
		'aria-describedby': `${id}-note`,
	});
}

function makeSelect(field, id) {
	return h('select', {
		id, class: 'input', name: field.name, required: field.required,
		'aria-describedby': `${id}-note`,
	}, h('option', { value: '' }, t('form.choose')),
	...field.options.map((one) => h('option', { value: one.value ?? one }, one.label ?? one)));
}

/** The button which shows a secret, to see whether it was pasted whole. */
function makeEye(input, label) {
	const eye = h('button', { type: 'button', class: 'eye' });
	const draw = () => {
		const isShown = input.type === 'text';
		eye.replaceChildren(icon(isShown ? 'eye_off' : 'eye'));
		eye.setAttribute('aria-label', t(isShown ? 'field.hide' : 'field.show', { field: label }));
	};

	eye.addEventListener('click', () => {
		input.type = input.type === 'text' ? 'password' : 'text';
		draw();
	});
	draw();
	return eye;
}

function makeLabel(field, id) {
	return h('label', { for: id }, field.label,
		field.required ? null : h('span', { class: 'optional' }, t('field.optional')));
}

/** {element, name, group, value(), check(), fail(text)}: it is judged when it is left. */
export function makeField(field) {
	const id = makeId('field');
	const input = field.options?.length > 0 ? makeSelect(field, id) : makeInput(field, id);
	const note = h('p', { id: `${id}-note`, class: 'note' }, field.help ?? '');
	const element = h('div', { class: 'field' }, makeLabel(field, id),
		h('div', { class: 'input-box' }, input,
			field.secret && input.matches('input') ? makeEye(input, field.label) : null), note);
	const pattern = toPattern(field.pattern);

	const fail = (text) => {
		element.classList.toggle('wrong', text !== '');
		input.setAttribute('aria-invalid', String(text !== ''));
		note.replaceChildren(...text === '' ? [field.help ?? ''] : [icon('alert'), text]);
	};
	const value = () => input.value.trim();
	const judge = () => {
		if (value() === '') return field.required ? t('field.required') : '';
		return pattern && !pattern.test(value()) ? t('field.pattern') : '';
	};
	const check = () => {
		fail(judge());
		return judge() === '';
	};

	input.addEventListener('blur', () => input.value !== '' && check());
	input.addEventListener('input', () => element.classList.contains('wrong') && check());
	return {
		element, name: field.name, group: field.group, value, check, fail, focus: () => input.focus(),
	};
}

/** Checks them all; the first that is wrong gets the focus. */
export function checkAll(fields) {
	const wrong = fields.filter((field) => !field.check());

	wrong[0]?.focus();
	return wrong.length === 0;
}
