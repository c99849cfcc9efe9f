// What the dialogs have in common: built from a template, closed by a button, Escape
// or a click beside them.

import { put } from './text.js';

/** Box is one dialog. */
export class Box {
	/** @type {HTMLDialogElement} */
	dialog;

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
		dialog.addEventListener('click', (e) => {
			if (e.target === dialog) dialog.close();
		});
		dialog.addEventListener('close', () => this.closed());
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

	/** value is what somebody has typed or chosen. @param {string} name */
	value(name) {
		const field = this.find(name);
		return field instanceof HTMLInputElement || field instanceof HTMLSelectElement ? field.value.trim() : '';
	}

	open() {
		if (!this.dialog.open) this.dialog.showModal();
	}

	close() {
		if (this.dialog.open) this.dialog.close();
	}

	closed() {}

	/**
	 * attempt does something and shows why it did not work.
	 * @param {() => Promise<void>} f
	 */
	async attempt(f) {
		put(this.find('trouble'), '');
		this.dialog.setAttribute('aria-busy', 'true');
		try {
			await f();
		} catch (e) {
			put(this.find('trouble'), e instanceof Error ? e.message : String(e));
		} finally {
			this.dialog.removeAttribute('aria-busy');
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
