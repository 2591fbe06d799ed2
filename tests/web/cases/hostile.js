import assert from 'node:assert/strict';
import { assertLinked, connect, frameOf, openCustomer, openFrame, outcomeOf, step } from '../dialog.js';

const success = { tenon: 'link', type: 'success', result: 'success',
	integrated_account_id: 'acc_forged', integration: 'recruitee' };

export const cases = {
	// A window of tenon's own origin has the right origin, but is not the one that was opened.
	async 'messages from other windows end nothing'(at) {
		const page = await openCustomer(at, { token: await at.stage.makeToken() });
		await page.evaluate(() => {
			addEventListener('message', (event) => { window.channel ??= event.data.channel; });
		});
		const dialog = await openFrame(page);
		await step(dialog, 'connect').waitFor();
		const channel = await page.evaluate(() => window.channel);
		const [other] = await Promise.all([page.waitForEvent('popup'),
			page.evaluate((base) => { window.open(`${base}/link?mode=other`); }, at.stage.server.url)]);
		await step(other, 'failure').waitFor();
		for (const id of [channel, undefined]) {
			await page.evaluate((message) => { window.postMessage(message, '*'); },
				{ ...success, channel: id });
			await other.evaluate((message) => { window.opener.postMessage(message, '*'); },
				{ ...success, channel: id });
		}
		await page.evaluate(() => new Promise((resolve) => { setTimeout(resolve, 0); }));
		assert.equal(await page.locator('#outcome').textContent(), '');
		await connect(dialog);
		await dialog.getByRole('button', { name: 'Done' }).click();
		await assertLinked(at.stage, await outcomeOf(page));
	},

	// Its own channel is known to the dialog's window only; without it nothing is believed either.
	async 'the right window with another channel ends nothing'(at) {
		const page = await openCustomer(at, { token: await at.stage.makeToken() });
		const dialog = await openFrame(page);
		await step(dialog, 'connect').waitFor();
		await frameOf(page).evaluate((message) => {
			window.parent.postMessage({ ...message, channel: 'other' }, '*');
		}, success);
		await page.evaluate(() => new Promise((resolve) => { setTimeout(resolve, 0); }));
		assert.equal(await page.locator('#outcome').textContent(), '');
	},

	async 'a page that starts the dialog for another origin is not heard, and gets no token'(at) {
		const token = await at.stage.makeToken();
		const page = await openCustomer(at, { token });
		const heard = [];
		await page.exposeFunction('hear', (message) => heard.push(message));
		// The frame is refused by the page's policy; a popup opens, but speaks to nobody.
		const [popup] = await Promise.all([page.waitForEvent('popup'), page.evaluate((base) => {
			addEventListener('message', (event) => window.hear(event.data));
			window.attacked = open(`${base}/link?mode=popup&origin=https://northwind.example`);
		}, at.stage.server.url)]);
		await step(popup, 'waiting').waitFor();
		await page.evaluate((text) => {
			for (const channel of [undefined, '', 'a'])
				window.attacked.postMessage({ tenon: 'link', type: 'start', token: text, channel }, '*');
		}, token);
		await popup.evaluate(() => new Promise((resolve) => { setTimeout(resolve, 0); }));
		assert.equal(await step(popup, 'waiting').count(), 1);
		assert.deepEqual(heard, []);
		const made = await at.stage.api('GET', '/link-token?limit=1');
		assert.equal(made.result[0].used_at ?? null, null);
	},

	async 'another origin may not have the page in a frame'(at) {
		at.forgive(/frame-ancestors/);
		const page = await openCustomer(at, {});
		for (const origin of ['https://northwind.example', '']) {
			await page.evaluate(([base, text]) => new Promise((resolve) => {
				const frame = document.createElement('iframe');
				frame.onload = resolve;
				frame.src = `${base}/link?mode=iframe&origin=${text}`;
				document.body.append(frame);
			}), [at.stage.server.url, origin]).catch(() => {});
			const frame = page.frames().at(-1);
			assert.ok(!frame.url().startsWith(at.stage.server.url), frame.url());
		}
	},

	// A dialog in the middle of the work does not begin anew with another token.
	async 'a second start is not heard'(at) {
		const page = await openCustomer(at, { token: await at.stage.makeToken() });
		const dialog = await openFrame(page);
		await step(dialog, 'connect').waitFor();
		const other = await at.stage.makeToken();
		await page.evaluate((token) => {
			const { contentWindow } = document.querySelector('#tenon-link-iframe');
			contentWindow.postMessage({ tenon: 'link', type: 'start', token, options: {} }, '*');
		}, other);
		await frameOf(page).evaluate(() => new Promise((resolve) => { setTimeout(resolve, 0); }));
		await step(dialog, 'connect').waitFor();
	},

	async 'a theme cannot bring anything in'(at) {
		const theme = { accent: 'url(https://evil.example/a.png)', background: 'red; color: blue',
			font: 'x; background: url(//evil.example)', radius: '999', mode: 'javascript:' };
		const page = await openCustomer(at, { token: await at.stage.makeToken(), options: { theme } });
		const dialog = await openFrame(page);
		await step(dialog, 'connect').waitFor();
		assert.equal(await frameOf(page).evaluate(() => document.documentElement.style.cssText), '');
	},
};
