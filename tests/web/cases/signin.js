// Signing in at the ATS: OAuth in a window of the page's own.
import assert from 'node:assert/strict';
import { assertLinked, clickAway, openCustomer, openFrame, openPopup, outcomeOf, passForm, step, submit }
	from '../dialog.js';
import { secret } from '../stage.js';

async function begin(at, { client = 'northwind', token, options = {} } = {}) {
	await at.stage.api('PUT', '/environment/oauth-apps/meadow', { client_id: client,
		client_secret: 's3cret', authorize_url: `${at.stage.provider.url}/authorize`,
		token_url: `${at.stage.provider.url}/token` });
	return openCustomer(at, { options, token: await at.stage.makeToken(
		{ connectors: ['meadow'], context: { company_id: '41207' }, ...token }) });
}

/** The window of the ATS, which opens at the click. */
async function signIn(page, dialog) {
	const [popup] = await Promise.all([page.context().waitForEvent('page'), submit(dialog)]);
	return popup;
}

async function finish(at, page, dialog) {
	await passForm(dialog);
	await step(dialog, 'done').waitFor();
	await clickAway(dialog.getByRole('button', { name: 'Done' }));
	const outcome = await outcomeOf(page);
	await assertLinked(at.stage, outcome.back ?? outcome);
}

export const cases = {
	async 'from a frame'(at) {
		const page = await begin(at);
		const dialog = await openFrame(page);
		await dialog.getByText('You sign in at Meadow').waitFor();
		const popup = await signIn(page, dialog);
		await popup.getByRole('link', { name: 'Allow' }).click();
		await finish(at, page, dialog);
		assert.ok(popup.isClosed());
	},

	async 'from a popup'(at) {
		const page = await begin(at, { options: { iframe: false } });
		const dialog = await openPopup(page);
		const popup = await signIn(page, dialog);
		await popup.getByRole('link', { name: 'Allow' }).click();
		await finish(at, page, dialog);
	},

	async 'in the same window'(at) {
		const redirect = `${at.stage.customer.url}/?base=${encodeURIComponent(at.stage.server.url)}`;
		const page = await begin(at, { options: { sameWindow: true }, token: { redirect_uri: redirect } });
		await page.locator('#connect').click();
		await submit(page);
		await page.getByRole('link', { name: 'Allow' }).click();
		await finish(at, page, page);
	},

	async 'an ATS whose headers cut the windows apart'(at) {
		const page = await begin(at, { client: 'apart' });
		const dialog = await openFrame(page);
		const popup = await signIn(page, dialog);
		await popup.getByRole('link', { name: 'Allow' }).click();
		await finish(at, page, dialog);
	},

	async 'declined, then allowed'(at) {
		const page = await begin(at);
		const dialog = await openFrame(page);
		await (await signIn(page, dialog)).getByRole('link', { name: 'Decline' }).click();
		await dialog.getByRole('alert').getByText('Meadow did not give permission').waitFor();
		await (await signIn(page, dialog)).getByRole('link', { name: 'Allow' }).click();
		await finish(at, page, dialog);
	},

	async 'the ATS does not take the tokens: the account is there, and is told of'(at) {
		const page = await begin(at, { client: 'untaken' });
		const dialog = await openFrame(page);
		await (await signIn(page, dialog)).getByRole('link', { name: 'Allow' }).click();
		await dialog.getByRole('alert').getByText('Meadow did not accept these details').waitFor();
		await dialog.getByRole('button', { name: 'Close' }).click();
		const outcome = await outcomeOf(page);
		assert.equal(outcome.error_type, 'validation_error');
		assert.equal(outcome.reason, 'credential_refused');
		const account = await at.stage.api('GET',
			`/integrated-account/${outcome.integrated_account_id}`);
		assert.equal(account.status, 'validation_error');
	},

	async 'the ATS does not take the tokens, and then it does'(at) {
		const page = await begin(at, { client: 'untaken' });
		const dialog = await openFrame(page);
		await (await signIn(page, dialog)).getByRole('link', { name: 'Allow' }).click();
		await dialog.getByRole('alert').getByText('Meadow did not accept these details').waitFor();
		await at.stage.api('PUT', '/environment/oauth-apps/meadow', { client_id: 'northwind',
			client_secret: 's3cret', authorize_url: `${at.stage.provider.url}/authorize`,
			token_url: `${at.stage.provider.url}/token` });
		await (await signIn(page, dialog)).getByRole('link', { name: 'Allow' }).click();
		await finish(at, page, dialog);
	},

	async 'declined in the same window'(at) {
		const page = await begin(at, { options: { sameWindow: true } });
		await page.locator('#connect').click();
		await submit(page);
		await page.getByRole('link', { name: 'Decline' }).click();
		await page.getByRole('alert').getByText('Meadow did not give permission').waitFor();
	},

	async 'the window is closed'(at) {
		const page = await begin(at);
		const dialog = await openFrame(page);
		const popup = await signIn(page, dialog);
		await popup.getByRole('link', { name: 'Allow' }).waitFor();
		await popup.close();
		await dialog.getByRole('alert').getByText('The sign-in was not finished').waitFor();
	},

	async 'the window is blocked'(at) {
		const page = await begin(at);
		const dialog = await openFrame(page);
		await step(dialog, 'connect').waitFor();
		await dialog.locator('body').evaluate(() => { window.open = () => null; });
		await submit(dialog);
		await dialog.getByRole('alert').getByText('The window was blocked').waitFor();
	},

	async 'another browser does not finish what this one began'(at) {
		const page = await begin(at);
		const dialog = await openFrame(page);
		const popup = await signIn(page, dialog);
		const address = await popup.getByRole('link', { name: 'Allow' }).getAttribute('href');
		const other = await at.browser.newContext();
		const stranger = await other.newPage();
		await stranger.goto(address);
		await stranger.locator('[data-step="left"]').waitFor();
		await other.close();
		const { result } = await at.stage.api('GET', '/integrated-account?limit=1000');
		const before = result.length;
		await popup.getByRole('link', { name: 'Allow' }).click();
		await dialog.locator('.alert, [data-step="form"], [data-step="done"]').first().waitFor();
		const after = (await at.stage.api('GET', '/integrated-account?limit=1000')).result.length;
		assert.ok(after - before <= 1);
	},

	async 'the other way to connect is there too'(at) {
		const page = await begin(at, { options: { authFormat: 'api_key' } });
		const dialog = await openFrame(page);
		await dialog.getByRole('textbox', { name: 'Personal API token' }).waitFor();
		await dialog.getByRole('radio', { name: 'Sign in' }).check();
		assert.ok(await dialog.getByRole('radio', { name: 'Sign in' })
			.evaluate((one) => one === document.activeElement));
		await dialog.getByRole('button', { name: 'Continue with Meadow' }).waitFor();
		await dialog.getByRole('radio', { name: 'Personal API token' }).check();
		await dialog.getByRole('textbox', { name: 'Personal API token' }).fill(secret);
		await submit(dialog);
		await finish(at, page, dialog);
	},
};
