import assert from 'node:assert/strict';
import { assertLinked, clickAway, connect, fill, openCustomer, openFrame, openPopup, outcomeOf, passForm, step,
	submit } from '../dialog.js';

async function inFrame(at, more) {
	const token = await at.stage.makeToken(more?.token);
	const page = await openCustomer(at, { ...more, token });
	return { page, dialog: await openFrame(page), token };
}

async function finish(page, dialog) {
	await clickAway(dialog.getByRole('button', { name: 'Done' }));
	return outcomeOf(page);
}

export const cases = {
	async 'in a frame'(at) {
		const { page, dialog } = await inFrame(at);
		await connect(dialog);
		await assertLinked(at.stage, await finish(page, dialog));
		assert.equal(await page.locator('dialog').count(), 0);
		const events = await page.locator('#events').textContent();
		assert.deepEqual(events.trim().split('\n').map((line) => line.split(' ')[0])
			.filter((name) => name !== 'step'), ['open', 'exit', 'success']);
		assert.match(events, /"step":"connect"[^]*"step":"checking"[^]*"step":"done"/);
	},

	async 'in a popup'(at) {
		const token = await at.stage.makeToken();
		const page = await openCustomer(at, { token, options: { iframe: false, width: 480, height: 640 } });
		const popup = await openPopup(page);
		await connect(popup);
		await Promise.all([popup.waitForEvent('close'),
			clickAway(popup.getByRole('button', { name: 'Done' }))]);
		await assertLinked(at.stage, await outcomeOf(page));
	},

	async 'in the same window'(at) {
		const back = `${at.stage.customer.url}/?base=${encodeURIComponent(at.stage.server.url)}`;
		const token = await at.stage.makeToken({ redirect_uri: back });
		const page = await openCustomer(at, { token, options: { sameWindow: true } });
		await page.locator('#connect').click();
		await step(page, 'connect').waitFor();
		assert.equal(new URL(page.url()).hash, '');
		await page.reload(); // a token works once, the session goes on
		await fill(page);
		await submit(page);
		await page.locator('[data-step="form"], [data-step="done"]').waitFor();
		if (await step(page, 'form').count() > 0) await page.reload();
		await passForm(page);
		await page.getByRole('button', { name: 'Done' }).click();
		const { back: came, again } = await outcomeOf(page);
		await assertLinked(at.stage, came);
		assert.equal(again, null);
		assert.equal(new URL(page.url()).hash, '');
		assert.equal(await page.evaluate(() => sessionStorage.length), 0);
	},

	async 'in the words of its reader, the ATS’s own fields too'(at) {
		const words = { nl: 'Bedrijfs-ID', de: 'Firmen-ID', fr: 'ID de l’entreprise',
			es: 'ID de la empresa', ar: 'معرّف الشركة', en: 'Company ID' };
		for (const [language, label] of Object.entries(words)) {
			const { page, dialog } = await inFrame(at, { options: { language } });
			await dialog.getByLabel(label).waitFor();
			assert.equal(await dialog.locator('html').getAttribute('lang'), language);
			await page.close();
		}
	},

	async 'an outcome that another tab did not ask for is not believed'(at) {
		const page = await at.context.newPage();
		await page.goto(`${at.stage.customer.url}/?base=${encodeURIComponent(at.stage.server.url)}`
			+ '#tenon_link=1&state=abc&result=success&integrated_account_id=acc_1');
		await page.locator('body[data-ready]').waitFor();
		assert.equal(await page.locator('#outcome').textContent(), '');
		assert.equal(new URL(page.url()).hash, '');
	},

	async 'by the link of a mail, without a page around it'(at) {
		const made = await at.stage.api('POST', '/link-token',
			{ tenant_id: 'customer 8', connectors: ['recruitee'] });
		const page = await at.context.newPage();
		await page.goto(made.link_url);
		await fill(page);
		await submit(page);
		await passForm(page);
		await page.getByText('You can close this tab now.').waitFor();
		const { result } = await at.stage.api('GET', '/integrated-account');
		assert.equal(result.filter((one) => one.tenant_id === 'customer 8').length, 1);
	},

	async 'tenon under a path of another server, the SDK of the customer itself'(at) {
		const base = `${at.stage.proxy.url}/tools/tenon`;
		for (const iframe of [true, false]) {
			const token = await at.stage.makeToken();
			const page = await openCustomer(at, { token, base, sdk: 'own', options: { iframe } });
			const dialog = iframe ? await openFrame(page) : await openPopup(page);
			await connect(dialog);
			await assertLinked(at.stage, await finish(page, dialog));
		}
	},

	async 'by a script tag'(at) {
		const { page, dialog } = await inFrame(at, { sdk: 'script' });
		await connect(dialog);
		await assertLinked(at.stage, await finish(page, dialog));
	},

	async 'an account is linked anew, and keeps its id'(at) {
		const first = await inFrame(at);
		await connect(first.dialog);
		const { integrated_account_id: id } = await finish(first.page, first.dialog);
		const { page, dialog } = await inFrame(at, { token: { integrated_account_id: id } });
		await dialog.getByRole('heading', { name: 'Reconnect Recruitee' }).waitFor();
		assert.equal(await dialog.getByLabel('Company ID').count(), 0);
		await dialog.getByLabel('Personal API token', { exact: true })
			.fill('canary-7Qd9-the-secret-of-the-sandbox');
		await submit(dialog);
		await passForm(dialog);
		assert.equal((await finish(page, dialog)).integrated_account_id, id);
	},

	async 'one of several, found by its name'(at) {
		const { page, dialog } = await inFrame(at, { token: { connectors: null } });
		await step(dialog, 'choose').waitFor();
		assert.equal(await dialog.locator('.row').count(), 6);
		await dialog.getByRole('searchbox').fill('nothing like it');
		await dialog.getByText('Nothing matches').waitFor();
		await dialog.getByRole('button', { name: 'Clear search' }).click();
		assert.equal(await dialog.locator('.row').count(), 6);
		await dialog.getByRole('searchbox').fill('HARBOUR');
		await dialog.getByRole('searchbox').press('Enter');
		await dialog.getByRole('heading', { name: 'Connect Harbour HR' }).waitFor();
		await dialog.getByRole('button', { name: 'Back' }).click();
		await dialog.getByRole('button', { name: 'Kiln' }).click();
		await connect(dialog);
		const outcome = await finish(page, dialog);
		assert.equal(outcome.integration, 'kiln');
		await assertLinked(at.stage, outcome);
	},

	async 'what is read after linking cannot be read'(at) {
		const { page, dialog } = await inFrame(at, { token: { connectors: ['orchard'] } });
		await connect(dialog);
		await dialog.getByText('a setting could not be read from Orchard').waitFor();
		const outcome = await finish(page, dialog);
		assert.equal(outcome.status, 'post_install_error');
		await assertLinked(at.stage, outcome);
	},

	async 'integration, integrations and noBack'(at) {
		const one = await inFrame(at, { token: { connectors: null }, options: { integration: 'fjord' } });
		await one.dialog.getByRole('heading', { name: 'Connect Fjord' }).waitFor();
		const two = await inFrame(at, { token: { connectors: null },
			options: { integrations: ['fjord', { name: 'kiln' }], noBack: true } });
		await step(two.dialog, 'choose').waitFor();
		assert.deepEqual(await two.dialog.locator('.row-text').allTextContents(), ['Fjord', 'Kiln']);
		await two.dialog.getByRole('button', { name: 'Fjord' }).click();
		await step(two.dialog, 'connect').waitFor();
		assert.equal(await two.dialog.getByRole('button', { name: 'Back' }).count(), 0);
	},
};
