// Who gets which message: exact filters by lookup, wildcards by comparison.

/**
 * @typedef {{topic: string, payload: Uint8Array<ArrayBuffer>, retain: boolean}} Message
 * @typedef {{message: (m: Message) => void, refused?: (filter: string) => void, qos?: 0 | 1}} Subscriber
 */

/** Routes keeps one subscriber per filter. */
export class Routes {
	/** @type {Map<string, Subscriber>} */
	#exact = new Map();
	/** @type {Map<string, {levels: string[], to: Subscriber}>} */
	#wild = new Map();

	/**
	 * @param {string} filter
	 * @param {Subscriber} to
	 */
	add(filter, to) {
		if (/[+#]/.test(filter)) this.#wild.set(filter, { levels: filter.split('/'), to });
		else this.#exact.set(filter, to);
	}

	/** @param {string} filter */
	remove(filter) {
		return this.#exact.delete(filter) || this.#wild.delete(filter);
	}

	/** @returns {[string, Subscriber][]} */
	all() {
		return [...this.#exact, ...[...this.#wild].map(([f, w]) => /** @type {[string, Subscriber]} */ ([f, w.to]))];
	}

	/** @param {string} filter */
	refuse(filter) {
		const to = this.#exact.get(filter) ?? this.#wild.get(filter)?.to;
		guarded(() => to?.refused?.(filter));
	}

	/** @param {Message} m */
	deliver(m) {
		const exact = this.#exact.get(m.topic);
		if (exact) guarded(() => exact.message(m));
		if (this.#wild.size === 0) return;
		const levels = m.topic.split('/');
		for (const w of [...this.#wild.values()]) if (matches(w.levels, levels)) guarded(() => w.to.message(m));
	}
}

/** @param {() => void} f a subscriber's code, whose faults must not cut the packet stream */
function guarded(f) {
	try {
		f();
	} catch (e) {
		queueMicrotask(() => {
			throw e;
		});
	}
}

/**
 * matches reports whether a topic falls under a filter. [MQTT 4.7]
 * @param {string[]} filter
 * @param {string[]} topic
 */
export function matches(filter, topic) {
	if (topic[0].startsWith('$') && (filter[0] === '+' || filter[0] === '#')) return false;
	for (let i = 0; i < filter.length; i++) {
		if (filter[i] === '#') return true;
		if (i >= topic.length || (filter[i] !== '+' && filter[i] !== topic[i])) return false;
	}
	return filter.length === topic.length;
}
