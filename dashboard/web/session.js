// The user of the page: requests to the server, what the server says about the user, and
// logging out. Nothing is stored here. Scripts cannot read the session's cookie.

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
 * checkUser asks the server about the user and reports the answer. It throws when the
 * WebSocket would be refused. The session's cookie alone authenticates the WebSocket.
 * @param {(me: Me) => void} report
 */
export async function checkUser(report) {
	/** @type {Me} */
	const me = await ask('GET', `api/me?origin=${encodeURIComponent(location.origin)}`);
	report(me);
	if (!me.known) {
		toLogin();
		throw new Refused(401, 'log in first');
	}
	if (me.refused) throw new Refused(403, me.refused);
}

/** logOut ends the session here and on the server. */
export async function logOut() {
	await ask('POST', 'logout');
	location.replace(here('login').href);
}
