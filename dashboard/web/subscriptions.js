// The topics of one camera to which the page is subscribed at present.

/** @typedef {import('./routes.js').Message} Message */

/** Subscriptions subscribes and unsubscribes. Repeating a call sends nothing. */
export class Subscriptions {
	#client;
	#prefix;
	#refused;
	/** @type {Set<string>} */
	#open = new Set();

	/**
	 * @param {import('./mqtt.js').Client} client
	 * @param {string} prefix such as cam/porch
	 * @param {(kind: string) => void} refused is called when the broker refuses
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
