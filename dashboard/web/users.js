// The dialog "Accounts": who there is, one more, one less.

import { Box, copy } from './box.js';
import { ask } from './session.js';
import { put } from './text.js';

/**
 * @typedef {{name: string, role: string, all: boolean, cameras: string[], token: boolean, self: boolean}} User
 */

/** Users reads the list each time it opens. */
export class Users extends Box {
	constructor() {
		super('users');
		this.find('form').addEventListener('submit', (e) => {
			e.preventDefault();
			this.attempt(() => this.#add());
		});
		this.find('copy').addEventListener('click', async () => put(this.find('copied'), await copy(this.find('line'))));
	}

	/** @override */
	open() {
		super.open();
		this.attempt(() => this.#list());
	}

	/** @override */
	closed() {
		this.find('list').replaceChildren(); // what is replaced as soon as it opens is not to be clicked
		this.#secret('', '');
		put(this.find('trouble'), '');
	}

	async #list() {
		/** @type {User[]} */
		const users = await ask('GET', 'api/users');
		if (!this.dialog.open) return;
		this.find('list').replaceChildren(...users.map((u) => this.#row(u)));
	}

	/** @param {User} u */
	#row(u) {
		const row = document.createElement('tr');
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
		this.attempt(async () => {
			await ask('DELETE', `api/users/${encodeURIComponent(name)}`);
			await this.#list();
		});
	}

	async #add() {
		const name = this.value('name');
		const cameras = this.value('cameras')
			.split(/[\s,]+/)
			.filter((id) => id !== '');
		const { secret } = await ask('POST', 'api/users', { name, role: this.value('role'), cameras });
		this.#secret(name, secret);
		const form = this.find('form');
		if (form instanceof HTMLFormElement) form.reset();
		await this.#list();
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
