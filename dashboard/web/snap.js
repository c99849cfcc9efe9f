// One asked-for picture, from the command to the file.

const RESULT_WAIT = 20_000; // a cold camera may need ten seconds
const FETCH_AFTER = 500; // ms after the result: the picture's own way may be the longer one
const PICTURE_WAIT = 3_000; // ms after that
const KEPT = 8;

/**
 * @typedef {{tookMS: number, bytes: number, jpeg: Uint8Array<ArrayBuffer> | null}} Taken jpeg is null when it never came here
 */

/**
 * Snap joins the result with its picture. Every snapped picture comes on
 * `frame`, which is heard already; only when it was replaced on the way is
 * `snapshot` asked for.
 */
export class Snap {
	id = `${crypto.getRandomValues(new Uint32Array(1))[0].toString(36)}`;
	/** Whether `snapshot` should be heard. */
	fetching = false;
	/** @type {Promise<Taken>} */
	taken;

	#changed;
	/** @type {Uint8Array<ArrayBuffer>[]} */
	#frames = [];
	/** @type {import('./reports.js').Result | null} */
	#result = null;
	/** @type {(t: Taken) => void} */
	#resolve = () => {};
	/** @type {(e: Error) => void} */
	#reject = () => {};
	/** @type {ReturnType<typeof setTimeout>} */
	#timer;

	/**
	 * @param {string} viewer
	 * @param {() => void} changed is told when fetching differs
	 */
	constructor(viewer, changed) {
		this.id = `${viewer}-snap-${this.id}`;
		this.#changed = changed;
		this.taken = new Promise((resolve, reject) => {
			this.#resolve = resolve;
			this.#reject = reject;
		});
		this.#timer = setTimeout(() => this.fail('the camera did not answer'), RESULT_WAIT);
	}

	/** @param {Uint8Array<ArrayBuffer>} jpeg a picture of `frame` */
	frame(jpeg) {
		this.#frames.push(jpeg);
		if (this.#frames.length > KEPT) this.#frames.shift();
		if (this.#result?.bytes === jpeg.length) this.#finish(jpeg);
	}

	/** @param {Uint8Array<ArrayBuffer>} jpeg a picture of `snapshot`; the newest is ours, kept or not */
	offer(jpeg) {
		if (this.#result && jpeg.length > 0) this.#finish(jpeg);
	}

	/** @param {import('./reports.js').Result} r any result of the camera */
	result(r) {
		if (r.id !== this.id || this.#result) return;
		if (!r.ok) {
			this.fail(r.text || r.code.replaceAll('_', ' ') || 'the camera refused');
			return;
		}
		this.#result = r;
		const mine = this.#frames.find((f) => f.length === r.bytes);
		if (mine) {
			this.#finish(mine);
			return;
		}
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => {
			this.fetching = true;
			this.#changed();
			this.#timer = setTimeout(() => this.#finish(this.#frames.at(-1) ?? null), PICTURE_WAIT);
		}, FETCH_AFTER);
	}

	/** @param {string} why */
	fail(why) {
		clearTimeout(this.#timer);
		this.#reject(new Error(why));
	}

	/** @param {Uint8Array<ArrayBuffer> | null} jpeg */
	#finish(jpeg) {
		clearTimeout(this.#timer);
		const r = this.#result;
		this.#resolve({ tookMS: r?.tookMS ?? 0, bytes: r?.bytes || jpeg?.length || 0, jpeg });
	}
}
