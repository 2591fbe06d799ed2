// The page's sentences, in the language of the one who reads it.

export const languages = ['en', 'ar', 'de', 'es', 'fr', 'nl'];
const rightToLeft = ['ar'];

let words = {};
let fallback = {};

/** The first of the wanted languages that there is: 'nl-BE' is read as 'nl'. */
export function pickLanguage(...wanted) {
	for (const tag of wanted) {
		const short = String(tag || '').toLowerCase().split(/[-_]/)[0];
		if (languages.includes(short)) return short;
	}
	return 'en';
}

async function read(base, language) {
	const answer = await fetch(new URL(`languages/${language}.json`, base));

	if (!answer.ok) throw new Error(`no texts in ${language}`);
	return answer.json();
}

/** Reads the texts and says the language to the document. */
export async function setLanguage(base, language) {
	if (!fallback.close) fallback = await read(base, 'en');
	words = language === 'en' ? fallback : await read(base, language).catch(() => fallback);
	document.documentElement.lang = words === fallback ? 'en' : language;
	document.documentElement.dir = rightToLeft.includes(document.documentElement.lang) ? 'rtl' : 'ltr';
}

/** The sentence `key`, with {names} filled in. */
export function t(key, values = {}) {
	const text = words[key] ?? fallback[key] ?? key;

	return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

const over = (one, text) => ({ ...one, label: text?.label ?? one.label,
	help: typeof text?.help === 'string' ? text.help : one.help });

function overFormat(format, texts) {
	const text = texts.formats?.[format.format];

	return { ...format, label: text?.label ?? format.label,
		help: format.help && { ...format.help, text: text?.help ?? format.help.text },
		fields: overFields(format.fields, texts) };
}

/** The same fields with the connector's words for them in the reader's language. */
export const overFields = (fields, texts) =>
	fields.map((field) => over(field, texts?.fields?.[field.name]));

/** The connector as it is shown in the language of the document, where it has texts in that. */
export async function inLanguage(base, connector) {
	const language = document.documentElement.lang;

	if (!connector.languages?.includes(language)) return connector;
	const answer = await fetch(new URL(`connectors/${connector.name}/${language}.json`, base))
		.catch(() => null);
	if (!answer?.ok) return connector;
	const texts = await answer.json();
	return { ...connector, texts,
		formats: connector.formats.map((format) => overFormat(format, texts)) };
}

/** Whether there is such a sentence. */
export const hasText = (key) => key in fallback;
