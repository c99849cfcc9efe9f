// One viewer's lease on one camera: asked for, renewed, changed and given back.

const TERM = '15s'; // how long a camera sends to a page that vanished
const RENEW = 5_000; // ms; two renewals may be lost before the term is over

const REMEMBERED = 16; // commands whose answers may still come

/**
 * @typedef {{fps: number, size?: string}} Demand size such as 320x240; left out is the camera's own
 */

/** Lease sends its commands through one function and expects no answer. */
export class Lease {
	#send;
	#viewer;
	#count = 0;
	#asked = '';
	/** When each of the last commands was sent, by its id. @type {Map<string, number>} */
	#sent = new Map();
	/** @type {ReturnType<typeof setInterval> | undefined} */
	#timer;

	/**
	 * @param {(payload: string) => void} send publishes a command to the camera
	 * @param {string} viewer whose lease it is
	 */
	constructor(send, viewer) {
		this.#send = send;
		this.#viewer = viewer;
	}

	get held() {
		return this.#timer !== undefined;
	}

	/**
	 * want asks for pictures, changes what was asked, or gives the lease back.
	 * Asking for the same again costs nothing.
	 * @param {Demand | null} demand
	 */
	want(demand) {
		if (!demand) {
			if (this.held) this.#send(JSON.stringify({ cmd: 'stop', viewer: this.#viewer }));
			this.drop();
			return;
		}
		const asked = JSON.stringify(demand);
		if (this.held && asked === this.#asked) return;
		clearInterval(this.#timer);
		this.#asked = asked;
		const start = () => {
			const id = `${this.#viewer}-lease-${++this.#count}`;
			this.#sent.set(id, Date.now());
			if (this.#sent.size > REMEMBERED) this.#sent.delete([...this.#sent.keys()][0]);
			this.#send(JSON.stringify({ cmd: 'start', id, viewer: this.#viewer, ...demand, for: TERM }));
		};
		this.#timer = setInterval(start, RENEW);
		start();
	}

	/** drop forgets the lease without a message: the line is gone, or another client ended it. */
	drop() {
		clearInterval(this.#timer);
		this.#timer = undefined;
	}

	/**
	 * sentAt is when the command was sent that a result answers, ms since the epoch;
	 * undefined when it was another's, or long ago.
	 * @param {string} id
	 */
	sentAt(id) {
		return this.#sent.get(id);
	}

	/**
	 * owns reports whether a result answers this lease.
	 * @param {string} id
	 */
	owns(id) {
		return id.startsWith(`${this.#viewer}-lease-`);
	}
}

/**
 * pick finds the smallest size that fills the width and shows the same part of
 * the world as the widest.
 * @param {import('./reports.js').Size[]} sizes by ascending width
 * @param {number} width pixels
 */
export function pick(sizes, width) {
	const widest = sizes.at(-1);
	if (!widest) return undefined;
	const alike = sizes.filter((s) => Math.abs((s.width * widest.height) / (s.height * widest.width) - 1) < 0.02);
	const found = alike.find((s) => s.width >= width) ?? widest;
	return `${found.width}x${found.height}`;
}
