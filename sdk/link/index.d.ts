/** How the page looks; colours are any CSS colour. */
export interface LinkColours {
	accent?: string;
	background?: string;
	text?: string;
}

export interface LinkTheme extends LinkColours {
	mode?: 'auto' | 'light' | 'dark';
	/** Of buttons and fields, in pixels, 0 to 32. */
	radius?: number;
	font?: string;
	light?: LinkColours;
	dark?: LinkColours;
}

export type LinkErrorType =
	| 'invalid_token'
	| 'invalid_integration'
	| 'connection_error'
	| 'post_install_error'
	| 'validation_error'
	| 'rapid_form_error';

/** Why authenticate() was refused, besides 'closed' and 'blocked'. */
export interface LinkError extends Error {
	error_type: LinkErrorType;
	/** More exactly: link_token_used, link_token_expired, origin_refused … */
	reason?: string;
	/** Of a validation_error: the account is there with its tokens, but the ATS does not take them. */
	integrated_account_id?: string;
}

export interface LinkSuccess {
	result: 'success';
	integrated_account_id: string;
	/** The connector that was chosen. */
	integration: string;
	/** Linked; of post_install_error all but what the connector reads afterwards. */
	status: 'active' | 'post_install_error';
}

export interface LinkStep {
	step: 'choose' | 'connect' | 'checking' | 'error' | 'form' | 'done' | 'failure';
	integration: string | null;
	reason: string | null;
}

export interface LinkOptions {
	/** Only this connector. */
	integration?: string;
	/** Only these connectors. */
	integrations?: (string | { name: string })[];
	/** No way back from a connector to the list. */
	noBack?: boolean;
	authFormat?: 'api_key' | 'basic' | 'oauth2' | 'oauth2_client_credentials';
	/** Leaves out what is asked once the account is linked. */
	skipRapidForm?: boolean;
	/** In a frame over the page, the default; false opens a popup. */
	iframe?: boolean;
	/** Leaves the page; linkResult() has the outcome on the page of the token's redirect_uri. */
	sameWindow?: boolean;
	/** Where tenon is, with a path if it has one. Known by itself where tenon serves this file. */
	baseUrl?: string;
	/** Of the popup. */
	width?: number;
	height?: number;
	/** 'en', 'nl', 'de', 'fr', 'es', 'ar'; without it the browser's. A token's own goes over it. */
	language?: string;
	theme?: LinkTheme;
	/** Closes the dialog when it is aborted. */
	signal?: AbortSignal;
	onOpen?(): void;
	onStep?(step: LinkStep): void;
	onExit?(outcome: LinkSuccess | 'closed' | 'blocked' | LinkError): void;
	onSuccess?(result: LinkSuccess): void;
	onEvent?(name: 'open' | 'step' | 'exit' | 'success', data?: unknown): void;
}

export type LinkHandle = Promise<LinkSuccess> & { close(): void };

/** Refused with 'closed', 'blocked' or a LinkError. */
export function authenticate(linkToken: string, options?: LinkOptions): LinkHandle;

export type LinkReturn =
	| LinkSuccess
	| { result: 'closed' }
	| { result: 'error'; error_type: LinkErrorType; reason: string; message: string;
		integrated_account_id?: string };

/** On the page of the redirect_uri, once; null where nobody comes back from linking. */
export function linkResult(): LinkReturn | null;

export default authenticate;
