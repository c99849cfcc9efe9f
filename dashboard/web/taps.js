// The topics of one camera that are heard at present.

/** @typedef {import('./routes.js').Message} Message */

/** Taps opens and closes subscriptions; asking for the same again costs nothing. */
export class Taps {
	#client;
	#prefix;
	#refused;
	/** @type {Set<string>} */
	#open = new Set();

	/**
	 * @param {import('./mqtt.js').Client} client
	 * @param {string} prefix such as cam/porch
	 * @param {(kind: string) => void} refused is told when the broker says no
	 */
	constructor(client, prefix, refused) {
		this.#client = client;
		this.#prefix = prefix;
		this.#refused = refused;
	}

	/**
	 * @param {string} kind such as frame
	 * @param {boolean} wanted
	 * @param {(m: Message) => void} message
	 */
	set(kind, wanted, message) {
		if (wanted === this.#open.has(kind)) return;
		const topic = `${this.#prefix}/${kind}`;
		if (wanted) {
			this.#open.add(kind);
			this.#client.subscribe(topic, { message, refused: () => this.#refused(kind) });
		} else {
			this.#open.delete(kind);
			this.#client.unsubscribe(topic);
		}
	}
}
