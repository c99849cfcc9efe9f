// <cam-account>: who is logged in, and what goes with that: logging out, and for
// admins the dialogs for cameras and accounts.

import { Enrol } from './enrol.js';
import { isOpen } from './safety.js';
import { logOut, toLogin } from './session.js';
import { put } from './text.js';
import { Users } from './users.js';

/** Account dispatches nothing; show tells it who looks. */
export class Account extends HTMLElement {
	/** @type {Enrol | null} */
	#enrol = null;
	/** @type {Users | null} */
	#users = null;

	/**
	 * @param {string} name of a data-part
	 * @returns {HTMLElement}
	 */
	find(name) {
		const found = this.querySelector(`[data-part="${name}"]`);
		if (!(found instanceof HTMLElement)) throw new Error(`the page has no part ${name}`);
		return found;
	}

	connectedCallback() {
		this.find('open').hidden = !isOpen(location);
		this.find('leave').addEventListener('click', () => this.#leave());
		this.find('enter').addEventListener('click', toLogin);
		this.find('enrol').addEventListener('click', () => {
			this.#enrol ??= new Enrol();
			this.#enrol.open();
		});
		this.find('users').addEventListener('click', () => {
			this.#users ??= new Users();
			this.#users.open();
		});
	}

	/** show hides what is not for him. @param {import('./session.js').Me} me */
	show(me) {
		put(this.find('name'), me.name);
		this.find('name').title = me.name && `Account ${me.name}, ${me.role}`;
		this.find('leave').hidden = !me.session;
		this.find('enter').hidden = !me.canLogIn;
		this.find('enrol').hidden = !me.enrol;
		this.find('users').hidden = !me.users;
		if (!me.enrol) this.#enrol?.close();
		if (!me.users) this.#users?.close();
		// What he may not do is hidden, by the style sheet; the server refuses it anyhow.
		document.documentElement.dataset.command = me.command ? 'yes' : 'no';
		document.documentElement.dataset.operate = me.operate ? 'yes' : 'no';
	}

	async #leave() {
		try {
			await logOut();
		} catch (e) {
			put(this.find('name'), e instanceof Error ? e.message : String(e));
		}
	}
}
