import type { LinkOptions, LinkSuccess } from './index.js';

export class TenonLinkElement extends HTMLElement {
	/** Goes over the attributes. */
	options?: LinkOptions;
	fetchToken?: () => string | Promise<string>;
	open(): Promise<LinkSuccess | undefined>;
	close(): void;
}
