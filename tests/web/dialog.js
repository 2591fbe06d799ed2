// What people do on the pages, for the cases.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { company, root, secret } from './stage.js';

const axe = fs.readFileSync(`${root}/tests/web/node_modules/axe-core/axe.min.js`, 'utf8');

/** The customer's page, ready to be clicked. */
export async function openCustomer({ stage, context }, { token, options = {}, sdk, base } = {}) {
	const page = await context.newPage();
	const query = new URLSearchParams({ base: base ?? stage.server.url,
		options: JSON.stringify(options), ...sdk ? { sdk } : {} });
	await page.goto(`${stage.customer.url}/?${query}`);
	await page.locator('body[data-ready]').waitFor();
	await page.evaluate((text) => { window.token = text; }, token);
	return page;
}

/** Clicks; gives the frame in which the dialog is. */
export async function openFrame(page) {
	await page.locator('#connect').click();
	return page.frameLocator('#tenon-link-iframe');
}

/** A key that closes the frame which it goes to: the browser may then never tell that it is up again. */
export function pressAway(page, key) {
	page.keyboard.press(key).catch(() => {});
}

/** A click which closes the window that it is in: that may be gone before the click is told done. */
export async function clickAway(button) {
	const window = button.page();
	await button.click().catch((error) => {
		if (!window.isClosed()) throw error;
	});
}

export async function openPopup(page) {
	const [popup] = await Promise.all([page.waitForEvent('popup'), page.locator('#connect').click()]);
	return popup;
}

export const step = (dialog, name) => dialog.locator(`[data-step="${name}"]`);

export async function fill(dialog, values = {}) {
	await dialog.getByLabel('Company ID').fill(values.company ?? company);
	await dialog.getByLabel('Personal API token', { exact: true }).fill(values.secret ?? secret);
}

export const submit = (dialog) => dialog.locator('button[type=submit]').click();

/** From the form to the end. */
export async function connect(dialog) {
	await fill(dialog);
	await submit(dialog);
	await passForm(dialog);
	await step(dialog, 'done').waitFor();
}

/** The form that may come once it is connected. */
export async function passForm(dialog) {
	await dialog.locator('[data-step="form"], [data-step="done"]').waitFor();
	if (await step(dialog, 'form').count() > 0)
		await dialog.getByRole('button', { name: 'Skip for now' }).click();
}

/** What authenticate() came to. */
export async function outcomeOf(page) {
	await page.waitForFunction(() => document.querySelector('#outcome').textContent !== '');
	return JSON.parse(await page.locator('#outcome').textContent());
}

/** The account is there, and its candidates come through the API. */
export async function assertLinked(stage, outcome) {
	assert.equal(outcome.result, 'success');
	assert.match(outcome.integrated_account_id, /^acc_/);
	const page = await stage.api('GET',
		`/unified/ats/candidates?integrated_account_id=${outcome.integrated_account_id}&limit=5`);
	assert.equal(page.result.length, 5);
	assert.ok(page.result[0].name);
}

/** axe finds nothing on what is shown, and no sentence has a gap; `frame` is a Page or a Frame. */
export async function assertAccessible(frame) {
	const shown = await frame.locator('main').innerText();
	assert.ok(!/\{\w+\}/.test(shown), shown);
	await frame.evaluate(async () => {
		// One whose element goes meanwhile is over, too, and says so as a failure.
		await Promise.allSettled(document.getAnimations().map((one) =>
			one.effect.getTiming().iterations === Infinity ? one.cancel() : one.finished));
	});
	// Evaluated by the debugger, which the page's own policy does not bind.
	await frame.evaluate(axe);
	const { violations } = await frame.evaluate(() => window.axe.run(document, {
		runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
	assert.deepEqual(violations.map((one) => [one.id, one.nodes.map((node) =>
		`${node.html} ${node.failureSummary}`)]), []);
}

/** The frame itself, which can do more than its locator. */
export const frameOf = (page) => page.frames().find((one) => one.url().includes('mode=iframe'));
