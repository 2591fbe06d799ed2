import type { LinkError, LinkOptions, LinkSuccess } from './index.js';

type Token = string | Promise<string> | (() => string | Promise<string>);

export function useTenonLink(options?: LinkOptions): {
	isOpen: boolean;
	result: LinkSuccess | null;
	error: 'closed' | 'blocked' | LinkError | null;
	open(linkToken: Token): Promise<LinkSuccess | null>;
	close(): void;
};
