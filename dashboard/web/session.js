// Who looks at the page: what the server says of him, tickets for the broker, and
// leaving. Nothing of it is stored; the cookie is out of reach of scripts.

import { here } from './safety.js';

const HEADERS = { Accept: 'application/json' };

/**
 * @typedef {{known: boolean, name: string, role: string, session: boolean, canLogIn: boolean, command: boolean,
 *   operate: boolean, enrol: boolean, users: boolean, refused: string}} Me refused is why the WebSocket would be
 */

/** Refused is an answer of the server that says no, in words for people. */
export class Refused extends Error {
	/**
	 * @param {number} status
	 * @param {string} text
	 */
	constructor(status, text) {
		super(text || `the answer was ${status}`);
		this.status = status;
	}
}

/**
 * ask sends a request to the dashboard and returns what it answers as JSON, or null.
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @returns {Promise<any>}
 */
export async function ask(method, path, body) {
	/** @type {Response} */
	let answer;
	try {
		answer = await fetch(here(path).href, {
			method,
			cache: 'no-store',
			headers: body === undefined ? HEADERS : { ...HEADERS, 'Content-Type': 'application/json' },
			body: body === undefined ? undefined : JSON.stringify(body),
		});
	} catch {
		throw new Error('the broker cannot be reached');
	}
	if (!answer.ok) throw new Refused(answer.status, (await answer.text()).slice(0, 500).trim());
	return answer.status === 204 ? null : answer.json();
}

/** toLogin leaves for the login page, which comes back to the same camera. */
export function toLogin() {
	location.replace(here('login').href + location.hash);
}

/**
 * introduce finds out who looks, tells it, and fetches what the broker wants to see.
 * @param {(me: Me) => void} tell
 * @returns {Promise<{id?: string, username?: string, password?: string}>}
 */
export async function introduce(tell) {
	/** @type {Me} */
	const me = await ask('GET', `api/me?origin=${encodeURIComponent(location.origin)}`);
	tell(me);
	if (!me.known) {
		toLogin();
		throw new Refused(401, 'log in first');
	}
	if (me.refused) throw new Refused(403, me.refused);
	if (!me.session) return {};
	const t = await ask('POST', 'api/mqtt-ticket');
	return { id: t.client, username: t.user, password: t.password };
}

/** logOut ends the session here and on the server. */
export async function logOut() {
	await ask('POST', 'logout');
	location.replace(here('login').href);
}
