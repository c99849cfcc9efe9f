// How old a picture is when the camera's clock and this one differ.

const IN_STEP = 1500; // ms of smallest offset that count as the line's and camera's own delay
const BACKWARDS = 2000; // ms by which a live picture's time may go back before the clock was set

/**
 * Clock learns one camera's clock from live pictures. The smallest offset
 * between capture and arrival is the fastest way a picture ever took: what is
 * above it is lag, what it holds beyond a second and a half is the clocks'
 * difference, or a line on which every picture is late. An answer tells which:
 * the camera cannot have heard a question before it was asked.
 */
export class Clock {
	#least = Number.NaN;
	#newest = 0;
	#ahead = Number.POSITIVE_INFINITY; // most by which the camera's clock can be ahead of ours

	/**
	 * @param {number} captured by the camera's clock, ms since the epoch
	 * @param {number} arrived by ours
	 */
	learn(captured, arrived) {
		const offset = arrived - captured;
		if (Number.isNaN(this.#least) || captured < this.#newest - BACKWARDS) {
			this.#least = offset;
			this.#ahead = Number.POSITIVE_INFINITY;
		}
		this.#least = Math.min(this.#least, offset);
		this.#newest = captured;
	}

	/**
	 * answered learns from a question that the camera has answered.
	 * @param {number} asked by our clock, ms since the epoch
	 * @param {number} heard by the camera's
	 */
	answered(asked, heard) {
		this.#ahead = Math.min(this.#ahead, heard - asked);
	}

	get #differs() {
		return this.#least < 0 || this.#least > IN_STEP;
	}

	/** Whether an answer would tell more than the pictures have. */
	get unsure() {
		return this.#differs && this.#ahead === Number.POSITIVE_INFINITY;
	}

	/** ms to add to the camera's times to have ours; 0 while the clocks agree or nothing is known. */
	get difference() {
		if (!this.#differs) return 0;
		if (this.#ahead === Number.POSITIVE_INFINITY) return this.#least;
		// They may agree, and it is the line that is slow; else questions travel fast.
		return this.#least > 0 && this.#ahead >= 0 ? 0 : Math.min(this.#least, -this.#ahead);
	}

	/**
	 * @param {number} captured
	 * @param {number} now
	 */
	age(captured, now) {
		return Math.max(0, now - captured - this.difference);
	}

	/**
	 * lag is how much longer than the fastest picture this one took.
	 * @param {number} captured
	 * @param {number} now
	 */
	lag(captured, now) {
		return Number.isNaN(this.#least) ? 0 : Math.max(0, now - captured - this.#least);
	}
}
