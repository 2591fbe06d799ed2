// For React 17 and later: const { open, close, isOpen, result, error } = useTenonLink(options);
import { useCallback, useEffect, useRef, useState } from 'react';
import { authenticate } from './index.js';

const start = { isOpen: false, result: null, error: null };

/**
 * open(linkToken) opens the link page; a promise of a token, or a function that gives one, will do
 * as well. It gives the result, or null where there is none; the dialog goes with the component.
 */
export function useTenonLink(options = {}) {
	const [state, setState] = useState(start);
	const opened = useRef(null);
	const latest = useRef(options);

	useEffect(() => {
		latest.current = options;
	});
	useEffect(() => () => opened.current?.close(), []);

	const open = useCallback(async (token) => {
		if (opened.current) return null;
		opened.current = { close() {} };
		setState({ ...start, isOpen: true });
		try {
			const text = await (typeof token === 'function' ? token() : token);
			opened.current = authenticate(text, latest.current);
			const result = await opened.current;
			setState({ ...start, result });
			return result;
		} catch (error) {
			setState({ ...start, error });
			return null;
		} finally {
			opened.current = null;
		}
	}, []);
	const close = useCallback(() => opened.current?.close(), []);

	return { ...state, open, close };
}
