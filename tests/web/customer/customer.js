// A customer's page: ?base=…&sdk=tenon|own|script&options=… opens the
// dialog at a click, with window.token, which a real one would ask its own server for. With &early it
// does so without a click, and says on the console what came of it.
const query = new URLSearchParams(location.search);
const base = query.get('base');
const sdk = query.get('sdk') ?? 'tenon';
const outcome = document.querySelector('#outcome');
const events = document.querySelector('#events');

async function load() {
	if (sdk === 'own') return import('/sdk/index.js');
	if (sdk === 'tenon') return import(`${base}/link/sdk/index.js`);
	const script = document.createElement('script');
	script.src = `${base}/link/sdk/tenon-link.js`;
	document.head.append(script);
	await new Promise((done) => { script.onload = done; });
	return window.TenonLink;
}

const show = (value) => { outcome.textContent = JSON.stringify(value); };

const link = await load();
const options = JSON.parse(query.get('options') ?? '{}');

if (sdk === 'own') options.baseUrl ??= base;
options.onEvent = (name, data) => {
	events.textContent += `${name} ${JSON.stringify(data ?? null)}\n`;
};
document.querySelector('#connect').addEventListener('click', () => {
	outcome.textContent = '';
	window.dialog = link.authenticate(window.token, options);
	window.dialog.then(show, (problem) => show(problem instanceof Error
		? { error: true, error_type: problem.error_type, reason: problem.reason, message: problem.message,
			integrated_account_id: problem.integrated_account_id }
		: { rejected: problem }));
});
if (link.linkResult) {
	const came = link.linkResult();
	if (came) show({ back: came, again: link.linkResult() });
}
if (query.has('early')) {
	const clicked = navigator.userActivation.hasBeenActive;
	link.authenticate('any', options).catch(String).then((came) => {
		console.info(`early: ${JSON.stringify({ clicked, came })}`);
	});
}
document.body.dataset.ready = 'yes';
