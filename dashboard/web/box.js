// What the dialogs have in common: built from a template, closed by a button, Escape
// or a click beside them.

import { put } from './text.js';

/**
 * Box is one dialog. What it says in one opening is gone before the next.
 */
export class Box {
	/** @type {HTMLDialogElement} */
	dialog;
	/** What is under way, of this opening. @type {Set<string>} */
	#doing = new Set();

	/** @param {string} template of the page */
	constructor(template) {
		const source = document.getElementById(template);
		if (!(source instanceof HTMLTemplateElement)) throw new Error(`the page has no template ${template}`);
		const dialog = document.createElement('dialog');
		dialog.className = 'box';
		dialog.append(source.content.cloneNode(true));
		dialog.setAttribute('aria-labelledby', `${template}-title`);
		document.body.append(dialog);
		this.dialog = dialog;
		this.find('close').addEventListener('click', () => dialog.close());
		// Who drags over a text and past the edge has begun inside, and stays.
		let outside = false;
		dialog.addEventListener('pointerdown', (e) => {
			outside = this.#beside(e);
		});
		dialog.addEventListener('click', (e) => {
			if (outside && this.#beside(e)) dialog.close();
		});
		dialog.addEventListener('close', () => {
			if (!dialog.open) this.forget(); // it may be open again by the time this is told
		});
	}

	/** Its own margin is not beside it. @param {MouseEvent} e */
	#beside(e) {
		const { left, right, top, bottom } = this.dialog.getBoundingClientRect();
		const within = e.clientX >= left && e.clientX <= right && e.clientY >= top && e.clientY <= bottom;
		return e.target === this.dialog && !within;
	}

	/**
	 * @param {string} name of a data-part
	 * @returns {HTMLElement}
	 */
	find(name) {
		const found = this.dialog.querySelector(`[data-part="${name}"]`);
		if (!(found instanceof HTMLElement)) throw new Error(`the page has no part ${name}`);
		return found;
	}

	/** value is what the user has typed or chosen. @param {string} name */
	value(name) {
		const field = this.find(name);
		return field instanceof HTMLInputElement || field instanceof HTMLSelectElement ? field.value.trim() : '';
	}

	open() {
		if (this.dialog.open) return;
		this.forget();
		this.dialog.showModal();
	}

	close() {
		if (this.dialog.open) this.dialog.close();
	}

	/** forget takes away what was said; what is still under way says nothing any more. */
	forget() {
		this.#doing = new Set();
		this.dialog.removeAttribute('aria-busy');
		put(this.find('trouble'), '');
	}

	/**
	 * attempt does something and shows why it did not work. What is under way already is
	 * not done twice: keys and buttons are pressed again when nothing seems to happen.
	 * @param {string} what
	 * @param {(still: () => boolean) => Promise<void>} f is told whether this opening still lasts
	 */
	async attempt(what, f) {
		const doing = this.#doing;
		if (doing.has(what)) return;
		doing.add(what);
		const still = () => doing === this.#doing;
		put(this.find('trouble'), '');
		this.dialog.setAttribute('aria-busy', 'true');
		try {
			await f(still);
		} catch (e) {
			if (still()) put(this.find('trouble'), e instanceof Error ? e.message : String(e));
		} finally {
			doing.delete(what);
			if (still() && doing.size === 0) this.dialog.removeAttribute('aria-busy');
		}
	}
}

/**
 * copy puts a text on the clipboard, where the browser lets us (https or this
 * machine); otherwise it is selected, ready for the keyboard.
 * @param {HTMLElement} from
 * @returns {Promise<string>} what to say
 */
export async function copy(from) {
	try {
		await navigator.clipboard.writeText(from.textContent ?? '');
		return 'Copied';
	} catch {
		getSelection()?.selectAllChildren(from);
		return 'Selected: copy it with Ctrl-C';
	}
}
