// Commands of a person to one camera, each with its answer.

const ANSWER_WAIT = 8_000; // ms

/** @typedef {import('./reports.js').Result} Result */

/** Orders joins every command with the one result that answers it. topics.md: result */
export class Orders {
	#send;
	#viewer;
	#changed;
	#count = 0;
	/** @type {Map<string, (r: Result) => void>} */
	#open = new Map();

	/**
	 * @param {(payload: string) => Promise<void>} send publishes to the camera
	 * @param {string} viewer
	 * @param {() => void} changed is told when pending differs
	 */
	constructor(send, viewer, changed) {
		this.#send = send;
		this.#viewer = viewer;
		this.#changed = changed;
	}

	/** Whether results should be heard. */
	get pending() {
		return this.#open.size > 0;
	}

	/**
	 * give sends a command. The promise is refused with a text for people.
	 * @param {'start' | 'stop'} cmd
	 */
	async give(cmd) {
		const id = `${this.#viewer}-${cmd}-${++this.#count}`;
		/** @type {ReturnType<typeof setTimeout> | undefined} */
		let late;
		/** @type {Promise<Result>} */
		const answer = new Promise((resolve, reject) => {
			this.#open.set(id, resolve);
			late = setTimeout(() => reject(new Error('the camera did not answer')), ANSWER_WAIT);
		});
		this.#changed(); // hear the result before it can come
		try {
			const [r] = await Promise.all([answer, this.#send(JSON.stringify({ cmd, id }))]);
			if (!r.ok) throw new Error(r.text || r.code.replaceAll('_', ' '));
		} finally {
			clearTimeout(late);
			this.#open.delete(id);
			this.#changed();
		}
	}

	/** @param {Result} r any result of the camera */
	result(r) {
		this.#open.get(r.id)?.(r);
	}
}
