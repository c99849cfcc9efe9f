// Without a live connection, which some accounts have not before a broker elsewhere:
// one picture of each camera now and then, over HTTP.

import { look, MAX_PIXELS } from './exif.js';
import { Painter } from './painter.js';
import { here } from './safety.js';
import { ask } from './session.js';
import { clean, put } from './text.js';

const EVERY = 10_000; // ms between rounds: each takes a picture

/**
 * @typedef {{id: string, name: string, status: string, privacy: boolean}} Listed of /api/cameras
 */

/** Stills fills an element while it is on and the page can be seen. */
export class Stills {
	#grid;
	#on = false;
	#busy = false;
	/** @type {Map<string, Still>} */
	#shown = new Map();

	/** @param {HTMLElement} grid */
	constructor(grid) {
		this.#grid = grid;
		setInterval(() => this.#round(), EVERY);
	}

	/** Whether there is no better way. */
	get on() {
		return this.#on;
	}

	set on(yes) {
		if (yes === this.#on) return;
		this.#on = yes;
		this.#grid.hidden = !yes;
		if (yes) this.#round();
		else this.#empty();
	}

	/** empty leaves no picture without an owner. */
	#empty() {
		this.#grid.replaceChildren();
		this.#shown.clear();
	}

	async #round() {
		if (!this.#on || this.#busy || document.hidden) return;
		this.#busy = true;
		try {
			/** @type {Listed[]} */
			const cameras = await ask('GET', 'api/cameras');
			for (const [id, old] of this.#shown) {
				if (cameras.some((c) => c.id === id)) continue;
				old.figure.remove();
				this.#shown.delete(id);
			}
			for (const c of cameras) this.#still(c.id).label(c); // first, for it takes away what is private
			for (const c of cameras) if (this.#on) await this.#still(c.id).show(c);
		} catch {
			// The banner says what is wrong; the next round tries again.
		} finally {
			this.#busy = false;
		}
	}

	/** @param {string} id */
	#still(id) {
		const still = this.#shown.get(id) ?? new Still();
		if (!this.#shown.has(id)) this.#grid.append(still.figure);
		this.#shown.set(id, still);
		return still;
	}
}

/** Still is one camera. */
class Still {
	figure = document.createElement('figure');
	#canvas = document.createElement('canvas');
	#caption = document.createElement('figcaption');
	#painter = new Painter(this.#canvas, { drawn: () => {}, replaced: () => {}, broken: () => {} });

	constructor() {
		this.#canvas.setAttribute('role', 'img');
		this.figure.append(this.#canvas, this.#caption);
		this.#painter.visible = true;
	}

	/** label says which camera it is, and whether it is private. @param {Listed} camera */
	label({ id, name, status, privacy }) {
		const title = clean(name) || id;
		const state = privacy ? 'privacy is on' : clean(status);
		put(this.#caption, state === 'online' ? title : `${title} (${state})`);
		this.#canvas.setAttribute('aria-label', privacy ? `${title}, privacy is on` : `${title}, a still picture`);
		if (privacy) this.#painter.clear();
	}

	/** show fetches a picture. The last one stays when the camera does not answer. @param {Listed} camera */
	async show({ id, status, privacy }) {
		if (status === 'offline' || privacy) return;
		const answer = await fetch(here(`cam/${encodeURIComponent(id)}/snapshot.jpg`).href, { cache: 'no-store' });
		if (answer.status === 403 || answer.status === 404) this.#painter.clear(); // private by now, or removed
		if (!answer.ok) return;
		const bytes = new Uint8Array(await answer.arrayBuffer());
		const seen = look(bytes);
		if (!seen || seen.width * seen.height > MAX_PIXELS) return;
		const width = Math.round(this.figure.clientWidth * devicePixelRatio);
		this.#painter.box = { width, height: Math.round((width * seen.height) / seen.width) };
		this.#painter.show({ bytes, look: seen, arrived: Date.now(), live: false });
	}
}
