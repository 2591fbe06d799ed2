// The link page: opens a session with the token it is given, leads through the steps, and says what
// came of it. docs/link-dialog.md describes what it and the page around it say to each other.
import { base, call, leave, Refused, setSession } from './api.js';
import { noChannel, openChannel } from './channel.js';
import { reportBack, runWindow } from './oauth.js';
import { showChoose } from './steps/choose.js';
import { showConnect } from './steps/connect.js';
import { showDone, showFailure, showLeft, showReturned } from './steps/end.js';
import { showForm } from './steps/form.js';
import { inLanguage, overFields, pickLanguage, setLanguage } from './texts.js';
import { setTheme } from './theme.js';
import { createView, showWaiting } from './view.js';

const KEPT = 'tenon-link'; // in this tab only, in the same-window mode

/** What each failure is to the one who called authenticate(). */
function errorTypeOf(refused) {
	if (refused.reason.startsWith('link_token_') || refused.reason.startsWith('session_')
		|| refused.reason === 'origin_refused') return 'invalid_token';
	return refused.field === 'connectors' ? 'invalid_integration' : 'connection_error';
}

/** One opening of the dialog. */
class App {
	constructor(mode) {
		this.mode = mode;
		this.channel = noChannel;
		this.options = {};
		this.state = null;
		this.result = null;
		this.failure = null;
		this.hasEnded = false;
		this.view = createView(mode, () => this.close());
	}

	tell(step, connector = null, reason = null) {
		this.channel.send('step', { step, integration: connector?.name ?? null, reason });
	}

	/** So that the tab can be loaded anew, and comes back from a sign-in. */
	keep(attempt = null) {
		const { opened, options, state } = this;
		sessionStorage.setItem(KEPT, JSON.stringify({ opened, options, state, attempt }));
	}

	async open(token) {
		const { options, mode, origin } = this;
		const names = options.integration ? [options.integration] : options.integrations ?? [];

		showWaiting(this.view);
		try {
			this.opened = await call('POST', 'session', {
				origin, mode, connectors: names, language: options.language ?? null,
			}, token);
		} catch (refused) {
			this.fail(refused, refused.status === 0 ? () => this.open(token) : null);
			return;
		}
		if (mode === 'same_window') this.keep();
		await this.begin();
	}

	async begin() {
		const { opened, options } = this;

		setSession(opened.session);
		setTheme(opened.theme, options.theme);
		this.view.setLogo(opened.logo);
		await setLanguage(base, pickLanguage(opened.language, options.language,
			...navigator.languages));
		await this.choose();
	}

	async choose() {
		const { connectors } = this.opened;

		if (connectors.length === 1) {
			await this.connect(connectors[0]);
			return;
		}
		this.tell('choose');
		showChoose(this.view, connectors, (connector) => this.connect(connector));
	}

	async connect(chosen, wanted = this.options.authFormat, problem = null) {
		const connector = await inLanguage(base, chosen);
		const format = connector.formats.find((one) => one.format === wanted) ?? connector.formats[0];
		const isOnly = this.opened.connectors.length === 1;
		showConnect(this, connector, format,
			isOnly || this.options.noBack ? null : () => this.choose(), problem);
	}

	onConnected(connector, done) {
		const id = done.integrated_account_id;
		const status = done.account_status ?? done.status;

		this.result = { result: 'success', integrated_account_id: id, integration: connector.name,
			status };
		this.channel.send('connected', this.result);
		if (this.mode === 'same_window') this.keep({ connector: connector.name });
		if (done.post_connect && !this.options.skipRapidForm)
			showForm(this, connector, overFields(done.post_connect.fields, connector.texts),
				() => this.showDone(connector));
		else this.showDone(connector);
	}

	showDone(connector) {
		const canFinish = this.mode !== 'same_window' || this.opened.redirect_uri;
		const isWhole = this.result.status !== 'post_install_error';

		this.tell('done', connector, isWhole ? null : this.result.status);
		showDone(this.view, connector.label, canFinish ? () => this.close() : null, isWhole);
		if (this.mode === 'same_window') sessionStorage.removeItem(KEPT);
	}

	/** Somebody has signed in, but the ATS does not take the tokens: the account is there. */
	noteUntaken(stand, reason) {
		if (stand?.account_status !== 'validation_error') return;
		this.failure = { error_type: 'validation_error', reason, message: reason,
			integrated_account_id: stand.integrated_account_id };
	}

	/** True if the session has ended, and with it all that could be tried here. */
	isOver(refused) {
		if (!refused.reason?.startsWith('session_')) return false;
		this.fail(refused);
		return true;
	}

	fail(refused, retry = null) {
		const canClose = this.mode !== 'same_window' || this.opened?.redirect_uri;

		this.failure = { error_type: errorTypeOf(refused), reason: refused.reason,
			message: refused.message };
		this.tell('failure', null, refused.reason);
		showFailure(this.view, refused, { retry: retry && (() => { this.failure = null; retry(); }),
			close: canClose ? () => this.close() : null });
	}

	close() {
		if (this.hasEnded) return;
		this.hasEnded = true;
		if (!this.result) leave();
		if (this.mode === 'same_window') {
			this.goBack();
			return;
		}
		if (this.result) this.channel.send('success', this.result);
		else this.channel.send('exit', this.failure ?? {});
		if (this.mode === 'popup') window.close();
	}

	/** The outcome stands behind the # of the address, which no server sees. */
	goBack() {
		const target = this.opened?.redirect_uri;

		sessionStorage.removeItem(KEPT);
		if (!target) {
			showLeft(this.view);
			return;
		}
		const outcome = this.result
			?? (this.failure ? { result: 'error', ...this.failure } : { result: 'closed' });
		const url = new URL(target);
		url.hash = new URLSearchParams({ tenon_link: '1', state: this.state ?? '', ...outcome });
		location.replace(url);
	}
}

const refuse = (reason) => new Refused(400, { reason });

/** In a frame or a popup the page around it has the token. */
async function runInside(app, origin) {
	const other = app.mode === 'iframe' ? window.parent : window.opener;

	if (!other || other === window || !origin) {
		app.fail(refuse('opened_alone'));
		return;
	}
	app.origin = origin;
	app.channel = openChannel(other, origin);
	const { token, options } = await app.channel.start();
	app.options = options ?? {};
	await app.open(token);
}

/**
 * The tab was loaded anew, or comes back from a sign-in with a `result`: it goes on with what the
 * session has become.
 */
async function resume(app, result = null) {
	const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? 'null');

	if (!kept) {
		showReturned(app.view, result);
		window.close();
		return;
	}
	Object.assign(app, { opened: kept.opened, options: kept.options, state: kept.state });
	await app.begin();
	const stand = await call('GET', 'session').catch((refused) => app.isOver(refused));
	const connector = kept.opened.connectors.find((one) => one.name === kept.attempt?.connector);
	if (!connector) return;
	if (stand?.status === 'connected') app.onConnected(await inLanguage(base, connector), stand);
	else if (stand && result) {
		app.noteUntaken(stand, result);
		await app.connect(connector, kept.attempt.format, refuse(result));
	}
}

/** In the same window it stands behind the #, and goes from there at once. */
async function runAlone(app) {
	const given = new URLSearchParams(location.hash.slice(1));

	app.origin = null;
	history.replaceState(null, '', location.pathname + location.search);
	if (given.get('token')) {
		app.state = given.get('state');
		app.options = JSON.parse(given.get('options') ?? '{}');
		await app.open(given.get('token'));
	} else if (sessionStorage.getItem(KEPT)) {
		await resume(app);
	} else {
		app.fail(refuse('link_token_unknown'));
	}
}

async function main() {
	const query = new URLSearchParams(location.search);
	const mode = query.get('mode') ?? 'same_window';
	const callback = document.querySelector('meta[name=tenon-callback]');

	setTheme();
	if (callback && reportBack(callback.content)) return;
	await setLanguage(base, pickLanguage(...navigator.languages));
	if (mode === 'oauth') {
		showWaiting(createView('popup', () => window.close()));
		await runWindow();
		return;
	}
	const app = new App(['iframe', 'popup'].includes(mode) && !callback ? mode : 'same_window');
	showWaiting(app.view);
	if (callback) await resume(app, callback.content || 'sign_in_failed');
	else if (app.mode === 'same_window') await runAlone(app);
	else await runInside(app, query.get('origin'));
}

main();
