// What is asked once an account is linked; the choices come from the account.
import assert from 'node:assert/strict';
import { fill, openCustomer, openFrame, outcomeOf, step, submit } from '../dialog.js';

async function reachForm(at, options) {
	const page = await openCustomer(at, { token: await at.stage.makeToken(), options });
	const dialog = await openFrame(page);
	await fill(dialog);
	await submit(dialog);
	await dialog.locator('[data-step="form"], [data-step="done"]').waitFor();
	return { page, dialog };
}

async function contextOf(at, page, dialog) {
	await step(dialog, 'done').waitFor();
	await dialog.getByRole('button', { name: 'Done' }).click();
	const { integrated_account_id: id } = await outcomeOf(page);
	return { id, context: (await at.stage.api('GET', `/integrated-account/${id}`)).context };
}

export const cases = {
	async 'answers become context of the account'(at) {
		const { page, dialog } = await reachForm(at);
		const select = dialog.getByLabel('Department');
		await select.locator('option').nth(1).waitFor({ state: 'attached' });
		const department = await select.locator('option').nth(1).getAttribute('value');
		await select.selectOption(department);
		const jobs = dialog.getByRole('group', { name: 'Jobs' }).getByRole('checkbox');
		await jobs.first().check();
		const job = await jobs.first().getAttribute('value');
		await submit(dialog);
		const { context } = await contextOf(at, page, dialog);
		assert.equal(String(context.default_department), department);
		assert.deepEqual(context.included_jobs.map(String), [job]);
	},

	async 'it may be passed over'(at) {
		const { page, dialog } = await reachForm(at);
		await dialog.getByRole('button', { name: 'Skip for now' }).click();
		assert.equal((await contextOf(at, page, dialog)).context.default_department, undefined);
	},

	async 'or left out'(at) {
		const { dialog } = await reachForm(at, { skipRapidForm: true });
		assert.equal(await step(dialog, 'done').count(), 1);
	},

	async 'choices that do not come are asked for again'(at) {
		let isDown = true;
		await at.context.route('**/link/options*', (route) =>
			(isDown ? route.abort() : route.continue()));
		const { dialog } = await reachForm(at);
		await dialog.getByText('The choices could not be loaded.').first().waitFor();
		isDown = false;
		await dialog.getByRole('button', { name: 'Try again' }).first().click();
		await dialog.getByLabel('Department').waitFor();
	},
};
