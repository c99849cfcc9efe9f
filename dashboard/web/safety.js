// What matters of the address that the page came from.

/**
 * isOpen reports whether the page came over a network without encryption.
 * @param {{protocol: string, hostname: string}} location
 */
export function isOpen({ protocol, hostname }) {
	return protocol === 'http:' && !/^(localhost|.*\.localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname);
}

/**
 * here is the address of something beside the page. Browsers refuse to fetch from one
 * that holds a password, as the page's own may.
 * @param {string} path
 */
export function here(path) {
	const url = new URL(path, location.href);
	url.username = url.password = url.hash = '';
	return url;
}
