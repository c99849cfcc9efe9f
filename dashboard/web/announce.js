// Changes of state, said aloud by screen readers without a torrent of words.

const CALM = 1_000; // ms in which changes are gathered
const MOST = 3;

/** Announcer writes into a polite live region. */
export class Announcer {
	#region;
	/** @type {Map<string, string>} */
	#news = new Map();
	/** @type {ReturnType<typeof setTimeout> | undefined} */
	#timer;

	/** @param {HTMLElement} region */
	constructor(region) {
		this.#region = region;
	}

	/**
	 * @param {string} name of the camera
	 * @param {string} text
	 */
	say(name, text) {
		this.#news.set(name, text);
		this.#timer ??= setTimeout(() => this.#speak(), CALM);
	}

	#speak() {
		this.#timer = undefined;
		const news = [...this.#news].map(([name, text]) => `${name}: ${text}.`);
		this.#news.clear();
		const more = news.length > MOST ? ` And ${news.length - MOST} more cameras changed.` : '';
		this.#region.textContent = news.slice(0, MOST).join(' ') + more;
	}
}
