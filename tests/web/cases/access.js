// Keyboard, screen readers, languages, small screens.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { root } from '../stage.js';
import { assertAccessible, assertLinked, fill, frameOf, openCustomer, openFrame, openPopup,
	outcomeOf, passForm, pressAway, step, submit } from '../dialog.js';

async function inFrame(at, { token, options } = {}) {
	const page = await openCustomer(at, { token: await at.stage.makeToken(token), options });
	return { page, dialog: await openFrame(page) };
}

/** Every step of the way, axe looking at each. */
async function walk(at, scheme, options) {
	const { page, dialog } = await inFrame(at, { token: { connectors: null }, options });
	const look = () => assertAccessible(frameOf(page));

	await page.emulateMedia({ colorScheme: scheme });
	await step(dialog, 'choose').waitFor();
	await look();
	await dialog.getByRole('searchbox').fill('zzz');
	await look();
	await dialog.getByRole('searchbox').fill('recr');
	await dialog.locator('.row').click();
	await step(dialog, 'connect').waitFor();
	await dialog.locator('summary').click();
	await look();
	await submit(dialog);
	await look();
	await dialog.locator('input').nth(0).fill('41207');
	await dialog.locator('input').nth(1).fill('wrong');
	await submit(dialog);
	await dialog.locator('.alert').waitFor();
	await look();
	await dialog.locator('input').nth(1).fill('canary-7Qd9-the-secret-of-the-sandbox');
	await submit(dialog);
	await dialog.locator('[data-step="form"], [data-step="done"]').waitFor();
	if (await step(dialog, 'form').count() > 0) {
		await dialog.locator('.bones').first().waitFor({ state: 'detached' });
		await look();
		await dialog.locator('.button.plain').click();
	}
	await step(dialog, 'done').waitFor();
	await look();
}

const luminanceOf = (colour) => {
	const [r, g, b] = colour.match(/[\d.]+/g).map((part) => {
		const share = part / 255;
		return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
	});
	return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};

export const cases = {
	async 'axe finds nothing, in light'(at) { await walk(at, 'light'); },
	async 'axe finds nothing, in dark'(at) { await walk(at, 'dark'); },
	async 'axe finds nothing, from right to left'(at) { await walk(at, 'light', { language: 'ar' }); },

	async 'axe finds nothing where it ends, in a frame and in a popup'(at) {
		const token = await at.stage.makeToken();
		for (const iframe of [true, false, true]) {
			const page = await openCustomer(at, { token, options: { iframe } });
			const dialog = iframe ? await openFrame(page) : await openPopup(page);
			await dialog.locator('[data-step="connect"], [data-step="failure"]').waitFor();
			await assertAccessible(iframe ? frameOf(page) : dialog);
			await assertAccessible(page);
		}
	},

	async 'by the keyboard alone'(at) {
		const { page, dialog } = await inFrame(at);
		const { keyboard } = page;
		await step(dialog, 'connect').waitFor();
		assert.equal(await frameOf(page).evaluate(() => document.activeElement.tagName), 'H1');
		// A key goes to where the focus is, in whatever window that is: it has to have come.
		const focused = (selector) => dialog.locator(`${selector}:focus`).waitFor();
		await keyboard.press('Tab');
		await focused('input');
		await keyboard.type('41207');
		await keyboard.press('Tab');
		await focused('input[type=password]');
		await keyboard.type('canary-7Qd9-the-secret-of-the-sandbox');
		await keyboard.press('Enter');
		await passForm(dialog);
		await step(dialog, 'done').waitFor();
		await dialog.locator(':focus').waitFor();
		pressAway(page, 'Enter');
		await assertLinked(at.stage, await outcomeOf(page));
		assert.equal(await page.evaluate(() => document.activeElement.id), 'connect');
	},

	async 'the focus goes round in the dialog'(at) {
		const { page, dialog } = await inFrame(at);
		await step(dialog, 'connect').waitFor();
		const names = [];
		const focused = () => frameOf(page).evaluate(() => document.activeElement.className
			|| document.activeElement.name);
		for (let i = 0; i < 7; i += 1) {
			await page.keyboard.press('Tab');
			names.push(await focused());
		}
		assert.equal(names[0], names[6]);
		assert.equal(new Set(names).size, 6 - 1); // two inputs have one class
		await page.keyboard.press('Shift+Tab');
		assert.equal(await focused(), names[5]);
		assert.notEqual(await page.evaluate(() => document.activeElement.id), 'connect');
	},

	async 'each language has each sentence, with the same names in it'() {
		const read = (language) => JSON.parse(fs.readFileSync(
			`${root}/web/link/languages/${language}.json`, 'utf8'));
		const names = (text) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();
		const english = read('en');
		for (const language of ['nl', 'de', 'fr', 'es', 'ar']) {
			const other = read(language);
			assert.deepEqual(Object.keys(other), Object.keys(english), language);
			for (const [key, text] of Object.entries(other)) {
				assert.deepEqual(names(text), names(english[key]), `${language} ${key}`);
				assert.ok(text.length > 0);
			}
		}
	},

	async 'the language: the token\'s, the page\'s, the browser\'s'(at) {
		const asked = [
			[{ token: { language: 'de' }, options: { language: 'fr' } }, 'de', 'Recruitee verbinden'],
			[{ options: { language: 'nl-BE' } }, 'nl', 'Recruitee koppelen'],
			[{ options: { language: 'fr' } }, 'fr', 'Connecter Recruitee'],
			[{ options: { language: 'es' } }, 'es', 'Conectar Recruitee'],
			[{ options: { language: 'xx' } }, 'en', 'Connect Recruitee'],
		];
		for (const [more, lang, title] of asked) {
			const { page, dialog } = await inFrame(at, more);
			await dialog.getByRole('heading', { name: title }).waitFor();
			assert.equal(await frameOf(page).evaluate(() => document.documentElement.lang), lang);
			await page.close();
		}
	},

	async 'from right to left'(at) {
		const { page, dialog } = await inFrame(at, { options: { language: 'ar' } });
		await step(dialog, 'connect').waitFor();
		assert.equal(await frameOf(page).evaluate(() => document.documentElement.dir), 'rtl');
		const close = await dialog.locator('.close').boundingBox();
		const title = await dialog.locator('h1').boundingBox();
		assert.ok(close.x < title.x + title.width / 2);
	},

	async 'nothing is wider than 320 pixels'(at) {
		const { page, dialog } = await inFrame(at);
		await page.setViewportSize({ width: 320, height: 480 });
		await step(dialog, 'connect').waitFor();
		await dialog.locator('summary').click();
		await submit(dialog);
		const [wide, seen] = await frameOf(page).evaluate(() => {
			const card = document.querySelector('.card');
			return [Math.max(document.documentElement.scrollWidth, card.scrollWidth), innerWidth];
		});
		assert.equal(wide, seen);
		const { y, height } = await dialog.locator('.card').boundingBox();
		assert.deepEqual([y, height], [0, 480]);
	},

	async 'a theme: colours, shape and mode; what is on the accent can be read'(at) {
		for (const [accent, text] of [['#6d28d9', '#fff'], ['#facc15', '#000'], ['tomato', '#000']]) {
			const { page, dialog } = await inFrame(at,
				{ options: { theme: { accent, mode: 'dark', radius: 4 } } });
			await step(dialog, 'connect').waitFor();
			const set = await frameOf(page).evaluate(() => {
				const style = getComputedStyle(document.querySelector('button[type=submit]'));
				return { mode: document.documentElement.dataset.mode, radius: style.borderRadius,
					on: document.documentElement.style.getPropertyValue('--on-accent'),
					back: style.backgroundColor, front: style.color };
			});
			assert.deepEqual([set.mode, set.radius, set.on], ['dark', '4px', text]);
			const [a, b] = [luminanceOf(set.back), luminanceOf(set.front)].sort();
			assert.ok((b + 0.05) / (a + 0.05) >= 4.5, accent);
			await page.close();
		}
	},

	async 'the theme of the token'(at) {
		const { page, dialog } = await inFrame(at, { token: { theme: { accent: '#047857' } } });
		await step(dialog, 'connect').waitFor();
		assert.equal(await frameOf(page).evaluate(() =>
			document.documentElement.style.getPropertyValue('--accent')), '#047857');
	},

	async 'those who want no movement have none'(at) {
		const { page, dialog } = await inFrame(at);
		await page.emulateMedia({ reducedMotion: 'reduce' });
		await step(dialog, 'connect').waitFor();
		assert.ok(await dialog.locator('.step').evaluate((one) =>
			Number.parseFloat(getComputedStyle(one).animationDuration) < 0.001));
	},

	async 'a secret is neither kept nor filled in by the browser'(at) {
		const { page, dialog } = await inFrame(at);
		await fill(dialog);
		assert.equal(await dialog.locator('input[type=password]').getAttribute('autocomplete'),
			'new-password');
		assert.deepEqual(await frameOf(page).evaluate(() => {
			try {
				return [sessionStorage.length, localStorage.length, document.cookie];
			} catch {
				return [0, 0, '']; // a frame of another site may have no storage at all
			}
		}), [0, 0, '']);
	},
};
