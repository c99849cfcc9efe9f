// The picture that the page keeps of one camera, and the rule when it must not.

/** @typedef {import('./feed.js').Picture} Picture */

/**
 * Kept owns the newest picture of one camera. Everything else that shows the picture or
 * offers it for download lets go of it on `dropped`: a canvas, a link, a decoder.
 */
export class Kept extends EventTarget {
	/** @type {Picture | null} */
	#picture = null;
	#barred = false;

	/** The newest picture that was shown, or null. */
	get picture() {
		return this.#picture;
	}

	/** Whether no picture may be kept or shown now. */
	get barred() {
		return this.#barred;
	}

	/** bar forbids pictures, as privacy does, or allows them again. @param {boolean} yes */
	bar(yes) {
		if (yes && !this.#barred) this.drop();
		this.#barred = yes;
	}

	/** keep takes the place of the picture before. @param {Picture} p */
	keep(p) {
		if (!this.#barred) this.#picture = p;
	}

	/** drop leaves no picture here and in everything that shows it. */
	drop() {
		this.#picture = null;
		this.dispatchEvent(new Event('dropped'));
	}
}
