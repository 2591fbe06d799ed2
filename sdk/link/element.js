// <tenon-link token="tlink_…" base-url="https://tenon.example">Connect your ATS</tenon-link>
// A button that opens the link page. It sends the events open, step, exit, success and failure; the
// token may also come late, from a function: element.fetchToken = async () => '…'.
import { authenticate } from './index.js';

export class TenonLinkElement extends HTMLElement {
	#button;
	#opened = null;

	connectedCallback() {
		if (this.#button) return;
		this.#button = document.createElement('button');
		this.#button.type = 'button';
		this.#button.part = 'button';
		this.#button.append(document.createElement('slot'));
		this.attachShadow({ mode: 'open', delegatesFocus: true }).append(this.#button);
		this.#button.addEventListener('click', () => this.open());
	}

	disconnectedCallback() {
		this.close();
	}

	#options() {
		const mode = this.getAttribute('mode');
		return {
			baseUrl: this.getAttribute('base-url') ?? undefined,
			integration: this.getAttribute('integration') ?? undefined,
			language: this.getAttribute('language') ?? undefined,
			iframe: mode !== 'popup',
			sameWindow: mode === 'same-window',
			...this.options,
			onEvent: (name, data) => {
				this.options?.onEvent?.(name, data);
				this.#tell(name, data);
			},
		};
	}

	#tell(name, detail) {
		this.dispatchEvent(new CustomEvent(name, { detail }));
	}

	/** Opens it; one at a time. The result, or undefined where there is none. */
	async open() {
		if (this.#opened) return undefined;
		this.#button.disabled = true;
		try {
			const token = this.fetchToken ? await this.fetchToken() : this.getAttribute('token');
			this.#opened = authenticate(token, this.#options());
			return await this.#opened;
		} catch (problem) {
			if (problem !== 'closed') this.#tell('failure', problem);
			return undefined;
		} finally {
			this.#opened = null;
			this.#button.disabled = false;
		}
	}

	close() {
		this.#opened?.close();
	}
}

customElements.define('tenon-link', TenonLinkElement);
