// The dialog "Accounts": lists, adds and removes accounts.

import { Box, copy } from './box.js';
import { ask } from './session.js';
import { put } from './text.js';

/**
 * @typedef {{name: string, role: string, all: boolean, cameras: string[], token: boolean, self: boolean}} User
 */

/** Users reads the list each time it opens. */
export class Users extends Box {
	#asked = 0; // lists

	constructor() {
		super('users');
		this.find('form').addEventListener('submit', (e) => {
			e.preventDefault();
			this.attempt('add', (still) => this.#add(still));
		});
		this.find('copy').addEventListener('click', async () => put(this.find('copied'), await copy(this.find('line'))));
	}

	/** @override */
	open() {
		super.open();
		this.attempt('list', (still) => this.#list(still));
	}

	/** @override */
	forget() {
		super.forget();
		this.find('list').replaceChildren(); // what is replaced as soon as it opens is not to be clicked
		this.#secret('', '');
	}

	/** @param {() => boolean} still whether this opening lasts */
	async #list(still) {
		const turn = ++this.#asked;
		/** @type {User[]} */
		const users = await ask('GET', 'api/users');
		if (still() && turn === this.#asked) this.#fill(users); // else a later list has what is true now
	}

	/**
	 * fill changes the rows that differ, and leaves the others alone: somebody may be about
	 * to press their buttons.
	 * @param {User[]} users
	 */
	#fill(users) {
		const list = this.find('list');
		const held = list.contains(document.activeElement);
		const old = new Map([...list.querySelectorAll('tr')].map((row) => [row.dataset.as, row]));
		const rows = users.map((u) => old.get(JSON.stringify(u)) ?? this.#row(u));
		for (const row of old.values()) if (!rows.includes(row)) row.remove();
		rows.forEach((row, i) => {
			if (list.children[i] !== row) list.insertBefore(row, list.children[i] ?? null);
		});
		if (held && !list.contains(document.activeElement)) this.find('close').focus(); // it was in a row that has gone
	}

	/** @param {User} u */
	#row(u) {
		const row = document.createElement('tr');
		row.dataset.as = JSON.stringify(u);
		const cells = [u.name, u.role, u.all ? 'all cameras' : u.cameras.join(', ')];
		for (const text of cells) row.insertCell().textContent = text;
		const last = row.insertCell();
		if (u.self) {
			last.textContent = 'you';
			return row;
		}
		const button = document.createElement('button');
		button.type = 'button';
		button.textContent = 'Remove';
		button.setAttribute('aria-label', `Remove ${u.name}`);
		button.addEventListener('click', () => this.#sure(button, u.name));
		last.append(button);
		return row;
	}

	/**
	 * sure removes at the second click.
	 * @param {HTMLButtonElement} button
	 * @param {string} name
	 */
	#sure(button, name) {
		if (button.dataset.sure !== 'yes') {
			button.dataset.sure = 'yes';
			button.textContent = 'Really?';
			button.addEventListener('blur', () => {
				delete button.dataset.sure;
				button.textContent = 'Remove';
			});
			return;
		}
		this.attempt(`remove ${name}`, async (still) => {
			await ask('DELETE', `api/users/${encodeURIComponent(name)}`);
			await this.#list(still);
		});
	}

	/** @param {() => boolean} still whether this opening lasts */
	async #add(still) {
		const typed = () => ['name', 'role', 'cameras'].map((f) => this.value(f));
		const [name, role, ids] = typed();
		const sent = typed().join();
		const listed = ids.split(/[\s,]+/).filter((id) => id !== '');
		const cameras = role === 'admin' ? ['*'] : role === 'camera' && listed.length === 0 ? [name] : listed;
		if (cameras.length === 0) {
			this.find('cameras').focus();
			throw new Error('Which cameras is the account for? Type their ids, or * for all.');
		}
		const { secret } = await ask('POST', 'api/users', { name, role, cameras });
		if (!still()) return;
		this.#secret(name, secret);
		const form = this.find('form');
		if (form instanceof HTMLFormElement && typed().join() === sent) form.reset(); // or the next is being typed already
		await this.#list(still);
	}

	/**
	 * @param {string} name
	 * @param {string} secret
	 */
	#secret(name, secret) {
		put(this.find('line'), secret);
		put(this.find('whose'), name && `The secret of ${name}, shown only now:`);
		put(this.find('copied'), '');
		this.find('made').hidden = secret === '';
	}
}
