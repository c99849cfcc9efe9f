// Commands of the user to one camera, each with its result.

const ANSWER_WAIT = 8_000; // ms

/** @typedef {import('./reports.js').Result} Result */

/** Commands joins every command to its result by id. topics.md: result */
export class Commands {
	#publish;
	#viewer;
	#changed;
	#count = 0;
	/** @type {Map<string, (r: Result) => void>} */
	#open = new Map();

	/**
	 * @param {(payload: string) => Promise<void>} publish publishes to the camera
	 * @param {string} viewer
	 * @param {() => void} changed is called when pending changes
	 */
	constructor(publish, viewer, changed) {
		this.#publish = publish;
		this.#viewer = viewer;
		this.#changed = changed;
	}

	/** Whether a subscription to the results is needed. */
	get pending() {
		return this.#open.size > 0;
	}

	/**
	 * send sends a command. The promise is rejected with a text for the user.
	 * @param {'start' | 'stop'} cmd
	 */
	async send(cmd) {
		const id = `${this.#viewer}-${cmd}-${++this.#count}`;
		/** @type {ReturnType<typeof setTimeout> | undefined} */
		let late;
		/** @type {Promise<Result>} */
		const answer = new Promise((resolve, reject) => {
			this.#open.set(id, resolve);
			late = setTimeout(() => reject(new Error('the camera did not answer')), ANSWER_WAIT);
		});
		this.#changed(); // subscribes before the result can come
		try {
			const [r] = await Promise.all([answer, this.#publish(JSON.stringify({ cmd, id }))]);
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
