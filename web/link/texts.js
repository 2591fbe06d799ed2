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

/** Whether there is such a sentence. */
export const hasText = (key) => key in fallback;
