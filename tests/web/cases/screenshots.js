// Pictures of each step, to be looked at: tests/web/run screenshots --screenshots DIR.
import path from 'node:path';
import { fill, frameOf, openCustomer, openFrame, step, submit } from '../dialog.js';

const widths = { wide: [1280, 860], middle: [600, 800], narrow: [320, 640] };

async function still(page) {
	await frameOf(page)?.evaluate(() => Promise.all(document.getAnimations()
		.filter((one) => one.effect.getTiming().iterations !== Infinity).map((one) => one.finished)));
}

async function takeAll(at, page, dialog, name) {
	const take = async (what) => {
		await still(page);
		await page.screenshot({ path: path.join(at.pictures, `${name}-${what}.png`) });
	};

	await step(dialog, 'choose').waitFor();
	await take('1-choose');
	await dialog.getByRole('searchbox').fill('zzz');
	await take('2-none');
	await dialog.getByRole('searchbox').fill('recr');
	await dialog.locator('.row').click();
	await step(dialog, 'connect').waitFor();
	await take('3-connect');
	await dialog.locator('summary').click();
	await take('4-help');
	await dialog.locator('summary').click();
	await dialog.getByLabel('Company ID').fill('not so!');
	await submit(dialog);
	await take('5-fields');
	await fill(dialog, { secret: 'wrong' });
	await submit(dialog);
	await dialog.locator('.alert').waitFor();
	await take('6-refused');
	await page.route('**/link/connect', async (route) => {
		await dialog.locator('.busy').waitFor();
		await take('7-checking');
		await route.continue();
	});
	await fill(dialog);
	await submit(dialog);
	await dialog.locator('[data-step="form"], [data-step="done"]').waitFor();
	if (await step(dialog, 'form').count() > 0) {
		await dialog.locator('select, .checks').first().waitFor();
		await take('8-form');
		await dialog.locator('.button.plain').click();
	}
	await step(dialog, 'done').waitFor();
	await take('9-done');
}

export const cases = {};

for (const [width, [w, h]] of Object.entries(widths))
	for (const colorScheme of ['light', 'dark'])
		cases[`${width} ${colorScheme}`] = async (at) => {
			const token = await at.stage.makeToken({ connectors: null });
			const page = await openCustomer(at, { token });
			await page.setViewportSize({ width: w, height: h });
			await page.emulateMedia({ colorScheme });
			await takeAll(at, page, await openFrame(page), `${width}-${colorScheme}`);
			const other = await openCustomer(at, { token });
			await other.setViewportSize({ width: w, height: h });
			await other.emulateMedia({ colorScheme });
			await step(await openFrame(other), 'failure').waitFor();
			await still(other);
			await other.screenshot({ path: path.join(at.pictures, `${width}-${colorScheme}-0-used.png`) });
		};

cases['right to left'] = async (at) => {
	const token = await at.stage.makeToken({ connectors: null });
	const page = await openCustomer(at, { token, options: { language: 'ar' } });
	const dialog = await openFrame(page);
	await step(dialog, 'choose').waitFor();
	await still(page);
	await page.screenshot({ path: path.join(at.pictures, 'ar-1.png') });
	await dialog.locator('.row').first().click();
	await step(dialog, 'connect').waitFor();
	await submit(dialog);
	await still(page);
	await page.screenshot({ path: path.join(at.pictures, 'ar-2.png') });
};

cases['a theme'] = async (at) => {
	const theme = { accent: '#6d28d9', radius: 4, font: 'Georgia, serif' };
	const token = await at.stage.makeToken();
	const page = await openCustomer(at, { token, options: { theme, iframe: false } });
	const [popup] = await Promise.all([page.waitForEvent('popup'), page.locator('#connect').click()]);
	await step(popup, 'connect').waitFor();
	await popup.screenshot({ path: path.join(at.pictures, 'theme.png') });
};
