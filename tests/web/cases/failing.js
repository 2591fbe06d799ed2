import assert from 'node:assert/strict';
import { assertLinked, connect, fill, openCustomer, openFrame, openPopup, outcomeOf, pressAway,
	step, submit } from '../dialog.js';

async function inFrame(at, token, more = {}) {
	const page = await openCustomer(at, { ...more, token: token ?? await at.stage.makeToken() });
	return { page, dialog: await openFrame(page) };
}

/** A dialog that cannot go on: what it says, and what authenticate() then says. */
async function endsAs(page, dialog, title, expected) {
	await dialog.getByRole('heading', { name: title }).waitFor();
	await step(dialog, 'failure').getByRole('button', { name: 'Close' }).click();
	const { error_type: type, reason } = await outcomeOf(page);
	assert.deepEqual({ type, reason }, expected);
}

export const cases = {
	async 'a wrong token, then the right one'(at) {
		const { page, dialog } = await inFrame(at);
		await fill(dialog, { secret: 'wrong' });
		await submit(dialog);
		await dialog.getByRole('alert').getByText('Recruitee did not accept these details').waitFor();
		await connect(dialog);
		await dialog.getByRole('button', { name: 'Done' }).click();
		await assertLinked(at.stage, await outcomeOf(page));
	},

	async 'a wrong company'(at) {
		const { dialog } = await inFrame(at);
		await fill(dialog, { company: '999' });
		await submit(dialog);
		await dialog.getByRole('alert').getByText('does not know this company').waitFor();
		assert.equal(await dialog.getByLabel('Company ID').inputValue(), '999');
	},

	async 'an ATS that does not answer'(at) {
		const { dialog } = await inFrame(at);
		await fill(dialog);
		await at.stage.setFaults({ server_error: 1 });
		try {
			await submit(dialog);
			await dialog.getByRole('alert').getByText('Recruitee cannot be reached').waitFor();
		} finally {
			await at.stage.setFaults({});
		}
		await connect(dialog);
	},

	async 'fields are judged as they are left'(at) {
		const { dialog } = await inFrame(at);
		const field = dialog.getByLabel('Company ID');
		await field.fill('not a company!');
		await field.blur();
		await dialog.getByText('This does not look right.').waitFor();
		assert.equal(await field.getAttribute('aria-invalid'), 'true');
		await field.fill('acme');
		assert.equal(await field.getAttribute('aria-invalid'), 'false');
		await submit(dialog);
		await dialog.getByText('Please fill this in.').waitFor();
		assert.ok(await dialog.getByLabel('Personal API token', { exact: true })
			.evaluate((one) => one === document.activeElement));
	},

	async 'a secret can be looked at'(at) {
		const { dialog } = await inFrame(at);
		await fill(dialog);
		const field = dialog.getByLabel('Personal API token', { exact: true });
		assert.equal(await field.getAttribute('type'), 'password');
		await dialog.getByRole('button', { name: 'Show Personal API token' }).click();
		assert.equal(await field.getAttribute('type'), 'text');
		await dialog.getByRole('button', { name: 'Hide Personal API token' }).click();
		assert.equal(await field.getAttribute('type'), 'password');
	},

	async 'the dialog is closed: by the cross, by Escape, by the page'(at) {
		const ways = [
			(page, dialog) => dialog.getByRole('button', { name: 'Close' }).click(),
			// A key goes to where the focus is, which comes with the step.
			async (page, dialog) => {
				await dialog.locator(':focus').waitFor();
				pressAway(page, 'Escape');
			},
			(page) => page.evaluate(() => window.dialog.close()),
		];
		for (const close of ways) {
			const { page, dialog } = await inFrame(at);
			await step(dialog, 'connect').waitFor();
			await close(page, dialog);
			assert.deepEqual(await outcomeOf(page), { rejected: 'closed' });
			assert.equal(await page.locator('iframe').count(), 0);
		}
	},

	async 'a popup is closed by its own window'(at) {
		const page = await openCustomer(at,
			{ token: await at.stage.makeToken(), options: { iframe: false } });
		const popup = await openPopup(page);
		await step(popup, 'connect').waitFor();
		await popup.close();
		assert.deepEqual(await outcomeOf(page), { rejected: 'closed' });
	},

	async 'closed once connected, it is a success'(at) {
		const page = await openCustomer(at,
			{ token: await at.stage.makeToken(), options: { iframe: false } });
		const popup = await openPopup(page);
		await fill(popup);
		await submit(popup);
		await popup.locator('[data-step="form"], [data-step="done"]').waitFor();
		await popup.close();
		await assertLinked(at.stage, await outcomeOf(page));
	},

	// Whatever is evaluated in the page counts as a click: until the end nothing is.
	async 'a popup is blocked by the browser, for there was no click'(at) {
		const page = await at.context.newPage();
		const said = page.waitForEvent('console', (line) => line.text().startsWith('early: '));
		const query = new URLSearchParams({ base: at.stage.server.url, early: '',
			options: JSON.stringify({ iframe: false }) });
		await page.goto(`${at.stage.customer.url}/?${query}`);
		const { clicked, came } = JSON.parse((await said).text().slice('early: '.length));
		assert.deepEqual({ clicked, came }, { clicked: false, came: 'blocked' });
		assert.equal(at.context.pages().length, 1);
	},

	async 'a token that was used'(at) {
		const token = await at.stage.makeToken();
		const first = await inFrame(at, token);
		await step(first.dialog, 'connect').waitFor();
		const { page, dialog } = await inFrame(at, token);
		await endsAs(page, dialog, 'This link was already used',
			{ type: 'invalid_token', reason: 'link_token_used' });
	},

	async 'a token that is mistyped, or revoked'(at) {
		const made = await at.stage.api('POST', '/link-token', { tenant_id: 'customer 7' });
		await at.stage.api('DELETE', `/link-token/${made.id}`);
		for (const token of ['tlink_nonsense', made.link_token]) {
			const { page, dialog } = await inFrame(at, token);
			await endsAs(page, dialog, 'This link does not work',
				{ type: 'invalid_token', reason: 'link_token_unknown' });
		}
	},

	async 'a token that has expired'(at) {
		const token = await at.stage.makeToken();
		await at.stage.restart('UPDATE link_token SET expires_ms = 1 WHERE used_ms = 0');
		const { page, dialog } = await inFrame(at, token);
		await endsAs(page, dialog, 'This link has expired',
			{ type: 'invalid_token', reason: 'link_token_expired' });
	},

	async 'a session that was open for too long'(at) {
		const { page, dialog } = await inFrame(at);
		await fill(dialog);
		await at.stage.restart('UPDATE link_session SET expires_ms = 1');
		await submit(dialog);
		await endsAs(page, dialog, 'This took too long',
			{ type: 'invalid_token', reason: 'session_expired' });
	},

	async 'a page that the token is not for'(at) {
		const token = await at.stage.makeToken({ allowed_origins: ['https://northwind.example'] });
		const { page, dialog } = await inFrame(at, token);
		await endsAs(page, dialog, 'Not allowed on this page',
			{ type: 'invalid_token', reason: 'origin_refused' });
	},

	async 'an integration that there is not'(at) {
		const { page, dialog } = await inFrame(at, null, { options: { integration: 'nowhere' } });
		await endsAs(page, dialog, 'Something here is not right',
			{ type: 'invalid_integration', reason: 'invalid_field' });
	},

	async 'no tenon at the address'(at) {
		const page = await at.context.newPage();
		await page.clock.install();
		await page.goto(`${at.stage.customer.url}/?${new URLSearchParams({ sdk: 'own',
			base: `${at.stage.proxy.url}/nowhere` })}`);
		await page.locator('body[data-ready]').waitFor();
		await page.locator('#connect').click();
		await page.locator('#tenon-link-iframe').waitFor();
		await page.clock.fastForward(21000);
		assert.equal((await outcomeOf(page)).error_type, 'connection_error');
	},

	async 'the server is gone when the dialog opens, and comes back'(at) {
		const page = await openCustomer(at, { token: await at.stage.makeToken() });
		let isDown = true;
		await page.route('**/link/session', (route) => (isDown ? route.abort() : route.continue()));
		const dialog = await openFrame(page);
		await dialog.getByRole('heading', { name: 'No connection' }).waitFor();
		isDown = false;
		await dialog.getByRole('button', { name: 'Try again' }).click();
		await step(dialog, 'connect').waitFor();
	},
};
