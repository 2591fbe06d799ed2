// Where it ends: connected, or not at all.
import { h, makeButton } from '../dom.js';
import { t } from '../texts.js';
import { makeSign } from '../view.js';
import { sentencesOf } from './connect.js';

/**
 * `finish` closes the dialog or goes back; null where the tab is all there is. `isWhole`: what the
 * connector asks after linking went well.
 */
export function showDone(view, name, finish, isWhole = true) {
	const button = finish && makeButton(t('done.button'), { onclick: finish });

	view.show({
		name: 'done',
		above: makeSign('check'),
		title: t('done.title', { name }),
		text: t(!isWhole ? 'done.partly' : finish ? 'done.text' : 'done.tab', { name }),
		content: [button],
		closable: finish !== null,
		focus: button,
	});
}

/** Nothing can be done here any more, but to try again if `retry` is not null. */
export function showFailure(view, refused, { retry = null, close = null }) {
	const { title, text } = sentencesOf(refused, '');

	view.show({
		name: 'failure',
		above: makeSign('alert'),
		title,
		text,
		closable: close !== null,
		content: [
			retry && makeButton(t('retry'), { onclick: retry }),
			close && makeButton(t('close'),
				{ class: retry ? 'button plain' : 'button', onclick: close }),
			refused.reference
				? h('p', { class: 'reference' }, t('reference', { id: refused.reference })) : null,
		],
	});
}

/** The dialog was left, in a tab that a script may not close. */
export function showLeft(view) {
	view.show({ name: 'left', title: t('left.title'), text: t('left.text'), closable: false });
}

/** Back from the ATS in a window whose page cannot be told; it sees by itself. */
export function showReturned(view, result) {
	const { title, text } = result === 'connected'
		? { title: t('returned.title'), text: t('left.text') }
		: sentencesOf({ reason: result }, '');

	view.show({ name: 'left', title, text, closable: false });
}
