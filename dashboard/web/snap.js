// One picture that the user asked for, from the command to the file.

const RESULT_WAIT = 20_000; // a cold camera may need ten seconds
const FETCH_AFTER = 500; // ms after the result: the picture's own way may be the longer one
const PICTURE_WAIT = 3_000; // ms after that
const KEPT = 8;

/**
 * @typedef {{tookMS: number, bytes: number, jpeg: Uint8Array<ArrayBuffer> | null}} Taken jpeg is null when it never came here
 */

/**
 * Snap joins the result to its picture by `image`, the ImageUniqueID of the picture. The
 * picture comes on `frame`, to which the page is subscribed. If it was replaced on its
 * way, the page reads the retained `snapshot`. topics.md: image
 */
export class Snap {
	id = `${crypto.getRandomValues(new Uint32Array(1))[0].toString(36)}`;
	/** Whether `snapshot` should be heard. */
	fetching = false;
	/** @type {Promise<Taken>} */
	taken;

	#changed;
	/** The newest frames by their id. @type {Map<string, Uint8Array<ArrayBuffer>>} */
	#frames = new Map();
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

	/**
	 * picture takes a picture of `frame` or `snapshot`.
	 * @param {Uint8Array<ArrayBuffer>} jpeg
	 * @param {string} image its ImageUniqueID
	 */
	picture(jpeg, image) {
		if (image === '') return;
		if (this.#result?.image === image) this.#finish(jpeg);
		this.#frames.set(image, jpeg);
		if (this.#frames.size > KEPT) this.#frames.delete([...this.#frames.keys()][0]);
	}

	/** @param {import('./reports.js').Result} r any result of the camera */
	result(r) {
		if (r.id !== this.id || this.#result) return;
		if (!r.ok) {
			this.fail(r.text || r.code.replaceAll('_', ' ') || 'the camera refused');
			return;
		}
		this.#result = r;
		const mine = this.#frames.get(r.image);
		if (mine) {
			this.#finish(mine);
			return;
		}
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => {
			this.fetching = true;
			this.#changed();
			this.#timer = setTimeout(() => this.#finish(null), PICTURE_WAIT);
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
