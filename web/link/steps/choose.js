// Which ATS: a list to be searched where it is long.
import { pictureUrl } from '../api.js';
import { announce, h, icon, makeButton, makeId } from '../dom.js';
import { t } from '../texts.js';
import { makeLogo, makeSign } from '../view.js';

const SEARCH_FROM = 5;

const plain = (text) => text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();

function makeRow(connector, choose) {
	return h('li', {}, h('button', { type: 'button', class: 'row', onclick: () => choose(connector) },
		makeLogo(connector, pictureUrl), h('span', { class: 'row-text' }, connector.label),
		icon('next')));
}

function makeSearch(connectors, list, choose) {
	const id = makeId('search');
	const input = h('input', {
		id, type: 'search', class: 'input', placeholder: t('choose.search'), autocomplete: 'off',
		spellcheck: 'false', 'aria-label': t('choose.search'),
	});
	const clear = () => {
		input.value = '';
		find();
		input.focus();
	};
	const none = (query) => h('li', { class: 'nothing' },
		h('p', {}, t('choose.none', { query })),
		makeButton(t('choose.clear'), { class: 'button plain', onclick: clear }));
	function find() {
		const query = input.value.trim();
		const found = connectors.filter((one) => plain(one.label).includes(plain(query)));
		list.replaceChildren(...found.length > 0 ? found.map((one) => makeRow(one, choose))
			: [none(query)]);
		announce(query === '' ? '' : t('choose.count', { count: found.length }));
	}

	input.addEventListener('input', find);
	input.addEventListener('keydown', (event) => {
		if (event.key === 'Enter') list.querySelector('.row')?.click();
	});
	return h('div', { class: 'search' }, icon('search'), input);
}

/** Shows the connectors; `choose` is called with the one that was taken. */
export function showChoose(view, connectors, choose) {
	if (connectors.length === 0) {
		view.show({
			name: 'empty', title: t('empty.title'), text: t('empty.text'), above: makeSign('alert'),
		});
		return;
	}
	const list = h('ul', { class: 'rows' }, ...connectors.map((one) => makeRow(one, choose)));

	view.show({
		name: 'choose',
		title: t('choose.title'),
		text: t('choose.text'),
		content: [connectors.length >= SEARCH_FROM ? makeSearch(connectors, list, choose) : null, list],
	});
}
