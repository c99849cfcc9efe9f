// Pictures onto a canvas: the newest only, one decode at a time, no larger
// than they are shown, on the display's own beat.

import { upright } from './exif.js';

/**
 * @typedef {import('./feed.js').Picture} Picture
 * @typedef {{drawn: (p: Picture) => void, replaced: () => void, broken: () => void}} Listener
 * @typedef {{image: CanvasImageSource, close: () => void}} Decoded
 */

/** Canvas transforms for EXIF orientations 1 to 8, as [a, b, c, d, e of the width, f of the height]. */
const TURNS = [
	[1, 0, 0, 1, 0, 0],
	[-1, 0, 0, 1, 1, 0],
	[-1, 0, 0, -1, 1, 1],
	[1, 0, 0, -1, 0, 1],
	[0, 1, 1, 0, 0, 0],
	[0, 1, -1, 0, 1, 0],
	[0, -1, -1, 0, 1, 1],
	[0, -1, 1, 0, 0, 1],
];

/** The size of a canvas without a picture, as in the page's templates. */
const EMPTY = { width: 16, height: 9 };

/** Painter owns a canvas. */
export class Painter {
	#canvas;
	#context;
	#listener;
	/** @type {Picture | null} */
	#next = null;
	#busy = false;
	#cleared = 0; // times; what began before the last one is not drawn
	#visible = false;
	#box = { width: 0, height: 0 };
	/** @type {(go: boolean) => void} */
	#beat = () => {};
	#beatID = 0;

	/**
	 * @param {HTMLCanvasElement} canvas
	 * @param {Listener} listener
	 */
	constructor(canvas, listener) {
		this.#canvas = canvas;
		this.#context = canvas.getContext('2d', { alpha: false });
		this.#listener = listener;
	}

	/** The room there is, in device pixels. @param {{width: number, height: number}} box */
	set box(box) {
		this.#box = box;
	}

	/** Nothing is decoded for a canvas that cannot be seen. @param {boolean} yes */
	set visible(yes) {
		this.#visible = yes;
		if (yes) return;
		this.#next = null;
		cancelAnimationFrame(this.#beatID);
		this.#beat(false);
	}

	/** clear takes the picture off the canvas. One that is being decoded will not be drawn. */
	clear() {
		this.#next = null;
		this.#cleared++;
		this.#canvas.width = EMPTY.width; // setting a size erases the canvas
		this.#canvas.height = EMPTY.height;
	}

	/** @param {Picture} p */
	show(p) {
		if (!this.#visible) return;
		if (this.#next) this.#listener.replaced();
		this.#next = p;
		if (!this.#busy) this.#work();
	}

	async #work() {
		this.#busy = true;
		for (let p = this.#take(); p; p = this.#take()) {
			const cleared = this.#cleared;
			try {
				const decoded = await this.#decode(p);
				try {
					if ((await this.#nextBeat()) && cleared === this.#cleared) this.#draw(p, decoded.image);
				} finally {
					decoded.close();
				}
			} catch {
				if (cleared === this.#cleared) this.#listener.broken(); // the last good picture stays
			}
		}
		this.#busy = false;
	}

	#take() {
		const p = this.#next;
		this.#next = null;
		return p;
	}

	/** @returns {Promise<boolean>} whether the canvas can still be seen */
	#nextBeat() {
		if (!this.#visible) return Promise.resolve(false);
		return new Promise((resolve) => {
			this.#beat = resolve;
			this.#beatID = requestAnimationFrame(() => resolve(true));
		});
	}

	/**
	 * @param {Picture} p
	 * @returns {Promise<Decoded>}
	 */
	async #decode(p) {
		// Browsers disagree on who turns a picture; with the mark taken out it is always the canvas.
		const data = upright(p.bytes, p.look);
		if (typeof ImageDecoder === 'function') {
			try {
				return await decodeSmall(data, this.#stored(p));
			} catch {
				// The other decoder may know this kind of JPEG.
			}
		}
		const image = await createImageBitmap(new Blob([data], { type: 'image/jpeg' }));
		return { image, close: () => image.close() };
	}

	/** The size to draw at, upright. @param {Picture} p */
	#size({ look }) {
		const turned = look.orientation > 4;
		const width = turned ? look.height : look.width;
		const height = turned ? look.width : look.height;
		const { width: w, height: h } = this.#box;
		const scale = w > 0 && h > 0 ? Math.min(1, w / width, h / height) : 1;
		return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
	}

	/** The same, as the picture lies in the file. @param {Picture} p */
	#stored(p) {
		const { width, height } = this.#size(p);
		return p.look.orientation > 4 ? { width: height, height: width } : { width, height };
	}

	/**
	 * @param {Picture} p
	 * @param {CanvasImageSource} image
	 */
	#draw(p, image) {
		const { width, height } = this.#size(p);
		const context = this.#context;
		if (!context) return;
		if (this.#canvas.width !== width) this.#canvas.width = width;
		if (this.#canvas.height !== height) this.#canvas.height = height;
		const [a, b, c, d, e, f] = TURNS[p.look.orientation - 1];
		context.setTransform(a, b, c, d, e * width, f * height);
		const stored = this.#stored(p);
		context.drawImage(image, 0, 0, stored.width, stored.height);
		if (performance.getEntriesByName('first-picture').length === 0) performance.mark('first-picture');
		this.#listener.drawn(p);
	}
}

/**
 * decodeSmall decodes straight to about the size wanted, which costs a third of
 * decoding everything. Only secure pages have it.
 * @param {Uint8Array<ArrayBuffer>} data
 * @param {{width: number, height: number}} size
 * @returns {Promise<Decoded>}
 */
async function decodeSmall(data, size) {
	const decoder = new ImageDecoder({
		data,
		type: 'image/jpeg',
		desiredWidth: size.width,
		desiredHeight: size.height,
		preferAnimation: false,
	});
	try {
		const { image } = await decoder.decode();
		return { image, close: () => image.close() };
	} finally {
		decoder.close();
	}
}
