// What customers install.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import zlib from 'node:zlib';
import { root } from '../stage.js';
import { assertLinked, connect, openCustomer, openFrame, outcomeOf, pressAway, step } from '../dialog.js';

const read = (name) => fs.readFileSync(`${root}/sdk/link/${name}`);
const gzipped = (name) => zlib.gzipSync(read(name), { level: 9 }).length;

/** Runs `body`, a module, on the customer's page. */
async function runModule(page, body, map) {
	await page.evaluate(([text, imports]) => {
		if (imports) {
			const known = document.createElement('script');
			known.type = 'importmap';
			known.textContent = JSON.stringify({ imports });
			document.head.append(known);
		}
		const script = document.createElement('script');
		script.type = 'module';
		script.textContent = text;
		document.head.append(script);
	}, [body, map]);
}

export const cases = {
	async 'it is smaller than 4 KB, and needs nothing'() {
		assert.ok(gzipped('index.js') < 4096, `${gzipped('index.js')} bytes`);
		assert.ok(gzipped('index.js') + gzipped('tenon-link.js') < 4096);
		for (const name of ['index.js', 'tenon-link.js', 'element.js'])
			assert.ok(!/^import .* from '[^.]/m.test(read(name)), name);
		assert.equal(JSON.parse(read('package.json')).dependencies, undefined);
	},

	async 'all that is said to be in it is in it'() {
		const { exports: doors } = JSON.parse(read('package.json'));
		for (const { types, default: file } of Object.values(doors))
			for (const name of [types, file]) assert.ok(read(name).length > 0, name);
	},

	async 'without an address there is an error, not a dialog'(at) {
		const page = await openCustomer(at, { sdk: 'own', token: 'any', options: { baseUrl: '' } });
		await page.locator('#connect').click();
		assert.equal((await outcomeOf(page)).error, true);
		assert.equal(await page.locator('dialog').count(), 0);
	},

	async 'a signal closes it, and one that was given before opens nothing'(at) {
		const page = await openCustomer(at, { sdk: 'own', token: await at.stage.makeToken() });
		const said = await page.evaluate(async (baseUrl) => {
			const { authenticate } = await import('/sdk/index.js');
			const stop = new AbortController();
			const opened = authenticate(window.token, { baseUrl, signal: stop.signal,
				onStep: () => stop.abort() }).catch((problem) => problem);
			const first = await opened;
			const second = await authenticate('any', { baseUrl, signal: AbortSignal.abort() })
				.catch((problem) => problem);
			return [first, second, document.querySelectorAll('dialog').length];
		}, at.stage.server.url);
		assert.deepEqual(said, ['closed', 'closed', 0]);
	},

	async 'the page around it is as it was'(at) {
		const page = await openCustomer(at, { token: await at.stage.makeToken() });
		await page.evaluate(() => { document.documentElement.style.overflow = 'scroll'; });
		const dialog = await openFrame(page);
		await step(dialog, 'connect').waitFor();
		assert.equal(await page.evaluate(() => document.documentElement.style.overflow), 'hidden');
		pressAway(page, 'Escape');
		await outcomeOf(page);
		assert.equal(await page.evaluate(() => document.documentElement.style.overflow), 'scroll');
	},

	async 'a custom element'(at) {
		const page = await openCustomer(at, { token: await at.stage.makeToken() });
		await runModule(page, `
			import '/sdk/element.js';
			const one = document.createElement('tenon-link');
			one.textContent = 'Connect by the element';
			one.setAttribute('base-url', '${at.stage.server.url}');
			one.fetchToken = async () => window.token;
			for (const name of ['open', 'step', 'success'])
				one.addEventListener(name, (event) => {
					document.querySelector('#events').textContent += name + ' ';
					if (name === 'success')
						document.querySelector('#outcome').textContent = JSON.stringify(event.detail);
				});
			document.querySelector('main').append(one);`);
		await page.getByRole('button', { name: 'Connect by the element' }).click();
		const dialog = page.frameLocator('#tenon-link-iframe');
		await connect(dialog);
		await dialog.getByRole('button', { name: 'Done' }).click();
		await assertLinked(at.stage, await outcomeOf(page));
		assert.match(await page.locator('#events').textContent(), /^open (step )+success $/);
	},

	async 'React'(at) {
		const page = await openCustomer(at, { token: await at.stage.makeToken() });
		await runModule(page, `
			import { createElement, useState } from 'react';
			import { createRoot } from 'react-dom/client';
			import { useTenonLink } from '/sdk/react.js';
			function Connect() {
				const { open, isOpen, result } = useTenonLink({ baseUrl: '${at.stage.server.url}' });
				return createElement('div', {},
					createElement('button', { onClick: () => open(async () => window.token) },
						isOpen ? 'It is open' : 'Connect by React'),
					createElement('output', { id: 'of-react' }, result ? JSON.stringify(result) : ''));
			}
			const place = document.createElement('div');
			document.querySelector('main').append(place);
			createRoot(place).render(createElement(Connect));`, {
			react: '/react.js?react', 'react-dom/client': '/react.js?react-dom/client',
		});
		await page.getByRole('button', { name: 'Connect by React' }).click();
		const dialog = page.frameLocator('#tenon-link-iframe');
		await connect(dialog);
		await dialog.getByRole('button', { name: 'Done' }).click();
		await page.getByRole('button', { name: 'Connect by React' }).waitFor();
		await assertLinked(at.stage, JSON.parse(await page.locator('#of-react').textContent()));
	},
};
