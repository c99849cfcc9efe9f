// Amounts per second over the last few seconds.

const SPAN = 5000; // ms

/** Meter adds up what happened lately; times are ms of any one clock. */
export class Meter {
	/** @type {{at: number, amount: number}[]} */
	#seen = [];
	#since = 0;

	/**
	 * @param {number} now
	 * @param {number} [amount]
	 */
	add(now, amount = 1) {
		if (this.#seen.length === 0) this.#since = now;
		this.#seen.push({ at: now, amount });
		this.#forget(now);
	}

	/** @param {number} now */
	perSecond(now) {
		this.#forget(now);
		if (this.#seen.length < 2) return 0;
		const span = Math.min(SPAN, now - this.#since);
		return span < 500 ? 0 : (1000 * this.#seen.reduce((sum, s) => sum + s.amount, 0)) / span;
	}

	reset() {
		this.#seen = [];
	}

	/** @param {number} now */
	#forget(now) {
		const first = this.#seen.findIndex((s) => s.at > now - SPAN);
		this.#seen = first < 0 ? [] : first > 0 ? this.#seen.slice(first) : this.#seen;
	}
}
