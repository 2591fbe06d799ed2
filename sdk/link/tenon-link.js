// For a script tag: <script src="https://tenon.example/link/sdk/tenon-link.js"></script> gives
// TenonLink.authenticate() and TenonLink.linkResult(); TenonLink.ready is a promise of both.
(function () {
	const ready = import(new URL('index.js', document.currentScript.src));

	ready.then((module) => {
		window.TenonLink = Object.assign({ ready }, module);
	});
	window.TenonLink = {
		ready,
		// Until the module is there, a call waits for it.
		authenticate: (token, options) => {
			let isClosed = false;
			let opened;
			const promise = ready.then((module) => {
				if (isClosed) throw 'closed';
				opened = module.authenticate(token, options);
				return opened;
			});
			return Object.assign(promise, {
				close() {
					isClosed = true;
					opened?.close();
				},
			});
		},
	};
}());
