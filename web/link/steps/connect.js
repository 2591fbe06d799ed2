// The details of the account: fields, where to find them, and the live check.
import { call, pictureUrl } from '../api.js';
import { announce, h, icon, makeButton, setBusy } from '../dom.js';
import { checkAll, makeField } from '../fields.js';
import { signIn } from '../oauth.js';
import { hasText, t } from '../texts.js';
import { makeLogo } from '../view.js';

function webAddress(text) {
	try {
		const url = new URL(text);
		return url.protocol === 'https:' ? url : null;
	} catch {
		return null;
	}
}

function makeHelp(format, name) {
	const help = format.help;
	if (!help) return null;
	const url = webAddress(help.url ?? '');

	const show = (event) => event.target.open
		&& event.target.scrollIntoView({ block: 'nearest', behavior: 'smooth' });

	return h('details', { class: 'help', ontoggle: show },
		h('summary', {}, h('span', {}, t('help.open')), icon('down')),
		help.text ? h('p', {}, help.text) : null,
		help.picture ? h('img', {
			src: pictureUrl(help.picture), alt: t('help.picture', { name }), loading: 'lazy',
		}) : null,
		url ? h('a', { href: url.href, target: '_blank', rel: 'noopener noreferrer' },
			t('help.more', { host: url.host }), icon('out')) : null);
}

/** The reason as a title and what to do; reasons without a sentence are 'failed'. */
export function sentencesOf(refused, name) {
	const reason = hasText(`error.${refused.reason}`) ? refused.reason : 'failed';
	return { title: t(`error.${reason}`, { name }), text: t(`error.${reason}.text`, { name }) };
}

function makeAlert() {
	const box = h('div', { class: 'alert', role: 'alert', tabindex: '-1' });

	box.hidden = true;
	return {
		box,
		hide: () => { box.hidden = true; },
		show(refused, name) {
			const { title, text } = sentencesOf(refused, name);
			box.replaceChildren(icon('alert'), h('div', {}, h('strong', {}, title), h('p', {}, text),
				refused.reference && refused.status >= 500
					? h('p', { class: 'reference' }, t('reference', { id: refused.reference }))
				: null));
			box.hidden = false;
			box.scrollIntoView({ block: 'nearest' });
			box.focus({ preventScroll: true });
		},
	};
}

function valuesOf(fields, group) {
	return Object.fromEntries(fields.filter((field) => field.group === group && field.value() !== '')
		.map((field) => [field.name, field.value()]));
}

function makeFormats(formats, now, choose) {
	if (formats.length < 2) return null;
	return h('fieldset', { class: 'formats' },
		h('legend', { class: 'unseen' }, t('connect.format')),
		...formats.map((one) => h('label', {}, h('input', {
			type: 'radio', name: 'format', value: one.format, checked: one === now,
			onchange: () => choose(one),
		}), h('span', {}, one.label ?? t(`format.${one.format}`)))));
}

/** What one try is made of; `attempt` is told to the server as it is. */
function makeAttempt(connector, format, fields) {
	return {
		connector: connector.name,
		format: format.format,
		context: valuesOf(fields, 'context'),
		credentials: valuesOf(fields, 'credentials'),
	};
}

async function run(app, connector, format, parts) {
	const { alert, button, fields } = parts;
	const isSignIn = format.format === 'oauth2';
	const name = connector.label;

	if (button.getAttribute('aria-disabled') === 'true') return;
	alert.hide();
	if (!checkAll(fields)) return;
	setBusy(button, true, t(isSignIn ? 'oauth.waiting' : 'connect.checking', { name }));
	announce(t('connect.checking', { name }));
	app.tell('checking', connector);
	try {
		const attempt = makeAttempt(connector, format, fields);
		const done = isSignIn ? await signIn(app, attempt, (late) => app.onConnected(connector, late))
			: await call('POST', 'connect', attempt);
		app.onConnected(connector, done);
	} catch (refused) {
		setBusy(button, false, t(isSignIn ? 'connect.oauth' : 'connect.button', { name }));
		announce('');
		if (app.isOver(refused)) return;
		app.tell('error', connector, refused.reason);
		const field = fields.find((one) => one.name === String(refused.field).split('.').pop());
		if (refused.reason === 'invalid_field' && field) {
			field.fail(t('field.pattern'));
			field.focus();
		} else {
			alert.show(refused, name);
		}
	}
}

/**
 * The form for one connector; `back` is null where there is nothing to go back to, `problem` what went
 * wrong before.
 */
export function showConnect(app, connector, format, back, problem = null) {
	const name = connector.label;
	const isSignIn = format.format === 'oauth2';
	const kind = app.opened.reconnect ? 'reconnect' : isSignIn ? 'oauth' : 'connect';
	const fields = format.fields.map(makeField);
	const alert = makeAlert();
	const button = makeButton(t(isSignIn ? 'connect.oauth' : 'connect.button', { name }),
		{ type: 'submit' });
	const formats = makeFormats(connector.formats, format, (other) => {
		showConnect(app, connector, other, back);
		document.querySelector('.formats input:checked').focus();
	});
	const form = h('form', { novalidate: true, autocomplete: 'off' },
		formats,
		alert.box, ...fields.map((field) => field.element), makeHelp(format, name), button,
		h('p', { class: 'safe' }, icon('lock'), t(isSignIn ? 'oauth.safe' : 'connect.safe', { name })));

	form.addEventListener('submit', (event) => {
		event.preventDefault();
		run(app, connector, format, { alert, button, fields });
	});
	app.view.show({
		name: 'connect',
		above: h('div', { class: 'logos' }, makeLogo(connector, pictureUrl)),
		title: t(kind === 'reconnect' ? 'reconnect.title' : 'connect.title', { name }),
		text: t(`${kind}.text`, { name }),
		content: [form],
		back,
	});
	app.tell('connect', connector);
	if (problem) alert.show(problem, name);
}
